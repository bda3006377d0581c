"""Which targets failed of late, so that the next request does not run into them again.

A server that does not answer costs a request half a minute over UDP (RFC 3263 section 4.3). It is
not left out, for it may be the last one standing: it only goes to the end of the line.
"""

from collections.abc import Iterable
from itertools import takewhile

from sylk.sip.flow import Address
from sylk.sip.location import Target

PENALTY = 60.0
"""Seconds for which a target that failed stands behind the others."""
MAX_TARGETS = 1000
"""Failed targets that are remembered; beyond that the oldest are forgotten."""


class TargetHealth:
    """Remembers targets that timed out or answered 503. Times are in seconds."""

    def __init__(self, *, penalty: float = PENALTY, max_targets: int = MAX_TARGETS) -> None:
        self._penalty = penalty
        self._max_targets = max_targets
        # In the order in which the penalties end. A name is no part of it: the server is the same.
        self._ends: dict[tuple[str, Address], float] = {}

    def __len__(self) -> int:
        """Return how many targets are remembered."""
        return len(self._ends)

    def failed(self, target: Target, now: float) -> None:
        """Note that `target` timed out, could not be reached or answered 503."""
        self.worked(target)
        self._forget_ended(now)
        if self._max_targets > 0:
            if len(self._ends) >= self._max_targets:
                del self._ends[next(iter(self._ends))]
            self._ends[target.transport, target.address] = now + self._penalty

    def worked(self, target: Target) -> None:
        """Note that `target` answered."""
        self._ends.pop((target.transport, target.address), None)

    def order(self, targets: Iterable[Target], now: float) -> list[Target]:
        """Return `targets` with those that failed of late at the end, else in the same order."""
        self._forget_ended(now)
        return sorted(targets, key=lambda each: (each.transport, each.address) in self._ends)

    def _forget_ended(self, now: float) -> None:
        for key in list(takewhile(lambda key: self._ends[key] <= now, self._ends)):
            del self._ends[key]
