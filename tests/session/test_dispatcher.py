"""Each event of the core reaches the user that it concerns, and a bug of one nobody else."""

import logging

import pytest

from sylk.session.dialog_users import DialogUsers
from sylk.session.dispatcher import Dispatcher
from sylk.sip.address import NameAddr
from sylk.sip.core import IncomingAck, IncomingCancel, IncomingRequest, IncomingResponse, Refused
from sylk.sip.flow import Flow
from sylk.sip.message import Response, make_request
from sylk.sip.uri import SipURI
from tests.call.phones import CAPABILITIES, Line
from tests.session.test_dialog_users import call_of


def nobody(_event: IncomingRequest) -> None:
    raise AssertionError("nothing is for this one")


UDP = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5060))


async def test_a_request_of_no_dialog_goes_to_whoever_takes_them() -> None:
    taken: list[IncomingRequest] = []
    line = Line()
    line.call()
    call = call_of(line.bob)
    assert call.usage.server_transaction is not None
    event = IncomingRequest(call.usage.server_transaction, call.request, UDP, None)
    Dispatcher(DialogUsers(), taken.append, nobody).dispatch(event)
    assert taken == [event]


async def test_a_request_for_who_is_gone_is_a_stray() -> None:
    strays: list[IncomingRequest] = []
    line = Line()
    line.call()
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    transaction = call_of(line.bob).usage.server_transaction
    assert transaction is not None
    notify = make_request(
        "NOTIFY",
        SipURI.parse("sip:bob@192.0.2.2"),
        NameAddr.parse("<sip:x@192.0.2.1>;tag=1"),
        NameAddr.parse("<sip:bob@192.0.2.2>;tag=2"),
        "unknown",
        1,
    )
    of_dialog = IncomingRequest(transaction, call_of(line.bob).request, UDP, line.bob.dialog)
    of_none = IncomingRequest(transaction, notify, UDP, None)
    dispatcher = Dispatcher(DialogUsers(), nobody, strays.append)
    dispatcher.dispatch(of_dialog)
    dispatcher.dispatch(of_none)
    assert strays == [of_dialog, of_none]


async def test_what_belongs_to_nobody_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    line = Line()
    line.call()
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    call = call_of(line.bob)
    transaction = call.usage.server_transaction
    assert transaction is not None
    invite = call.request
    dispatcher = Dispatcher(DialogUsers(), nobody, nobody)
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
    Dispatcher(DialogUsers(), fail, nobody).dispatch(event)
    (record,) = caplog.records
    assert record.getMessage() == "handling IncomingRequest failed"
    assert record.exc_info is not None


async def test_a_refusal_of_the_core_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sylk.session")
    Dispatcher(DialogUsers(), nobody, nobody).dispatch(Refused(None, UDP, 400, "nonsense"))
    (record,) = caplog.records
    assert record.getMessage() == "refused from 192.0.2.9:5060 with 400: nonsense"


async def test_a_flood_is_told_and_makes_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sylk.session")
    flows: list[Flow] = []
    dispatcher = Dispatcher(DialogUsers(), nobody, nobody)
    dispatcher.on_flood = flows.append
    dispatcher.dispatch(Refused(None, UDP, 503, "too many", is_flood=True))
    assert flows == [UDP]
    assert not caplog.records
