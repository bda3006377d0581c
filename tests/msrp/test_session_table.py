"""The session table."""

import itertools

import pytest

from sylk.errors import LocalProtocolError
from sylk.msrp.session_table import (
    SESSION_TABLE,
    SessionAction,
    SessionInput,
    SessionState,
    advance,
)

OUR_USER = {SessionInput.CONNECTED, SessionInput.MESSAGE_TO_SEND}


def test_whatever_the_peer_or_time_does_is_in_the_table() -> None:
    for state, session_input in itertools.product(SessionState, SessionInput):
        if session_input not in OUR_USER:
            assert (state, session_input) in SESSION_TABLE


def test_closed_is_final_and_silent() -> None:
    for (state, _), (action, following) in SESSION_TABLE.items():
        if state is SessionState.CLOSED:
            assert following is SessionState.CLOSED
            assert action in (SessionAction.NOTHING, SessionAction.REFUSE)


AGAIN = {SessionState.DETACHED, SessionState.REBINDING}


def test_only_an_end_closes_and_a_way_leads_back_only_where_the_connection_was_lost() -> None:
    for (state, _), (action, following) in SESSION_TABLE.items():
        assert following >= state or state in AGAIN
        assert following not in AGAIN or state in (*AGAIN, SessionState.BOUND)
        assert following not in (SessionState.IDLE, SessionState.BINDING) or state <= following
        ends = following is SessionState.CLOSED and state is not SessionState.CLOSED
        assert ends == (action is SessionAction.END)


@pytest.mark.parametrize(
    ("state", "session_input"),
    [
        (SessionState.BINDING, SessionInput.CONNECTED),
        (SessionState.BOUND, SessionInput.CONNECTED),
        (SessionState.REBINDING, SessionInput.CONNECTED),
        (SessionState.CLOSED, SessionInput.CONNECTED),
        (SessionState.IDLE, SessionInput.MESSAGE_TO_SEND),
        (SessionState.BINDING, SessionInput.MESSAGE_TO_SEND),
        (SessionState.CLOSED, SessionInput.MESSAGE_TO_SEND),
    ],
)
def test_what_our_user_must_not_do_has_a_name(
    state: SessionState, session_input: SessionInput
) -> None:
    with pytest.raises(LocalProtocolError, match=session_input.name):
        advance(state, session_input)
