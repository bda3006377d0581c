"""The echo application, with a phone that is not ours and one that is."""

import pytest
import trio
from sylk_echo import Echo, EchoSettings
from trio.testing import MockClock

from sylk.payload.cpim import CpimMessage
from sylk.session.dial import Dialled
from tests.peers import (
    DOMAIN,
    PATIENCE,
    Caller,
    answer_frame,
    assert_nothing_left,
    chat_offer,
    destination,
    running_endpoint,
    running_server,
    wrap,
)

ECHO = f"echo@{DOMAIN}"


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"hello", "text/plain; charset=utf-8"),
        ("grüß".encode(), "text/html"),
        (b"\x89PNG\r\n\x1a\n\xff", "image/png"),
        (b"", "text/plain"),
    ],
)
async def test_what_is_said_comes_back_with_its_type(content: bytes, content_type: str) -> None:
    async with running_server() as server, Caller(server, room=ECHO) as caller:
        await caller.join()
        body = wrap(caller.address, ECHO, content, content_type)
        frame = caller.frame(body, "message/cpim", "Success-Report: yes")
        await caller.msrp.send(frame)
        assert (await caller.answer_to(frame)).status == 200
        report = await caller.next_frame("REPORT")
        assert report.headers["Status"].startswith("000 200")
        echoed = await caller.next_frame("SEND")
        await caller.msrp.send(answer_frame(echoed))
        message = CpimMessage.parse(echoed.body)
        assert message.content == content
        assert message.content_type == content_type
        assert message.from_ is not None
        assert message.from_.uri == f"sip:{ECHO}"
        assert [one.uri for one in message.to] == [f"sip:{caller.address}"]
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_echo_is_no_conference() -> None:
    async with running_server() as server, Caller(server, room=ECHO) as caller:
        final = await caller.invite()
        assert "isfocus" not in final["Contact"]
        assert b"chatroom" not in final.body


async def test_many_messages_come_back_in_order() -> None:
    async with running_server() as server, running_endpoint() as endpoint:
        target = destination(server.endpoint, "echo")
        texts = [f"line {number}" for number in range(200)]
        with trio.fail_after(PATIENCE):
            async with Dialled(endpoint, target) as chat:
                heard: list[str] = []
                for text in texts:
                    await chat.send(text)
                async for message in chat:
                    heard.append(message.text)
                    if len(heard) == len(texts):
                        break
        assert heard == texts
        await assert_nothing_left(server)


async def test_what_is_no_chat_is_488() -> None:
    async with running_server() as server, Caller(server, room=ECHO) as caller:
        final = await caller.invite(chat_offer(caller.path, port=0))
        assert final.status == 488
        await caller.acknowledge()
        await assert_nothing_left(server)


async def test_a_message_that_is_no_cpim_ends_nothing() -> None:
    async with running_server() as server, Caller(server, room=ECHO) as caller:
        await caller.join()
        for nonsense in (b"\xff nonsense", b"From: <>\r\n\r\n\r\nx", b""):
            assert await caller.send(nonsense) == 200
            report = await caller.next_frame("REPORT")
            assert report.headers["Status"].startswith("000 400")
        await caller.say("still there?")
        echoed = await caller.next_frame("SEND")
        assert echoed.body.endswith(b"still there?")


async def test_a_session_lasts_ten_minutes_at_most(jumping_clock: MockClock) -> None:
    assert EchoSettings().session_limit == 600
    async with (
        running_server(application=Echo(EchoSettings(session_limit=20))) as server,
        Caller(server, room=ECHO) as caller,
    ):
        await caller.join()
        began = jumping_clock.current_time()
        with trio.move_on_after(600):
            while True:
                frame = await caller.msrp.stream.receive_some()
                if not frame:
                    break
        assert 19 < jumping_clock.current_time() - began < 23
        assert "Reason" not in await caller.await_bye()
        await assert_nothing_left(server)
