"""The states of an MSRP session, as a table (RFC 4975 section 5.4, RFC 6135 section 4.2).

A session is agreed on in SDP before there is a connection. It starts IDLE. The active side opens
a connection, sends an empty SEND on it (BINDING) and is BOUND when that is answered 200. The
passive side is bound by the first valid SEND that names it, which it answers before anything else
leaves; that SEND may already carry content.

While BINDING, the active side answers the peer's own empty SENDs. Content that comes before the
200 proves that the peer has taken the session, so it binds as well. Anything but SEND is refused
until the session is bound. A session ends by its user, with its connection, when it is not bound
in time, or when its peer does not answer a keep-alive; it is CLOSED then and stays so.

A pair that is not in the table is something our own user must not do: LocalProtocolError.
"""

from enum import IntEnum

from sylk.errors import LocalProtocolError


class SessionState(IntEnum):
    """Where a session stands."""

    IDLE = 0
    BINDING = 1
    BOUND = 2
    CLOSED = 3


class SessionInput(IntEnum):
    """What can happen to a session."""

    CONNECTED = 0
    EMPTY_SEND = 1
    CONTENT_SEND = 2
    OTHER_REQUEST = 3
    BIND_ACCEPTED = 4
    BIND_REFUSED = 5
    TIMED_OUT = 6
    ENDED = 7
    MESSAGE_TO_SEND = 8


class SessionAction(IntEnum):
    """What is to be done about it."""

    NOTHING = 0
    SEND_BIND = 1
    ANSWER = 2
    ANSWER_AND_ANNOUNCE = 3
    ANNOUNCE = 4
    ANNOUNCE_AND_TAKE = 5
    TAKE = 6
    REFUSE = 7
    END = 8


_State = SessionState
_Input = SessionInput
_Action = SessionAction

SESSION_TABLE: dict[tuple[SessionState, SessionInput], tuple[SessionAction, SessionState]] = {
    (_State.IDLE, _Input.CONNECTED): (_Action.SEND_BIND, _State.BINDING),
    (_State.IDLE, _Input.EMPTY_SEND): (_Action.ANSWER_AND_ANNOUNCE, _State.BOUND),
    (_State.IDLE, _Input.CONTENT_SEND): (_Action.ANNOUNCE_AND_TAKE, _State.BOUND),
    (_State.IDLE, _Input.OTHER_REQUEST): (_Action.REFUSE, _State.IDLE),
    (_State.IDLE, _Input.BIND_ACCEPTED): (_Action.NOTHING, _State.IDLE),
    (_State.IDLE, _Input.BIND_REFUSED): (_Action.NOTHING, _State.IDLE),
    (_State.IDLE, _Input.TIMED_OUT): (_Action.END, _State.CLOSED),
    (_State.IDLE, _Input.ENDED): (_Action.END, _State.CLOSED),
    (_State.BINDING, _Input.EMPTY_SEND): (_Action.ANSWER, _State.BINDING),
    (_State.BINDING, _Input.CONTENT_SEND): (_Action.ANNOUNCE_AND_TAKE, _State.BOUND),
    (_State.BINDING, _Input.OTHER_REQUEST): (_Action.REFUSE, _State.BINDING),
    (_State.BINDING, _Input.BIND_ACCEPTED): (_Action.ANNOUNCE, _State.BOUND),
    (_State.BINDING, _Input.BIND_REFUSED): (_Action.END, _State.CLOSED),
    (_State.BINDING, _Input.TIMED_OUT): (_Action.END, _State.CLOSED),
    (_State.BINDING, _Input.ENDED): (_Action.END, _State.CLOSED),
    (_State.BOUND, _Input.EMPTY_SEND): (_Action.ANSWER, _State.BOUND),
    (_State.BOUND, _Input.CONTENT_SEND): (_Action.TAKE, _State.BOUND),
    (_State.BOUND, _Input.OTHER_REQUEST): (_Action.TAKE, _State.BOUND),
    (_State.BOUND, _Input.BIND_ACCEPTED): (_Action.NOTHING, _State.BOUND),
    (_State.BOUND, _Input.BIND_REFUSED): (_Action.NOTHING, _State.BOUND),
    (_State.BOUND, _Input.TIMED_OUT): (_Action.END, _State.CLOSED),
    (_State.BOUND, _Input.ENDED): (_Action.END, _State.CLOSED),
    (_State.BOUND, _Input.MESSAGE_TO_SEND): (_Action.TAKE, _State.BOUND),
    (_State.CLOSED, _Input.EMPTY_SEND): (_Action.REFUSE, _State.CLOSED),
    (_State.CLOSED, _Input.CONTENT_SEND): (_Action.REFUSE, _State.CLOSED),
    (_State.CLOSED, _Input.OTHER_REQUEST): (_Action.REFUSE, _State.CLOSED),
    (_State.CLOSED, _Input.BIND_ACCEPTED): (_Action.NOTHING, _State.CLOSED),
    (_State.CLOSED, _Input.BIND_REFUSED): (_Action.NOTHING, _State.CLOSED),
    (_State.CLOSED, _Input.TIMED_OUT): (_Action.NOTHING, _State.CLOSED),
    (_State.CLOSED, _Input.ENDED): (_Action.NOTHING, _State.CLOSED),
}


def advance(state: SessionState, session_input: SessionInput) -> tuple[SessionAction, SessionState]:
    """Look up what follows; raises LocalProtocolError for what the table does not allow."""
    try:
        return SESSION_TABLE[state, session_input]
    except KeyError:
        raise LocalProtocolError(f"{session_input.name} in state {state.name}") from None
