"""SIP servers on the loopback that say what a test tells them to; no code of Sylk answers here."""

import math
import secrets
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

import trio
from trio.testing import MockClock

from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.resolver import Resolver
from sylk.net.sip_transports import SipTransportSettings
from sylk.session.attempts import Destination
from sylk.session.endpoint import Endpoint, EndpointSettings
from sylk.sip.address import NameAddr
from sylk.sip.uri import SipURI
from tests.end_to_end.wire_sip import SipMessage
from tests.net.dns_server import DnsServer, Zone
from tests.peers import DOMAIN, HOST, PATIENCE, refuse_nothing, take_message

Reply = Callable[[bytes], Awaitable[None]]


class WireServer:
    """A UDP socket and a TCP port of the same number, or only one of them.

    What comes waits until a test asks for it; whoever sent it can be answered by the same way.
    """

    def __init__(self, *transports: str, host: str = HOST) -> None:
        self.transports = transports or ("udp",)
        self.host = host
        self.port = 0
        self.tag = secrets.token_hex(4)
        self.came: list[SipMessage] = []
        """All the requests that have come, retransmissions too."""
        self.over: list[str] = []
        """The transport of each of them."""
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._send, self._receive = trio.open_memory_channel[tuple[SipMessage, Reply]](100)
        self._ways: dict[str, Reply] = {}
        self._nursery: trio.Nursery | None = None
        self._sockets: list[trio.socket.SocketType] = []
        self._streams: list[trio.SocketStream] = []

    async def __aenter__(self) -> Self:
        await self._bind()
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        for transport, sock in zip(self.transports, self._sockets, strict=True):
            self._nursery.start_soon(self._serve_udp if transport == "udp" else self._accept, sock)
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._nursery is not None
        self._nursery.cancel_scope.cancel()
        await self._manager.__aexit__(None, None, None)
        self._close()

    def _close(self) -> None:
        for sock in self._sockets:
            sock.close()

    def vanish(self) -> None:
        """Be gone: nobody listens any more, and every connection is closed."""
        self._close()
        self.drop_connections()

    def drop_connections(self) -> None:
        """Close every connection, without a word."""
        for stream in self._streams:
            stream.socket.close()

    async def _bind(self) -> None:
        """Bind both to one number; somebody else may have it for one of them."""
        while True:
            self._sockets, self.port = [], 0
            try:
                for transport in self.transports:
                    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
                    sock = trio.socket.socket(self._family, kind)
                    self._sockets.append(sock)
                    await sock.bind((self.host, self.port))
                    self.port = sock.getsockname()[1]
                    if transport != "udp":
                        sock.listen()
            except OSError:
                self._close()
            else:
                return

    async def _serve_udp(self, sock: trio.socket.SocketType) -> None:
        while True:
            data, source = await sock.recvfrom(65536)
            taken = take_message(data)
            assert taken is not None

            async def reply(answer: bytes, to: tuple[object, ...] = source) -> None:
                await sock.sendto(answer, to)

            self._take(taken[0], reply, "udp")

    async def _accept(self, sock: trio.socket.SocketType) -> None:
        assert self._nursery is not None
        while True:
            try:
                connection, _ = await sock.accept()
            except (OSError, trio.ClosedResourceError):
                return
            self._nursery.start_soon(self._serve_stream, trio.SocketStream(connection))

    async def _serve_stream(self, stream: trio.SocketStream) -> None:
        buffer = b""
        self._streams.append(stream)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                async for data in stream:
                    buffer += data
                    while (taken := take_message(buffer)) is not None:
                        message, buffer = taken
                        self._take(message, stream.send_all, "tcp")

    def _take(self, message: SipMessage, reply: Reply, transport: str) -> None:
        if not message.status:
            self.came.append(message)
            self.over.append(transport)
        self._send.send_nowait((message, reply))

    async def request(self, method: str) -> SipMessage:
        """Return the next request of this method; what else comes is dropped."""
        while True:
            message = await self._next()
            if not message.status and message.method == method:
                return message

    async def any_request(self) -> SipMessage:
        """Return the next request."""
        while (message := await self._next()).status:
            pass
        return message

    async def later_request(self, method: str) -> SipMessage:
        """Return such a request that may take long, on a clock that jumps."""
        with trio.fail_after(100_000):
            while True:
                message, reply = await self._receive.receive()
                self._ways[message["Via"]] = reply
                if not message.status and message.method == method:
                    return message

    async def response(self, method: str) -> SipMessage:
        """Return the next response to a request of this method; what else comes is dropped."""
        while True:
            message = await self._next()
            if message.status and message.method == method:
                return message

    async def _next(self) -> SipMessage:
        # A clock that jumps is through with the time-outs of several servers in no time.
        is_jumping = isinstance(trio.lowlevel.current_clock(), MockClock)
        with trio.fail_after(200 if is_jumping else PATIENCE):
            message, reply = await self._receive.receive()
        self._ways[message["Via"]] = reply
        return message

    async def answer(self, request: SipMessage, status: str, *headers: str) -> None:
        """Answer a request, with a To tag."""
        await self._ways[request["Via"]](response_to(request, status, *headers, tag=self.tag))

    async def send(self, data: bytes, request: SipMessage) -> None:
        """Send something by the way that `request` came."""
        await self._ways[request["Via"]](data)

    async def send_to(self, port: int, data: bytes) -> None:
        """Send a datagram of our own accord."""
        await self._sockets[self.transports.index("udp")].sendto(data, (self.host, port))

    def destination(self, transport: str | None = None) -> Destination:
        uri = f"sip:bob@{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
        return Destination(SipURI.parse(uri), ALICE, transport)


ALICE = NameAddr.parse(f"<sip:alice@{DOMAIN}>")


def response_to(
    request: SipMessage, status: str, *headers: str, tag: str = "t", body: bytes = b""
) -> bytes:
    """Return a response with what it has to repeat, and a To tag where there is none."""
    lines = [f"SIP/2.0 {status}"]
    for name, value in request.headers:
        if name.lower() in ("via", "from", "call-id", "cseq"):
            lines.append(f"{name}: {value}")
        elif name.lower() == "to":
            lines.append(f"{name}: {value if 'tag=' in value else f'{value};tag={tag}'}")
    lines += [*headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def unused_port(transport: str) -> int:
    """Return a port at which nobody listens."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
    return port


@asynccontextmanager
async def silent_port() -> AsyncGenerator[int]:
    """Hold a UDP port that takes everything and says nothing, as a host behind a firewall does."""
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.bind((HOST, 0))
        yield sock.getsockname()[1]


def farm(domain: str, transport: str, *ports: int) -> Zone:
    """Return the zone of a domain whose servers are tried in this order."""
    return {
        (domain, "NAPTR"): [f'10 10 "s" "SIP+D2{transport[0].upper()}" "" farm.{domain}.'],
        (f"farm.{domain}", "SRV"): [
            f"{number} 0 {port} host{number}.{domain}." for number, port in enumerate(ports)
        ],
        **{(f"host{number}.{domain}", "A"): [HOST] for number in range(len(ports))},
    }


async def _look_up(endpoint: Endpoint, domain: str, clock: MockClock | None) -> None:
    threshold = math.inf if clock is None else clock.autojump_threshold
    if clock is not None:
        clock.autojump_threshold = math.inf
    await endpoint.sender.find_servers(SipURI.parse(f"sip:{domain}"))
    if clock is not None:
        clock.autojump_threshold = threshold


@asynccontextmanager
async def endpoint_in(
    zone: Zone,
    folder: Path,
    *,
    clock: MockClock | None = None,
    outbound_proxy: SipURI | None = None,
) -> AsyncGenerator[Endpoint]:
    """Run an endpoint that knows no other DNS than `zone`.

    It has looked everything up already when it is entered; `clock` stands still meanwhile.
    """
    dns = DnsServer(zone, ttl=100_000)
    async with trio.open_nursery() as nursery:
        await nursery.start(dns.run)
        resolver = Resolver(nameservers=[dns.address], hosts_file=folder / "hosts", want_ipv6=False)
        settings = EndpointSettings(
            name="Phone",
            outbound_proxy=outbound_proxy,
            resolver=resolver,
            sip=SipTransportSettings(HOST, 0, 0),
            msrp=MsrpPortSettings(HOST, 0),
        )
        endpoint = Endpoint(settings, refuse_nothing)
        await nursery.start(endpoint.run)
        if zone:
            await _look_up(endpoint, next(iter(zone))[0], clock)
        yield endpoint
        nursery.cancel_scope.cancel()
