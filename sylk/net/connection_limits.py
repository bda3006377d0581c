"""Whether one more connection is taken: how many there are, of one source too, and how fast.

A connection costs memory and, with TLS, much time before its peer has said who it is. So one
source cannot take all that there are, nor keep the processor busy with handshakes.
"""

import logging
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sylk.sip.source_limits import BURST_SECONDS, TokenBuckets, source_of

logger = logging.getLogger("sylk.net")

_LOG_INTERVAL = 60.0
"""Seconds between two log lines about the same source."""


def _nobody(_address: str) -> bool:
    return False


@dataclass(slots=True)
class ConnectionLimits:
    """The bounds of one port: connections at a time, in all and of one source, and new ones.

    `rate` is new connections of one source a second, with bursts of five seconds' worth. The
    limits of a source do not hold for those of which `is_exempt` is true; `max_connections` does.
    """

    max_connections: int
    max_per_source: int | None = None
    rate: float = math.inf
    is_exempt: Callable[[str], bool] = _nobody


class ConnectionGate:
    """Counts the connections of one port; each that it admits must be `released` once."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.connections = 0
        """Connections that are being served."""
        self.refused = 0
        """Connections that were one too many."""
        self._limits = limits
        self._by_source: Counter[str] = Counter()
        self._new = TokenBuckets(limits.rate, limits.rate * BURST_SECONDS)
        self._lines = TokenBuckets(1 / _LOG_INTERVAL, 1)

    @property
    def sources(self) -> int:
        """From how many sources they come."""
        return len(self._by_source)

    def admit(self, address: str, port: int, now: float) -> bool:
        """Tell whether a connection from `address` to our `port` is taken, and count it."""
        source = source_of(address)
        fault = self._fault(source, address, now)
        if fault:
            self.refused += 1
            if self._lines.take(source, now):
                logger.warning(
                    "connections from %s to port %d are closed at once: %s", source, port, fault
                )
            return False
        self.connections += 1
        self._by_source[source] += 1
        return True

    def released(self, address: str) -> None:
        """Take it that a connection from `address` is over."""
        source = source_of(address)
        self.connections -= 1
        self._by_source[source] -= 1
        if not self._by_source[source]:
            del self._by_source[source]

    def _fault(self, source: str, address: str, now: float) -> str:
        limits = self._limits
        if self.connections >= limits.max_connections:
            return f"there are {limits.max_connections}, which is max_connections"
        if limits.is_exempt(address):
            return ""
        most = limits.max_per_source
        if most is not None and self._by_source[source] >= most:
            return f"it has {most}, which is max_connections_per_source"
        if not self._new.take(source, now):
            return f"more than {limits.rate:g} a second, which is max_connection_rate"
        return ""
