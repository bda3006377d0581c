"""One participant: comes in over any transport, says things, hears what he must, and goes."""

import itertools
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from benchmarks.soak.ledger import Ledger, number_in
from benchmarks.soak.msrp import Chat, Frame
from benchmarks.soak.sip import Line, Message, Ports, new_branch, render
from benchmarks.wire import CONTACT, HOST, SDP_PATH, LoadError

WELCOME = 20.0
"""Seconds until somebody who has come must have heard anything."""

_OK, _PENDING = 200, 491
_ATTEMPTS = 10
_AGAIN = 2.1
"""Seconds before something is tried again."""

_HEAR_OUT = 25.0
"""Seconds for what is owed to one who leaves: longer than the ledger takes to call it lost."""


@dataclass(slots=True)
class World:
    """What all participants share."""

    ports: Ports
    ledger: Ledger
    rooms: dict[str, dict[int, "Person"]] = field(default_factory=dict[str, "dict[int, Person]"])
    """Who is in each room for certain."""
    names: set[str] = field(default_factory=set[str])
    """Who is somewhere, or on his way."""
    identifiers: Iterator[int] = field(default_factory=itertools.count)

    def audience(self, room: str) -> dict[int, "Person"]:
        """Return who is in a room for certain."""
        return self.rooms.setdefault(room, {})


class Refused(Exception):
    """The server did not let somebody in; holds the status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with {status}")
        self.status = status


def sdp(path: str, version: int, direction: str) -> bytes:
    """Return an offer or an answer of one chat."""
    profile = "TCP/TLS/MSRP" if path.startswith("msrps:") else "TCP/MSRP"
    lines = [
        *("v=0", f"o=- 1142306750 {version} IN IP4 {HOST}", "s=chat", f"c=IN IP4 {HOST}"),
        *("t=0 0", f"m=message 2855 {profile} *", f"a=path:{path}", f"a={direction}"),
        "a=accept-types:message/cpim text/* application/im-iscomposing+xml",
        *("a=accept-wrapped-types:*", "a=setup:active", "a=chatroom:nickname private-messages"),
    ]
    return "\r\n".join([*lines, ""]).encode()


class Person:
    """One who calls a room; `present` brings him in and out."""

    def __init__(self, world: World, user: str, room: str, transport: str, scheme: str) -> None:
        self.world = world
        world.names.add(user)
        self.user = user
        self.room = room
        self.line = Line(transport)
        self.id = next(world.identifiers)
        self.is_leaving = False
        self.is_over = trio.Event()
        """Set when the server has said BYE."""
        self.chat: Chat | None = None
        self.local_path = f"{scheme}://{HOST}:2855/{os.urandom(10).hex()};tcp"
        self.call_id = os.urandom(10).hex()
        self.did(f"{user} {room} {transport} {scheme} {self.call_id}")
        self.tag = os.urandom(5).hex()
        self.local = f"<sip:{user}@{HOST}>;tag={self.tag}"
        self.remote = f"<sip:{room}@{HOST}>"
        self.target = f"sip:{room}@{HOST}"
        self._cseq = 0
        self._version = 1
        self._welcomed = trio.Event()
        self._heard: set[int] = set()
        self._may_repeat = False
        self._nursery: trio.Nursery | None = None
        self._pieces: dict[str, bytearray] = {}

    # SIP

    def request(self, method: str, *headers: str, body: bytes = b"") -> tuple[str, bytes]:
        """Return a request of our dialog, and its branch."""
        if method != "ACK":
            self._cseq += 1
        branch = new_branch()
        lines = [
            *(self.line.via(branch), "Max-Forwards: 70"),
            *(f"From: {self.local}", f"To: {self.remote}", f"Call-ID: {self.call_id}"),
            *(f"CSeq: {self._cseq} {method}", self.line.contact(self.user)),
            *("User-Agent: soak", *headers),
        ]
        return branch, render(f"{method} {self.target} SIP/2.0", lines, body)

    async def ask(self, method: str, *headers: str, body: bytes = b"") -> Message:
        """Send a request and return its final response."""
        branch, data = self.request(method, *headers, body=body)
        try:
            return await self.line.transact(data, branch)
        except LoadError as error:
            story = self.world.ledger.stories.get(self.id)
            raise LoadError(f"{error} at {trio.current_time():.2f}: {story}") from error

    async def call(self) -> None:
        """Have the room take us; raises Refused."""
        final = await self.invite("sendrecv")
        answer = final.body.decode()
        contact, path = CONTACT.search(f"Contact: {final.get('contact')}"), SDP_PATH.search(answer)
        if contact is None or path is None:
            raise LoadError(f"the answer lacks something: {final}")
        self.chat = Chat(self.local_path, path[1], self._on_send)

    async def invite(self, direction: str) -> Message:
        """Send an INVITE, the first one or another, and acknowledge it; raises Refused."""
        self.did(f"INVITE {direction}")
        body = sdp(self.local_path, self._version, direction)
        self._version += 1
        more = ("Supported: timer", "Session-Expires: 90;refresher=uas")
        final = await self.ask("INVITE", *more, body=body)
        if final.status == _PENDING:
            # It has crossed one of the server's (RFC 3261 section 14.1).
            await trio.sleep(_AGAIN)
            final = await self.ask("INVITE", *more, body=body)
        if final.status != _OK:
            raise Refused(final.status)
        self.remote = final.get("to")
        contact = CONTACT.search(f"Contact: {final.get('contact')}")
        if contact is not None:
            self.target = contact[1]
        await self.line.acknowledge(self.call_id, self.request("ACK")[1])
        return final

    async def on_request(self, request: Message) -> None:
        """Answer what the server asks of us."""
        if request.method == "ACK":
            return
        more: list[str] = []
        body = b""
        if request.method in ("INVITE", "UPDATE"):
            self.world.ledger.counts["refreshes of the server"] += 1
            more = [self.line.contact(self.user)]
            body = sdp(self.local_path, self._version, "sendrecv") if request.body else b""
        if request.method == "NOTIFY":
            self.world.ledger.counts["notifications"] += 1
        await self.line.send(request.answer("200 OK", *more, body=body))
        if request.method == "BYE":
            self.withdraw()
            if not self.is_leaving:
                reason = request.get("reason")
                self.world.ledger.fault(f"{self.user} was put out of {self.room}: {reason}")
            self.is_over.set()

    # The chat

    async def connect(
        self, nursery: trio.Nursery, receive_buffer: int = 0, speed: float = 0.0
    ) -> None:
        """Connect, name the session, and wait until we hear something."""
        chat = self.chat
        self._nursery = nursery
        assert chat is not None
        await chat.open(receive_buffer)
        nursery.start_soon(chat.run, speed)
        status = await chat.bind()
        if status != _OK:
            raise LoadError(f"the bind was answered with {status}")
        with trio.move_on_after(WELCOME):
            await self._welcomed.wait()
        if not self._welcomed.is_set():
            raise LoadError(f"{self.user} was not welcomed in {self.room}")

    async def come_back(self) -> None:
        """Lose the connection, and name the session on another one (RFC 4975 section 5.4)."""
        chat, nursery = self.chat, self._nursery
        assert chat is not None
        assert nursery is not None
        # What was under way may be broken off, or come again.
        self._may_repeat = True
        self.did("lost the connection")
        chat.close()
        self._pieces.clear()
        for _ in range(_ATTEMPTS):
            await chat.open()
            nursery.start_soon(chat.run)
            if await chat.bind() == _OK:
                return
            # The server has not seen the end of the old connection yet.
            chat.close()
            await trio.sleep(_AGAIN)
        raise LoadError("the session was not bound again")

    def did(self, what: str) -> None:
        """Tell the ledger what became of us."""
        stories = self.world.ledger.stories
        stories[self.id] = f"{stories.get(self.id, '')}, {what} at {trio.current_time():.2f}"

    def settle(self) -> None:
        """From now on all that is said in the room must come to us."""
        self.did("settled")
        self.world.audience(self.room)[self.id] = self

    def withdraw(self) -> None:
        """What is said from now on may not come to us."""
        self.did("withdrew")
        self.world.audience(self.room).pop(self.id, None)

    def _on_send(self, frame: Frame) -> None:
        self._welcomed.set()
        identifier = frame.headers.get("Message-ID", "")
        is_whole = frame.flag == "$" and identifier not in self._pieces
        if is_whole:
            body = frame.body
        else:
            self._pieces.setdefault(identifier, bytearray()).extend(frame.body)
            if frame.flag == "+":
                return
            body = bytes(self._pieces.pop(identifier))
            if frame.flag == "#":
                if not self._may_repeat:
                    self.world.ledger.fault("a message was broken off")
                return
        number = number_in(body)
        if number is None:
            return
        if number in self._heard and not self._may_repeat:
            self.world.ledger.fault(f"message {number} came twice")
        self._heard.add(number)
        if not body.endswith(b"."):
            self.world.ledger.fault(f"message {number} has lost its end")
        self.world.ledger.hear(self.id, number, trio.current_time(), timed=len(body) < 4096)

    async def say(self, text: str, to: "Person | None" = None) -> int:
        """Say something to the room or to one person, and return the status that it gets."""
        ledger = self.world.ledger
        what = f"{len(text)} bytes of {self.user} in {self.room}"
        if to is None:
            # Who has settled in the meantime of a long message hears it too, and need not.
            owed = set(self.world.audience(self.room)) - {self.id}
            number = ledger.say(owed, trio.current_time(), what=what)
        else:
            number = ledger.say(
                {to.id}, trio.current_time(), what=f"whisper, {what}", private_of=self.id
            )
        whom = to.user if to is not None else self.room
        status = await self.send(f"#{number:08d}# {text}.", whom)
        if status != 200:
            ledger.take_back(number)
            ledger.counts[f"SEND {status}"] += 1
        return status

    async def send(self, text: str, to: str, kind: str = "text/plain; charset=utf-8") -> int:
        """Send a message/cpim of our own, and return the status that it gets."""
        assert self.chat is not None
        cpim = (
            f"From: <sip:{self.user}@{HOST}>\r\nTo: <sip:{to}@{HOST}>\r\n"
            f"DateTime: 2026-01-01T12:00:00Z\r\n\r\nContent-Type: {kind}\r\n\r\n{text}"
        )
        return await self.chat.say(cpim.encode())

    async def hear_out(self) -> None:
        """Wait until nothing is owed to us; what is said from now on does not count."""
        self.withdraw()
        with trio.move_on_after(_HEAR_OUT):
            # What is owed shrinks in several places, and 20 ms more do not matter.
            while self.world.ledger.owes(self.id):  # noqa: ASYNC110 - see the line above
                await trio.sleep(0.02)

    async def leave(self) -> None:
        """Hear out what is owed, and say BYE."""
        await self.hear_out()
        self.is_leaving = True
        if not self.is_over.is_set():
            final = await self.ask("BYE")
            if final.status != 200:
                self.world.ledger.fault(f"BYE was answered with {final.status}")

    def close(self) -> None:
        """Close all sockets, without a word."""
        self.withdraw()
        self.world.names.discard(self.user)
        self.world.ledger.forgive(self.id)
        if self.chat is not None:
            self.chat.close()
        self.line.close()


@asynccontextmanager
async def present(
    person: Person, receive_buffer: int = 0, speed: float = 0.0
) -> AsyncGenerator[Person]:
    """Bring somebody into his room while inside; raises Refused.

    `receive_buffer` and `speed` (bytes, and bytes a second) are for one who reads slowly: he is
    owed nothing.
    """
    try:
        async with trio.open_nursery() as nursery:
            await person.line.open(person.world.ports)
            person.line.handlers[person.call_id] = person.on_request
            nursery.start_soon(person.line.run)
            await person.call()
            await person.connect(nursery, receive_buffer, speed)
            if not speed:
                person.settle()
            yield person
            nursery.cancel_scope.cancel()
    finally:
        person.close()
