"""Each event of the core reaches the user that it concerns, and a bug of one nobody else."""

import logging

import pytest

from sylk.session.dialog_users import DialogUsers
from sylk.session.dispatcher import Dispatcher
from sylk.sip.core import IncomingAck, IncomingCancel, IncomingRequest, IncomingResponse, Refused
from sylk.sip.flow import Flow
from sylk.sip.message import Response
from tests.call.phones import CAPABILITIES, Line
from tests.session.test_dialog_users import call_of

UDP = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5060))


async def test_a_request_of_no_dialog_goes_to_whoever_takes_them() -> None:
    taken: list[IncomingRequest] = []
    line = Line()
    line.call()
    call = call_of(line.bob)
    assert call.usage.server_transaction is not None
    event = IncomingRequest(call.usage.server_transaction, call.request, UDP, None)
    Dispatcher(DialogUsers(), taken.append).dispatch(event)
    assert taken == [event]


async def test_what_belongs_to_nobody_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    line = Line()
    line.call()
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    call = call_of(line.bob)
    transaction = call.usage.server_transaction
    assert transaction is not None
    invite = call.request
    dispatcher = Dispatcher(DialogUsers(), lambda _: None)
    dispatcher.dispatch(IncomingRequest(transaction, invite, UDP, line.bob.dialog))
    dispatcher.dispatch(IncomingAck(invite, line.bob.dialog))
    dispatcher.dispatch(IncomingCancel(transaction, invite))
    dispatcher.dispatch(IncomingResponse(None, Response.to_request(invite, 200)))
    assert not caplog.records


async def test_a_bug_is_logged_and_stays_where_it_was(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_event: IncomingRequest) -> None:
        raise RuntimeError("a bug")

    line = Line()
    line.call()
    call = call_of(line.bob)
    assert call.usage.server_transaction is not None
    event = IncomingRequest(call.usage.server_transaction, call.request, UDP, None)
    Dispatcher(DialogUsers(), fail).dispatch(event)
    (record,) = caplog.records
    assert record.getMessage() == "handling IncomingRequest failed"
    assert record.exc_info is not None


async def test_a_refusal_of_the_core_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sylk.session")
    Dispatcher(DialogUsers(), lambda _: None).dispatch(Refused(None, UDP, 400, "nonsense"))
    (record,) = caplog.records
    assert record.getMessage() == "refused from 192.0.2.9:5060 with 400: nonsense"
