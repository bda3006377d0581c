"""Who talks and who listens when chat servers stand beside each other: the same load for each.

Talker and listeners are processes of their own. They differ from server to server in how they get
in, in what a message looks like, and in what tells the talker that his message has been taken: the
200 of MSRP, or in XMPP his own message, which the room sends back to him as well.
"""

import re
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from benchmarks.crowd import Port
from benchmarks.wire import HOST, ChatSession, LoadError, SipConnection, connect, message_template
from benchmarks.workers import Ready
from benchmarks.xmpp import enter
from benchmarks.xmpp import message_template as xmpp_message_template
from benchmarks.xmpp_servers import DOMAIN, ROOMS

MSRP_MARK = b" SEND\r\n"
XMPP_MARK = b"<body>"

_NUMBER = re.compile(rb"#(\d{8})#")
_NUMBER_SIZE = 10
_TAIL_SIZE = _NUMBER_SIZE - 1
"""Bytes kept of the read before: no number is seen twice."""
_READ_SIZE = 256 * 1024
_PATIENCE = 60.0
_ROOM = "bench{count}"

# Two paths of the length that clients make them.
_PATHS = (
    f"To-Path: msrp://{HOST}:2855/{'x' * 20};tcp\r\n"
    f"From-Path: msrp://{HOST}:2855/{'y' * 32};tcp\r\n"
)

BARE_FRAME = message_template(_PATHS, "Talker", "talker", f"sip:bench@{HOST}") % ((0,) * 4)
"""What a room of Sylk might send; only the number in its text changes from message to message."""


# Ways in


def enter_sylk(port: int, count: int, users: range) -> list[socket.socket]:
    """Return the connections of some users who join the room for `count`."""
    sip = SipConnection(port)
    sockets: list[socket.socket] = []
    for number in users:
        session = ChatSession(sip, _sylk_room(count), f"listener{number:04d}")
        session.await_message()
        sockets.append(session.socket)
    return sockets


def enter_xmpp(port: int, count: int, users: range) -> list[socket.socket]:
    """Return the connections of some users who enter the room for `count`."""
    return [enter(port, DOMAIN, _xmpp_room(count), f"listener{number:04d}") for number in users]


def _sylk_room(count: int) -> str:
    return f"sip:{_ROOM.format(count=count)}@{HOST}"


def _xmpp_room(count: int) -> str:
    return f"{_ROOM.format(count=count)}@{ROOMS}"


Entrance = Callable[[int, int, range], list[socket.socket]]


# Listeners


@dataclass(slots=True)
class Enter:
    """Wants `count` listeners in the room of a server; answered with Ready."""

    entrance: Entrance
    port: int
    count: int
    mark: bytes


@dataclass(slots=True)
class Accept:
    """Wants `count` bare connections; answered with Port, then Ready."""

    count: int


@dataclass(slots=True)
class Forget:
    """Wants everything counted from zero, with the time of each message or without."""

    timed: bool


@dataclass(slots=True)
class Tell:
    """Wants to know what came so far; answered with Heard."""


@dataclass(slots=True)
class Heard:
    """Messages of each listener until `time`, and which message came when, if that is looked at."""

    counts: list[int]
    time: float
    last_arrival: float
    arrivals: list[tuple[int, float]]


@dataclass(slots=True)
class _Listeners:
    pipe: Connection
    sockets: dict[int, socket.socket] = field(default_factory=dict[int, socket.socket])
    counts: dict[int, int] = field(default_factory=dict[int, int])
    tails: dict[int, bytes] = field(default_factory=dict[int, bytes])
    arrivals: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    timed: bool = False
    mark: bytes = MSRP_MARK
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
                    self.read(descriptor)

    def read(self, descriptor: int) -> None:
        buffer, mark = self.buffer, self.mark
        size = self.sockets[descriptor].recv_into(memoryview(buffer)[_TAIL_SIZE:])
        if not size:
            raise LoadError("the server closed the connection of a listener")
        end = _TAIL_SIZE + size
        buffer[:_TAIL_SIZE] = self.tails[descriptor]
        self.counts[descriptor] += buffer.count(mark, _TAIL_SIZE - len(mark) + 1, end)
        self.last_arrival = now = time.monotonic()
        if self.timed:
            self.arrivals += [(int(digits), now) for digits in _NUMBER.findall(buffer, 0, end)]
        self.tails[descriptor] = bytes(buffer[size:end])

    def obey(self, command: object) -> None:
        match command:
            case Enter(entrance, port, count, mark):
                self.mark = mark
                self.listen_on(entrance(port, count, range(count)))
                self.pipe.send(Ready())
            case Accept(count):
                with socket.create_server((HOST, 0), backlog=count) as server:
                    self.pipe.send(Port(server.getsockname()[1]))
                    self.listen_on([server.accept()[0] for _ in range(count)])
                self.pipe.send(Ready())
            case Forget(timed):
                self.counts = dict.fromkeys(self.counts, 0)
                self.arrivals, self.timed = [], timed
                self.pipe.send(Ready())
            case _:
                counts = list(self.counts.values())
                heard = Heard(counts, time.monotonic(), self.last_arrival, self.arrivals)
                self.pipe.send(heard)

    def listen_on(self, sockets: list[socket.socket]) -> None:
        for sock in sockets:
            sock.settimeout(None)
            descriptor = sock.fileno()
            self.sockets[descriptor] = sock
            self.counts[descriptor] = 0
            self.tails[descriptor] = bytes(_TAIL_SIZE)
            self.poll.register(descriptor, select.EPOLLIN)
        # Nothing is quiet before what waits in the sockets has been read.
        self.last_arrival = time.monotonic()


def listen(pipe: Connection) -> None:
    """Run the listeners for ever, as commands say."""
    _Listeners(pipe).run()


# Talkers


@dataclass(slots=True)
class Talk:
    """Wants talk for so many seconds; messages a second, None for as many as there can be."""

    seconds: float
    rate: float | None


@dataclass(slots=True)
class Said:
    """How many messages were sent, and if at a rate, when each was."""

    messages: int
    times: list[float]


@dataclass(slots=True)
class Line:
    """A way to the listeners: who takes each message, and how he says that he has."""

    sockets: list[socket.socket]
    template: bytes
    places: int
    taken: bytes
    """What comes back for each message; empty if nothing does."""


def sylk_line(port: int, count: int) -> Line:
    """Return the way through a room of Sylk."""
    session = ChatSession(SipConnection(port), _sylk_room(count), "talker")
    session.await_message()
    return Line([session.socket], session.message_template(), 4, b" 200 OK\r\n")


def xmpp_line(port: int, count: int) -> Line:
    """Return the way through a room of an XMPP server."""
    room = _xmpp_room(count)
    sock = enter(port, DOMAIN, room, "talker")
    return Line([sock], xmpp_message_template(room), 2, XMPP_MARK)


def bare_line(port: int, count: int) -> Line:
    """Return the way to each listener by a connection of his own."""
    sockets = [connect(port) for _ in range(count)]
    template = BARE_FRAME.replace(b"%", b"%%").replace(b"#00000000#", b"#%08d#")
    return Line(sockets, template, 1, b"")


@dataclass(slots=True)
class _Talker:
    """Sends, never with more than `window` messages that are not taken."""

    line: Line
    window: int
    sent: int = 0
    taken: int = 0
    tail: bytes = b""
    times: list[float] = field(default_factory=list[float])

    def send(self, count: int) -> None:
        template, places = self.line.template, self.line.places
        numbers = range(self.sent, self.sent + count)
        if self.line.taken:
            # All in one call, as a client does whose user pastes; the window is what counts.
            text = b"".join([template % ((number,) * places) for number in numbers])
            self.line.sockets[0].sendall(text)
        else:
            for number in numbers:
                frame = template % ((number,) * places)
                for sock in self.line.sockets:
                    sock.sendall(frame)
        self.sent += count

    def read(self) -> None:
        mark = self.line.taken
        data = self.tail + self.line.sockets[0].recv(_READ_SIZE)
        if len(data) == len(self.tail):
            raise LoadError("the server closed the talker's connection")
        self.taken += data.count(mark)
        self.tail = data[1 - len(mark) :]

    def talk(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.line.taken:
                self.send(self.window - (self.sent - self.taken))
                self.read()
            else:
                self.send(1)

    def talk_at(self, rate: float, seconds: float) -> None:
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            if self.line.taken and self.sent - self.taken > self.window // 2:
                self.read()
            if self.sent < int(passed * rate):
                self.times.append(time.monotonic())
                self.send(1)
            else:
                time.sleep(0.5 / rate)

    def finish(self) -> Said:
        while self.line.taken and self.taken < self.sent:
            self.read()
        return Said(self.sent, self.times)


def talk(
    pipe: Connection, line: Callable[[int, int], Line], port: int, count: int, window: int
) -> None:
    """Get in, then talk whenever told to: Talk, answered with Said."""
    way = line(port, count)
    for sock in way.sockets:
        # A socket with a time-out makes two system calls of each send.
        sock.settimeout(_PATIENCE if way.taken else None)
    pipe.send(Ready())
    while True:
        command = pipe.recv()
        assert isinstance(command, Talk)
        talker = _Talker(way, window)
        if command.rate is None:
            talker.talk(command.seconds)
        else:
            talker.talk_at(command.rate, command.seconds)
        pipe.send(talker.finish())
