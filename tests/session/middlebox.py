"""A border controller on loopback: it anchors MSRP as RFC 6714 section 6 has it.

It passes datagrams of SIP on between two sides, writes its own address into the c= and m= lines of
the SDP in them, leaves `a=path` alone, and carries the bytes of the connections that come to it.
"""

import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import trio

from tests.peers import HOST

_LINES = re.compile(rb"^m=message (?P<port>\d+) ", re.MULTILINE)


class Anchor:
    """One port whose connections are carried on to another address, unread."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.connections = 0
        self._standing: set[trio.SocketStream] = set()
        self._socket = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.port = 0

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await self._socket.bind((HOST, 0))
        self._socket.listen()
        self.port = self._socket.getsockname()[1]
        task_status.started()
        with self._socket:
            async with trio.open_nursery() as nursery:
                while True:
                    near, _ = await self._socket.accept()
                    self.connections += 1
                    nursery.start_soon(self._carry, trio.SocketStream(near))

    async def _carry(self, near: trio.SocketStream) -> None:
        far = await trio.open_tcp_stream(*self.target)
        self._standing |= {near, far}
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(_pump, near, far)
            nursery.start_soon(_pump, far, near)
        self._standing -= {near, far}

    def cut(self) -> None:
        """Break the connections that stand, with what is on its way; new ones are carried."""
        for stream in self._standing:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            stream.socket.close()
        self._standing.clear()


async def _pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for data in source:
            await sink.send_all(data)
        await sink.send_eof()


@asynccontextmanager
async def anchored(target: tuple[str, int]) -> AsyncGenerator[Anchor]:
    """Run one anchor while inside."""
    anchor = Anchor(target)
    async with trio.open_nursery() as nursery:
        await nursery.start(anchor.run)
        yield anchor
        nursery.cancel_scope.cancel()


class BorderController:
    """Stands between a caller and the UDP port of the one who is called."""

    def __init__(self, callee: tuple[str, int], *, strips_cema: bool = False) -> None:
        self._callee = callee
        self._caller: tuple[str, int] | None = None
        self._strips_cema = strips_cema
        self._near = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._far = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._nursery: trio.Nursery | None = None
        self.port = 0
        self.anchors: list[Anchor] = []
        """One for each description that passed: the caller's first."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with self._near, self._far:
            await self._near.bind((HOST, 0))
            await self._far.bind((HOST, 0))
            self.port = self._near.getsockname()[1]
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._to_callee)
                nursery.start_soon(self._to_caller)
                task_status.started()

    async def _to_callee(self) -> None:
        while True:
            data, self._caller = await self._near.recvfrom(65536)
            await self._far.sendto(await self._rewrite(data), self._callee)

    async def _to_caller(self) -> None:
        while True:
            data = await self._far.recv(65536)
            assert self._caller is not None
            await self._near.sendto(await self._rewrite(data), self._caller)

    async def _rewrite(self, data: bytes) -> bytes:
        head, _, body = data.partition(b"\r\n\r\n")
        line = _LINES.search(body)
        if line is None:
            return data
        assert self._nursery is not None
        anchor = Anchor((HOST, int(line["port"])))
        await self._nursery.start(anchor.run)
        self.anchors.append(anchor)
        body = _LINES.sub(b"m=message %d " % anchor.port, body)
        if self._strips_cema:
            body = body.replace(b"a=msrp-cema\r\n", b"")
        head = re.sub(rb"(?i)(\r\nContent-Length:) *\d+", rb"\1 %d" % len(body), head)
        return head + b"\r\n\r\n" + body


@asynccontextmanager
async def border_controller(
    callee: tuple[str, int], *, strips_cema: bool = False
) -> AsyncGenerator[BorderController]:
    """Run a border controller while inside."""
    controller = BorderController(callee, strips_cema=strips_cema)
    async with trio.open_nursery() as nursery:
        await nursery.start(controller.run)
        yield controller
        nursery.cancel_scope.cancel()
