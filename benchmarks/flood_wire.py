"""Floods of strangers: datagrams and connections, from addresses of their own."""

import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.wire import HOST, OFFER, REQUEST

ONE = ("127.1.0.1",)
MANY = tuple(f"127.1.{high}.{low}" for high in range(4) for low in range(1, 65))
"""Whom the limits of a source hold for, unlike those who chat."""

_CHUNK = 16
"""Requests that go over a stream with one call."""


@dataclass(slots=True)
class Ports:
    """Where the server listens, and the room that suffers."""

    sip_udp: int
    sip_tcp: int
    msrp_tcp: int
    msrp_tls: int
    room: str


Step = Callable[[], int]
"""Does some of the harm, and returns how much of it was done; 0 when there is nothing to do now."""
Begin = Callable[[socket.socket], None]
"""Says something on a connection that was just opened."""


# Datagrams


def request(method: str, source: str, port: int, target: str, transport: str = "UDP") -> bytes:
    """Return a request in which %010d stands three times, for what makes it a new one."""
    body = OFFER.format(host=source, path=f"msrp://{source}:2855/s%010d;tcp")
    body = body.replace("\n", "\r\n") if method == "INVITE" else ""
    head = REQUEST.format(
        method=method,
        uri=target,
        host=source,
        port=port,
        branch="%010d",
        name="Mallory",
        user="mallory",
        tag="t",
        to=f"<{target}>",
        call_id="%010d",
        cseq=1,
        more="Content-Type: application/sdp\n" if body else "",
        length=len(body) + 6 if body else 0,
    ).replace("TCP", transport)
    if transport == "UDP":
        head = head.replace(";transport=tcp", "")
    return (head.replace("\n", "\r\n") + body).encode()


def datagrams(method: str, sources: tuple[str, ...]) -> Callable[[Ports], Step]:
    """Return what sends requests of one method over UDP, each a new one."""

    def prepare(ports: Ports) -> Step:
        pairs: list[tuple[socket.socket, bytes]] = []
        for source in sources:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((source, 0))
            sock.connect((HOST, ports.sip_udp))
            sock.setblocking(False)
            port: int = sock.getsockname()[1]
            pairs.append((sock, request(method, source, port, ports.room)))
        return _sender(pairs)

    return prepare


def _sender(pairs: list[tuple[socket.socket, bytes]]) -> Step:
    count = 0

    def step() -> int:
        nonlocal count
        sock, template = pairs[count % len(pairs)]
        count += 1
        with suppress(BlockingIOError):
            sock.send(template % ((count,) * template.count(b"%010d")))
        return 1

    return step


def junk(datagram: Callable[[int], bytes], sources: tuple[str, ...]) -> Callable[[Ports], Step]:
    """Return what sends datagrams that are no requests."""

    def prepare(ports: Ports) -> Step:
        sockets: list[socket.socket] = []
        for source in sources:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((source, 0))
            sock.connect((HOST, ports.sip_udp))
            sock.setblocking(False)
            sockets.append(sock)
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            with suppress(BlockingIOError):
                sockets[count % len(sockets)].send(datagram(count))
            return 1

        return step

    return prepare


def garbage(_number: int) -> bytes:
    """Return octets that are nothing."""
    return os.urandom(300)


def stray_response(number: int) -> bytes:
    """Return a response to nothing."""
    return (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {HOST}:5060;branch=z9hG4bK{number:010d}\r\n"
        f"From: <sip:a@{HOST}>;tag=1\r\nTo: <sip:b@{HOST}>;tag=2\r\nCall-ID: {number:010d}\r\n"
        "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


# Streams


def connected(source: str, port: int) -> socket.socket:
    """Open a connection from a source."""
    return socket.create_connection((HOST, port), 10.0, (source, 0))


def stream_requests(method: str, sources: tuple[str, ...], each: int) -> Callable[[Ports], Step]:
    """Return what sends requests over TCP, and reads the answers, with new connections for old."""

    def prepare(ports: Ports) -> Step:
        wires: dict[int, tuple[socket.socket, str]] = {}
        rest: dict[int, bytes] = {}
        count = 0

        def open_one(place: int, source: str) -> None:
            sock = connected(source, ports.sip_tcp)
            sock.setblocking(False)
            wires[place], rest[place] = (sock, source), b""

        for place in range(len(sources) * each):
            open_one(place, sources[place % len(sources)])

        def step() -> int:
            nonlocal count
            done = 0
            for place, (sock, source) in list(wires.items()):
                try:
                    with suppress(BlockingIOError):
                        while sock.recv(65536):
                            pass
                        raise ConnectionResetError
                    if not rest[place]:
                        template = request(method, source, 5060, ports.room, "TCP")
                        for _ in range(_CHUNK):
                            count += 1
                            rest[place] += template % ((count,) * template.count(b"%010d"))
                        done += _CHUNK
                    with suppress(BlockingIOError):
                        rest[place] = rest[place][sock.send(rest[place]) :]
                except ConnectionError:
                    sock.close()
                    open_one(place, source)
            return done

        return step

    return prepare


class _Held:
    """Connections that begin something and go no further; whose is closed comes again."""

    def __init__(self, ports: tuple[int, ...], begin: Begin, drips: bytes) -> None:
        self._ports = ports
        self._begin = begin
        self._drips = drips
        self._wires: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        self._opened = 0
        self._dripped_at = 0.0

    def open(self) -> int:
        """Open one more."""
        self._opened += 1
        port = self._ports[self._opened % len(self._ports)]
        wire = connected(MANY[self._opened % len(MANY)], port)
        self._begin(wire)
        wire.setblocking(False)
        self._wires[wire.fileno()] = wire
        self._poll.register(wire.fileno(), select.EPOLLIN)
        return 1

    def step(self, most: int) -> int:
        """Open one more if there are fewer than `most`; now and then let a drop fall into each."""
        for descriptor, _ in self._poll.poll(0):
            with suppress(OSError):
                if self._wires[descriptor].recv(65536):
                    continue
            self._poll.unregister(descriptor)
            self._wires.pop(descriptor).close()
        now = time.monotonic()
        if self._drips and now > self._dripped_at + 1:
            self._dripped_at = now
            for wire in self._wires.values():
                with suppress(OSError):
                    wire.send(self._drips)
        return self.open() if len(self._wires) < most else 0


def connections(
    begin: Begin, which: Callable[[Ports], tuple[int, ...]], most: int, drips: bytes = b""
) -> Callable[[Ports], Step]:
    """Return what opens up to `most` connections, begins something on each, and holds them."""

    def prepare(ports: Ports) -> Step:
        held = _Held(which(ports), begin, drips)
        return lambda: held.step(most)

    return prepare


def silence(_sock: socket.socket) -> None:
    """Say nothing."""


def half_a_head(sock: socket.socket) -> None:
    """Say half of a request."""
    sock.send(request("INVITE", HOST, 5060, f"sip:lobby@{HOST}", "TCP")[:150])


def half_a_handshake(sock: socket.socket) -> None:
    """Begin TLS and stop."""
    sock.send(client_hello())


def client_hello() -> bytes:
    """Return what a TLS client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


def noise_on_streams(ports: Ports) -> Step:
    """Open connections, send noise and be closed."""
    number = 0

    def step() -> int:
        nonlocal number
        number += 1
        with connected(
            MANY[number % len(MANY)], (ports.sip_tcp, ports.msrp_tcp)[number % 2]
        ) as wire:
            wire.send(os.urandom(300))
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return 1

    return step
