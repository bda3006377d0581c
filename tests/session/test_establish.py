"""How a chat comes to stand, or does not: ACK, connection, first SEND, in all their orders."""

import pytest
import trio
from trio.testing import MockClock

from tests.end_to_end.wire_msrp import render_frame
from tests.peers import (
    HOST,
    Answering,
    Caller,
    MsrpListener,
    answer_frame,
    assert_nothing_left,
    attribute,
    chat_offer,
    running_server,
)

SOON = 0.05
"""Seconds after which the server gives up, where a test wants it to."""


async def test_the_ack_before_the_connection(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        await answering.wait_stands()
        assert (await caller.bye()).status == 200
        assert await answering.wait_over() == "BYE"
        await assert_nothing_left(server)


async def test_the_connection_before_the_ack(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.invite()
        await caller.connect()
        assert not answering.stands.is_set()
        await caller.acknowledge()
        await answering.wait_stands()


@pytest.mark.parametrize("setup", ["active", "actpass", None])
async def test_the_server_listens_unless_the_peer_does(
    answering: Answering, setup: str | None
) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        final = await caller.invite(chat_offer(caller.path, setup=setup))
        assert attribute(final.body, "setup") == ["passive"]


async def test_the_server_connects_to_a_peer_that_listens(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        MsrpListener() as listener,
        Caller(server) as caller,
    ):
        caller.path = listener.path
        final = await caller.invite(chat_offer(listener.path, setup="passive"))
        assert attribute(final.body, "setup") == ["active"]
        await caller.acknowledge()
        caller.take_msrp(await listener.accept())
        first = await caller.msrp.receive()
        # The connection is named by an empty SEND, and stands when that is answered.
        assert (first.what, first.body) == ("SEND", b"")
        assert first.headers["To-Path"] == listener.path
        assert first.headers["From-Path"] == caller.remote_path
        assert not answering.stands.is_set()
        await caller.msrp.send(answer_frame(first))
        await answering.wait_stands()
        assert (await caller.bye()).status == 200
        assert await caller.msrp.rest() == []
        await assert_nothing_left(server)


async def test_a_peer_that_listens_and_refuses_the_session(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        MsrpListener() as listener,
        Caller(server) as caller,
    ):
        await caller.invite(chat_offer(listener.path, setup="passive"))
        await caller.acknowledge()
        caller.take_msrp(await listener.accept())
        await caller.msrp.send(answer_frame(await caller.msrp.receive(), "481 No such session"))
        assert (await caller.await_bye())["Reason"].startswith("SIP;cause=500;")
        assert "481" in await answering.wait_over()
        await assert_nothing_left(server)


async def test_a_peer_that_listens_nowhere(answering: Answering) -> None:
    async with MsrpListener() as listener:
        path = listener.path
    async with (
        running_server(application=answering.application, establish_timeout=1) as server,
        Caller(server) as caller,
    ):
        await caller.invite(chat_offer(path, setup="passive"))
        await caller.acknowledge()
        assert (await caller.await_bye())["Reason"].startswith("SIP;cause=500;")
        assert "cannot connect" in await answering.wait_over()
        await assert_nothing_left(server)


# The offer in the 200, the answer in the ACK


@pytest.mark.parametrize("setup", ["active", None, "passive"])
async def test_the_offer_in_the_200_and_the_answer_in_the_ack(
    answering: Answering, setup: str | None
) -> None:
    async with (
        running_server(application=answering.application) as server,
        MsrpListener() as listener,
        Caller(server) as caller,
    ):
        final = await caller.invite(b"")
        assert attribute(final.body, "setup") == ["actpass"]
        assert attribute(final.body, "accept-types") == ["message/cpim"]
        if setup == "active":
            await caller.acknowledge(chat_offer(caller.path, setup=setup))
            await caller.connect()
        else:
            # An answer without setup comes from one who listens.
            caller.path = listener.path
            await caller.acknowledge(chat_offer(listener.path, setup=setup))
            caller.take_msrp(await listener.accept())
            await caller.msrp.send(answer_frame(await caller.msrp.receive()))
        await answering.wait_stands()
        assert await caller.send(b"From: <sip:a@b>\r\n\r\n\r\nhello") == 200
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        chat_offer("msrp://h:1/x;tcp", port=0),
        chat_offer("msrp://h:1/x;tcp") + b"m=message 9 TCP/MSRP *\r\n",
    ],
)
async def test_an_answer_in_the_ack_that_is_none_ends_the_call(
    answering: Answering, answer: bytes
) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.invite(b"")
        await caller.acknowledge(answer)
        assert "Reason" in await caller.await_bye()
        assert "answer" in await answering.wait_over()
        await assert_nothing_left(server)


# What never comes


async def test_without_media_the_call_ends(answering: Answering) -> None:
    async with (
        running_server(application=answering.application, establish_timeout=SOON) as server,
        Caller(server) as caller,
    ):
        await caller.invite()
        await caller.acknowledge()
        assert (await caller.await_bye())["Reason"].startswith("SIP;cause=500;")
        assert (await answering.wait_over()).startswith("media did not come")
        await assert_nothing_left(server)


async def test_without_ack_the_call_ends_and_a_late_ack_is_answered_with_bye(
    answering: Answering,
) -> None:
    async with (
        running_server(application=answering.application, establish_timeout=SOON) as server,
        Caller(server) as caller,
    ):
        await caller.invite()
        assert (await answering.wait_over()).startswith("the ACK did not come")
        # Before the ACK there must be no BYE (RFC 3261 section 15).
        await caller.acknowledge()
        assert (await caller.await_bye())["Reason"].startswith("SIP;cause=500;")
        await assert_nothing_left(server)


async def test_an_ack_that_never_comes_at_all(
    answering: Answering, jumping_clock: MockClock
) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        first = await caller.invite()
        began = jumping_clock.current_time()
        again = [await caller.sip.receive() for _ in range(3)]
        assert [one.raw for one in again] == [first.raw] * 3
        await caller.sip.request("BYE")
        # 64·T1 after the 200 (RFC 3261 section 13.3.1.4). Nobody answers the BYE either.
        assert 30 < jumping_clock.current_time() - began < 33
        assert await answering.wait_over() == "the ACK did not come within 15 s"
        with trio.fail_after(64):
            await server.endpoint.wait_calls_over()
        await assert_nothing_left(server)


async def test_a_peer_that_connects_and_says_nothing(answering: Answering) -> None:
    async with (
        running_server(application=answering.application, establish_timeout=SOON) as server,
        Caller(server) as caller,
    ):
        await caller.invite()
        await caller.acknowledge()
        await caller.open_msrp()
        await caller.await_bye()
        assert await caller.msrp.rest() == []
        await assert_nothing_left(server)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\xff" * 20_000],
)
async def test_garbage_in_place_of_msrp_harms_the_connection_alone(
    answering: Answering, garbage: bytes
) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.invite()
        await caller.acknowledge()
        await caller.open_msrp()
        await caller.msrp.send(garbage)
        assert await caller.msrp.rest() == []
        # It named no session: the session still waits for a peer that does.
        await caller.connect()
        await answering.wait_stands()


async def test_garbage_once_the_session_stands_ends_it(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        await caller.msrp.send(b"GET / HTTP/1.1\r\n\r\n")
        assert (await caller.await_bye())["Reason"].startswith("SIP;cause=500;")
        assert (await answering.wait_over()).startswith("media")
        await assert_nothing_left(server)


async def test_a_session_of_somebody_else_cannot_be_taken(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
        Caller(server) as thief,
    ):
        await caller.invite()
        await caller.acknowledge()
        await thief.open_msrp()
        # The thief knows our path, but not that of the caller.
        thief.remote_path = caller.remote_path
        assert await thief.send(None) == 481
        await caller.connect()
        # Now it is taken; even who knows both paths cannot push its owner out.
        thief.path = caller.path
        assert await thief.send(None) == 506
        assert await caller.send(None) == 200


async def test_the_first_send_may_hold_a_message(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.invite()
        await caller.acknowledge()
        await caller.open_msrp()
        assert await caller.send(b"From: <sip:a@b>\r\n\r\n\r\nhello") == 200
        await answering.wait_stands()


async def test_another_request_before_the_session_stands_is_refused(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.invite()
        await caller.acknowledge()
        await caller.open_msrp()
        nickname = render_frame("NICKNAME", caller.remote_path, caller.path, ['Use-Nickname: "A"'])
        await caller.msrp.send(nickname)
        assert (await caller.answer_to(nickname)).status == 481
        await caller.bind()
        await answering.wait_stands()


# Faults at each stage


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    "stage", ["answered", "acknowledged", "connected", "half a frame", "bound", "talking"]
)
@pytest.mark.parametrize("ending", ["reset", "BYE"])
async def test_nothing_is_left_of_a_call_that_breaks_off(
    answering: Answering, transport: str, stage: str, ending: str
) -> None:
    async with (
        running_server(application=answering.application, establish_timeout=SOON) as server,
        Caller(server, transport=transport) as caller,
    ):
        stages = ["answered", "acknowledged", "connected", "half a frame", "bound", "talking"]
        reached = stages.index(stage)
        await caller.invite()
        if reached >= 1:
            await caller.acknowledge()
        if reached >= 2:
            await caller.open_msrp()
        if reached == 3:
            await caller.msrp.send(caller.frame(None)[:30])
        if reached >= 4:
            await caller.bind()
            await answering.wait_stands()
        if reached >= 5:
            await caller.msrp.send(caller.line("one") + caller.line("two")[:60])
        if ending == "BYE":
            assert (await caller.bye()).status == 200
        else:
            if reached >= 2:
                caller.msrp.reset()
            await answering.wait_over()
            if reached == 0:
                await caller.acknowledge()
            await caller.await_bye()
        await answering.wait_over()
        await assert_nothing_left(server)
        assert server.endpoint.msrp.listening == [("tcp", (HOST, caller.msrp_port))]
