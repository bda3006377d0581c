"""A chat as an application holds it: what it gets, what it sends, what it learns of both."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.errors import SessionEnded
from sylk.msrp.outstanding import MAX_TRANSACTIONS
from sylk.payload.cpim import Address, CpimMessage
from sylk.session import Broadcast, Chat, ChatMessage, Invitation, Receipt
from sylk.session.chat import INBOX_LIMIT, SEND_PAUSE
from sylk.session.endpoint import MEDIA_GRACE
from tests.end_to_end.wire_msrp import render_frame
from tests.peers import (
    DOMAIN,
    PATIENCE,
    Caller,
    Scripted,
    answer_frame,
    assert_nothing_left,
    chat_offer,
    running_server,
    wrap,
)

SMALL = 4096
"""Bytes of a receive buffer that is soon full."""


def accepting(
    talk: Callable[[Chat], Awaitable[None]],
    accept_types: tuple[str, ...] = ("message/cpim",),
) -> Scripted:
    """Return an application that accepts each call and does what is to be done in its chat."""

    async def accept(invitation: Invitation) -> None:
        async with invitation.accept(accept_types=accept_types) as chat:
            await talk(chat)

    return Scripted(accept)


async def listen(chat: Chat) -> None:
    async for _ in chat:
        pass


class Gate:
    """Hands the chat of the one call to the test, and keeps it until the test lets it go."""

    def __init__(self) -> None:
        self.closing = trio.Event()
        self._chats: list[Chat] = []
        self._arrived = trio.Event()

    async def hold(self, chat: Chat) -> None:
        self._chats.append(chat)
        self._arrived.set()
        await self.closing.wait()

    async def chat(self) -> Chat:
        with trio.fail_after(PATIENCE):
            await self._arrived.wait()
        return self._chats[0]


@pytest.fixture
def gate() -> Gate:
    return Gate()


# In


async def test_messages_come_one_by_one_and_are_answered() -> None:
    heard: list[tuple[str, str, Address | None]] = []

    async def talk(chat: Chat) -> None:
        async for message in chat:
            heard.append((message.text, message.content_type, message.sender))

    async with running_server(application=accepting(talk)) as server, Caller(server) as caller:
        await caller.join()
        for text in ("one", "zwöi"):
            await caller.say(text)
        report_wanted = ("Success-Report: yes",)
        frame = caller.frame(wrap(caller.address, None, b"3"), "message/cpim", *report_wanted)
        await caller.msrp.send(frame)
        assert (await caller.answer_to(frame)).status == 200
        report = await caller.next_frame("REPORT")
        assert report.headers["Status"].startswith("000 200")
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)
    sender = Address(f"sip:alice@{DOMAIN}")
    plain = "text/plain; charset=utf-8"
    assert heard == [("one", plain, sender), ("zwöi", plain, sender), ("3", plain, sender)]


async def test_what_came_before_the_end_can_still_be_read(gate: Gate) -> None:
    heard: list[str] = []

    async def talk(chat: Chat) -> None:
        await gate.hold(chat)
        async for message in chat:
            heard.append(message.text)

    async with running_server(application=accepting(talk)) as server, Caller(server) as caller:
        await caller.join()
        chat = await gate.chat()
        await caller.msrp.send(caller.line("last words"))
        await trio.testing.wait_all_tasks_blocked()
        assert (await caller.bye()).status == 200
        assert chat.is_over
        gate.closing.set()
        await assert_nothing_left(server)
        assert heard == ["last words"]


async def test_a_batch_is_all_that_one_read_brought() -> None:
    batches: list[list[bytes]] = []

    async def talk(chat: Chat) -> None:
        async for batch in chat.batches():
            batches.append([message.content for message in batch])
            chat.accept(batch)

    async with running_server(application=accepting(talk)) as server, Caller(server) as caller:
        await caller.join()
        frames = [caller.line(text) for text in ("a", "b", "c")]
        await caller.msrp.send(b"".join(frames))
        for frame in frames:
            assert (await caller.answer_to(frame)).status == 200
        assert b"".join(content for batch in batches for content in batch) == b"abc"


@pytest.mark.parametrize("as_report", [False, True])
async def test_a_message_is_refused_in_the_answer_or_in_a_report(as_report: bool) -> None:
    async def talk(chat: Chat) -> None:
        async for (message,) in chat.batches():
            chat.refuse(message, 413, as_report=as_report)

    async with running_server(application=accepting(talk)) as server, Caller(server) as caller:
        await caller.join()
        status = await caller.send(wrap(caller.address, None, b"x"))
        assert status == (200 if as_report else 413)
        if as_report:
            report = await caller.next_frame("REPORT")
            assert report.headers["Status"].startswith("000 413")


async def test_an_application_may_report_later_and_by_hand() -> None:
    async def talk(chat: Chat) -> None:
        receipts: list[Receipt] = []
        async for (message,) in chat.batches():
            chat.accept([message], report=False)
            for receipt in receipts:
                chat.report(receipt)
                chat.report(receipt, 415, "bob@example.com: No\r\nway")
            receipts = [chat.receipt_of(message)]

    async with running_server(application=accepting(talk)) as server, Caller(server) as caller:
        await caller.join()
        first = caller.frame(
            wrap(caller.address, None, b"x"), "message/cpim", "Success-Report: yes"
        )
        await caller.msrp.send(first)
        assert (await caller.answer_to(first)).status == 200
        await caller.say("the next one")
        for status in ("000 200 OK", "000 415 bob@example.com: No  way"):
            report = await caller.next_frame("REPORT")
            assert report.headers["Status"] == status
            assert report.headers["Message-ID"].encode() in first


async def test_a_message_that_came_in_chunks_is_one() -> None:
    got: list[ChatMessage] = []

    async def talk(chat: Chat) -> None:
        async for message in chat:
            got.append(message)

    async with running_server(application=accepting(talk)) as server, Caller(server) as caller:
        await caller.join()
        body = wrap(caller.address, None, "ü".encode() * 100)
        for start, part, flag in ((0, body[:151], "+"), (151, body[151:], "$")):
            lines = ["Message-ID: m1", f"Byte-Range: {start + 1}-*/{len(body)}"]
            lines.append("Content-Type: message/cpim")
            frame = render_frame("SEND", caller.remote_path, caller.path, lines, part, flag=flag)
            await caller.msrp.send(frame)
            assert (await caller.answer_to(frame)).status == 200
        assert [one.body for one in got] == [body]


async def test_a_sender_waits_while_the_application_does(gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        frames = b"".join(caller.line("x" * 100_000) for _ in range(300))
        async with trio.open_nursery() as nursery:

            async def flood() -> None:
                await caller.msrp.stream.send_all(frames)

            nursery.start_soon(flood)
            await trio.testing.wait_all_tasks_blocked(0.05)
            # All that is not read yet is in the buffers of the system, and the sender is held up.
            batches = aiter(chat.batches())
            first = await anext(batches)
            assert INBOX_LIMIT < sum(len(one.body) for one in first) < 2 * INBOX_LIMIT
            count = len(first)
            while count < 300:
                count += len(await anext(batches))
        assert count == 300


async def test_nicknames_are_refused_where_there_are_none() -> None:
    async with running_server(application=accepting(listen)) as server, Caller(server) as caller:
        await caller.join()
        frame = render_frame("NICKNAME", caller.remote_path, caller.path, ['Use-Nickname: "Al"'])
        await caller.msrp.send(frame)
        assert (await caller.answer_to(frame)).status == 403
        assert await caller.send(None) == 200


async def test_what_comes_after_the_end_is_told_so() -> None:
    async def leave(chat: Chat) -> None:
        await anext(aiter(chat))

    async with running_server(application=accepting(leave)) as server, Caller(server) as caller:
        await caller.join()
        await caller.say("go")
        bye = await caller.sip.request("BYE")
        # The BYE is not answered yet, so the media stand a little longer.
        assert await caller.send(wrap(caller.address, None, b"wait")) == 481
        await caller.sip.send(bye.answer("200 OK"))
        assert await caller.msrp.rest() == []
        await assert_nothing_left(server)


async def test_the_media_do_not_wait_for_ever_for_the_answer_to_a_bye(
    jumping_clock: MockClock,
) -> None:
    async def leave(chat: Chat) -> None:
        await trio.lowlevel.checkpoint()

    async with running_server(application=accepting(leave)) as server, Caller(server) as caller:
        await caller.join()
        await caller.sip.request("BYE")
        # Nobody answers it; the connection is closed all the same.
        assert await caller.msrp.rest() == []
        assert MEDIA_GRACE <= jumping_clock.current_time() < MEDIA_GRACE + 1
        assert server.endpoint.call_count == 1
        assert len(server.endpoint.msrp.registry) == 0


# Out


async def test_a_message_goes_out_wrapped_and_its_fate_is_told(gate: Gate) -> None:
    delivered: list[bytes] = []
    failed: list[tuple[bytes, int, str]] = []
    async with (
        running_server(application=accepting(gate.hold)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        chat.on_delivered = delivered.append
        chat.on_failure = lambda message_id, status, reason: failed.append(
            (message_id, status, reason)
        )
        assert chat.takes_cpim
        sent = [await chat.send(text) for text in ("fine", "reported", "refused", "lost")]
        await chat.wait_drained()
        frames = [await caller.next_frame("SEND") for _ in sent]
        message = CpimMessage.parse(frames[0].body)
        assert (message.from_, message.to) == (chat.local, [chat.remote])
        assert message.content == b"fine"
        assert message.content_type == "text/plain"
        assert message.date_time is not None
        assert [frame.headers["Message-ID"].encode() for frame in frames] == sent
        for frame, status in zip(
            frames, ("200 OK", "200 OK", "413 Too <much>", "200 OK"), strict=True
        ):
            await caller.msrp.send(answer_frame(frame, status))
        for frame, status in ((frames[1], "200 OK"), (frames[3], "408 Timeout")):
            lines = [
                f"Message-ID: {frame.headers['Message-ID']}",
                "Byte-Range: 1-4/4",
                f"Status: 000 {status}",
            ]
            await caller.msrp.send(
                render_frame("REPORT", frame.headers["From-Path"], frame.headers["To-Path"], lines)
            )
        assert await caller.send(None) == 200
        assert delivered == [sent[0], sent[1], sent[3], sent[1]]
        assert failed == [(sent[2], 413, "Too <much>"), (sent[3], 408, "Timeout")]


async def test_without_listeners_the_fate_of_messages_is_nobodys_business(gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        for status in ("200 OK", "413 Too much"):
            await chat.send("x")
            frame = await caller.next_frame("SEND")
            await caller.msrp.send(answer_frame(frame, status))
        assert await caller.send(None) == 200
        assert not chat.is_over


async def test_a_peer_without_cpim_is_talked_to_bare(gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold, ("text/plain",))) as server,
        Caller(server) as caller,
    ):
        await caller.invite(chat_offer(caller.path, accept_types="text/plain"))
        await caller.acknowledge()
        await caller.connect()
        chat = await gate.chat()
        assert not chat.takes_cpim
        await chat.send("grüß")
        frame = await caller.next_frame("SEND")
        assert frame.headers["Content-Type"] == "text/plain"
        assert frame.body == "grüß".encode()
        await caller.msrp.send(caller.frame(b"bare", "text/plain"))
        (message,) = await anext(aiter(chat.batches()))
        assert (message.text, message.sender) == ("bare", None)


async def test_a_slow_peer_holds_the_sender_up(gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold)) as server,
        Caller(server) as caller,
    ):
        await caller.join(SMALL)
        chat = await gate.chat()
        assert chat.backlog == 0
        while chat.backlog <= SEND_PAUSE:
            chat.post(b"x" * 50_000)
        sent = trio.Event()
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                await chat.send("after all that")
                sent.set()

            nursery.start_soon(send)
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert not sent.is_set()
            while "after all that" not in (await caller.next_frame("SEND")).body.decode():
                pass
        assert sent.is_set()
        assert chat.backlog == 0


async def test_nobody_can_be_talked_to_after_the_end(gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        caller.msrp.reset()
        bye = await caller.await_bye()
        assert bye["Reason"].startswith("SIP;cause=500;")
        with pytest.raises(SessionEnded) as caught:
            await chat.send("anybody there?")
        assert caught.value.reason.startswith("media:")
        # With nobody there nothing waits, and nothing more goes wrong.
        assert chat.backlog == 0
        await chat.wait_drained()
        Broadcast().send_to([chat])
        assert [batch async for batch in chat.batches()] == []


async def test_a_peer_that_answers_nothing_is_given_up(gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        for _ in range(MAX_TRANSACTIONS):
            chat.post(b"x")
        with pytest.raises(SessionEnded) as caught:
            chat.post(b"one too many")
        assert caught.value.status == 500
        await caller.await_bye()
        gate.closing.set()
        await assert_nothing_left(server)


# To many


async def test_a_broadcast_reaches_all_that_stand() -> None:
    chats: list[Chat] = []

    async def gather(chat: Chat) -> None:
        chats.append(chat)
        await listen(chat)

    async with (
        running_server(application=accepting(gather)) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob", transport="tcp") as bob,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, carol):
            await caller.join()
        await trio.testing.wait_all_tasks_blocked()
        carol.msrp.reset()
        await carol.await_bye()
        broadcast = Broadcast()
        assert len(broadcast) == 0
        for text in (b"one", b"two"):
            broadcast.add(wrap("room@x", "room@x", text))
        assert len(broadcast) == 2
        broadcast.send_to(chats)
        for caller in (alice, bob):
            assert [(await caller.hear()).text for _ in range(2)] == ["one", "two"]


async def test_what_was_queued_for_one_leaves_before_a_broadcast(gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        chat.session.send_message(wrap("a@x", "b@x", b"first"), b"message/cpim", 0.0)
        broadcast = Broadcast()
        broadcast.add(wrap("a@x", "b@x", b"second"))
        broadcast.send_to([chat])
        assert [(await caller.hear()).text for _ in range(2)] == ["first", "second"]
