"""Nicknames in a chat: asked for by the peer, and by us."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.errors import LocalProtocolError, SessionEnded
from sylk.msrp.session_limits import TRANSACTION_TIMEOUT
from sylk.session import Chat, ChatMessage, Invitation, NicknameRequest
from sylk.session.chat import INBOX_LIMIT
from sylk.session.nickname import REQUEST_COST
from tests.end_to_end.wire_msrp import Frame, render_frame
from tests.peers import (
    PATIENCE,
    Caller,
    Scripted,
    answer_frame,
    assert_nothing_left,
    chat_offer,
    running_server,
)

TOKENS = ("nickname", "private-messages")


def room(talk: Callable[[Chat], Awaitable[None]]) -> Scripted:
    """Return an application that accepts each call as a room does."""

    async def accept(invitation: Invitation) -> None:
        async with invitation.accept(focus=True, chatroom=TOKENS) as chat:
            await talk(chat)

    return Scripted(accept)


def wish(caller: Caller, value: str) -> bytes:
    lines = [f"Use-Nickname: {value}"]
    return render_frame("NICKNAME", caller.remote_path, caller.path, lines)


async def answer_to_wish(caller: Caller, value: str) -> Frame:
    frame = wish(caller, value)
    await caller.msrp.send(frame)
    return await caller.answer_to(frame)


async def test_a_nickname_comes_in_order_with_the_messages_and_is_answered() -> None:
    heard: list[str] = []

    async def talk(chat: Chat) -> None:
        async for batch in chat.batches_with_pieces():
            for each in batch:
                if isinstance(each, NicknameRequest):
                    heard.append(f"={each.nickname}")
                    chat.answer_nickname(each, 425 if each.nickname == "Bob" else 200)
                elif isinstance(each, ChatMessage):
                    heard.append(each.text)
                    chat.accept([each])

    async with running_server(application=room(talk)) as server, Caller(server) as caller:
        await caller.join()
        frames = [caller.line("a"), wish(caller, '"Al"'), caller.line("b"), wish(caller, '""')]
        await caller.msrp.send(b"".join(frames))
        for frame in frames:
            assert (await caller.answer_to(frame)).status == 200
        refused = await answer_to_wish(caller, "Bob")
        assert refused.what == "425 Nickname reserved or already in use"
    assert heard == ["a", "=Al", "b", "=", "=Bob"]


async def test_a_refusal_may_say_why_in_one_line() -> None:
    async def talk(chat: Chat) -> None:
        async for batch in chat.batches_with_pieces():
            for each in batch:
                assert isinstance(each, NicknameRequest)
                chat.answer_nickname(each, 425, "looks like\r\nBob")
                with pytest.raises(LocalProtocolError):
                    chat.answer_nickname(each, 200)

    async with running_server(application=room(talk)) as server, Caller(server) as caller:
        await caller.join()
        assert (await answer_to_wish(caller, "B0b")).what == "425 looks like  Bob"


async def test_one_that_the_application_lets_pass_is_refused() -> None:
    async def talk(chat: Chat) -> None:
        async for _ in chat.batches_with_pieces():
            pass

    async with running_server(application=room(talk)) as server, Caller(server) as caller:
        await caller.join()
        assert (await answer_to_wish(caller, "Al")).status == 403
        assert await caller.send(None) == 200
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_a_flood_of_them_is_not_read_while_the_application_is_busy() -> None:
    chats: list[Chat] = []
    came, going_on = trio.Event(), trio.Event()
    counts: list[int] = []

    async def talk(chat: Chat) -> None:
        chats.append(chat)
        came.set()
        await going_on.wait()
        async for batch in chat.batches_with_pieces():
            counts.append(len(batch))
            for each in batch:
                assert isinstance(each, NicknameRequest)
                chat.answer_nickname(each, 200)
            if sum(counts) == 10_000:
                return

    async with running_server(application=room(talk)) as server, Caller(server) as caller:
        await caller.join()
        with trio.fail_after(PATIENCE):
            await came.wait()
            async with trio.open_nursery() as nursery:
                flood = b"".join(wish(caller, "Al") for _ in range(10_000))
                nursery.start_soon(caller.msrp.stream.send_all, flood)
                await trio.testing.wait_all_tasks_blocked(0.05)
                going_on.set()
                while sum(counts) < 10_000:
                    await caller.msrp.receive()
    assert counts[0] < 2 * INBOX_LIMIT // REQUEST_COST


# Asked by us


async def accept_nickname(caller: Caller, status: str) -> str:
    request = await caller.next_frame("NICKNAME")
    await caller.msrp.send(answer_frame(request, status))
    return request.headers["Use-Nickname"]


class Asking:
    """Asks for a nickname in each call, and tells what came of it."""

    def __init__(self, nickname: str) -> None:
        self.tokens: tuple[str, ...] = ()
        self.status: int | None = None
        self._nickname = nickname
        self._over = trio.Event()

    @property
    def application(self) -> Scripted:
        return room(self._ask)

    async def _ask(self, chat: Chat) -> None:
        self.tokens = chat.chatroom
        with suppress(SessionEnded):
            self.status = await chat.set_nickname(self._nickname)
        self._over.set()

    async def outcome(self, patience: float = PATIENCE) -> int | None:
        """Return the status of the answer, None when the session ended before."""
        with trio.fail_after(patience):
            await self._over.wait()
        return self.status


@pytest.mark.parametrize(
    ("chatroom", "value"),
    [
        ("nickname private-messages", '"Ali \\"B\\""'),
        ("nickname private-messages com.ag-projects.zrtp-sas", 'Ali "B"'),
        ("", '"Ali \\"B\\""'),
    ],
)
async def test_we_ask_in_the_way_that_the_peer_understands(chatroom: str, value: str) -> None:
    asking = Asking('Ali "B"')
    async with running_server(application=asking.application) as server, Caller(server) as caller:
        line = f"a=chatroom:{chatroom}\r\n".encode() if chatroom else b""
        assert (await caller.invite(chat_offer(caller.path) + line)).status == 200
        await caller.acknowledge()
        await caller.connect()
        assert await accept_nickname(caller, "425 Taken") == value
        assert await asking.outcome() == 425
    assert asking.tokens == tuple(chatroom.split())


async def test_silence_is_408(jumping_clock: MockClock) -> None:
    asking = Asking("Ali")
    async with running_server(application=asking.application) as server, Caller(server) as caller:
        await caller.join()
        await caller.next_frame("NICKNAME")
        assert await asking.outcome(2 * TRANSACTION_TIMEOUT) == 408


@pytest.mark.parametrize("by_bye", [True, False])
async def test_an_end_is_no_answer(by_bye: bool) -> None:
    asking = Asking("Ali")
    async with running_server(application=asking.application) as server, Caller(server) as caller:
        await caller.join()
        await caller.next_frame("NICKNAME")
        if by_bye:
            assert (await caller.bye()).status == 200
        else:
            caller.msrp.close()
            await caller.await_bye()
        assert await asking.outcome() is None
        await assert_nothing_left(server)


async def test_after_the_end_nobody_can_be_asked() -> None:
    ended = trio.Event()

    async def talk(chat: Chat) -> None:
        async for _ in chat:
            pass
        with pytest.raises(SessionEnded):
            await chat.set_nickname("Ali")
        ended.set()

    async with running_server(application=room(talk)) as server, Caller(server) as caller:
        await caller.join()
        assert (await caller.bye()).status == 200
        with trio.fail_after(PATIENCE):
            await ended.wait()
