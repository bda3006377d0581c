"""Who sends a large message, who receives it, and a loop that passes it on and knows no MSRP.

The receivers read what comes as fast as they can, take it apart, and keep a running checksum of the
large message. Where they are in a room, one of them also says something short so many times a
second, with the time in it, and the others look at how long that has taken.
"""

import re
import select
import socket
import time
import zlib
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from benchmarks.crowd import Accept, Join, Port
from benchmarks.wire import HOST, ChatSession, LoadError, SipConnection, connect
from benchmarks.workers import Ready

CHUNK_SIZE = 64 * 1024
"""Bytes of text in a chunk: what clients send that split what they send."""

RECEIVE_BUFFER = 64 * 1024
"""Doubled by Linux: what a socket begins with. It grows to megabytes where the reader is slow, and
then the short messages would be measured that wait in it, which no server can change."""

_BEGIN = b"#begin#"
_LINE = b"Nobody reads this, but there has to be very much of it to make a large message.\n"
_BLOCK = (_LINE * (CHUNK_SIZE // len(_LINE) + 1))[:CHUNK_SIZE]
_NUMBER_SIZE = 16

_READ_SIZE = 256 * 1024
_SMALL = 1024**2
"""A message with more bytes is the large one."""
_PATIENCE = 60.0

_RANGE = re.compile(rb"\r\nByte-Range: (\d+)-[\d*]+/(\d+)")
_TIME = re.compile(rb"@(\d+)@")
_BAD = re.compile(rb"MSRP \S+ (?:REPORT|[3-6]\d\d)")


@dataclass(slots=True)
class Watch:
    """Wants short messages, so many a second, for so many seconds; None for as long as it takes.

    Answered with Received; without a time, when each receiver has the large message.
    """

    rate: float
    seconds: float | None


@dataclass(slots=True)
class Received:
    """What has come: checksum and size for each receiver, when, and the ways of short messages."""

    sums: list[tuple[int, int]]
    begin: float
    end: float
    delays: list[float]


@dataclass(slots=True)
class Send:
    """Wants a message of so many chunks sent; answered with Sent when all are answered."""

    chunks: int


@dataclass(slots=True)
class Sent:
    """Checksum and size of what was sent, of which the receivers must have the same."""

    sum: tuple[int, int]


# The sender


def send_large(pipe: Connection, port: int, target: str) -> None:
    """Join a room and send when told so."""
    session = ChatSession(SipConnection(port), target, "sender")
    session.await_message()
    _send_all(pipe, session.socket, session.paths(), answered=True)


def send_bare(pipe: Connection, port: int) -> None:
    """Connect to a bare loop and send when told so: the same frames."""
    paths = f"To-Path: msrp://{HOST}:2855/{'x' * 20};tcp\r\nFrom-Path: msrp://{HOST}:2855/y;tcp\r\n"
    _send_all(pipe, connect(port), paths, answered=False)


def _send_all(pipe: Connection, sock: socket.socket, paths: str, *, answered: bool) -> None:
    sock.settimeout(_PATIENCE)
    pipe.send(Ready())
    command = pipe.recv()
    assert isinstance(command, Send)
    head = (
        f"From: Sender <sip:sender@{HOST}>\r\nTo: <sip:large@{HOST}>\r\n"
        "DateTime: 2026-01-01T12:00:00.000000+00:00\r\n\r\nContent-Type: text/plain\r\n\r\n"
    ).encode()
    total = len(head) + len(_BEGIN) + command.chunks * CHUNK_SIZE
    template = (
        f"MSRP c%07d SEND\r\n{paths}Message-ID: large\r\nByte-Range: %d-%d/{total}\r\n"
        "Content-Type: message/cpim\r\n\r\n%b\r\n-------c%07d%b\r\n"
    ).encode()
    position = checksum = 0
    answers = _Answers(sock)
    for number in range(command.chunks):
        body = (b"%015d " % number) + _BLOCK[_NUMBER_SIZE:]
        if not number:
            body = _BEGIN + body
        checksum = zlib.crc32(body, checksum)
        if not number:
            body = head + body
        flag = b"$" if number == command.chunks - 1 else b"+"
        end = position + len(body)
        sock.sendall(template % (number, position + 1, end, body, number, flag))
        position = end
        if answered:
            answers.read(wait=False)
    while answered and answers.count < command.chunks:
        answers.read(wait=True)
    pipe.send(Sent((checksum, total - len(head))))
    # The other side reads on.
    pipe.recv()


@dataclass(slots=True)
class _Answers:
    """The answers to the chunks of the large message; what else the room says is passed over."""

    sock: socket.socket
    count: int = 0
    tail: bytes = b""

    def read(self, *, wait: bool) -> None:
        """Read what there is; raises LoadError when something failed."""
        if not wait and not select.select([self.sock], [], [], 0)[0]:
            return
        data = self.tail + self.sock.recv(_READ_SIZE)
        if len(data) == len(self.tail):
            raise LoadError("the server closed the sender's connection")
        if (bad := _BAD.search(data)) is not None:
            raise LoadError(f"the server says {data[bad.start() :][:400]!r}")
        self.count += data.count(b" 200 OK\r\n")
        self.tail = data[-8:]


# The receivers


@dataclass(slots=True)
class _Receiver:
    """One connection: takes frames apart, however they are cut."""

    sock: socket.socket
    delays: list[float]
    rest: bytes = b""
    needle: bytes = b""
    """CR LF and the end-line of the frame whose body comes in, without its flag."""
    is_large: bool = False
    opening: bytes = b""
    """What came before the mark with which the text of the large message begins."""
    checksum: int = 0
    size: int = 0
    position: int = 0
    begin: float = 0.0
    end: float = 0.0

    def take(self, data: bytes) -> None:
        """Take what one read brought; raises LoadError when it is not what it should be."""
        data = self.rest + data if self.rest else data
        at = 0
        while at < len(data):
            after = self._take_body(data, at) if self.needle else self._take_head(data, at)
            if after == at:
                break
            at = after
        self.rest = data[at:]

    def _take_head(self, data: bytes, at: int) -> int:
        transaction = data[at : at + 80].split(b" ", 2)
        needle = b"\r\n-------" + transaction[1] if len(transaction) == 3 else b""
        blank = data.find(b"\r\n\r\n", at)
        if not needle or transaction[2].startswith(b"200"):
            after = data.find(needle + b"$\r\n", at) if needle else -1
            return at if after < 0 else after + len(needle) + 3
        if blank < 0:
            return at
        if (bad := _BAD.match(data, at)) is not None:
            raise LoadError(f"the server says {data[bad.start() :][:400]!r}")
        byte_range = _RANGE.search(data, at, blank)
        self.is_large = byte_range is not None and int(byte_range[2]) > _SMALL
        if byte_range is not None and self.is_large and int(byte_range[1]) != self.position + 1:
            raise LoadError(f"a chunk begins at {int(byte_range[1])}, not at {self.position + 1}")
        self.needle = needle
        return blank + 4

    def _take_body(self, data: bytes, at: int) -> int:
        end = data.find(self.needle, at)
        after = end + len(self.needle) + 3
        if end >= 0 and after <= len(data):
            flag = data[after - 3 : after - 2]
            self._take_text(data[at:end])
            self.needle = b""
            if self.is_large and flag == b"$":
                self.end = time.monotonic()
            elif self.is_large and flag == b"#":
                raise LoadError("the large message was given up")
            return after
        # What may be the beginning of the end-line waits.
        end = len(data) - len(self.needle) - 2
        if not self.is_large or end <= at:
            return at
        self._take_text(data[at:end])
        return end

    def _take_text(self, text: bytes) -> None:
        if not self.is_large:
            if (match := _TIME.search(text)) is not None:
                self.delays.append(time.monotonic() - int(match[1]) / 1e9)
            return
        self.position += len(text)
        if not self.begin:
            self.begin = time.monotonic()
        if not self.size:
            self.opening += text
            begin = self.opening.find(_BEGIN)
            if begin < 0:
                return
            text = self.opening[begin:]
        self.checksum = zlib.crc32(text, self.checksum)
        self.size += len(text)


@dataclass(slots=True)
class _Receivers:
    pipe: Connection
    receivers: dict[int, _Receiver] = field(default_factory=dict[int, _Receiver])
    sessions: list[ChatSession] = field(default_factory=list[ChatSession])
    delays: list[float] = field(default_factory=list[float])
    poll: select.epoll = field(default_factory=select.epoll)
    said: int = 0

    def run(self) -> None:
        while True:
            match self.pipe.recv():
                case Join(port, target, count):
                    sip = SipConnection(port)
                    for number in range(count):
                        session = ChatSession(sip, target, f"receiver{number}")
                        session.await_message()
                        self.sessions.append(session)
                    self.receive_from([session.socket for session in self.sessions])
                case Accept(count):
                    with socket.create_server((HOST, 0), backlog=count) as server:
                        self.pipe.send(Port(server.getsockname()[1]))
                        self.receive_from([server.accept()[0] for _ in range(count)])
                case Watch(rate, seconds):
                    self.pipe.send(self.watch(rate, seconds))
                case command:
                    raise LoadError(f"an unexpected command: {command}")

    def receive_from(self, sockets: list[socket.socket]) -> None:
        for sock in sockets:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self.receivers[sock.fileno()] = _Receiver(sock, self.delays)
            self.poll.register(sock.fileno(), select.EPOLLIN)
        self.pipe.send(Ready())

    def watch(self, rate: float, seconds: float | None) -> Received:
        """Read, and speak in between, for some time or until all have the large message."""
        self.delays.clear()
        receivers = list(self.receivers.values())
        interval = 1 / rate
        begin = heard = time.monotonic()
        due = begin if self.sessions else float("inf")
        while True:
            now = time.monotonic()
            if now >= due:
                self.speak()
                due += interval
            events = self.poll.poll(max(0.0, min(due - now, 1.0)))
            for descriptor, _ in events:
                self.read(self.receivers[descriptor])
            if events:
                heard = now
            elif now - heard > _PATIENCE:
                raise LoadError("nothing comes any more")
            if seconds is not None and now - begin > seconds:
                break
            if seconds is None and all(receiver.end for receiver in receivers):
                break
        return Received(
            [(receiver.checksum, receiver.size) for receiver in receivers],
            min(receiver.begin for receiver in receivers),
            max(receiver.end for receiver in receivers),
            list(self.delays),
        )

    def read(self, receiver: _Receiver) -> None:
        data = receiver.sock.recv(_READ_SIZE)
        if not data:
            raise LoadError("the server closed the connection of a receiver")
        receiver.take(data)

    def speak(self) -> None:
        """Let the first receiver say what time it is."""
        session = self.sessions[0]
        cpim = (
            f"From: <sip:{session.user}@{HOST}>\r\nTo: <{session.target}>\r\n"
            "DateTime: 2026-01-01T12:00:00.000000+00:00\r\n\r\n"
            f"Content-Type: text/plain\r\n\r\nIt is @{time.monotonic_ns()}@ now."
        )
        number = self.said = self.said + 1
        size = len(cpim)
        frame = (
            f"MSRP s{number:07d} SEND\r\n{session.paths()}Message-ID: s{number:07d}\r\n"
            f"Byte-Range: 1-{size}/{size}\r\nContent-Type: message/cpim\r\n\r\n"
            f"{cpim}\r\n-------s{number:07d}$\r\n"
        ).encode()
        if session.socket.send(frame) < len(frame):
            raise LoadError("there is no room for a short message")


def receive_large(pipe: Connection) -> None:
    """Receive as commands say: Join or Accept, then Watch."""
    _Receivers(pipe).run()


# The bare loop


def splice(pipe: Connection, port: int, count: int) -> None:
    """Tell a port, and send what comes there to `count` connections to `port`."""
    with socket.create_server((HOST, 0)) as listener:
        targets = [connect(port) for _ in range(count)]
        for target in targets:
            target.settimeout(None)
        pipe.send(Port(listener.getsockname()[1]))
        source, _ = listener.accept()
        while data := source.recv(CHUNK_SIZE):
            for target in targets:
                target.sendall(data)
