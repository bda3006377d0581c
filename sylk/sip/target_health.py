"""Which targets failed of late, so that the next request does not run into them again.

A server that does not answer costs a request half a minute over UDP (RFC 3263 section 4.3). It is
not left out, for it may be the last one standing: it only goes to the end of the line. A server
that said itself for how long it wants to be left alone (503 with Retry-After, RFC 3261 section
21.5.4) goes there for as long.
"""

from collections.abc import Iterable

from sylk.sip.flow import Address
from sylk.sip.location import Target

PENALTY = 60.0
"""Seconds for which a target that failed stands behind the others."""
MAX_PENALTY = 3600.0
"""Seconds for which a target stands behind the others at most, whatever it says itself."""
MAX_TARGETS = 1000
"""Failed targets that are remembered; beyond that the oldest are forgotten."""


class TargetHealth:
    """Remembers targets that timed out or answered 503. Times are in seconds."""

    def __init__(self, *, penalty: float = PENALTY, max_targets: int = MAX_TARGETS) -> None:
        self._penalty = penalty
        self._max_targets = max_targets
        # In the order in which they failed. A name is no part of it: the server is the same.
        self._ends: dict[tuple[str, Address], float] = {}

    def __len__(self) -> int:
        """Return how many targets are remembered."""
        return len(self._ends)

    def failed(self, target: Target, now: float, retry_after: float | None = None) -> None:
        """Note that `target` timed out, could not be reached or answered 503.

        `retry_after` is for how long it wants to be left alone, if it said so.
        """
        self.worked(target)
        self._forget_ended(now)
        if self._max_targets > 0:
            if len(self._ends) >= self._max_targets:
                del self._ends[next(iter(self._ends))]
            penalty = self._penalty if retry_after is None else min(retry_after, MAX_PENALTY)
            self._ends[target.transport, target.address] = now + penalty

    def worked(self, target: Target) -> None:
        """Note that `target` answered."""
        self._ends.pop((target.transport, target.address), None)

    def is_failing(self, target: Target, now: float) -> bool:
        """Tell whether `target` failed of late."""
        return self._ends.get((target.transport, target.address), now) > now

    def order(self, targets: Iterable[Target], now: float) -> list[Target]:
        """Return `targets` with those that failed of late at the end, else in the same order."""
        self._forget_ended(now)
        return sorted(targets, key=lambda each: (each.transport, each.address) in self._ends)

    def _forget_ended(self, now: float) -> None:
        for key in [key for key, end in self._ends.items() if end <= now]:
            del self._ends[key]
