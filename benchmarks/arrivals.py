"""Many people who come into rooms as fast as they are let in, all in one process.

Each does what deployed clients do: INVITE, ACK, the path of the answer, a bind, and, where that is
wanted, SUBSCRIBE to conference-info as soon as the INVITE is answered. What a room says is read and
thrown away, but each NOTIFY is answered and looked at: how many people does it name?
"""

import os
import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from benchmarks.wire import (
    CONTACT,
    FRAME,
    HOST,
    OFFER,
    REQUEST,
    SDP_PATH,
    TO,
    LoadError,
    answer_frame,
    connect,
    message_template,
)
from benchmarks.workers import Ready

_READ_SIZE = 256 * 1024
_PATIENCE = 100.0
"""Seconds in which something has to happen."""

_LENGTH = re.compile(rb"\r\nContent-Length: *([0-9]+)", re.IGNORECASE)
_CALL_ID = re.compile(rb"\r\nCall-ID: *([^\r\n]+)")
_CSEQ = re.compile(rb"\r\nCSeq: *([0-9]+) ([A-Z]+)")
_VIA_TO_CSEQ = re.compile(rb"\r\n((?:Via|From|To|Call-ID|CSeq):[^\r\n]*)")
_USER_COUNT = re.compile(rb"<user-count>([0-9]+)</user-count>")

_SUBSCRIBE = "Event: conference\nAccept: application/conference-info+xml\nExpires: 3600\n"


@dataclass(slots=True)
class Arrive:
    """Wants people in rooms: one for each target, `window` of them at a time on their way in.

    They share SIP connections, `in_each` of them one; answered with Arrived.
    """

    port: int
    targets: list[str]
    window: int
    in_each: int
    subscribe: bool


@dataclass(slots=True)
class Arrived:
    """How long it took until all were in, and until each knew of as many as there are."""

    seconds: float
    until_known: float
    notifications: int
    notified_bytes: int


@dataclass(slots=True)
class Chatter:
    """Wants each room talked in: so many messages a second in all, for so many seconds.

    The first people who came, `silent` of them, say nothing. Answered with Chatted.
    """

    rate: float
    seconds: float
    silent: int


@dataclass(slots=True)
class Chatted:
    """How many messages were sent, and how many arrived."""

    sent: int
    delivered: int


@dataclass(slots=True, eq=False)
class _Person:
    """One who comes: his call, his chat and what he knows."""

    number: int
    target: str
    call_id: str = field(default_factory=lambda: os.urandom(10).hex())
    tag: str = field(default_factory=lambda: os.urandom(5).hex())
    path: str = field(default_factory=lambda: f"msrp://{HOST}:2855/{os.urandom(10).hex()};tcp")
    remote_path: str = ""
    chat: socket.socket | None = None
    buffer: bytes = b""
    is_in: bool = False
    knows: int = 0

    @property
    def user(self) -> str:
        return f"person{self.number:05d}"

    @property
    def paths(self) -> str:
        return f"To-Path: {self.remote_path}\r\nFrom-Path: {self.path}\r\n"


@dataclass(slots=True, eq=False)
class _Sip:
    """A SIP connection, with what has come of the next message."""

    sock: socket.socket
    buffer: bytearray = field(default_factory=bytearray)
    wanted: int = 0
    """Bytes that the message at the beginning of the buffer needs to be whole."""

    def messages(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """Take bytes and return head and body of all messages that are whole now."""
        buffer, found = self.buffer, list[tuple[bytes, bytes]]()
        buffer += data
        while len(buffer) >= self.wanted:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                break
            length = _LENGTH.search(buffer, 0, end + 4)
            self.wanted = end + 4 + (int(length[1]) if length is not None else 0)
            if len(buffer) < self.wanted:
                break
            found.append((bytes(buffer[: end + 2]), bytes(buffer[end + 4 : self.wanted])))
            del buffer[: self.wanted]
            self.wanted = 0
        return found


class _Arrivals:
    """All the people, in one loop that waits for whatever comes."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._poll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._people: list[_Person] = []
        self._calls: dict[bytes, tuple[_Person, _Sip]] = {}
        self._subscribers: dict[bytes, _Person] = {}
        self._sips: list[_Sip] = []
        self._arrived = 0
        self._heard = 0
        self._notifications = 0
        self._notified_bytes = 0

    def run(self) -> None:
        while True:
            match self._pipe.recv():
                case Arrive() as wish:
                    self._pipe.send(self._arrive(wish))
                case Chatter() as wish:
                    self._pipe.send(self._chat(wish))
                case _:
                    self._pipe.send(Ready())

    def _step(self, timeout: float) -> None:
        for descriptor, _ in self._poll.poll(timeout):
            self._readers[descriptor]()

    def _read(self, sock: socket.socket) -> bytes:
        try:
            data = sock.recv(_READ_SIZE)
        except BlockingIOError:
            return b""
        if not data:
            raise LoadError(f"the server closed a connection; {self._arrived} have come")
        return data

    def _watch(self, sock: socket.socket, reader: Callable[[], None]) -> None:
        sock.setblocking(False)
        self._readers[sock.fileno()] = reader
        self._poll.register(sock.fileno(), select.EPOLLIN)

    # Coming in

    def _arrive(self, wish: Arrive) -> Arrived:
        begin, first = time.monotonic(), len(self._people)
        waiting = deque(_Person(first + index, target) for index, target in enumerate(wish.targets))
        everybody, before = list(waiting), self._arrived
        self._people += everybody
        seconds, last_change = 0.0, begin
        progress = (0, 0)
        while True:
            while waiting and self._arrived - before + wish.window > len(everybody) - len(waiting):
                self._invite(waiting.popleft(), wish)
            self._step(1.0)
            now = time.monotonic()
            if not seconds and self._arrived - before == len(everybody):
                seconds = now - begin
            if seconds and all(one.knows >= len(everybody) for one in self._subscribers.values()):
                break
            if progress != (self._arrived, self._notifications):
                progress, last_change = (self._arrived, self._notifications), now
            elif now - last_change > _PATIENCE:
                raise LoadError(f"nothing happens any more; {self._arrived} have come")
        return Arrived(seconds, time.monotonic() - begin, self._notifications, self._notified_bytes)

    def _invite(self, person: _Person, wish: Arrive) -> None:
        if person.number % wish.in_each == 0:
            sip = _Sip(connect(wish.port))
            self._sips.append(sip)
            self._watch(sip.sock, lambda: self._read_sip(sip, wish))
        sip = self._sips[-1]
        self._calls[person.call_id.encode()] = person, sip
        offer = OFFER.format(host=HOST, path=person.path).replace("\n", "\r\n")
        self._request(person, sip, "INVITE", "Content-Type: application/sdp\n", offer)

    def _request(
        self,
        person: _Person,
        sip: _Sip,
        method: str,
        more: str = "",
        body: str = "",
        *,
        to: str = "",
        uri: str = "",
    ) -> None:
        is_subscribe = method == "SUBSCRIBE"
        head = REQUEST.format(
            method=method,
            uri=uri or person.target,
            host=HOST,
            port=sip.sock.getsockname()[1],
            branch=os.urandom(8).hex(),
            name=person.user.capitalize(),
            user=person.user,
            tag=person.tag,
            to=to or f"<{person.target}>",
            call_id=f"s{person.call_id}" if is_subscribe else person.call_id,
            cseq=1,
            more=more,
            length=len(body),
        )
        self._send(sip.sock, (head.replace("\n", "\r\n") + body).encode())

    def _send(self, sock: socket.socket, data: bytes) -> None:
        # What is sent is short, and the server reads it.
        sock.setblocking(True)
        sock.sendall(data)
        sock.setblocking(False)

    def _read_sip(self, sip: _Sip, wish: Arrive) -> None:
        for head, body in sip.messages(self._read(sip.sock)):
            if head.startswith(b"NOTIFY"):
                self._take_notify(sip, head, body)
            elif head.startswith(b"SIP/2.0 "):
                self._take_response(head, body, wish)

    def _take_response(self, head: bytes, body: bytes, wish: Arrive) -> None:
        cseq, call_id = _CSEQ.search(head), _CALL_ID.search(head)
        if head[8:9] == b"1" or cseq is None or call_id is None:
            return
        if head[8:9] != b"2":
            status = head.partition(b"\r")[0].decode()
            raise LoadError(f"{cseq[2].decode()} was answered: {status}")
        # A 200 comes again where the server was too busy to read the ACK.
        found = self._calls.pop(call_id[1], None) if cseq[2] == b"INVITE" else None
        if found is None:
            return
        person, sip = found
        text = (head + b"\r\n" + body).decode()
        contact, to, path = CONTACT.search(text), TO.search(text), SDP_PATH.search(text)
        if contact is None or to is None or path is None:
            raise LoadError(f"the answer lacks something:\n{text}")
        self._request(person, sip, "ACK", to=to[1], uri=contact[1])
        if wish.subscribe:
            self._subscribers[b"s" + call_id[1]] = person
            self._request(person, sip, "SUBSCRIBE", _SUBSCRIBE)
        self._bind(person, path[1])

    def _bind(self, person: _Person, remote_path: str) -> None:
        person.remote_path = remote_path
        port = remote_path.partition("//")[2].partition("/")[0].rpartition(":")[2]
        sock = person.chat = connect(int(port))
        head = f"MSRP bind SEND\r\n{person.paths}Message-ID: bind\r\n"
        sock.sendall(f"{head}Byte-Range: 1-0/0\r\n-------bind$\r\n".encode())
        self._watch(sock, lambda: self._read_chat(person, sock))

    def _take_notify(self, sip: _Sip, head: bytes, body: bytes) -> None:
        self._notifications += 1
        self._notified_bytes += len(head) + 2 + len(body)
        lines = b"\r\n".join(_VIA_TO_CSEQ.findall(head))
        self._send(sip.sock, b"SIP/2.0 200 OK\r\n%b\r\nContent-Length: 0\r\n\r\n" % lines)
        call_id, count = _CALL_ID.search(head), _USER_COUNT.search(body)
        if call_id is not None and count is not None:
            person = self._subscribers[call_id[1]]
            person.knows = max(person.knows, int(count[1]))

    # In the chat

    def _read_chat(self, person: _Person, sock: socket.socket) -> None:
        data = self._read(sock)
        if person.is_in:
            # A frame has one such line; one that two reads share is not counted.
            self._heard += data.count(b" SEND\r\n")
            return
        person.buffer += data
        while not person.is_in and (match := FRAME.match(person.buffer)) is not None:
            person.buffer = person.buffer[match.end() :]
            if match[2] == b"SEND":
                self._send(sock, answer_frame(match[1], match[3]))
                person.is_in, person.buffer = True, b""
                self._arrived += 1
            elif match[2] != b"200":
                raise LoadError(f"the bind was answered with {match[2].decode()}")

    def _chat(self, wish: Chatter) -> Chatted:
        """Let one after the other speak, who is in another room each time."""
        templates: dict[_Person, bytes] = {}
        self._heard = sent = 0
        people = self._people[wish.silent :]
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < wish.seconds:
            while sent < passed * wish.rate:
                # Those who came first into each room stand first.
                person = people[sent % len(people)]
                if person not in templates:
                    templates[person] = message_template(
                        person.paths, person.user.capitalize(), person.user, person.target
                    )
                assert person.chat is not None
                self._send(person.chat, templates[person] % ((sent,) * 4))
                sent += 1
            self._step(0.2 / wish.rate)
        return Chatted(sent, self._heard)


def arrive(pipe: Connection) -> None:
    """Come into rooms and talk there, as commands say."""
    _Arrivals(pipe).run()
