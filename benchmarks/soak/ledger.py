"""Who must hear what, and whether he did: what is lost is found here.

Each message has a number in its text. When it is said, all who are in the room for certain must
hear it; whoever wants to leave hears out what is owed to him first.
"""

import re
from collections import Counter, deque
from dataclasses import dataclass, field

OVERDUE = 20.0
"""Seconds after which a message counts as lost."""

MAX_FAULTS = 50
"""Faults that are kept in words; the count goes on."""

_NUMBER = re.compile(rb"#(\d{8})#")
_MAX_PRIVATE = 10_000


def number_in(body: bytes) -> int | None:
    """Return the number of a message, None for one that is not ours."""
    match = _NUMBER.search(body)
    return int(match[1]) if match is not None else None


@dataclass(slots=True)
class _Said:
    time: float
    owed: set[int]
    what: str


@dataclass(slots=True)
class Ledger:
    """What was said, heard and lost; times are of one monotonic clock."""

    said: int = 0
    heard: int = 0
    lost: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    """What else happened, by name."""
    faults: deque[str] = field(default_factory=lambda: deque[str](maxlen=MAX_FAULTS))
    """What must not happen, in words; their number is in `counts`."""
    delays: list[float] = field(default_factory=list[float])
    """Seconds that messages took since the last look."""
    stories: dict[int, str] = field(default_factory=dict[int, str])
    """What each one has done, by his number, for who wants to know why he has lost something."""
    _open: dict[int, _Said] = field(default_factory=dict[int, _Said])
    _owed: Counter[int] = field(default_factory=Counter[int])
    _private: dict[int, set[int]] = field(default_factory=dict[int, set[int]])

    def say(
        self, owed: set[int], now: float, *, what: str = "", private_of: int | None = None
    ) -> int:
        """Return the number of a new message that these must hear; `what` is for its story."""
        self.said += 1
        number = self.said
        if owed:
            self._open[number] = _Said(now, set(owed), what)
            self._owed.update(owed)
        if private_of is not None:
            self._private[number] = {*owed, private_of}
            if len(self._private) > _MAX_PRIVATE:
                del self._private[next(iter(self._private))]
        return number

    def take_back(self, number: int) -> None:
        """Forget a message that the server has refused."""
        said = self._open.pop(number, None)
        if said is not None:
            self._owed.subtract(said.owed)

    def hear(self, person: int, number: int, now: float, *, timed: bool = True) -> None:
        """Somebody has heard a message; one that is large takes no part in the delays."""
        if person not in self._private.get(number, {person}):
            self.fault("heard by somebody whom it was not for")
        said = self._open.get(number)
        if said is None or person not in said.owed:
            return
        said.owed.discard(person)
        self._owed[person] -= 1
        self.heard += 1
        if timed:
            self.delays.append(now - said.time)
        if not said.owed:
            del self._open[number]

    def owes(self, person: int) -> bool:
        """Tell whether something is still on its way to this one."""
        return self._owed[person] > 0

    def forgive(self, person: int) -> None:
        """Nothing more is owed to one who is gone."""
        del self._owed[person]
        self.stories.pop(person, None)
        for number, said in list(self._open.items()):
            said.owed.discard(person)
            if not said.owed:
                del self._open[number]

    def sweep(self, now: float) -> None:
        """Count what is overdue as lost."""
        for number, said in list(self._open.items()):
            if now - said.time < OVERDUE:
                break
            self.lost += len(said.owed)
            for person in said.owed:
                story = self.stories.get(person, "")
                begin = f"message {number}, {said.what}, said at {said.time:.2f}"
                self.fault(f"{begin}, was not heard by {story}")
            self._owed.subtract(said.owed)
            del self._open[number]

    def fault(self, text: str) -> None:
        """Something was wrong."""
        self.counts["faults"] += 1
        self.faults.append(text)
