"""A large message that goes out in pieces, to peers that take it, refuse it, or are gone."""

from collections.abc import Awaitable, Callable

import trio
import trio.lowlevel

from sylk.session import Chat, Invitation, StreamBroadcast
from sylk.session.stream_broadcast import BACKLOG_PAUSE
from tests.end_to_end.wire_msrp import render_frame
from tests.peers import PATIENCE, Caller, Scripted, running_server

SMALL = 4096
"""A receive buffer that holds next to nothing."""


def scripted(script: Callable[[Chat], Awaitable[None]]) -> Scripted:
    async def handle(invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            await script(chat)
            async for _ in chat:
                pass

    return Scripted(handle)


async def test_pieces_make_one_chunk() -> None:
    async def send(chat: Chat) -> None:
        broadcast = StreamBroadcast([chat], 6)
        for piece in (b"ab", b"cd", b"ef"):
            broadcast.write(piece)
            await trio.lowlevel.checkpoint()
        broadcast.finish()
        lost.extend(broadcast.lost.values())

    lost: list[int] = []
    async with running_server(application=scripted(send)) as server, Caller(server) as caller:
        await caller.join()
        frame = await caller.next_frame("SEND")
        assert (frame.body, frame.flag, frame.headers["Byte-Range"]) == (b"abcdef", "$", "1-*/6")
        assert lost == []


async def test_chunks_end_where_they_are_told_to() -> None:
    async def send(chat: Chat) -> None:
        broadcast = StreamBroadcast([chat], None)
        broadcast.write(b"ab")
        broadcast.end_chunk()
        broadcast.write(b"cd")
        broadcast.abort()

    async with running_server(application=scripted(send)) as server, Caller(server) as caller:
        await caller.join()
        frames = [await caller.next_frame("SEND") for _ in range(2)]
        assert [(frame.body, frame.flag) for frame in frames] == [(b"ab", "+"), (b"cd", "#")]
        assert frames[1].headers["Byte-Range"] == "3-*/*"


async def test_a_peer_that_refuses_it_gets_its_end_and_no_more() -> None:
    lost: list[int] = []
    refused = trio.Event()

    async def send(chat: Chat) -> None:
        chat.on_failure = lambda message_id, status, reason: refused.set()
        broadcast = StreamBroadcast([chat], 100)
        broadcast.write(b"ab")
        broadcast.end_chunk()
        await refused.wait()
        broadcast.write(b"cd")
        broadcast.finish()
        lost.extend(broadcast.lost.values())
        chat.post(b"on we go", "message/cpim")

    async with running_server(application=scripted(send)) as server, Caller(server) as caller:
        await caller.join()
        frame = await caller.next_frame("SEND")
        await caller.msrp.send(
            render_frame(
                "413 Enough", caller.remote_path, caller.path, transaction_id=frame.transaction_id
            )
        )
        assert (await caller.next_frame("SEND")).body == b"on we go"
        # The refusal itself is told by the chat.
        assert lost == [0]


async def test_a_peer_that_has_gone_is_lost_and_harms_nobody() -> None:
    lost: list[int] = []

    async def send(chat: Chat) -> None:
        broadcast = StreamBroadcast([chat], 100)
        broadcast.write(b"ab")
        chat.call.hang_up()
        with trio.fail_after(PATIENCE):
            while chat.link is not None:
                await trio.lowlevel.checkpoint()
        broadcast.write(b"cd")
        broadcast.finish()
        lost.extend(broadcast.lost.values())

    async with running_server(application=scripted(send)) as server, Caller(server) as caller:
        await caller.join()
        await caller.await_bye()
        caller.msrp.close()
        with trio.fail_after(PATIENCE):
            while not lost:
                await trio.lowlevel.checkpoint()
    assert lost == [408]


async def test_who_stays_behind_loses_it_and_is_told_by_its_end() -> None:
    lost: dict[Chat, int] = {}
    done = trio.Event()

    async def send(chat: Chat) -> None:
        size = 40 * BACKLOG_PAUSE
        broadcast = StreamBroadcast([chat], size)
        with trio.fail_after(3 * PATIENCE):
            while not broadcast.lost:
                broadcast.write(b"x" * BACKLOG_PAUSE)
                await broadcast.keep_pace()
        lost.update(broadcast.lost)
        done.set()

    async with running_server(application=scripted(send)) as server, Caller(server) as caller:
        await caller.join(SMALL)
        with trio.fail_after(3 * PATIENCE):
            await done.wait()
            tail = b""
            while not tail.endswith(b"#\r\n"):
                tail = (tail + await caller.msrp.stream.receive_some(1024 * 1024))[-64:]
        ((chat, status),) = lost.items()
        assert not chat.is_over
        assert status == 408
