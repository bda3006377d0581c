"""How often people are called on behalf of others, so that nobody is pestered through a room.

A REFER, or a list in an INVITE, makes the server call somebody who has not asked for it. Both
count here: the calls to one person, whoever asks and whatever the room, and those that one
person asks for. What is refused counts as nothing. No I/O, no clock, no tasks.
"""

from collections import deque

WINDOW = 600.0
"""Seconds for which a call counts."""

MAX_KEPT = 10_000
"""People who are remembered at a time; while there are so many, nobody new is called."""


class CallQuota:
    """Counts calls of the last ten minutes; each limit is in calls."""

    def __init__(self, to_one: int, by_one: int, max_kept: int = MAX_KEPT) -> None:
        self._called = _Counts(to_one, max_kept)
        self._callers = _Counts(by_one, max_kept)

    def take(self, referrer: bytes, target: bytes, now: float) -> int | None:
        """Count a call of `target` that `referrer` asks for, both user@host.

        Returns None if it may be made, or else in how many seconds to ask again.
        """
        waits = [self._called.wait_for(target, now), self._callers.wait_for(referrer, now)]
        wait = max(waits)
        if wait > 0:
            return int(wait) + 1
        self._called.add(target, now)
        self._callers.add(referrer, now)
        return None


class _Counts:
    """The times of the calls of each, the one whose latest call is the longest ago first."""

    def __init__(self, limit: int, max_kept: int) -> None:
        self._limit = limit
        self._max_kept = max_kept
        self._times: dict[bytes, deque[float]] = {}

    def wait_for(self, key: bytes, now: float) -> float:
        """Return after how many seconds there may be one more, 0 for now."""
        self._forget(now)
        times = self._times.get(key)
        if times is None:
            if len(self._times) < self._max_kept:
                return 0.0
            return next(iter(self._times.values()))[-1] + WINDOW - now
        while times[0] <= now - WINDOW:
            times.popleft()
        return 0.0 if len(times) < self._limit else times[0] + WINDOW - now

    def add(self, key: bytes, now: float) -> None:
        times = self._times.pop(key, None) or deque()
        times.append(now)
        self._times[key] = times

    def _forget(self, now: float) -> None:
        while self._times:
            key, times = next(iter(self._times.items()))
            if times[-1] > now - WINDOW:
                return
            del self._times[key]
