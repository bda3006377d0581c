"""Telling each other who is writing, through a room."""

import trio

from sylk.cli.chat_view import ChatView
from sylk.cli.composing import IDLE_AFTER
from sylk.cli.received import Parties, Writing
from sylk.cli.writing import WritingStatus
from sylk.payload.composing import ComposingState, IsComposing
from sylk.payload.cpim import Address
from sylk.session import Invitation
from tests.cli.small_focus import SmallFocus
from tests.cli.typist import Typist, dialled, in_room
from tests.peers import PATIENCE, Scripted, running_server


async def test_others_see_that_somebody_writes_until_he_has_said_it() -> None:
    focus = SmallFocus()
    alice, bob = Typist(), Typist()
    async with (
        running_server(application=focus) as server,
        in_room(server, "Alice", alice),
        in_room(server, "Bob", bob),
    ):
        await alice.see("2 here|1 here")
        await bob.see("2 here")
        assert bob.on_typing is not None
        bob.on_typing(True)
        assert await alice.see_status("writing") == "… Bob is writing"
        bob.on_typing(True)
        bob.type("hello")
        await alice.see("hello")
        assert alice.statuses == ["… Bob is writing", ""]
        bob.on_typing(True)
        bob.on_typing(False)
        # Messages come in order, so all that was told of writing has come.
        bob.type("again")
        await alice.see("again")
        assert alice.statuses[2:] == ["… Bob is writing", ""]
        states = [IsComposing.parse(content).state for content in focus.composing]
        assert states == [ComposingState.ACTIVE] * 2 + [ComposingState.IDLE]
        assert bob.statuses == []


async def test_a_pause_is_told_and_silence_is_taken_for_one(jumping_clock: object) -> None:
    focus = SmallFocus()
    async with running_server(application=focus) as server, dialled(server, "Al") as (chat, _):
        shown: list[str] = []
        changed = trio.Event()

        def show(text: str) -> None:
            nonlocal changed
            shown.append(text)
            changed.set()
            changed = trio.Event()

        parties = Parties(chat.local, chat.remote, is_room=True)
        view = ChatView(chat.local, chat.remote)
        status = WritingStatus(chat, parties, view.called, show)
        other = Address("sip:other@example.com")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(status.run)
            began = trio.current_time()
            status.take(Writing(other, IsComposing(ComposingState.ACTIVE, refresh=60)))
            status.take(Writing(chat.local, IsComposing(ComposingState.ACTIVE)))
            status.typed(True)
            with trio.fail_after(100):
                await changed.wait()
            assert trio.current_time() - began >= 60 > IDLE_AFTER
            nursery.cancel_scope.cancel()
        assert shown == ["… other is writing", ""]
        states = [IsComposing.parse(content).state for content in focus.composing]
        assert states == [ComposingState.ACTIVE, ComposingState.IDLE]


async def test_nothing_is_told_to_one_who_does_not_take_it() -> None:
    came: list[str] = []
    over = trio.Event()

    async def listen(invitation: Invitation) -> None:
        async with invitation.accept(accept_wrapped_types=("text/plain",)) as chat:
            async for message in chat:
                came.append(message.content_type)
        over.set()

    typist = Typist()
    async with running_server(application=Scripted(listen)) as server:
        async with in_room(server, "Alice", typist):
            await typist.see("Alice, connected")
            assert typist.on_typing is not None
            typist.on_typing(True)
            typist.type("hello")
            await typist.see("hello")
        with trio.fail_after(PATIENCE):
            await over.wait()
    assert came == ["text/plain; charset=utf-8"]
