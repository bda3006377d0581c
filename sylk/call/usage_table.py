"""The states of an INVITE usage: every transition of a call, as one table.

Theory. A call begins as an INVITE that we got (INCOMING) or sent (CALLING) and, whatever happens,
ends in TERMINATED. Three rules of RFC 3261 make it more than "ringing, talking, over":

- A 2xx is repeated by the callee until the ACK comes (13.3.1.4), since proxies forward it without
  state. So there is ANSWERED between INCOMING and CONFIRMED, with two clocks: the next repetition,
  and 64·T1 after which the call is given up with a BYE.
- The callee must not send a BYE before the ACK, or before those 64·T1 are over (15). Hanging up in
  ANSWERED therefore leads to HANGING_UP, where the ACK is still awaited.
- A CANCEL may cross the 2xx (9.1). Who cancels waits in CANCELLING for the final response; a 2xx
  that comes all the same is acknowledged and then ended by a BYE.

What the table does not hold is either a mistake of ours (LocalProtocolError) or, for input from the
network, something that has no meaning in that state and is answered without a change of state by
the code that asks `transition`.
"""

from enum import Enum, auto


class State(Enum):
    """Where a call stands."""

    INCOMING = auto()
    ANSWERED = auto()
    HANGING_UP = auto()
    CALLING = auto()
    EARLY = auto()
    CANCELLING = auto()
    CONFIRMED = auto()
    ENDING = auto()
    TERMINATED = auto()


class Input(Enum):
    """What can happen to a call."""

    RING = auto()
    ACCEPT = auto()
    REJECT = auto()
    HANG_UP = auto()
    CANCEL = auto()
    ACK = auto()
    ACK_OVERDUE = auto()
    BYE = auto()
    BYE_ANSWERED = auto()
    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()


class Action(Enum):
    """What the call then does."""

    NOTHING = auto()
    SEND_RINGING = auto()
    SEND_SUCCESS = auto()
    SEND_REJECTION = auto()
    SEND_CANCELLED = auto()
    TELL_RINGING = auto()
    ESTABLISH = auto()
    ACKNOWLEDGE = auto()
    ACKNOWLEDGE_AND_BYE = auto()
    SEND_CANCEL = auto()
    SEND_BYE = auto()
    ANSWER_BYE = auto()
    REFUSE_AND_ANSWER_BYE = auto()
    FAIL = auto()
    FINISH = auto()


TRANSITIONS: dict[tuple[State, Input], tuple[Action, State]] = {
    # The callee before its answer.
    (State.INCOMING, Input.RING): (Action.SEND_RINGING, State.INCOMING),
    (State.INCOMING, Input.ACCEPT): (Action.SEND_SUCCESS, State.ANSWERED),
    (State.INCOMING, Input.REJECT): (Action.SEND_REJECTION, State.TERMINATED),
    (State.INCOMING, Input.HANG_UP): (Action.SEND_REJECTION, State.TERMINATED),
    (State.INCOMING, Input.CANCEL): (Action.SEND_CANCELLED, State.TERMINATED),
    (State.INCOMING, Input.BYE): (Action.REFUSE_AND_ANSWER_BYE, State.TERMINATED),
    # The way to the caller is gone, but the server transaction ends with an answer only.
    (State.INCOMING, Input.FAILURE): (Action.SEND_REJECTION, State.TERMINATED),
    # The callee between its 2xx and the ACK.
    (State.ANSWERED, Input.ACK): (Action.ESTABLISH, State.CONFIRMED),
    (State.ANSWERED, Input.ACK_OVERDUE): (Action.SEND_BYE, State.ENDING),
    (State.ANSWERED, Input.HANG_UP): (Action.NOTHING, State.HANGING_UP),
    (State.ANSWERED, Input.BYE): (Action.ANSWER_BYE, State.TERMINATED),
    (State.ANSWERED, Input.CANCEL): (Action.NOTHING, State.ANSWERED),
    (State.HANGING_UP, Input.ACK): (Action.SEND_BYE, State.ENDING),
    (State.HANGING_UP, Input.ACK_OVERDUE): (Action.SEND_BYE, State.ENDING),
    (State.HANGING_UP, Input.HANG_UP): (Action.NOTHING, State.HANGING_UP),
    (State.HANGING_UP, Input.BYE): (Action.ANSWER_BYE, State.TERMINATED),
    (State.HANGING_UP, Input.CANCEL): (Action.NOTHING, State.HANGING_UP),
    # The caller before the final response.
    (State.CALLING, Input.PROVISIONAL): (Action.TELL_RINGING, State.EARLY),
    (State.CALLING, Input.SUCCESS): (Action.ACKNOWLEDGE, State.CONFIRMED),
    (State.CALLING, Input.FAILURE): (Action.FAIL, State.TERMINATED),
    (State.CALLING, Input.HANG_UP): (Action.SEND_CANCEL, State.CANCELLING),
    (State.EARLY, Input.PROVISIONAL): (Action.TELL_RINGING, State.EARLY),
    (State.EARLY, Input.SUCCESS): (Action.ACKNOWLEDGE, State.CONFIRMED),
    (State.EARLY, Input.FAILURE): (Action.FAIL, State.TERMINATED),
    (State.EARLY, Input.HANG_UP): (Action.SEND_CANCEL, State.CANCELLING),
    (State.CANCELLING, Input.PROVISIONAL): (Action.NOTHING, State.CANCELLING),
    (State.CANCELLING, Input.SUCCESS): (Action.ACKNOWLEDGE_AND_BYE, State.ENDING),
    (State.CANCELLING, Input.FAILURE): (Action.FAIL, State.TERMINATED),
    (State.CANCELLING, Input.HANG_UP): (Action.NOTHING, State.CANCELLING),
    # Both, once the call stands.
    (State.CONFIRMED, Input.HANG_UP): (Action.SEND_BYE, State.ENDING),
    (State.CONFIRMED, Input.BYE): (Action.ANSWER_BYE, State.TERMINATED),
    # A re-INVITE was answered with 2xx.
    (State.CONFIRMED, Input.ACK): (Action.NOTHING, State.CONFIRMED),
    (State.CONFIRMED, Input.ACK_OVERDUE): (Action.SEND_BYE, State.ENDING),
    (State.CONFIRMED, Input.CANCEL): (Action.NOTHING, State.CONFIRMED),
    (State.ENDING, Input.BYE): (Action.ANSWER_BYE, State.TERMINATED),
    (State.ENDING, Input.BYE_ANSWERED): (Action.FINISH, State.TERMINATED),
    (State.ENDING, Input.ACK): (Action.NOTHING, State.ENDING),
    (State.ENDING, Input.ACK_OVERDUE): (Action.NOTHING, State.ENDING),
    (State.ENDING, Input.HANG_UP): (Action.NOTHING, State.ENDING),
    (State.ENDING, Input.CANCEL): (Action.NOTHING, State.ENDING),
    (State.TERMINATED, Input.HANG_UP): (Action.NOTHING, State.TERMINATED),
}


def transition(state: State, happened: Input) -> tuple[Action, State] | None:
    """Return what to do and the next state; None when the input has no meaning in `state`."""
    return TRANSITIONS.get((state, happened))
