"""Somebody in a room with the whole of `sylk-chat` but its terminal, and what he sees."""

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from sylk.cli.chat_view import Line, plain_text
from sylk.cli.commands import Order, Say, interpret
from sylk.cli.conversation import Conversation
from sylk.cli.focus import Focus
from sylk.server import Server
from sylk.session import Chat, UserAgent
from sylk.session.attempts import Destination
from sylk.session.dial import Dialled
from sylk.sip.address import NameAddr
from sylk.sip.uri import SipURI
from tests.peers import DOMAIN, HOST, PATIENCE, running_endpoint, sip_port


class Typist:
    """A front end that types what it is told to and keeps what it is shown."""

    def __init__(self, *lines: str, shows_own: bool = True, takes_commands: bool = True) -> None:
        self.shown: list[str] = []
        self.complaints: list[str] = []
        self.statuses: list[str] = []
        self.names: Sequence[str] = ()
        self.shows_own = shows_own
        self.takes_commands = takes_commands
        self.on_typing: Callable[[bool], None] | None = None
        self._typing, self._typed = trio.open_memory_channel[Say | Order](100)
        self._news = trio.Event()
        for line in lines:
            self.type(line)

    @property
    def text_limit(self) -> int | None:
        return None

    def type(self, line: str) -> None:
        meaning = interpret(line)
        assert isinstance(meaning, Say | Order)
        self._typing.send_nowait(meaning)

    def leave(self) -> None:
        self._typing.close()

    async def see(self, pattern: str) -> str:
        """Wait until a line that matches is shown, or complained of, and return it."""
        return await self._wait(lambda: self.shown + self.complaints, pattern)

    async def see_name(self, pattern: str) -> str:
        """Wait until Tab completes a name that matches."""
        return await self._wait(lambda: list(self.names), pattern)

    async def see_status(self, pattern: str) -> str:
        return await self._wait(lambda: self.statuses, pattern)

    async def _wait(self, lines: Callable[[], list[str]], pattern: str) -> str:
        with trio.move_on_after(PATIENCE):
            while True:
                for line in lines():
                    if re.search(pattern, line):
                        return line
                self._news = trio.Event()
                await self._news.wait()
        raise AssertionError(f"{pattern!r} is not in {lines()}")

    # What the conversation uses

    def show(self, lines: list[Line]) -> None:
        self.shown += [plain_text(line) for line in lines]
        self._news.set()

    def complain(self, lines: list[Line]) -> None:
        self.complaints += [plain_text(line) for line in lines]
        self._news.set()

    def set_status(self, text: str) -> None:
        self.statuses.append(text)
        self._news.set()

    def set_names(self, names: Sequence[str]) -> None:
        self.names = names
        self._news.set()

    async def read_lines(self, lines: trio.MemorySendChannel[Say | Order]) -> None:
        async with lines, self._typed:
            async for line in self._typed:
                await lines.send(line)


@asynccontextmanager
async def dialled(server: Server, name: str) -> AsyncGenerator[tuple[Chat, Focus]]:
    """Call the room of a server; the chat ends when the block does."""
    room = SipURI.parse(f"sip:room@{HOST}:{sip_port(server.endpoint, 'udp')}")
    user = name.lower().replace(" ", "-")
    caller = NameAddr(SipURI.parse(f"sip:{user}@{DOMAIN}"), name)
    async with (
        running_endpoint() as endpoint,
        Dialled(endpoint, Destination(room, caller)) as chat,
    ):
        yield chat, Focus(UserAgent(endpoint), str(room))


@asynccontextmanager
async def in_room(server: Server, name: str, typist: Typist) -> AsyncGenerator[Conversation]:
    """Converse in the room of a server while inside."""
    async with dialled(server, name) as (chat, focus), trio.open_nursery() as nursery:
        conversation = Conversation(chat, typist, 0, focus)
        nursery.start_soon(conversation.run)
        yield conversation
        nursery.cancel_scope.cancel()
