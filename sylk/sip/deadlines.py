"""Deadlines in one heap with lazy deletion, for engines that hold very many timers.

Most timers are cancelled long before they fire, so a cancelled one is only emptied where it lies:
it lets go of its item at once, and its slot goes when it reaches the top, or when the empty slots
outnumber the live ones and the heap is built anew. Every operation costs O(log n), spread over
time; what has no deadline costs nothing.
"""

import heapq
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

# Below this many empty slots a new heap is not worth its while.
MINIMUM_EMPTY_SLOTS = 64


@dataclass(slots=True, eq=False)
class Deadline(Generic[T]):
    """One entry of a heap; `item` is None once it has fired or was cancelled."""

    when: float
    item: T | None


class DeadlineHeap(Generic[T]):
    """Holds items by the time, in seconds, at which they are due."""

    def __init__(self) -> None:
        # The count breaks ties, so that what was added first comes first.
        self._heap: list[tuple[float, int, Deadline[T]]] = []
        self._count = 0
        self._empty = 0

    def __len__(self) -> int:
        """Return how many deadlines are still to come."""
        return len(self._heap) - self._empty

    @property
    def slots(self) -> int:
        """How much room the heap takes: the deadlines still to come and the empty slots."""
        return len(self._heap)

    def add(self, when: float, item: T) -> Deadline[T]:
        """Add an item due at `when`; the result is what `cancel` takes."""
        deadline = Deadline(when, item)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, deadline))
        return deadline

    def cancel(self, deadline: Deadline[T] | None) -> None:
        """Forget a deadline; one that has fired already, or None, is no error."""
        if deadline is None or deadline.item is None:
            return
        deadline.item = None
        self._empty += 1
        if self._empty >= MINIMUM_EMPTY_SLOTS and self._empty * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].item is not None]
            heapq.heapify(self._heap)
            self._empty = 0

    def next(self) -> float | None:
        """Return when the earliest item is due, or None when there is none."""
        self._drop_empty()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> T | None:
        """Remove and return the earliest item that is due at `now`, or None."""
        self._drop_empty()
        if not self._heap or self._heap[0][0] > now:
            return None
        deadline = heapq.heappop(self._heap)[2]
        item, deadline.item = deadline.item, None
        return item

    def _drop_empty(self) -> None:
        while self._heap and self._heap[0][2].item is None:
            heapq.heappop(self._heap)
            self._empty -= 1
