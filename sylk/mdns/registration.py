"""One name that we want to have: asked for, told, defended, given back (RFC 6762 sections 8 and 9).

A name is probed for three times, a quarter of a second apart. Who has it already answers, and then
we take another one. Where two probe at once, one of them waits a second and probes again, to find
what the other has taken. Nobody has answered: the name is ours, and that is told twice. When later
somebody else tells something different of it, both probe again, and the one who is answered
renames. What we tell may change at any time; that is told like the first time, without a probe, but
not more often than each six seconds (section 8.4: ten times a minute).
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Final

from dns.name import Name

from sylk.errors import LocalProtocolError

PROBE_INTERVAL: Final = 0.25
"""Seconds between probes (section 8.1)."""

ANNOUNCE_INTERVAL: Final = 1.0
"""Seconds between the two announcements (section 8.3)."""

CHANGE_INTERVAL: Final = 6.0
"""Seconds between announcements of changes (section 8.4)."""

DEFER_TIME: Final = 1.0
"""Seconds for which the loser of a tie waits (section 8.2)."""

MANY_CONFLICTS: Final = 15
CONFLICT_WINDOW: Final = 10.0
CONFLICT_PAUSE: Final = 5.0
"""After so many conflicts in so many seconds each probe waits for this long (section 8.1)."""


class State(Enum):
    """How far a name is ours."""

    WAITING = auto()
    """To be probed for at the deadline."""
    PROBED_ONCE = auto()
    PROBED_TWICE = auto()
    PROBED = auto()
    """Three probes are out, and the last may still be answered."""
    ANNOUNCED = auto()
    """Told once."""
    ESTABLISHED = auto()
    CHANGED = auto()
    """What it says has changed, to be told at the deadline."""
    GONE = auto()


class Input(Enum):
    """What may happen to it."""

    DUE = auto()
    """The deadline has come."""
    CONFLICT = auto()
    """Somebody else has this name."""
    TIE_LOST = auto()
    """Somebody else probes for it too, and goes first."""
    CHANGE = auto()
    """It is to say something else."""
    WITHDRAW = auto()
    """We want it no more."""


class Action(Enum):
    """What is to be done about it."""

    NOTHING = auto()
    PROBE = auto()
    ANNOUNCE = auto()
    RENAME = auto()
    """Take another name, and probe for that."""
    DEFER = auto()
    """Probe again in a second."""
    DEFEND = auto()
    """Probe again for a name that was ours."""
    SCHEDULE = auto()
    """Tell the change as soon as that may be."""
    GOODBYE = auto()


PROBING: Final = frozenset({State.WAITING, State.PROBED_ONCE, State.PROBED_TWICE, State.PROBED})
OURS: Final = frozenset({State.ANNOUNCED, State.ESTABLISHED, State.CHANGED})

TABLE: Mapping[tuple[State, Input], tuple[Action, State]] = {
    (State.WAITING, Input.DUE): (Action.PROBE, State.PROBED_ONCE),
    (State.PROBED_ONCE, Input.DUE): (Action.PROBE, State.PROBED_TWICE),
    (State.PROBED_TWICE, Input.DUE): (Action.PROBE, State.PROBED),
    (State.PROBED, Input.DUE): (Action.ANNOUNCE, State.ANNOUNCED),
    (State.ANNOUNCED, Input.DUE): (Action.ANNOUNCE, State.ESTABLISHED),
    (State.CHANGED, Input.DUE): (Action.ANNOUNCE, State.ANNOUNCED),
    **{(state, Input.CONFLICT): (Action.RENAME, State.WAITING) for state in PROBING},
    **{(state, Input.TIE_LOST): (Action.DEFER, State.WAITING) for state in PROBING},
    **{(state, Input.CHANGE): (Action.NOTHING, state) for state in PROBING},
    **{(state, Input.WITHDRAW): (Action.NOTHING, State.GONE) for state in PROBING},
    **{(state, Input.CONFLICT): (Action.DEFEND, State.WAITING) for state in OURS},
    **{(state, Input.WITHDRAW): (Action.GOODBYE, State.GONE) for state in OURS},
    (State.ANNOUNCED, Input.CHANGE): (Action.SCHEDULE, State.CHANGED),
    (State.ESTABLISHED, Input.CHANGE): (Action.SCHEDULE, State.CHANGED),
    (State.CHANGED, Input.CHANGE): (Action.NOTHING, State.CHANGED),
}


class Registration:
    """One name; `deadline` is when it is to be told that it is DUE, None for never."""

    def __init__(self, make_name: Callable[[int], Name], start: float) -> None:
        """Take what makes the name, from how many it is the one, and when to begin."""
        self._make_name = make_name
        self._number = 1
        self._announced_at = -CHANGE_INTERVAL
        self._conflicts: list[float] = []
        self.state = State.WAITING
        self.name = make_name(1)
        self.deadline: float | None = start

    @property
    def is_ours(self) -> bool:
        """Tell whether the name may be answered for."""
        return self.state in OURS

    @property
    def is_probed(self) -> bool:
        """Tell whether somebody may still have the name."""
        return self.state in PROBING

    def handle(self, what: Input, now: float) -> Action:
        """Take what has happened, and return what is to be done."""
        try:
            action, self.state = TABLE[self.state, what]
        except KeyError:
            raise LocalProtocolError(f"{what.name} of a name that is {self.state.name}") from None
        match action:
            case Action.PROBE:
                self.deadline = now + PROBE_INTERVAL
            case Action.ANNOUNCE:
                self._announced_at = now
                is_first = self.state is State.ANNOUNCED
                self.deadline = now + ANNOUNCE_INTERVAL if is_first else None
            case Action.RENAME:
                self._number += 1
                self.name = self._make_name(self._number)
                self.deadline = now + self._pause(now)
            case Action.DEFER:
                self.deadline = now + DEFER_TIME
            case Action.DEFEND:
                self.deadline = now + self._pause(now)
            case Action.SCHEDULE:
                self.deadline = max(now, self._announced_at + CHANGE_INTERVAL)
            case Action.GOODBYE:
                self.deadline = None
            case Action.NOTHING:
                if self.state is State.GONE:
                    self.deadline = None
        return action

    def _pause(self, now: float) -> float:
        """Return how long to wait after a conflict, so that two who fight do it slowly."""
        recent = [when for when in self._conflicts if when > now - CONFLICT_WINDOW]
        self._conflicts = [*recent[-MANY_CONFLICTS:], now]
        return CONFLICT_PAUSE if len(self._conflicts) > MANY_CONFLICTS else 0.0
