import pytest

from sylk.sip.transaction import (
    ClientTransaction,
    ServerTransaction,
    input_for_reply,
    input_for_response,
)
from sylk.sip.transaction_tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Input,
    State,
)
from tests.sip.user_agents import UDP, make


def test_invite_and_the_others_have_different_machines() -> None:
    assert ClientTransaction(make("INVITE"), UDP, ()).table is INVITE_CLIENT
    assert ClientTransaction(make("CANCEL"), UDP, ()).table is NON_INVITE_CLIENT
    assert ServerTransaction(make("INVITE"), UDP, (), "tag").table is INVITE_SERVER
    assert ServerTransaction(make("BYE"), UDP, (), "tag").table is NON_INVITE_SERVER


def test_a_transaction_is_pending_until_its_final_response() -> None:
    pending = {State.INITIAL, State.CALLING, State.TRYING, State.PROCEEDING}
    for state in State:
        client = ClientTransaction(make("INVITE"), UDP, ())
        server = ServerTransaction(make("INVITE"), UDP, (), "tag")
        client.state = server.state = state
        assert client.is_pending is server.is_pending is (state in pending)
        assert client.is_terminated is (state is State.TERMINATED)


@pytest.mark.parametrize(
    ("status", "received", "sent"),
    [
        (100, Input.PROVISIONAL, Input.SEND_PROVISIONAL),
        (199, Input.PROVISIONAL, Input.SEND_PROVISIONAL),
        (200, Input.SUCCESS, Input.SEND_SUCCESS),
        (299, Input.SUCCESS, Input.SEND_SUCCESS),
        (300, Input.FAILURE, Input.SEND_FAILURE),
        (699, Input.FAILURE, Input.SEND_FAILURE),
    ],
)
def test_the_class_of_a_status_is_the_input(status: int, received: Input, sent: Input) -> None:
    assert input_for_response(status) is received
    assert input_for_reply(status) is sent
