"""A chat whose connection breaks and is opened again by the peer."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from sylk.errors import SessionEnded
from sylk.session import Broadcast, Chat, Invitation, StreamBroadcast
from sylk.session.chat import SEND_PAUSE
from sylk.session.dial import Dialled
from sylk.sip.core import IncomingRequest
from sylk.sip.uri import SipURI
from tests.end_to_end.wire_msrp import render_frame
from tests.peers import (
    DOMAIN,
    HOST,
    PATIENCE,
    Caller,
    answer_frame,
    assert_nothing_left,
    destination,
    running_endpoint,
    running_server,
    sip_port,
    wrap,
)
from tests.session.middlebox import border_controller
from tests.session.test_chat import Gate, accepting, listen

RECONNECT = 20.0
ME = f"alice@{DOMAIN}"


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def until(chat: Chat, *, connected: bool) -> None:
    with trio.fail_after(PATIENCE):
        while chat.is_connected is not connected:
            await trio.lowlevel.checkpoint()


async def test_what_is_said_to_one_who_is_away_waits_in_its_order(gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold), reconnect_timeout=RECONNECT) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        assert chat.is_connected
        caller.msrp.reset()
        await until(chat, connected=False)
        assert not chat.is_over
        chat.post(wrap(ME, ME, b"one"))
        broadcast = Broadcast()
        for text in (b"two", b"three"):
            broadcast.add(wrap(ME, ME, text))
        broadcast.send_to([chat])
        chat.post(wrap(ME, ME, b"four"), failure_report=b"no")
        await chat.send("five")
        assert chat.backlog == 0
        await chat.wait_drained()
        await caller.connect()
        texts = [(await caller.hear_all()).text for _ in range(5)]
        assert texts == ["one", "two", "three", "four", "five"]
        assert chat.is_connected
        assert (await caller.bye()).status == 200
        gate.closing.set()
        await assert_nothing_left(server)


async def test_what_was_not_answered_comes_again_under_its_id_and_what_was_does_not(
    gate: Gate,
) -> None:
    delivered: list[bytes] = []
    async with (
        running_server(application=accepting(gate.hold), reconnect_timeout=RECONNECT) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        chat.on_delivered = delivered.append
        first = chat.post(wrap(ME, ME, b"one"))
        await caller.hear_all()
        # In order, so the first one is known to be answered when this is.
        assert await caller.send(None) == 200
        second = chat.post(wrap(ME, ME, b"two"))
        lost = await caller.next_frame("SEND")
        caller.msrp.reset()
        await until(chat, connected=False)
        await caller.connect()
        again = await caller.next_frame("SEND")
        assert delivered == [first]
        assert again.headers["Message-ID"] == lost.headers["Message-ID"]
        assert again.transaction_id != lost.transaction_id
        await caller.msrp.send(answer_frame(again))
        assert await caller.send(None) == 200
        assert delivered == [first, second]


async def test_a_message_whose_answer_was_lost_is_heard_once() -> None:
    heard: list[str] = []

    async def hear(chat: Chat) -> None:
        async for message in chat:
            heard.append(message.text)

    async with (
        running_server(application=accepting(hear), reconnect_timeout=RECONNECT) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        frame = caller.line("once")
        await caller.msrp.send(frame)
        with trio.fail_after(PATIENCE):
            while not heard:
                await trio.lowlevel.checkpoint()
        await caller.connect()
        await caller.msrp.send(frame)
        assert (await caller.answer_to(frame)).status == 200
        await caller.say("twice")
        assert heard == ["once", "twice"]


async def test_who_stays_away_is_let_go_in_time(jumping_clock: MockClock, gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold), reconnect_timeout=RECONNECT) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        caller.msrp.reset()
        await until(chat, connected=False)
        begun = trio.current_time()
        chat.post(wrap(ME, ME, b"lost"))
        await trio.sleep(RECONNECT - 1)
        assert not chat.is_over
        bye = await caller.await_bye()
        assert bye["Reason"].startswith("SIP;cause=500;")
        assert trio.current_time() - begun == pytest.approx(RECONNECT, abs=0.5)
        with pytest.raises(SessionEnded, match="no other connection in time"):
            chat.post(wrap(ME, ME, b"too late"))
        Broadcast().send_to([chat])
        gate.closing.set()
        await assert_nothing_left(server)
        # Whoever comes now is a stranger.
        await caller.open_msrp()
        assert await caller.send(None) == 481


async def test_too_much_for_one_who_is_away_ends_the_chat(gate: Gate) -> None:
    async with (
        running_server(
            application=accepting(gate.hold), reconnect_timeout=RECONNECT, outbox_limit=10_000
        ) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        caller.msrp.reset()
        await until(chat, connected=False)
        broadcast = Broadcast()
        broadcast.add(bytes(6_000))
        broadcast.send_to([chat])
        assert not chat.is_over
        broadcast.send_to([chat])
        assert chat.is_over
        assert "wait for another connection" in chat.call.reason
        broadcast.send_to([chat])
        await caller.await_bye()


async def test_a_bye_ends_the_wait(gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold), reconnect_timeout=RECONNECT) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        caller.msrp.reset()
        await until(chat, connected=False)
        assert (await caller.bye()).status == 200
        with trio.fail_after(PATIENCE):
            while not chat.is_over:
                await trio.lowlevel.checkpoint()
        gate.closing.set()
        await assert_nothing_left(server)


@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_talkative_application_waits_for_who_is_away(comes_back: bool) -> None:
    sent: list[int] = []
    ended: list[str] = []

    async def talk(chat: Chat) -> None:
        try:
            await until(chat, connected=False)
            for number in range(20):
                await chat.send(bytes(SEND_PAUSE // 4), "text/plain")
                sent.append(number)
        except SessionEnded as error:
            ended.append(error.reason)
            raise
        await listen(chat)

    async with (
        running_server(application=accepting(talk), reconnect_timeout=RECONNECT) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        caller.msrp.reset()
        with trio.fail_after(PATIENCE):
            while len(sent) < 4:
                await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        assert len(sent) == 4
        if comes_back:
            await caller.connect()
            for _ in range(20):
                await caller.msrp.send(answer_frame(await caller.next_frame("SEND")))
            assert len(sent) == 20
        else:
            assert (await caller.bye()).status == 200
        await assert_nothing_left(server) if not comes_back else None
    assert bool(ended) is not comes_back


async def test_a_nickname_waits_for_the_connection(gate: Gate) -> None:
    async with (
        running_server(application=accepting(gate.hold), reconnect_timeout=RECONNECT) as server,
        Caller(server) as caller,
        trio.open_nursery() as nursery,
    ):
        await caller.join()
        chat = await gate.chat()
        caller.msrp.reset()
        await until(chat, connected=False)
        statuses: list[int] = []

        async def ask() -> None:
            statuses.append(await chat.set_nickname("Ali"))

        nursery.start_soon(ask)
        await caller.connect()
        asked = await caller.next_frame("NICKNAME")
        await caller.msrp.send(render_answer(asked.transaction_id, caller))
        with trio.fail_after(PATIENCE):
            while not statuses:
                await trio.lowlevel.checkpoint()
        assert statuses == [200]


def render_answer(transaction_id: str, caller: Caller) -> bytes:
    return render_frame("200 OK", caller.remote_path, caller.path, transaction_id=transaction_id)


async def test_a_message_in_pieces_does_not_outlive_the_connection(gate: Gate) -> None:
    failures: list[tuple[bytes, int]] = []

    def fail(message_id: bytes, status: int, _reason: str) -> None:
        failures.append((message_id, status))

    async with (
        running_server(application=accepting(gate.hold), reconnect_timeout=RECONNECT) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        chat.on_failure = fail
        begun = StreamBroadcast([chat], 100)
        begun.write(b"ab")
        caller.msrp.reset()
        await until(chat, connected=False)
        assert failures == [(begun.message_id, 408)]
        begun.write(b"cd")
        assert begun.lost == {chat: 0}
        meanwhile = StreamBroadcast([chat], 100)
        assert meanwhile.lost == {chat: 408}
        for broadcast in (begun, meanwhile):
            broadcast.finish()
        await caller.connect()
        after = StreamBroadcast([chat], 2)
        after.write(b"ef")
        after.finish()
        frame = await caller.next_frame("SEND")
        assert (frame.body, frame.flag) == (b"ef", "$")


async def test_without_time_to_come_back_the_end_of_the_connection_is_that_of_the_chat(
    gate: Gate,
) -> None:
    async with (
        running_server(application=accepting(gate.hold)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        chat = await gate.chat()
        caller.msrp.reset()
        await caller.await_bye()
        assert chat.is_over


@pytest.mark.parametrize("callee_listens", [True, False])
async def test_two_of_us_whose_connection_a_middlebox_breaks(
    jumping_clock: MockClock, callee_listens: bool
) -> None:
    """Whoever was active opens it again, through the box as at first (RFC 6714)."""
    heard: list[str] = []
    answered: list[str] = []

    async with trio.open_nursery() as nursery:

        async def answer(invitation: Invitation) -> None:
            async with invitation.accept() as chat:
                async for message in chat:
                    heard.append(message.text)
                    await chat.send(message.text.upper())

        def ring(incoming: IncomingRequest) -> None:
            nursery.start_soon(answer, Invitation(bob, incoming))

        async with (
            running_endpoint(
                ring, msrp_port=0 if callee_listens else None, reconnect_timeout=RECONNECT
            ) as bob,
            running_endpoint(reconnect_timeout=RECONNECT) as alice,
            border_controller((HOST, sip_port(bob, "udp"))) as box,
        ):
            way = replace(destination(bob, "bob"), proxy=SipURI.parse(f"sip:{HOST}:{box.port}"))
            async with Dialled(alice, way) as chat:
                for number in range(10):
                    await chat.send(f"word {number}")
                    if number % 3 == 0:
                        for anchor in box.anchors:
                            anchor.cut()
                    await trio.sleep(0.1)
                with trio.fail_after(100):
                    async for message in chat:
                        answered.append(message.text)
                        if len(answered) == 10:
                            break
            assert sum(anchor.connections for anchor in box.anchors) > 1
            await assert_nothing_left(alice)
            await assert_nothing_left(bob)
    assert heard == [f"word {number}" for number in range(10)]
    assert answered == [f"WORD {number}" for number in range(10)]
