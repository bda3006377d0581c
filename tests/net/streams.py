"""A byte stream in memory, whose network takes exactly what a test lets it take."""

import trio

from sylk.errors import TransportError
from sylk.sip.flow import Address


class MemoryStream:
    """One end of a connection; `credit` is how many bytes the network still takes."""

    def __init__(self, credit: int = 0) -> None:
        self.local: Address = ("192.0.2.1", 5060)
        self.remote: Address = ("192.0.2.2", 40000)
        self.credit = credit
        self.written = bytearray()
        self.writes = 0
        self.is_broken = False
        self.is_closed = False
        self._changed = trio.Event()

    def allow(self, size: int) -> None:
        """Let the network take `size` bytes more."""
        self.credit += size
        self._wake()

    def break_off(self) -> None:
        """Let the connection fail."""
        self.is_broken = True
        self._wake()

    def try_send(self, data: bytes | memoryview) -> int:
        self.writes += 1
        if self.is_broken:
            raise TransportError("broken")
        size = min(len(data), self.credit)
        self.credit -= size
        self.written += data[:size]
        return size

    async def wait_sendable(self) -> None:
        while not self.credit:
            if self.is_broken:
                raise TransportError("broken")
            self._changed = trio.Event()
            await self._changed.wait()
        await trio.lowlevel.checkpoint()

    async def receive(self) -> bytes:
        await trio.sleep_forever()
        raise AssertionError("not reached")

    def try_receive(self) -> bytes | None:
        return None

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.is_closed = True

    def _wake(self) -> None:
        self._changed.set()
