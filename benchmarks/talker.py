"""The one who talks in a fan-out: through a room, or over bare sockets to each listener.

Both send the same frames, as many as they can, or so many a second, for as long as they are told.
"""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from benchmarks.wire import ChatSession, LoadError, SipConnection, connect
from benchmarks.workers import Ready

_PATIENCE = 10.0
_OK = b" 200 OK\r\n"


@dataclass(slots=True)
class Talk:
    """Wants talk for so many seconds; messages a second, None for as many as there can be."""

    seconds: float
    rate: float | None


@dataclass(slots=True)
class Said:
    """How many messages were sent, and answered where they are answered, and their size.

    Where they were sent at a rate, `times` says when each was.
    """

    messages: int
    frame_size: int
    times: list[float] = field(default_factory=list[float])


@dataclass(slots=True)
class RoomWay:
    """The talker's way into a room: his messages have their number in some places.

    `taken` comes back to him once for each message.
    """

    socket: socket.socket
    template: bytes
    places: int
    taken: bytes


class _Room:
    """Sends to a room, never with more than `window` messages unanswered."""

    def __init__(self, way: RoomWay, window: int) -> None:
        self._socket = way.socket
        self._socket.settimeout(_PATIENCE)
        self._window = window
        self._template = way.template
        self._places = way.places
        self._taken = way.taken
        self._tail = b""
        self.sent = 0
        self.answered = 0
        self.times: list[float] = []

    def send(self, count: int) -> None:
        """Send as many of `count` messages as the window has room for, together."""
        count = min(count, self._window - (self.sent - self.answered))
        first = self.sent
        template, places = self._template, self._places
        numbers = range(first, first + count)
        self._socket.sendall(b"".join([template % ((n,) * places) for n in numbers]))
        self.sent += count

    def read(self) -> None:
        """Read answers; waits for the first of them."""
        data = self._tail + self._socket.recv(65536)
        if len(data) == len(self._tail):
            raise LoadError("the server closed the talker's connection")
        self.answered += data.count(self._taken)
        self._tail = data[1 - len(self._taken) :]

    def talk(self, seconds: float) -> None:
        """Keep the window full."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(self._window)
            self.read()

    def talk_at(self, rate: float, seconds: float) -> None:
        """Send `rate` messages a second."""
        _at_rate(rate, seconds, self._send_paced)

    def _send_paced(self, count: int) -> None:
        if self.sent - self.answered > self._window // 2:
            self.read()
        before, now = self.sent, time.monotonic()
        self.send(count)
        self.times += [now] * (self.sent - before)

    def finish(self) -> Said:
        """Wait for the last answer."""
        while self.answered < self.sent:
            self.read()
        return Said(self.sent, len(self._template % ((0,) * self._places)), self.times)


def _at_rate(rate: float, seconds: float, send: Callable[[int], None]) -> None:
    begin = time.monotonic()
    sent = 0
    while (passed := time.monotonic() - begin) < seconds:
        due = int(passed * rate) - sent
        if due > 0:
            send(due)
            sent += due
        else:
            time.sleep(0.5 / rate)


def talk_in_room(
    pipe: Connection, port: int, target: str, window: int, *, secure: bool = False
) -> None:
    """Join a room, then talk whenever told to: Talk, answered with Said."""
    session = ChatSession(SipConnection(port), target, "talker", secure=secure)
    session.await_message()
    talk_by(pipe, RoomWay(session.socket, session.message_template(), 4, _OK), window)


def talk_by(pipe: Connection, way: RoomWay, window: int) -> None:
    """Talk in a room whenever told to."""
    pipe.send(Ready())
    while True:
        command = pipe.recv()
        assert isinstance(command, Talk)
        room = _Room(way, window)
        if command.rate is None:
            room.talk(command.seconds)
        else:
            room.talk_at(command.rate, command.seconds)
        pipe.send(room.finish())


class _Bare:
    """Sends each message to each socket, one blocking call for each."""

    def __init__(self, sockets: Sequence[socket.socket], template: bytes) -> None:
        self._sockets = sockets
        self._template = template
        self.sent = 0
        self.times: list[float] = []

    def send_paced(self, count: int) -> None:
        """Send `count` messages, and note when."""
        for _ in range(count):
            self.times.append(time.monotonic())
            self.send(1)

    def send(self, count: int) -> None:
        """Send `count` messages."""
        for _ in range(count):
            frame = self._template % self.sent
            for sock in self._sockets:
                sock.sendall(frame)
            self.sent += 1

    def talk(self, seconds: float) -> None:
        """Send as fast as the sockets take it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(1)


def talk_bare(pipe: Connection, port: int, count: int, template: bytes) -> None:
    """Open bare connections to the listeners, then talk whenever told to."""
    sockets = [connect(port) for _ in range(count)]
    # A socket with a time-out makes two system calls of each send.
    for sock in sockets:
        sock.settimeout(None)
    pipe.send(Ready())
    while True:
        command = pipe.recv()
        assert isinstance(command, Talk)
        bare = _Bare(sockets, template)
        if command.rate is None:
            bare.talk(command.seconds)
        else:
            _at_rate(command.rate, command.seconds, bare.send_paced)
        pipe.send(Said(bare.sent, len(template % 0), bare.times))
