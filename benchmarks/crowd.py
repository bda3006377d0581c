"""The listeners of a fan-out, all in one process: they read, count and answer nothing.

A message that a room passes on wants no answer (Failure-Report: partial), so a listener has nothing
to do but read. One of them also looks at the order of the numbers inside the texts.
"""

import re
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from benchmarks.wire import HOST, ChatSession, LoadError, SipConnection
from benchmarks.workers import Ready

_MARK = b" SEND\r\n"
_NUMBER = re.compile(rb"#(\d{8})#")
_END = b"$\r\n"

_READ_SIZE = 256 * 1024
_TAIL_SIZE = 9
"""Bytes kept of the read before: one less than a number with its marks has."""
TIMED = 10
"""Listeners that note when each message came, evenly among all."""


@dataclass(slots=True)
class Join:
    """Wants `count` listeners in a room of the server at `port`; answered with Ready."""

    port: int
    target: str
    count: int
    secure: bool = False


@dataclass(slots=True)
class Enter:
    """Wants listeners who come in some other way than by MSRP; answered with Ready.

    Each message to them holds `mark` once, which is not longer than that of MSRP.
    """

    entrance: Callable[[], list[socket.socket]]
    mark: bytes


@dataclass(slots=True)
class Accept:
    """Wants a listening port for `count` bare connections; answered with Port, then Ready."""

    count: int


@dataclass(slots=True)
class Port:
    """Where bare connections are taken."""

    number: int


@dataclass(slots=True)
class Forget:
    """Wants all counted from zero, and if `timed`, told when it came; answered with Ready."""

    timed: bool = False


@dataclass(slots=True)
class Count:
    """Wants to know what came so far; answered with Counts."""

    with_arrivals: bool = False


@dataclass(slots=True)
class Counts:
    """What came: messages of each listener, at what time, and one frame of them.

    `arrivals` are the numbers of messages with their times, as TIMED listeners got them.
    """

    messages: list[int]
    time: float
    last_arrival: float
    disorder: str
    """What was wrong with the order of the numbers, if anything."""
    frame: bytes
    arrivals: list[tuple[int, float]]

    @property
    def total(self) -> int:
        """Messages of all listeners."""
        return sum(self.messages)


@dataclass(slots=True)
class _Listener:
    sock: socket.socket
    count: int = 0
    tail: bytes = bytes(_TAIL_SIZE)


@dataclass(slots=True)
class _Sample:
    """The listener whose numbers must come in order, from zero."""

    expected: int = 0
    disorder: str = ""
    frame: bytes = b""

    def look_at(self, buffer: bytearray, end: int) -> None:
        if not self.frame:
            self.frame = bytes(buffer[_TAIL_SIZE : buffer.find(_END, _TAIL_SIZE) + len(_END)])
        for digits in _NUMBER.findall(buffer, 0, end):
            number = int(digits)
            if number != self.expected and not self.disorder:
                self.disorder = f"message {number} came in place of {self.expected}"
            self.expected = number + 1


@dataclass(slots=True)
class _Crowd:
    pipe: Connection
    listeners: dict[int, _Listener] = field(default_factory=dict[int, _Listener])
    sessions: list[ChatSession] = field(default_factory=list[ChatSession])
    sample: _Sample = field(default_factory=_Sample)
    sampled: int = -1
    mark: bytes = _MARK
    timed: set[int] = field(default_factory=set[int])
    """Those who note times now."""
    arrivals: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    last_arrival: float = 0.0
    poll: select.epoll = field(default_factory=select.epoll)
    buffer: bytearray = field(default_factory=lambda: bytearray(_TAIL_SIZE + _READ_SIZE))

    def run(self) -> None:
        commands = self.pipe.fileno()
        self.poll.register(commands, select.EPOLLIN)
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor == commands:
                    self.obey(self.pipe.recv())
                else:
                    self.read(descriptor, self.listeners[descriptor])

    def read(self, descriptor: int, listener: _Listener) -> None:
        space = memoryview(self.buffer)[_TAIL_SIZE:]
        try:
            while size := listener.sock.recv_into(space):
                self.take(descriptor, listener, size)
                if not isinstance(listener.sock, ssl.SSLSocket):
                    return
                # What is decrypted already makes no socket readable.
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        self.poll.unregister(descriptor)

    def take(self, descriptor: int, listener: _Listener, size: int) -> None:
        buffer, end = self.buffer, _TAIL_SIZE + size
        buffer[:_TAIL_SIZE] = listener.tail
        listener.count += buffer.count(self.mark, _TAIL_SIZE - len(self.mark) + 1, end)
        if descriptor == self.sampled:
            self.sample.look_at(buffer, end)
        self.last_arrival = now = time.monotonic()
        if descriptor in self.timed:
            self.arrivals += [(int(digits), now) for digits in _NUMBER.findall(buffer, 0, end)]
        listener.tail = bytes(buffer[size:end])

    def obey(self, command: object) -> None:
        match command:
            case Join():
                self.join(command)
                self.pipe.send(Ready())
            case Enter():
                self.mark = command.mark
                self.listen_on(command.entrance())
                self.pipe.send(Ready())
            case Accept():
                self.accept(command.count)
                self.pipe.send(Ready())
            case Forget():
                for listener in self.listeners.values():
                    listener.count = 0
                self.sample = _Sample()
                descriptors = list(self.listeners)
                step = -(-len(descriptors) // TIMED)
                self.timed = set(descriptors[::step] if command.timed else ())
                self.arrivals = []
                self.pipe.send(Ready())
            case _:
                assert isinstance(command, Count)
                counts = [listener.count for listener in self.listeners.values()]
                self.pipe.send(
                    Counts(
                        counts,
                        time.monotonic(),
                        self.last_arrival,
                        self.sample.disorder,
                        self.sample.frame,
                        self.arrivals if command.with_arrivals else [],
                    )
                )

    def join(self, command: Join) -> None:
        sip = SipConnection(command.port)
        for _ in range(command.count):
            number = len(self.sessions)
            user = f"listener{number:04d}"
            session = ChatSession(sip, command.target, user, secure=command.secure)
            session.await_message()
            self.sessions.append(session)
        self.listen_on(session.socket for session in self.sessions)

    def accept(self, count: int) -> None:
        with socket.create_server((HOST, 0), backlog=count) as server:
            self.pipe.send(Port(server.getsockname()[1]))
            self.listen_on([server.accept()[0] for _ in range(count)])

    def listen_on(self, sockets: Iterable[socket.socket]) -> None:
        for sock in sockets:
            sock.setblocking(False)
            self.listeners[sock.fileno()] = listener = _Listener(sock)
            self.poll.register(sock.fileno(), select.EPOLLIN)
            self.read(sock.fileno(), listener)
        self.sampled = next(iter(self.listeners))
        # Nothing is quiet before what waits in the sockets has been read.
        self.last_arrival = time.monotonic()


def listen(pipe: Connection) -> None:
    """Run the listeners for ever, as commands say."""
    _Crowd(pipe).run()


def check(counts: Counts, sent: int) -> None:
    """Raise LoadError unless each listener got each message once, the sampled one in order."""
    if wrong := [count for count in counts.messages if count != sent]:
        raise LoadError(
            f"{len(wrong)} listeners did not get {sent} messages, but {min(wrong)} to {max(wrong)}"
        )
    if counts.disorder:
        raise LoadError(counts.disorder)
