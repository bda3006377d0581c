"""A TCP proxy that breaks connections off where a test wants it."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

HOST = "127.0.0.1"
_LINGER = b"\1\0\0\0\0\0\0\0"
NEVER = 1 << 62


class CuttingProxy:
    """Carries connections to one address, in both directions, until it is told to break them."""

    def __init__(self, target: tuple[str, int], nursery: trio.Nursery) -> None:
        self.address: tuple[str, int] = (HOST, 0)
        self.count = 0
        """How many connections have come."""
        self.is_refusing = False
        """Whether new ones are closed at once."""
        self.resets = False
        self.keeps_upstream = False
        """Whether a connection that breaks stays open on the side of the target, and is mute."""
        self.upward = self.downward = NEVER
        """How many bytes may still go to the target, and come from it, before it breaks."""
        self._target = target
        self._nursery = nursery
        self._pairs: list[tuple[trio.SocketStream, trio.SocketStream]] = []
        self._mute: list[trio.SocketStream] = []

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host=HOST)
        self.address = listener.socket.getsockname()
        task_status.started()
        async with listener:
            while True:
                self._take(await listener.accept())

    def _take(self, stream: trio.SocketStream) -> None:
        self.count += 1
        if self.is_refusing:
            stream.socket.close()
        else:
            self._nursery.start_soon(self._carry, stream)

    async def _carry(self, below: trio.SocketStream) -> None:
        above = await trio.open_tcp_stream(*self._target)
        self._pairs.append((below, above))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump, below, above, True)
            nursery.start_soon(self._pump, above, below, False)

    async def _pump(
        self, source: trio.SocketStream, sink: trio.SocketStream, is_upward: bool
    ) -> None:
        try:
            while data := await source.receive_some():
                left = self.upward if is_upward else self.downward
                await sink.send_all(data[:left])
                if is_upward:
                    self.upward -= len(data)
                else:
                    self.downward -= len(data)
                if len(data) >= left:
                    self.cut()
                    return
            await sink.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # Broken by us, or by one of the ends: then the other one is to see it.
            pair = (source, sink) if is_upward else (sink, source)
            if pair in self._pairs:
                self._pairs.remove(pair)
                self._break(*pair)

    def cut(self) -> None:
        """Break all connections that stand, and carry the next ones whole."""
        self.upward = self.downward = NEVER
        pairs, self._pairs = self._pairs, []
        for below, above in pairs:
            self._break(below, above)

    def _break(self, below: trio.SocketStream, above: trio.SocketStream) -> None:
        self._close(below)
        if self.keeps_upstream:
            self._mute.append(above)
        else:
            self._close(above)

    def _close(self, stream: trio.SocketStream) -> None:
        if self.resets and stream.socket.fileno() >= 0:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        stream.socket.close()

    def close(self) -> None:
        """Close all connections."""
        self.keeps_upstream = False
        self.cut()
        for stream in self._mute:
            self._close(stream)


@asynccontextmanager
async def cutting_proxy(target: tuple[str, int]) -> AsyncGenerator[CuttingProxy]:
    """Run a proxy before `target` while inside."""
    async with trio.open_nursery() as nursery:
        proxy = CuttingProxy(target, nursery)
        await nursery.start(proxy.run)
        try:
            yield proxy
        finally:
            proxy.close()
        nursery.cancel_scope.cancel()
