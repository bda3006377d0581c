"""SIP as the soak speaks it: one line to the server, transactions on it, requests that come.

It uses nothing of Sylk. A line is a UDP socket, or a TCP or TLS connection; whoever answers a
request of the server is named by its Call-ID.
"""

import os
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from benchmarks.wire import HOST, LoadError

PATIENCE = 20.0
"""Seconds that a final response may take."""

_FIRST_INTERVAL, _LAST_INTERVAL = 0.5, 4.0
"""Timers T1 and T2 (RFC 3261 section 17)."""
_LENGTH = re.compile(rb"\r\n(?:Content-Length|l) *: *([0-9]+)", re.IGNORECASE)
_BRANCH = re.compile(r";branch=([^;,\s]+)")
Wire = trio.SocketStream | trio.SSLStream[trio.SocketStream]
"""A TCP connection, or a TLS connection over one."""

_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)


@dataclass(slots=True)
class Message:
    """A request or a response, taken apart but not understood."""

    start: str
    fields: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str:
        """Return the first value of a header field, empty where there is none."""
        return next((value for key, value in self.fields if key == name.lower()), "")

    @property
    def status(self) -> int:
        """Return the status of a response, 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/") else 0

    @property
    def method(self) -> str:
        """Return the method that a request has, or that a response is for."""
        return self.get("cseq").rpartition(" ")[2]

    def answer(self, status: str, *more: str, tag: str = "", body: bytes = b"") -> bytes:
        """Return a response to this request; `tag` is for who has none in To yet."""
        lines = [f"SIP/2.0 {status}"]
        for key, value in self.fields:
            if key in ("via", "from", "call-id", "cseq"):
                lines.append(f"{key}: {value}")
            elif key == "to":
                lines.append(f"To: {value}{f';tag={tag}' if tag and ';tag=' not in value else ''}")
        if body:
            lines.append("Content-Type: application/sdp")
        head = "\r\n".join([*lines, *more, f"Content-Length: {len(body)}", "", ""])
        return head.encode() + body


def take_message(data: bytes) -> tuple[Message, bytes] | None:
    """Return the first message in `data` and what follows it, None when it is not all there."""
    head, blank, rest = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not blank:
        return None
    match = _LENGTH.search(head)
    length = int(match[1]) if match is not None else 0
    if len(rest) < length:
        return None
    start, *lines = head.decode(errors="replace").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    fields = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
    return Message(start, fields, rest[:length]), rest[length:]


@dataclass(slots=True)
class _Pending:
    done: trio.Event = field(default_factory=trio.Event)
    final: Message | None = None


Handler = Callable[[Message], Awaitable[None]]


@dataclass(slots=True)
class Ports:
    """Where the server listens."""

    udp: int
    tcp: int
    tls: int


class Line:
    """One socket to the SIP port of the server; `run` reads it."""

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self.port = 0
        self.handlers: dict[str, Handler] = {}
        """Who takes the requests of the server, by Call-ID; the empty one takes all others."""
        self._datagrams: trio.socket.SocketType | None = None
        self._stream: Wire | None = None
        self._pending: dict[str, _Pending] = {}
        self._acks: dict[str, bytes] = {}
        self._writing = trio.Lock()

    async def open(self, ports: Ports) -> None:
        """Open the socket."""
        if self.transport == "udp":
            sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
            await sock.bind((HOST, 0))
            await sock.connect((HOST, ports.udp))
            self._datagrams, self.port = sock, sock.getsockname()[1]
            return
        port = ports.tcp if self.transport == "tcp" else ports.tls
        stream = await trio.open_tcp_stream(HOST, port)
        self.port = stream.socket.getsockname()[1]
        self._stream = stream if self.transport == "tcp" else secured(stream)

    async def run(self) -> None:
        """Read until the line is closed."""
        with suppress(*_BROKEN):
            if self._datagrams is not None:
                while True:
                    taken = take_message(await self._datagrams.recv(65536))
                    if taken is not None:
                        await self._dispatch(taken[0])
            assert self._stream is not None
            buffer = b""
            while data := await self._stream.receive_some(65536):
                buffer += data
                while (taken := take_message(buffer)) is not None:
                    message, buffer = taken
                    await self._dispatch(message)
        for pending in self._pending.values():
            pending.done.set()

    async def _dispatch(self, message: Message) -> None:
        if not message.status:
            handler = self.handlers.get(message.get("call-id")) or self.handlers.get("")
            if handler is not None:
                await handler(message)
            elif message.method != "ACK":
                await self.send(message.answer("481 Call/Transaction Does Not Exist"))
            return
        if message.status < 200:
            return
        branch = _BRANCH.search(message.get("via"))
        pending = self._pending.get(branch[1] if branch else "")
        if pending is not None:
            pending.final = message
            pending.done.set()
        elif message.method == "INVITE" and message.get("call-id") in self._acks:
            # The ACK was lost, so the 200 came again.
            await self.send(self._acks[message.get("call-id")])

    async def send(self, data: bytes) -> None:
        """Send bytes as they are; a line that is closed swallows them."""
        with suppress(*_BROKEN):
            if self._datagrams is not None:
                await self._datagrams.send(data)
            elif self._stream is not None:
                async with self._writing:
                    await self._stream.send_all(data)

    async def acknowledge(self, call_id: str, ack: bytes) -> None:
        """Send an ACK, and again when the 200 comes again."""
        self._acks[call_id] = ack
        await self.send(ack)

    async def transact(self, request: bytes, branch: str) -> Message:
        """Send a request and return its final response; raises LoadError when none comes."""
        pending = self._pending[branch] = _Pending()
        try:
            with trio.move_on_after(PATIENCE):
                interval = _FIRST_INTERVAL if self._datagrams is not None else PATIENCE
                while not pending.done.is_set():
                    await self.send(request)
                    with trio.move_on_after(interval):
                        await pending.done.wait()
                    interval = min(2 * interval, _LAST_INTERVAL)
        finally:
            del self._pending[branch]
        if pending.final is None:
            raise LoadError(f"no answer over {self.transport}: {request[:60]!r}")
        return pending.final

    def via(self, branch: str) -> str:
        """Return a Via header field."""
        return f"Via: SIP/2.0/{self.transport.upper()} {HOST}:{self.port};rport;branch={branch}"

    def contact(self, user: str) -> str:
        """Return a Contact header field by which the server reaches us here."""
        return f"Contact: <sip:{user}@{HOST}:{self.port};transport={self.transport}>"

    def close(self) -> None:
        """Close the socket, without a word."""
        if self._datagrams is not None:
            self._datagrams.close()
        if self._stream is not None:
            close_now(self._stream)


def new_branch() -> str:
    """Return a branch that no other transaction has."""
    return f"z9hG4bK{os.urandom(8).hex()}"


def secured(stream: trio.SocketStream) -> trio.SSLStream[trio.SocketStream]:
    """Return a TLS connection over `stream`; the server has a certificate of its own making."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return trio.SSLStream(stream, context, https_compatible=True)


def close_now(stream: Wire) -> None:
    """Close a connection without TLS saying goodbye."""
    inner = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    inner.socket.close()


def render(start: str, lines: list[str], body: bytes = b"", kind: str = "application/sdp") -> bytes:
    """Return a request."""
    more = [f"Content-Type: {kind}"] if body else []
    head = "\r\n".join([start, *lines, *more, f"Content-Length: {len(body)}", "", ""])
    return head.encode() + body
