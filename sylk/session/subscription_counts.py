"""How many subscriptions and referrals there may be, in all and from one source.

Each costs memory, and a NOTIFY for each change, for as long as it lasts, and it costs its owner one
packet. So nobody may hold them all.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from sylk.errors import RemoteProtocolError

_RETRY_AFTER = [("Retry-After", "60")]
"""Seconds: a subscription lasts for minutes, so that room is not to be had sooner."""


@dataclass(frozen=True, slots=True)
class SubscriptionBounds:
    """The most subscriptions and referrals at one time; None is no bound for a source."""

    max_in_all: int = 20_000
    max_per_source: int | None = None


class SubscriptionCounts:
    """Counts those who are told something; an empty source has no bound of its own."""

    def __init__(self, bounds: SubscriptionBounds) -> None:
        self._bounds = bounds
        self._sources: dict[Hashable, str] = {}
        self._by_source: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._sources)

    def check(self, source: str) -> None:
        """Raise RemoteProtocolError (503) unless there is room for one more of this source."""
        bounds = self._bounds
        if len(self._sources) >= bounds.max_in_all:
            raise RemoteProtocolError("max_subscriptions is reached", 503, _RETRY_AFTER)
        most = bounds.max_per_source
        if source and most is not None and self._by_source[source] >= most:
            raise RemoteProtocolError("max_subscriptions_per_source is reached", 503, _RETRY_AFTER)

    def add(self, user: Hashable, source: str) -> None:
        """Count one more."""
        self._sources[user] = source
        self._by_source[source] += 1

    def remove(self, user: Hashable) -> None:
        """Count one less; it is fine if it was not counted."""
        source = self._sources.pop(user, None)
        if source is None:
            return
        self._by_source[source] -= 1
        if not self._by_source[source]:
            del self._by_source[source]
