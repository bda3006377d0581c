"""Tests of sylk.cli.conversation; what people see of it is in tests/end_to_end."""

import trio

from sylk.cli.chat_view import Line
from sylk.cli.conversation import Conversation
from sylk.session import Invitation
from sylk.session.dial import Dialled
from tests.peers import (
    PATIENCE,
    Scripted,
    destination,
    running_endpoint,
    running_server,
)


class Typist:
    """A front end that types what it is told to and keeps what it is shown."""

    def __init__(self, *lines: str) -> None:
        self.complaints: list[str] = []
        self.shown: list[str] = []
        self.shows_own = False
        self._lines = lines

    @property
    def text_limit(self) -> int | None:
        return None

    def show(self, lines: list[Line]) -> None:
        self.shown += ["".join(text for _, text in line) for line in lines]

    def complain(self, lines: list[Line]) -> None:
        self.complaints += ["".join(text for _, text in line) for line in lines]

    async def read_lines(self, lines: trio.MemorySendChannel[str]) -> None:
        async with lines:
            for line in self._lines:
                await lines.send(line)


async def hold(invitation: Invitation) -> None:
    async with invitation.accept() as chat:
        chat.call.hold()
        async for _ in chat:
            pass


async def test_what_is_typed_while_the_other_side_holds_is_complained_of() -> None:
    typist = Typist("first", "second")
    async with (
        running_server(application=Scripted(hold)) as server,
        running_endpoint() as endpoint,
        Dialled(endpoint, destination(server.endpoint, "lobby")) as chat,
    ):
        held = trio.Event()
        chat.on_hold_changed = lambda _held: held.set()
        if not chat.is_held:
            with trio.fail_after(PATIENCE):
                await held.wait()
        conversation = Conversation(chat, typist, 0)
        with trio.fail_after(PATIENCE):
            await conversation.run()
        assert conversation.fault == "messages not delivered: 2"
    assert typist.shown == []
    for complaint, text in zip(typist.complaints, ("first", "second"), strict=True):
        assert "480 the other side holds the chat" in complaint
        assert text in complaint
