"""A change that we ask for in a call that stands: one re-INVITE or UPDATE at a time.

Theory. A request that changes or refreshes a session must not cross another one (RFC 3261 section
14.1, RFC 3311 section 5.1). So a wish waits until nothing is open, is sent, and is then answered:

- with a 2xx, and holds;
- with 491, because the peer wished something at the same moment. Both then wait for a random time,
  the owner of the Call-ID for longer, so that one comes first;
- with 422, 401 or 407, or 405 for an UPDATE: then it is worth asking again at once, in other words;
- with 481 or 408, or not at all: the peer knows the call no more, which ends it here too;
- with any other failure: everything stays as it was.

Wishes do not queue up: the last one counts.
"""

from collections.abc import Callable
from enum import Enum, auto

from sylk.errors import LocalProtocolError

OWNER_WAIT = (2.1, 4.0)
"""Seconds that the owner of the Call-ID waits after a 491, from and to (RFC 3261 14.1)."""

OTHER_WAIT = (0.0, 2.0)
"""Seconds that the other side waits."""

MOST_ATTEMPTS = 8
"""How often a wish is sent that meets such answers again and again."""

_GONE = (408, 481)
_REQUEST_PENDING = 491


class Wish(Enum):
    """What we ask for."""

    REFRESH = "the session goes on as it is"
    REOFFER = "our offer anew"
    HOLD = "the peer stops sending"
    RESUME = "the peer sends again"


class State(Enum):
    """Where the change stands."""

    IDLE = auto()
    WAITING = auto()
    OPEN = auto()


class Input(Enum):
    """What happens to it."""

    WISH = auto()
    FREE = auto()
    NEEDLESS = auto()
    SUCCESS = auto()
    GLARE = auto()
    OTHERWISE = auto()
    GONE = auto()
    FAILURE = auto()


class Action(Enum):
    """What is to be done."""

    NOTHING = auto()
    SEND = auto()
    TAKE_ANSWER = auto()
    WITHDRAW = auto()
    GIVE_UP = auto()
    END_CALL = auto()


TRANSITIONS: dict[tuple[State, Input], tuple[Action, State]] = {
    (State.IDLE, Input.WISH): (Action.NOTHING, State.WAITING),
    (State.WAITING, Input.WISH): (Action.NOTHING, State.WAITING),
    (State.WAITING, Input.FREE): (Action.SEND, State.OPEN),
    # The peer was faster with its refresh.
    (State.WAITING, Input.NEEDLESS): (Action.NOTHING, State.IDLE),
    # It waits until the open one is answered.
    (State.OPEN, Input.WISH): (Action.NOTHING, State.OPEN),
    (State.OPEN, Input.SUCCESS): (Action.TAKE_ANSWER, State.IDLE),
    (State.OPEN, Input.GLARE): (Action.WITHDRAW, State.WAITING),
    (State.OPEN, Input.OTHERWISE): (Action.WITHDRAW, State.WAITING),
    (State.OPEN, Input.GONE): (Action.END_CALL, State.IDLE),
    (State.OPEN, Input.FAILURE): (Action.GIVE_UP, State.IDLE),
}


class Modification:
    """The change that is wished for or under way; `random` returns a number from 0 up to 1."""

    __slots__ = ("_attempts", "_next", "_not_before", "_random", "state", "wish")

    def __init__(self, random: Callable[[], float]) -> None:
        self.state = State.IDLE
        self.wish = Wish.REFRESH
        """What waits or is open; without meaning in IDLE."""
        self._random = random
        self._next: Wish | None = None
        self._attempts = 0
        self._not_before = 0.0

    def want(self, wish: Wish) -> None:
        """Ask for a change; a mere refresh replaces no other wish, which refreshes as well."""
        if self.state is not State.IDLE and wish is Wish.REFRESH:
            return
        if self.state is State.OPEN:
            self._next = wish
        else:
            self._begin(wish)

    def next_deadline(self) -> float | None:
        """Return when a wish that waits may be sent."""
        return self._not_before if self.state is State.WAITING else None

    def send(self, now: float) -> bool:
        """Tell whether the wish is to be sent now, nothing else being open; it then is."""
        if self.state is not State.WAITING or now < self._not_before:
            return False
        self._attempts += 1
        return self._step(Input.FREE) is Action.SEND

    def drop(self) -> None:
        """Forget a refresh that waits and is needed no more."""
        if self.state is State.WAITING and self.wish is Wish.REFRESH:
            self._step(Input.NEEDLESS)

    def answered(
        self, status: int, now: float, *, owns_call_id: bool, otherwise: bool = False
    ) -> Action | None:
        """Take the final status and return what to do; None when nothing was open.

        `otherwise` says that it is worth asking again at once, in other words.
        """
        if self.state is not State.OPEN:
            return None
        happened = self._input(status, otherwise)
        wait = 0.0
        if happened is Input.GLARE:
            low, high = OWNER_WAIT if owns_call_id else OTHER_WAIT
            wait = low + round(self._random() * (high - low) * 100) / 100
        self._not_before = now + wait
        action = self._step(happened)
        wish, self._next = self._next, None
        if wish is None or action is Action.END_CALL:
            return action
        if action is Action.WITHDRAW:
            self.wish = wish
        else:
            self._begin(wish)
        return action

    def _begin(self, wish: Wish) -> None:
        if self.state is State.IDLE:
            self._attempts = 0
            self._not_before = 0.0
        self._step(Input.WISH)
        self.wish = wish

    def _input(self, status: int, otherwise: bool) -> Input:
        if 200 <= status < 300:
            return Input.SUCCESS
        if status in _GONE:
            return Input.GONE
        if self._attempts < MOST_ATTEMPTS:
            if status == _REQUEST_PENDING:
                return Input.GLARE
            if otherwise:
                return Input.OTHERWISE
        return Input.FAILURE

    def _step(self, happened: Input) -> Action:
        step = TRANSITIONS.get((self.state, happened))
        if step is None:
            raise LocalProtocolError(f"{happened.name} is not possible in {self.state.name}")
        self.state = step[1]
        return step[0]
