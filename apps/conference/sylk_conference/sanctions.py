"""Bans and mutes: people by user@host, each until some time. No clock: the time is handed in."""

from collections.abc import Iterator

MAX_SANCTIONS = 1000
"""How many people there are bans for in one room, and how many mutes."""


class Sanctions:
    """Against whom there is one, and until when."""

    __slots__ = ("_limit", "_until")

    def __init__(self, limit: int = MAX_SANCTIONS) -> None:
        self._limit = limit
        self._until: dict[bytes, float] = {}

    def __len__(self) -> int:
        """Return how many there are, those that are over included until somebody looks."""
        return len(self._until)

    def add(self, who: bytes, until: float, now: float) -> bool:
        """Begin one, or change when it ends; False where there are too many for one more."""
        if who not in self._until and len(self._until) >= self._limit:
            self._forget(now)
            if len(self._until) >= self._limit:
                return False
        self._until[who] = until
        return True

    def lift(self, who: bytes) -> bool:
        """End one before its time; False where there is none."""
        return self._until.pop(who, None) is not None

    def hold(self, who: bytes, now: float) -> bool:
        """Tell whether there is one against somebody."""
        until = self._until.get(who)
        return until is not None and now < until

    def listed(self, now: float) -> Iterator[tuple[bytes, float]]:
        """Yield against whom there are any, and when each ends."""
        self._forget(now)
        yield from list(self._until.items())

    def _forget(self, now: float) -> None:
        self._until = {who: until for who, until in self._until.items() if now < until}
