"""What waits to be written to one peer: sent at once when it can be, else queued and bounded.

A room writes to each of its recipients in turn and never waits. So a write goes straight to the
socket while nothing is queued before it; what does not fit is queued, and a task that exists only
as long as there is a queue writes the rest, joined, in as few system calls as it can. A peer that
takes nothing for too long, or has too much waiting, is given up: it never slows the others.
"""

import logging
from collections.abc import Callable
from typing import Protocol

import trio

from sylk.errors import TransportError
from sylk.net.stream import ByteStream
from sylk.net.wakeup import Wakeup
from sylk.sip.flow import show_address

logger = logging.getLogger("sylk.net")

DEFAULT_LIMIT = 4 * 1024 * 1024
"""Bytes that may wait for one peer; over it the connection is given up."""

DEFAULT_TIMEOUT = 30.0
"""Seconds for which a peer may take nothing while bytes wait for it."""

_JOIN_SIZE = 256 * 1024


class Total(Protocol):
    """Who bounds what waits in many outboxes together."""

    def changed(self, outbox: "Outbox", size: int, /) -> None:
        """Take it that what waits in one has become more by `size` bytes, or less."""
        ...


class Outbox:
    """The bounded queue before one stream.

    `on_failure` is called once, with the reason, when the stream fails or the peer is too slow;
    from then on writes are dropped.
    """

    __slots__ = (
        "_dropped",
        "_failed",
        "_finished",
        "_limit",
        "_nursery",
        "_on_failure",
        "_queue",
        "_stream",
        "_timeout",
        "_total",
        "is_too_slow",
        "on_empty",
        "pending",
    )

    def __init__(
        self,
        stream: ByteStream,
        nursery: trio.Nursery,
        on_failure: Callable[[str], None],
        *,
        limit: int = DEFAULT_LIMIT,
        timeout: float = DEFAULT_TIMEOUT,
        total: Total | None = None,
    ) -> None:
        self._stream = stream
        self._nursery = nursery
        self._on_failure = on_failure
        self._limit = limit
        self._timeout = timeout
        self._total = total
        # A list, as an empty deque takes ten times the memory, and few have anything to wait for.
        self._queue: list[bytes | memoryview] = []
        self._failed = False
        self._finished = Wakeup()
        self.pending = 0
        """Bytes that wait."""
        self._dropped = 0
        self.is_too_slow = False
        """True when it is the peer who failed, by not reading, and not the network."""
        self.on_empty: Callable[[], None] | None = None
        """Called each time when nothing waits any more."""

    def write(self, data: bytes) -> None:
        """Send `data` at once or queue it; never waits, never raises.

        What comes while nothing waits is taken whatever its size: one message larger than the
        limit shows no slow peer.
        """
        if self._failed:
            self._dropped += len(data)
            return
        if self._queue:
            self._queue.append(data)
            self._grow(len(data))
            if self.pending > self._limit:
                self.give_up(f"too slow: {self.pending} bytes wait for it")
        else:
            try:
                sent = self._stream.try_send(data)
            except TransportError as error:
                self._dropped += len(data)
                self._fail(str(error))
                return
            if sent == len(data):
                return
            self._queue.append(memoryview(data)[sent:] if sent else data)
            self._nursery.start_soon(self._write_queue)
            self._grow(len(data) - sent)

    def _grow(self, size: int) -> None:
        """Count what waits, or waits no more."""
        self.pending += size
        if self._total is not None:
            self._total.changed(self, size)

    def close(self) -> None:
        """Drop what waits and whatever is written from now on, without calling `on_failure`."""
        self._failed = True
        self._queue.clear()
        self._dropped += self.pending
        self._grow(-self.pending)
        # What leads from the stream back to its user would keep both until a collection of cycles.
        self._on_failure = _nobody
        self.on_empty = None
        self._finished.wake()

    @property
    def unsent(self) -> int:
        """Bytes that were written here and have never left: they wait, or were dropped."""
        return self.pending + self._dropped

    async def wait_empty(self) -> None:
        """Wait until nothing is queued (or the peer was given up)."""
        if self._queue:
            await self._finished.wait()
        else:
            await trio.lowlevel.checkpoint()

    async def _write_queue(self) -> None:
        try:
            while self._queue:
                with trio.move_on_after(self._timeout) as patience:
                    await self._stream.wait_sendable()
                if patience.cancelled_caught:
                    self.give_up(f"too slow: it took nothing for {self._timeout:g} s")
                    return
                self._write_some()
        except TransportError as error:
            self._fail(str(error))
        except Exception:
            # One peer's bug must not stop the writing to all others.
            logger.exception("writing to %s failed", show_address(self._stream.remote))
            self._fail("a fault of ours")
        finally:
            self._finished.wake()
            if self.on_empty is not None:
                self.on_empty()

    def _write_some(self) -> None:
        while self._queue:
            block = self._next_block()
            sent = self._stream.try_send(block)
            self._grow(-sent)
            if sent < len(block):
                self._queue.insert(0, memoryview(block)[sent:])
                return

    def _next_block(self) -> bytes | memoryview:
        count = size = 0
        while count < len(self._queue) and size < _JOIN_SIZE:
            size += len(self._queue[count])
            count += 1
        parts = self._queue[:count]
        del self._queue[:count]
        return parts[0] if count == 1 else b"".join(parts)

    def give_up(self, reason: str) -> None:
        """Let go of a peer that is too slow."""
        self._fail(reason, is_too_slow=True)

    def _fail(self, reason: str, *, is_too_slow: bool = False) -> None:
        if self._failed:
            return
        self.is_too_slow = is_too_slow
        on_failure = self._on_failure
        self.close()
        on_failure(reason)


def _nobody(_reason: str) -> None:
    """Stand for who wants to know of failures, when nobody does any more."""
