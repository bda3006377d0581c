"""One clock for all engines: rings each one's deadline from a single task.

Engines say when they next want to be called; a task and a timer for each of them would cost
ten thousand idle sessions ten thousand tasks. Here they share one heap and one sleeping task.
"""

import heapq
import itertools
import logging
import time
from collections.abc import Callable, Hashable

import trio

from sylk.net.turns import SLICE

logger = logging.getLogger("sylk.net")

Ring = Callable[[float], None]


class AlarmClock:
    """Calls back at the deadlines that engines asked for; `run` is its only task."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Hashable]] = []
        self._alarms: dict[Hashable, tuple[float, int, Ring]] = {}
        self._serial = itertools.count()
        self._sleep: trio.CancelScope | None = None

    def __len__(self) -> int:
        """Return how many alarms are set."""
        return len(self._alarms)

    def set(self, key: Hashable, deadline: float | None, ring: Ring) -> None:
        """Ring `ring(now)` for `key` at `deadline` (trio time), in place of its earlier alarm.

        None takes the alarm away. Costs O(log n).
        """
        old = self._alarms.get(key)
        if deadline is None:
            if old is not None:
                del self._alarms[key]
                self._forget_stale()
            return
        if old is not None and old[0] == deadline:
            self._alarms[key] = (deadline, old[1], ring)
            return
        serial = next(self._serial)
        self._alarms[key] = (deadline, serial, ring)
        heapq.heappush(self._heap, (deadline, serial, key))
        self._forget_stale()
        if self._sleep is not None and deadline < self._sleep.deadline:
            self._sleep.deadline = deadline

    def _forget_stale(self) -> None:
        # Replaced alarms stay in the heap until they come up; rebuilt before they outnumber
        # the live ones, so that memory follows what is set, not what was ever set.
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._alarms):
            self._heap = [(when, serial, key) for key, (when, serial, _) in self._alarms.items()]
            heapq.heapify(self._heap)

    async def run(self) -> None:
        """Sleep until the earliest deadline, ring what is due, for ever."""
        while True:
            earliest = self._heap[0][0] if self._heap else float("inf")
            with trio.CancelScope(deadline=earliest) as self._sleep:
                await trio.sleep_forever()
            self._sleep = None
            await self._ring_due(trio.current_time())

    async def _ring_due(self, now: float) -> None:
        due: list[tuple[int, Hashable]] = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[1:])
        end = time.monotonic() + SLICE
        # An alarm that is set while others ring waits for the next round: whoever wants to be
        # called at once, over and over, must not keep every other task from running.
        for serial, key in due:
            alarm = self._alarms.get(key)
            if alarm is None or alarm[1] != serial:
                continue
            if time.monotonic() >= end:
                # Thousands may have begun to wait at one moment.
                await trio.lowlevel.checkpoint()
                now, end = trio.current_time(), time.monotonic() + SLICE
                if (alarm := self._alarms.get(key)) is None or alarm[1] != serial:
                    continue
            del self._alarms[key]
            try:
                alarm[2](now)
            except Exception:
                # One engine's bug must not stop the clock of all others.
                logger.exception("a deadline handler of %r failed", key)
