"""Two people in a room of their own who show how long a message takes while others make trouble."""

import re
import select
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.wire import ChatSession, SipConnection
from benchmarks.workers import Ready

_NUMBER = re.compile(rb"#(\d{8})#")
_TAIL = 2.0
"""Seconds for which the last messages are waited for."""


@dataclass(slots=True)
class Say:
    """Wants so many messages a second, until the next command; that is answered with Delays."""

    rate: float


@dataclass(slots=True)
class Delays:
    """How many seconds each message took, from one client to the other; sorted."""

    seconds: list[float]

    def at(self, share: float) -> float:
        """Return what this share of the messages took at most, in milliseconds."""
        return 1000 * self.seconds[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


def chat(pipe: Connection, port: int, target: str) -> None:
    """Come into a room and talk there, from each Say to whatever comes next."""
    sip = SipConnection(port)
    listener = ChatSession(sip, target, "listener")
    listener.await_message()
    talker = ChatSession(sip, target, "talker")
    talker.await_message()
    pipe.send(Ready())
    while True:
        command = pipe.recv()
        assert isinstance(command, Say)
        pipe.send(_say(pipe, talker, listener, command.rate))
        pipe.recv()


def _say(pipe: Connection, talker: ChatSession, listener: ChatSession, rate: float) -> Delays:
    template, sent = talker.message_template(), list[float]()
    delays: list[float] = []
    tail = b""
    end = float("inf")
    while time.monotonic() < end and (end == float("inf") or len(delays) < len(sent)):
        now = time.monotonic()
        if end == float("inf") and pipe.poll():
            end = now + _TAIL
        if end == float("inf") and (not sent or now >= sent[-1] + 1 / rate):
            sent.append(now)
            talker.socket.sendall(template % ((len(sent) - 1,) * 4))
        readable, _, _ = select.select([listener.socket, talker.socket], [], [], 0.2 / rate)
        if talker.socket in readable:
            talker.socket.recv(65536)
        if listener.socket in readable:
            data = tail + listener.socket.recv(65536)
            now = time.monotonic()
            found = list(_NUMBER.finditer(data))
            delays += [now - sent[int(match[1])] for match in found]
            tail = data[found[-1].end() if found else 0 :][-9:]
    return Delays(sorted(delays))
