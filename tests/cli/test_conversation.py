"""Tests of sylk.cli.conversation; what people see of it is in tests/end_to_end."""

from collections.abc import Awaitable, Callable

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

Answer = Callable[[Invitation], Awaitable[None]]


class Waiting:
    """A front end of somebody who listens."""

    def __init__(self, *lines: str, shows_own: bool = False) -> None:
        self.complaints: list[str] = []
        self.shown: list[str] = []
        self.shows_own = shows_own
        self._lines = lines

    @property
    def text_limit(self) -> int | None:
        return None

    def show(self, lines: list[Line]) -> None:
        self.shown += ["".join(text for _, text in line) for line in lines]

    def complain(self, lines: list[Line]) -> None:
        self.complaints += ["".join(text for _, text in line) for line in lines]

    async def read_lines(self, lines: trio.MemorySendChannel[str]) -> None:
        for line in self._lines:
            await lines.send(line)
        await trio.sleep_forever()


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


async def converse(answer: Answer, front_end: Waiting) -> str | None:
    """Talk with an application until it ends the call; returns what went wrong."""
    with trio.fail_after(PATIENCE):
        async with (
            running_server(application=Scripted(answer)) as server,
            running_endpoint() as endpoint,
            Dialled(endpoint, destination(server.endpoint, "lobby")) as chat,
        ):
            conversation = Conversation(chat, front_end, 0)
            await conversation.run()
            return conversation.fault


async def hear_one(invitation: Invitation) -> None:
    async with invitation.accept() as chat:
        await anext(aiter(chat))


async def take_none(invitation: Invitation) -> None:
    """Leave with a message in hand that was not answered."""
    async with invitation.accept() as chat:
        await anext(aiter(chat.batches()))


async def fail_after_one(invitation: Invitation) -> None:
    async with invitation.accept() as chat:
        await anext(aiter(chat))
        chat.call.hang_up("the disk is full", 500)


async def test_one_who_is_left_with_nothing_undelivered_has_no_fault() -> None:
    assert await converse(hear_one, Waiting("hello")) is None


async def test_at_a_terminal_it_is_told_that_the_other_side_has_left() -> None:
    front_end = Waiting("hello", shows_own=True)
    assert await converse(hear_one, front_end) is None
    assert front_end.shown[-1].endswith("The other side has left.")


async def test_one_who_is_left_with_an_unanswered_message_has_a_fault() -> None:
    front_end = Waiting("hello")
    assert await converse(take_none, front_end) == "messages not delivered: 1"
    assert "not delivered: 408" in front_end.complaints[0]


async def test_one_who_is_left_because_something_failed_is_told_what() -> None:
    fault = await converse(fail_after_one, Waiting("hello"))
    assert fault == "the session ended: the other side left: the disk is full"


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
