"""The states of an MSRP session, as a table (RFC 4975 section 5.4, RFC 6135 section 4.2).

A session is agreed on in SDP before there is a connection. It starts IDLE. The active side opens
a connection, sends an empty SEND on it (BINDING) and is BOUND when that is answered 200. The
passive side is bound by the first valid SEND that names it, which it answers before anything else
leaves; that SEND may already carry content.

While BINDING, the active side answers the peer's own empty SENDs. Content that comes before the
200 proves that the peer has taken the session, so it binds as well. Anything but SEND is refused
until the session is bound. A session ends by its user, with its connection where it may not get
another, or when it is not bound in time; it is CLOSED then and stays so.

A session that was bound may outlive its connection. When that breaks, or the peer does not answer a
keep-alive, it is DETACHED for a bounded time: it stays in the registry, and what its user sends is
kept. The active side connects again and is REBINDING until its empty SEND is answered; the passive
side is bound by the first valid SEND on a new connection, as at first. Whoever is bound again goes
on where it was. A peer that still holds the old connection to be alive refuses to bind with 506;
the active side tries again then. Any other refusal ends the session: the peer knows it no more.

RFC 4975 section 5.4 takes a session for failed with its connection, and wants another SDP exchange
to make it anew. Here the same session is bound again, under the two session-ids that only the two
sides know: no exchange would tell them more, and a peer that goes by the text ends the call, which
ends the wait. Content is sent again by the rules of that section: what was not confirmed, with its
Message-ID.

A pair that is not in the table is something our own user must not do: LocalProtocolError.
"""

from enum import IntEnum

from sylk.errors import LocalProtocolError


class SessionState(IntEnum):
    """Where a session stands."""

    IDLE = 0
    BINDING = 1
    BOUND = 2
    DETACHED = 3
    REBINDING = 4
    CLOSED = 5


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
    LINK_LOST = 9
    BOUND_ELSEWHERE = 10
    """The peer refused to bind with 506: for it the old connection is alive."""


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
    DETACH = 9
    RELEASE = 10
    """Let go of the new connection; the time to come back runs on."""
    KEEP = 11


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
    (_State.IDLE, _Input.LINK_LOST): (_Action.NOTHING, _State.IDLE),
    (_State.IDLE, _Input.BOUND_ELSEWHERE): (_Action.NOTHING, _State.IDLE),
    (_State.BINDING, _Input.EMPTY_SEND): (_Action.ANSWER, _State.BINDING),
    (_State.BINDING, _Input.CONTENT_SEND): (_Action.ANNOUNCE_AND_TAKE, _State.BOUND),
    (_State.BINDING, _Input.OTHER_REQUEST): (_Action.REFUSE, _State.BINDING),
    (_State.BINDING, _Input.BIND_ACCEPTED): (_Action.ANNOUNCE, _State.BOUND),
    (_State.BINDING, _Input.BIND_REFUSED): (_Action.END, _State.CLOSED),
    (_State.BINDING, _Input.TIMED_OUT): (_Action.END, _State.CLOSED),
    (_State.BINDING, _Input.ENDED): (_Action.END, _State.CLOSED),
    (_State.BINDING, _Input.LINK_LOST): (_Action.END, _State.CLOSED),
    (_State.BINDING, _Input.BOUND_ELSEWHERE): (_Action.END, _State.CLOSED),
    (_State.BOUND, _Input.EMPTY_SEND): (_Action.ANSWER, _State.BOUND),
    (_State.BOUND, _Input.CONTENT_SEND): (_Action.TAKE, _State.BOUND),
    (_State.BOUND, _Input.OTHER_REQUEST): (_Action.TAKE, _State.BOUND),
    (_State.BOUND, _Input.BIND_ACCEPTED): (_Action.NOTHING, _State.BOUND),
    (_State.BOUND, _Input.BIND_REFUSED): (_Action.NOTHING, _State.BOUND),
    (_State.BOUND, _Input.TIMED_OUT): (_Action.END, _State.CLOSED),
    (_State.BOUND, _Input.ENDED): (_Action.END, _State.CLOSED),
    (_State.BOUND, _Input.MESSAGE_TO_SEND): (_Action.TAKE, _State.BOUND),
    (_State.BOUND, _Input.LINK_LOST): (_Action.DETACH, _State.DETACHED),
    (_State.BOUND, _Input.BOUND_ELSEWHERE): (_Action.NOTHING, _State.BOUND),
    (_State.DETACHED, _Input.CONNECTED): (_Action.SEND_BIND, _State.REBINDING),
    (_State.DETACHED, _Input.EMPTY_SEND): (_Action.ANSWER_AND_ANNOUNCE, _State.BOUND),
    (_State.DETACHED, _Input.CONTENT_SEND): (_Action.ANNOUNCE_AND_TAKE, _State.BOUND),
    (_State.DETACHED, _Input.OTHER_REQUEST): (_Action.REFUSE, _State.DETACHED),
    (_State.DETACHED, _Input.BIND_ACCEPTED): (_Action.NOTHING, _State.DETACHED),
    (_State.DETACHED, _Input.BIND_REFUSED): (_Action.NOTHING, _State.DETACHED),
    (_State.DETACHED, _Input.BOUND_ELSEWHERE): (_Action.NOTHING, _State.DETACHED),
    (_State.DETACHED, _Input.LINK_LOST): (_Action.NOTHING, _State.DETACHED),
    (_State.DETACHED, _Input.TIMED_OUT): (_Action.END, _State.CLOSED),
    (_State.DETACHED, _Input.ENDED): (_Action.END, _State.CLOSED),
    (_State.DETACHED, _Input.MESSAGE_TO_SEND): (_Action.KEEP, _State.DETACHED),
    (_State.REBINDING, _Input.EMPTY_SEND): (_Action.ANSWER, _State.REBINDING),
    (_State.REBINDING, _Input.CONTENT_SEND): (_Action.ANNOUNCE_AND_TAKE, _State.BOUND),
    (_State.REBINDING, _Input.OTHER_REQUEST): (_Action.REFUSE, _State.REBINDING),
    (_State.REBINDING, _Input.BIND_ACCEPTED): (_Action.ANNOUNCE, _State.BOUND),
    (_State.REBINDING, _Input.BIND_REFUSED): (_Action.END, _State.CLOSED),
    (_State.REBINDING, _Input.BOUND_ELSEWHERE): (_Action.RELEASE, _State.DETACHED),
    (_State.REBINDING, _Input.LINK_LOST): (_Action.RELEASE, _State.DETACHED),
    (_State.REBINDING, _Input.TIMED_OUT): (_Action.END, _State.CLOSED),
    (_State.REBINDING, _Input.ENDED): (_Action.END, _State.CLOSED),
    (_State.REBINDING, _Input.MESSAGE_TO_SEND): (_Action.KEEP, _State.REBINDING),
    (_State.CLOSED, _Input.EMPTY_SEND): (_Action.REFUSE, _State.CLOSED),
    (_State.CLOSED, _Input.CONTENT_SEND): (_Action.REFUSE, _State.CLOSED),
    (_State.CLOSED, _Input.OTHER_REQUEST): (_Action.REFUSE, _State.CLOSED),
    (_State.CLOSED, _Input.BIND_ACCEPTED): (_Action.NOTHING, _State.CLOSED),
    (_State.CLOSED, _Input.BIND_REFUSED): (_Action.NOTHING, _State.CLOSED),
    (_State.CLOSED, _Input.TIMED_OUT): (_Action.NOTHING, _State.CLOSED),
    (_State.CLOSED, _Input.ENDED): (_Action.NOTHING, _State.CLOSED),
    (_State.CLOSED, _Input.LINK_LOST): (_Action.NOTHING, _State.CLOSED),
    (_State.CLOSED, _Input.BOUND_ELSEWHERE): (_Action.NOTHING, _State.CLOSED),
}


def advance(state: SessionState, session_input: SessionInput) -> tuple[SessionAction, SessionState]:
    """Look up what follows; raises LocalProtocolError for what the table does not allow."""
    try:
        return SESSION_TABLE[state, session_input]
    except KeyError:
        raise LocalProtocolError(f"{session_input.name} in state {state.name}") from None
