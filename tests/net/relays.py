"""A port that is a relay, on loopback, and bytes that speak to it."""

import ipaddress
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Self

import trio

from sylk.call.relay_digest import RelayDigest, RelayPassword
from sylk.msrp.frame import Frame
from sylk.msrp.parser import FrameParser
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.uri import MsrpURI
from sylk.net.alarm import AlarmClock
from sylk.net.msrp_port import MsrpPort
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.relay_path import RelayAccount
from sylk.net.relay_traffic import RelaySettings
from tests.msrp.relay_world import PASSWORDS, REALM, find_user

HOST = "127.0.0.1"
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
OWN = b"msrp://client.example.org:1/own;tcp"


@asynccontextmanager
async def relay_port(
    limits: RelayLimits | None = None,
    *,
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = LOOPBACK,
    settings: MsrpPortSettings | None = None,
) -> AsyncGenerator[MsrpPort]:
    """Run a relay in clear."""
    tokens = iter(range(10**9))
    access = RelayDigest(REALM, find_user, random_token=lambda: f"{next(tokens):020d}")
    relay = RelaySettings(access, HOST, True, networks, limits or RelayLimits())
    given = settings or MsrpPortSettings(host=HOST, port=0)
    async with running(replace(given, relay=relay)) as port:
        yield port


@asynccontextmanager
async def running(settings: MsrpPortSettings) -> AsyncGenerator[MsrpPort]:
    clock = AlarmClock()
    port = MsrpPort(settings, clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.run)
        await nursery.start(port.run)
        yield port
        nursery.cancel_scope.cancel()


def account(port: MsrpPort, user: str = "alice", password: str | None = None) -> RelayAccount:
    host, number = dict(port.listening)["tcp"]
    uri = MsrpURI(False, None, host, number, "")
    return RelayAccount(uri, RelayPassword(user, password or PASSWORDS[user], lambda: "c"))


class Wire:
    """One connection to a port, as bytes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._parser = FrameParser()

    async def send(self, *data: bytes) -> None:
        await self.stream.send_all(b"".join(data))

    async def read(self) -> Frame | None:
        """Return the next frame, None at the end."""
        while (frame := self._parser.next_event()) is None:
            data = await self.stream.receive_some(65536)
            if not data:
                return None
            self._parser.receive_data(data)
        return frame

    async def log_in(self, port: MsrpPort, user: str = "alice") -> bytes:
        """Return a path of this connection."""
        to = str(account(port).uri)
        value = b""
        for tid in (b"a1", b"a2"):
            line = b"Authorization: %b\r\n" % value if value else b""
            await self.send(
                b"MSRP %b AUTH\r\nTo-Path: %b\r\nFrom-Path: %b\r\n%b-------%b$\r\n"
                % (tid, to.encode(), OWN, line, tid)
            )
            frame = await self.read()
            assert frame is not None
            if frame.status == 200:
                break
            challenges = frame.headers[b"www-authenticate"].decode()
            password = RelayPassword(user, PASSWORDS[user], lambda: "c")
            value = password.answer(challenges, to).encode()
        return frame.headers[b"use-path"]


class Guests:
    """Connections to a relay and from it, closed at the end."""

    def __init__(self, port: MsrpPort) -> None:
        self._port = port
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._open.aclose()

    async def connect(self) -> Wire:
        stream = await trio.open_tcp_stream(*dict(self._port.listening)["tcp"])
        return Wire(await self._open.enter_async_context(stream))

    async def listen(self) -> tuple[trio.SocketListener, bytes]:
        """Return somebody to connect to, and the URI of a session there."""
        (listener,) = await trio.open_tcp_listeners(0, host=HOST)
        await self._open.enter_async_context(listener)
        port = listener.socket.getsockname()[1]
        return listener, b"msrp://%b:%d/far;tcp" % (HOST.encode(), port)

    async def accept(self, listener: trio.SocketListener) -> Wire:
        return Wire(await self._open.enter_async_context(await listener.accept()))
