"""Tests of sylk.cli.conversation; what people see of it is in tests/end_to_end."""

import re
from collections.abc import Awaitable, Callable

import trio
from trio.testing import MockClock

from sylk.cli.conversation import Conversation
from sylk.cli.unread import AWAY_AFTER
from sylk.session import Invitation
from sylk.session.dial import Dialled
from tests.cli.small_focus import SmallFocus
from tests.cli.typist import Typist, dialled, in_room
from tests.peers import (
    PATIENCE,
    Scripted,
    destination,
    running_endpoint,
    running_server,
)

Answer = Callable[[Invitation], Awaitable[None]]


async def hold(invitation: Invitation) -> None:
    async with invitation.accept() as chat:
        chat.call.hold()
        async for _ in chat:
            pass


async def converse(answer: Answer, front_end: Typist) -> str | None:
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
    assert await converse(hear_one, Typist("hello", shows_own=False)) is None


async def test_at_a_terminal_it_is_told_that_the_other_side_has_left() -> None:
    front_end = Typist("hello", shows_own=True)
    assert await converse(hear_one, front_end) is None
    assert front_end.shown[-1].endswith("The other side has left.")


async def test_one_who_is_left_with_an_unanswered_message_has_a_fault() -> None:
    front_end = Typist("hello", shows_own=False)
    assert await converse(take_none, front_end) == "messages not delivered: 1"
    assert "not delivered: 408" in front_end.complaints[0]


async def test_one_who_is_left_because_something_failed_is_told_what() -> None:
    fault = await converse(fail_after_one, Typist("hello", shows_own=False))
    assert fault == "the session ended: the other side left: the disk is full"


async def test_what_is_typed_while_the_other_side_holds_is_complained_of() -> None:
    typist = Typist("first", "second", shows_own=False)
    typist.leave()
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


async def test_what_was_said_before_is_shown_with_its_time() -> None:
    alice, bob = Typist(), Typist()
    async with (
        running_server(application=SmallFocus()) as server,
        in_room(server, "Alice", alice),
        in_room(server, "Bob", bob),
    ):
        await alice.see(r"^2001-02-0\d \d\d:\d\d Carol \(earlier\): what was$")
        await bob.see("Bob, in room@")
        bob.type("hello")
        await alice.see(r"^\d\d:\d\d Bob: hello$")
        bob.type("/history 5")
        assert "Dave (earlier): long ago" in await bob.see("Dave")


async def test_a_nickname_is_what_others_see() -> None:
    alice, bob = Typist(), Typist()
    async with (
        running_server(application=SmallFocus()) as server,
        in_room(server, "Alice", alice),
        in_room(server, "Bob", bob),
    ):
        await alice.see("Alice, in room@")
        alice.type("/nick The Queen")
        await alice.see("You are The Queen now")
        alice.type("hello")
        await alice.see("The Queen: hello")
        await bob.see("The Queen: hello")


async def test_in_a_chat_with_a_person_there_is_no_room() -> None:
    async def listen(invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            async for _ in chat:
                pass

    typist = Typist("/who")
    async with (
        running_server(application=Scripted(listen)) as server,
        in_room(server, "Alice", typist),
    ):
        await typist.see("/who: this is no room")


async def test_a_script_is_told_of_commands_that_failed_by_the_fault() -> None:
    script = Typist("/kick nobody-at-all", "hello", shows_own=False)
    script.leave()
    async with (
        running_server(application=SmallFocus()) as server,
        dialled(server, "Script") as (chat, focus),
    ):
        conversation = Conversation(chat, script, 0, focus)
        with trio.fail_after(PATIENCE):
            await conversation.run()
    assert conversation.fault == "commands that came to nothing: 1"


async def test_a_line_is_drawn_above_what_came_while_nobody_typed(jumping_clock: MockClock) -> None:
    alice, bob = Typist(), Typist()
    async with (
        running_server(application=SmallFocus()) as server,
        in_room(server, "Alice", alice),
        in_room(server, "Bob", bob),
    ):
        await alice.see("Alice, in room@")
        bob.type("one")
        await alice.see("Bob: one")
        await trio.sleep(AWAY_AFTER)
        bob.type("two")
        bob.type("three")
        await alice.see("Bob: three")
        (line,) = [line for line in alice.shown if re.match(r"— new since \d\d:\d\d —$", line)]
        assert "Bob: two" in alice.shown[alice.shown.index(line) + 1]
        assert alice.on_typing is not None
        alice.on_typing(False)
        bob.type("four")
        await alice.see("Bob: four")
        assert alice.shown.count(line) == 1
