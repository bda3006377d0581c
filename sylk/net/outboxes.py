"""The outboxes of one protocol, and a bound for what waits in all of them together.

Each is bounded by itself; but a thousand peers who read nothing would still take a thousand times
that. Over the common bound the peer for whom most waits is given up, then the next.
"""

import math
from collections.abc import Callable

import trio

from sylk.net.outbox import DEFAULT_LIMIT, DEFAULT_TIMEOUT, Outbox
from sylk.net.stream import ByteStream


class Outboxes:
    """Opens outboxes that may hold `limit` bytes each and `total` together.

    `timeout` is how many seconds a peer may take nothing while bytes wait for it.
    """

    def __init__(
        self,
        limit: int = DEFAULT_LIMIT,
        timeout: float = DEFAULT_TIMEOUT,
        total: float = math.inf,
    ) -> None:
        self._limit = limit
        self._timeout = timeout
        self._most = total
        self._waiting: set[Outbox] = set()
        self.pending = 0
        """Bytes that wait in all of them."""

    def open(
        self, stream: ByteStream, nursery: trio.Nursery, on_failure: Callable[[str], None]
    ) -> Outbox:
        """Return the outbox of a stream; see there."""
        return Outbox(
            *(stream, nursery, on_failure), limit=self._limit, timeout=self._timeout, total=self
        )

    def changed(self, outbox: Outbox, size: int) -> None:
        """Take it that what waits in an outbox has become more by `size` bytes, or less."""
        self.pending += size
        if size <= 0:
            if not outbox.pending:
                self._waiting.discard(outbox)
            return
        self._waiting.add(outbox)
        while self.pending > self._most and self._waiting:
            largest = max(self._waiting, key=lambda one: one.pending)
            largest.give_up(
                f"too slow: {largest.pending} bytes wait for it, the most of {self.pending} for all"
            )
