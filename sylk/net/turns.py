"""Fair turns: what is sent much of is handled in slices, and everything else comes in between.

trio lets each task run until it waits. A read may bring a hundred requests, and hundreds of
connections may bring something at one time: all of it in one turn of the loop would make everybody
else wait for seconds. So those who do such work share one slice of each turn. When that is used up
they stand in line, and each turn of the loop lets the first of them go on, with a slice of his own.

While the slice is not used up, nobody waits, and asking costs less than a microsecond.
"""

import time
from collections import deque
from collections.abc import Callable

import trio

SLICE = 0.003
"""Seconds of each turn of the loop. What was begun is finished, so that it may become more."""


class Turns:
    """One slice of each turn of the loop, shared by all who have this object.

    Whoever has work asks `take` before it, and `next` after each piece of it.
    """

    def __init__(self, length: float = SLICE, clock: Callable[[], float] = time.monotonic) -> None:
        self._length = length
        self._clock = clock
        self._line: deque[trio.Event] = deque()
        self._end = 0.0
        self._is_used_up = False

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    async def take(self) -> None:
        """Go on at once if there is time left in this turn, or else stand in line.

        It is a checkpoint only in the latter case.
        """
        if self._is_used_up or self._line:
            await self._stand_in_line()
        elif self._clock() >= self._end:
            # Who used it was done in time: that was in a turn before.
            self._begin()

    async def next(self) -> None:
        """Stand in line if the slice is used up, since a piece of work is done."""
        if self.is_over():
            await self._stand_in_line()

    def is_over(self) -> bool:
        """Tell whether the slice is used up, for who can break off."""
        self._is_used_up = self._is_used_up or self._clock() >= self._end
        return self._is_used_up

    def _begin(self) -> None:
        self._end = self._clock() + self._length
        self._is_used_up = False

    async def _stand_in_line(self) -> None:
        ticket = trio.Event()
        self._line.append(ticket)
        try:
            if len(self._line) > 1:
                await ticket.wait()
            else:
                await trio.lowlevel.checkpoint()
        finally:
            self._line.remove(ticket)
            self._begin()
            if self._line:
                # He goes on in the next turn.
                self._line[0].set()
