"""What waits for the disk, and who waits to hear that it is there. No I/O, no clock, no tasks.

Theory. Each message is written in the order of `add`, and its `then` is due when it is on disk: so
nothing is acknowledged that a crash can lose. Only while the disk does not do its part is `then`
due at once, so that a room goes on without it:

    state   what it means                                  a `then` is due
    ON      the last write went well, or there was none    when its entry is on disk
    LATE    a write takes too long; it may still end       at once
    OFF     the last write failed; it is tried again       at once

What leads from ON to another state releases all that waits, so a `then` that is due at once never
overtakes one that was there before it. What is added meanwhile still waits for the disk as far as
it fits into `limit`; beyond that it is lost, and counted.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Generic, TypeVar

T = TypeVar("T")
Then = Callable[[], None]

MAX_BATCH = 1000
"""Messages after which no further entry goes into a transaction: it takes some ten milliseconds,
for which nobody else can write."""


class State(Enum):
    """How the disk does."""

    ON = auto()
    LATE = auto()
    OFF = auto()


class Outcome(Enum):
    """What became of a write."""

    WRITTEN = auto()
    DELAYED = auto()
    FAILED = auto()


_NEXT = {
    (State.ON, Outcome.WRITTEN): State.ON,
    (State.ON, Outcome.DELAYED): State.LATE,
    (State.ON, Outcome.FAILED): State.OFF,
    (State.LATE, Outcome.WRITTEN): State.ON,
    (State.LATE, Outcome.DELAYED): State.LATE,
    (State.LATE, Outcome.FAILED): State.OFF,
    (State.OFF, Outcome.WRITTEN): State.ON,
    # An attempt in vain may be slow as well; nobody waits for it.
    (State.OFF, Outcome.DELAYED): State.OFF,
    (State.OFF, Outcome.FAILED): State.OFF,
}


class Backlog(Generic[T]):
    """The entries on their way to the disk; each method returns what is due to be called now."""

    def __init__(self, limit: int) -> None:
        self.state = State.ON
        self.lost = 0
        """Messages that did not fit since the last `forget_losses`."""
        self.waiting = 0
        """Bytes that are not on disk yet."""
        self._limit = limit
        self._count = 0
        self._queue: deque[tuple[T, int, int]] = deque()
        self._under_way: list[tuple[T, int, int]] = []
        # Entries are numbered as they are added, and a `then` waits for the number of its own.
        self._added = 0
        self._written = 0
        self._thens: deque[tuple[int, Then]] = deque()

    def __len__(self) -> int:
        """Return how many messages are not on disk yet."""
        return self._count

    @property
    def is_full(self) -> bool:
        """Tell whether who adds should wait: never while the disk does not do its part."""
        return self.state is State.ON and self.waiting > self._limit

    def fits(self, size: int) -> bool:
        """Tell whether an entry of that many bytes is taken."""
        return self.state is State.ON or self.waiting + size <= self._limit

    def add(
        self, entry: T, size: int, then: Then | None = None, *, count: int = 1
    ) -> Sequence[Then]:
        """Queue an entry of `count` messages, or count them as lost if it does not fit."""
        if self.fits(size):
            self._queue.append((entry, size, count))
            self._added += 1
            self._count += count
            self.waiting += size
        else:
            self.lost += count
        if then is None:
            return ()
        if self.state is not State.ON:
            return (then,)
        self._thens.append((self._added, then))
        return ()

    def take(self) -> list[T]:
        """Return the next entries to write, in one go; `settle` tells what became of them."""
        messages = sum(count for _, _, count in self._under_way)
        while self._queue and messages < MAX_BATCH:
            self._under_way.append(self._queue.popleft())
            messages += self._under_way[-1][2]
        return [entry for entry, _, _ in self._under_way]

    def settle(self, outcome: Outcome) -> Sequence[Then]:
        """Take it that the entries under way are written, or not in time, or not at all."""
        self.state = _NEXT[self.state, outcome]
        if outcome is Outcome.WRITTEN:
            self._written += len(self._under_way)
            self.waiting -= sum(size for _, size, _ in self._under_way)
            self._count -= sum(count for _, _, count in self._under_way)
            self._under_way.clear()
        elif outcome is Outcome.FAILED:
            self._queue.extendleft(reversed(self._under_way))
            self._under_way.clear()
        return self._due()

    def forget_losses(self) -> int:
        """Return how many were lost, and count anew."""
        lost, self.lost = self.lost, 0
        return lost

    def _due(self) -> list[Then]:
        reached = self._written if self.state is State.ON else self._added
        due: list[Then] = []
        while self._thens and self._thens[0][0] <= reached:
            due.append(self._thens.popleft()[1])
        return due
