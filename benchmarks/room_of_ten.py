"""Ten people who chat in one room, all in one process: how long does each message take to each?

They speak in turn. Each message carries its number; each listener must get all that others say, in
the order in which the room took them, and nothing twice. A bare echo beside them, in a process of
its own, shows what the machine itself makes everybody wait.
"""

import re
import select
import socket
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from benchmarks.bystanders import Delays
from benchmarks.wire import ChatSession, LoadError, SipConnection, connect
from benchmarks.workers import Ready

PEOPLE = 10
_NUMBER = re.compile(rb"#(\d{8})#")
_TAIL_SIZE = 9
_READ_SIZE = 256 * 1024
_PATIENCE = 20.0
"""Seconds for which the last messages are waited for."""


@dataclass(slots=True)
class Speak:
    """Wants so many messages a second, until the next command; that is answered with Heard."""

    rate: float


@dataclass(slots=True)
class Heard:
    """How long each message took to each listener, and a byte to the bare echo and back."""

    chat: Delays
    echo: Delays


@dataclass(slots=True)
class _Person:
    session: ChatSession
    template: bytes
    heard: list[int] = field(default_factory=list[int])
    tail: bytes = b""

    def read(self) -> list[int]:
        """Return the numbers that have come."""
        data = self.session.socket.recv(_READ_SIZE)
        if not data:
            raise LoadError(f"the server closed the connection of {self.session.user}")
        data = self.tail + data
        found = list(_NUMBER.finditer(data))
        self.tail = data[found[-1].end() if found else 0 :][-_TAIL_SIZE:]
        return [int(match[1]) for match in found]


class _Room:
    def __init__(self, pipe: Connection, sip_port: int, target: str, echo: socket.socket) -> None:
        self._pipe = pipe
        self._echo = echo
        self._poll = select.epoll()
        self._people: dict[int, _Person] = {}
        self._sent: list[float] = []
        self._sounded: list[float] = []
        self._delays: list[float] = []
        self._echoes: list[float] = []
        sip = SipConnection(sip_port)
        for number in range(PEOPLE):
            session = ChatSession(sip, target, f"friend{number}")
            session.await_message()
            self._people[session.socket.fileno()] = _Person(session, session.message_template())
        for descriptor in (*self._people, echo.fileno()):
            self._poll.register(descriptor, select.EPOLLIN)

    def speak(self, rate: float) -> Heard:
        """Say so much until the benchmark wants to know how it went."""
        self._delays, self._echoes = [], []
        speakers = list(self._people.values())
        begin, first = time.monotonic(), len(self._sent)
        while not self._pipe.poll():
            if time.monotonic() >= begin + (len(self._sent) - first) / rate:
                speaker = speakers[len(self._sent) % PEOPLE]
                self._sent.append(time.monotonic())
                speaker.session.socket.sendall(speaker.template % ((len(self._sent) - 1,) * 4))
                self._sounded.append(time.monotonic())
                self._echo.sendall(b".")
            self._step(0.2 / rate)
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and not self._is_complete(first):
            self._step(0.1)
        self._check()
        return Heard(Delays(sorted(self._delays)), Delays(sorted(self._echoes)))

    def _is_complete(self, first: int) -> bool:
        said = len(self._sent) - first
        return len(self._delays) == said * (PEOPLE - 1) and not self._sounded

    def _step(self, patience: float) -> None:
        for descriptor, _ in self._poll.poll(patience):
            now = time.monotonic()
            if descriptor == self._echo.fileno():
                for _ in self._echo.recv(_READ_SIZE):
                    self._echoes.append(now - self._sounded.pop(0))
                continue
            person = self._people[descriptor]
            for number in person.read():
                person.heard.append(number)
                self._delays.append(now - self._sent[number])

    def _check(self) -> None:
        """Raise LoadError unless each has heard all that others have said, in one order."""
        for index, person in enumerate(self._people.values()):
            expected = [number for number in range(len(self._sent)) if number % PEOPLE != index]
            # Two who speak at one time may be heard in either order, but a speaker in his own.
            for speaker in range(PEOPLE):
                theirs = [number for number in person.heard if number % PEOPLE == speaker]
                if theirs != sorted(theirs):
                    raise LoadError(f"{person.session.user} has heard {theirs} in a wrong order")
            if sorted(person.heard) != expected:
                missing = len(expected) - len(person.heard)
                raise LoadError(f"{person.session.user} has not heard {missing} messages")


def echo(pipe: Connection) -> None:
    """Send back whatever comes over one connection, to a port that is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        pipe.send(server.getsockname()[1])
        peer = server.accept()[0]
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := peer.recv(_READ_SIZE):
        peer.sendall(data)


def chat(pipe: Connection, sip_port: int, target: str, echo_port: int) -> None:
    """Come into a room and talk there, from each Speak to whatever comes next."""
    room = _Room(pipe, sip_port, target, connect(echo_port))
    pipe.send(Ready())
    while True:
        command = pipe.recv()
        assert isinstance(command, Speak)
        heard = room.speak(command.rate)
        pipe.recv()
        pipe.send(heard)
