"""What a sender is told in a real room: that his message was delivered, and who has not got it."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from tests.end_to_end.wire_msrp import Frame, render_frame
from tests.peers import DOMAIN, PATIENCE, Caller, answer_frame, running_server, wrap

SUCCESS = "Success-Report: yes"
KIB = 1024


@pytest.fixture
def jumping_clock() -> MockClock:
    """Time that jumps ahead whenever the sockets are quiet."""
    return MockClock(autojump_threshold=0.02)


@asynccontextmanager
async def room_of(*names: str, rule: str = "accepted") -> AsyncGenerator[list[Caller]]:
    """Run a server with these people in one room; all that is said of coming is heard."""
    settings = {"Conference": {"success_reports": rule, "report_timeout": 3}}
    async with running_server(settings) as server, AsyncExitStack() as stack:
        people: list[Caller] = []
        for name in names:
            caller = await stack.enter_async_context(Caller(server, name))
            await caller.join()
            await caller.hear_notice()
            for other in people:
                await other.hear_notice()
            people.append(caller)
        yield people


async def say(caller: Caller, *headers: str, to: str | None = None, text: bytes = b"x") -> str:
    """Say something that must be taken, and return its Message-ID."""
    frame = caller.frame(wrap(caller.address, to or caller.room, text), "message/cpim", *headers)
    await caller.msrp.send(frame)
    assert (await caller.answer_to(frame)).status == 200
    return frame.split(b"Message-ID: ", 1)[1].split(b"\r\n", 1)[0].decode()


async def said_to(caller: Caller, text: bytes = b"x") -> Frame:
    """Return the next message that is of a person, as it came."""
    while not (frame := await caller.next_frame("SEND")).body.endswith(b"\r\n\r\n" + text):
        pass
    return frame


async def report(
    caller: Caller, frame: Frame, status: str = "200 OK", byte_range: str | None = None
) -> None:
    """Report on a message that came, and see to it that the server has read that."""
    size = len(frame.body)
    lines = [
        f"Status: 000 {status}",
        f"Message-ID: {frame.headers['Message-ID']}",
        f"Byte-Range: {byte_range or f'1-{size}/{size}'}",
    ]
    to_path, from_path = frame.headers["From-Path"], frame.headers["To-Path"]
    await caller.msrp.send(render_frame("REPORT", to_path, from_path, lines))
    assert await caller.send(None) == 200


async def refuse(caller: Caller, frame: Frame, status: str) -> None:
    """Answer a message with an error, and see to it that the server has read that."""
    await caller.msrp.send(answer_frame(frame, status))
    assert await caller.send(None) == 200


async def told(caller: Caller) -> tuple[str, str]:
    """Return the Message-ID and the Status of the next REPORT."""
    frame = await caller.next_frame("REPORT")
    return frame.headers["Message-ID"], frame.headers["Status"]


async def assert_nothing_is_told(caller: Caller) -> None:
    """Have an empty message reported: it is the next REPORT, unless there is another one."""
    frame = caller.frame(None, "", SUCCESS)
    await caller.msrp.send(frame)
    assert (await caller.answer_to(frame)).status == 200
    assert (await told(caller))[0].encode() in frame


# Success


async def test_accepted_is_reported_after_the_200_and_nobody_is_asked() -> None:
    async with room_of("alice", "bob") as (alice, bob):
        frame = alice.frame(wrap(alice.address, alice.room, b"x"), "message/cpim", SUCCESS)
        await alice.msrp.send(frame)
        first, second = await alice.msrp.receive(), await alice.msrp.receive()
        assert (first.status, second.what) == (200, "REPORT")
        assert second.headers["Status"] == "000 200 OK"
        size = frame.split(b"Byte-Range: 1-", 1)[1].split(b"/", 1)[0].decode()
        assert second.headers["Byte-Range"] == f"1-{size}/{size}"
        heard = await said_to(bob)
        assert "Success-Report" not in heard.headers
        assert heard.headers["Failure-Report"] == "partial"


async def test_a_byte_range_that_counts_characters_is_taken_and_reported_in_bytes() -> None:
    async with room_of("alice", "bob") as (alice, bob):
        body = wrap(alice.address, alice.room, "grüße".encode())
        count = len(body.decode())
        lines = ["Message-ID: m1", f"Byte-Range: 1-{count}/{count}", SUCCESS]
        lines.append("Content-Type: message/cpim")
        await alice.msrp.send(render_frame("SEND", alice.remote_path, alice.path, lines, body))
        report = await alice.next_frame("REPORT")
        assert report.headers["Byte-Range"] == f"1-{len(body)}/{count}"
        assert (await bob.hear()).text == "grüße"


async def test_any_reports_when_the_first_one_has_it_and_once() -> None:
    async with room_of("alice", "bob", "carol", rule="any") as (alice, bob, carol):
        message_id = await say(alice, SUCCESS)
        heard = [await said_to(one) for one in (bob, carol)]
        assert [frame.headers["Success-Report"] for frame in heard] == ["yes", "yes"]
        await assert_nothing_is_told(alice)
        await report(bob, heard[0])
        assert await told(alice) == (message_id, "000 200 OK")
        await report(carol, heard[1])
        await assert_nothing_is_told(alice)


async def test_all_reports_when_the_last_one_has_it() -> None:
    async with room_of("alice", "bob", "carol", rule="all") as (alice, bob, carol):
        message_id = await say(alice, SUCCESS)
        heard = [await said_to(one) for one in (bob, carol)]
        await report(bob, heard[0])
        await report(bob, heard[0])
        await assert_nothing_is_told(alice)
        size = len(heard[1].body)
        await report(carol, heard[1], byte_range=f"1-{size - 1}/{size}")
        await assert_nothing_is_told(alice)
        await report(carol, heard[1], byte_range=f"{size}-{size}/{size}")
        assert await told(alice) == (message_id, "000 200 OK")


async def test_nobody_is_asked_for_who_does_not_ask_and_nobody_waited_for_who_is_alone() -> None:
    async with room_of("alice", "bob", rule="all") as (alice, bob):
        await say(alice)
        assert "Success-Report" not in (await said_to(bob)).headers
        assert (await bob.bye()).status == 200
        await alice.hear_notice()
        message_id = await say(alice, SUCCESS)
        assert await told(alice) == (message_id, "000 200 OK")


@pytest.mark.parametrize("rule", ["any", "all"])
async def test_who_has_not_told_in_time_is_named(rule: str, jumping_clock: MockClock) -> None:
    async with room_of("alice", "bob", "carol", rule=rule) as (alice, bob, carol):
        message_id = await say(alice, SUCCESS)
        await said_to(carol)
        names = f"bob@{DOMAIN}, carol@{DOMAIN}"
        if rule == "all":
            await report(bob, await said_to(bob))
            names = f"carol@{DOMAIN}"
        assert await told(alice) == (message_id, f"000 408 {names}: Request Timeout")
        assert 3 <= jumping_clock.current_time() < 4


async def test_a_whisper_is_reported_when_that_person_has_it() -> None:
    async with room_of("alice", "bob", "carol", rule="all") as (alice, bob, _):
        message_id = await say(alice, SUCCESS, to=bob.address)
        await report(bob, await said_to(bob))
        assert await told(alice) == (message_id, "000 200 OK")


# Failure


async def test_who_refuses_is_named_with_his_status() -> None:
    async with room_of("alice", "bob", "carol") as (alice, bob, carol):
        message_id = await say(alice)
        await refuse(bob, await said_to(bob), "415 Unsupported media type")
        reason = f"bob@{DOMAIN}: Unsupported media type"
        assert await told(alice) == (message_id, f"000 415 {reason}")
        await report(carol, await said_to(carol), "413 Unwanted message")
        reason = f"carol@{DOMAIN}: Unwanted message"
        assert await told(alice) == (message_id, f"000 413 {reason}")


async def test_a_refused_whisper_is_told_too() -> None:
    async with room_of("alice", "bob", "carol") as (alice, bob, _):
        message_id = await say(alice, to=bob.address)
        await refuse(bob, await said_to(bob), "413 Too large")
        assert await told(alice) == (message_id, f"000 413 bob@{DOMAIN}: Too large")


async def test_the_words_of_a_recipient_can_do_no_harm() -> None:
    async with room_of("alice", "bob") as (alice, bob):
        message_id = await say(alice)
        await refuse(bob, await said_to(bob), "413 \x1b[2J\u202eno\u2028" + "x" * 300)
        identifier, status = await told(alice)
        assert identifier == message_id
        assert status.startswith(f"000 413 bob@{DOMAIN}:  [2J no x")
        assert status.isprintable()
        assert len(status) < 220


async def test_who_wants_no_failure_reports_gets_none() -> None:
    async with room_of("alice", "bob") as (alice, bob):
        body = wrap(alice.address, alice.room, b"x")
        await alice.msrp.send(alice.frame(body, "message/cpim", "Failure-Report: no"))
        await refuse(bob, await said_to(bob), "413 Too large")
        await assert_nothing_is_told(alice)


async def test_a_storm_of_refusals_is_told_once() -> None:
    async with room_of("alice", "bob") as (alice, bob):
        message_id = await say(alice)
        frame = await said_to(bob)
        await bob.msrp.send(answer_frame(frame, "413 No") * 500)
        await report(bob, frame, "413 No")
        assert await told(alice) == (message_id, f"000 413 bob@{DOMAIN}: No")
        await assert_nothing_is_told(alice)
        await alice.say("still here")
        assert (await bob.hear()).text == "still here"


async def test_of_many_refusals_some_are_named_and_the_others_counted(
    jumping_clock: MockClock,
) -> None:
    names = [f"p{number}" for number in range(8)]
    async with room_of("alice", *names) as (alice, *others):
        message_id = await say(alice)
        for other in others:
            await refuse(other, await said_to(other), "413 No")
        reports = [await told(alice) for _ in range(4)]
        assert reports == [
            *((message_id, f"000 413 p{number}@{DOMAIN}: No") for number in range(3)),
            (message_id, f"000 413 p7@{DOMAIN}: No, and 4 more"),
        ]
        await assert_nothing_is_told(alice)


async def test_a_sender_who_has_gone_is_told_nothing_and_the_room_goes_on() -> None:
    async with room_of("alice", "bob", "carol", rule="all") as (alice, bob, carol):
        await say(alice, SUCCESS)
        assert (await alice.bye()).status == 200
        await refuse(bob, await said_to(bob), "413 No")
        await report(carol, await said_to(carol))
        await bob.say("we go on")
        assert (await carol.hear()).text == "we go on"


# Large messages


def large_body(caller: Caller, size: int) -> bytes:
    return wrap(caller.address, caller.room, b"y" * size)


async def upload(caller: Caller, body: bytes, *headers: str, step: int = 256 * KIB) -> None:
    """Send a message in chunks, each when the one before is answered."""
    for start in range(0, len(body), step):
        part = body[start : start + step]
        lines = [
            "Message-ID: big",
            f"Byte-Range: {start + 1}-{start + len(part)}/{len(body)}",
            *headers,
            "Content-Type: message/cpim",
        ]
        flag = "$" if start + len(part) == len(body) else "+"
        frame = render_frame("SEND", caller.remote_path, caller.path, lines, part, flag=flag)
        await caller.msrp.send(frame)
        assert (await caller.answer_to(frame)).status == 200


async def test_a_large_message_is_delivered_when_its_parts_are_reported() -> None:
    async with room_of("alice", "bob", rule="all") as (alice, bob):
        body = large_body(alice, 400 * KIB)
        await upload(alice, body, SUCCESS)
        chunks = [await bob.next_frame("SEND")]
        while chunks[-1].flag == "+":
            chunks.append(await bob.next_frame("SEND"))
        assert len(chunks) > 1
        start = 0
        for chunk in chunks:
            assert chunk.headers["Success-Report"] == "yes"
            await assert_nothing_is_told(alice)
            end = start + len(chunk.body)
            await report(bob, chunk, byte_range=f"{start + 1}-{end}/{len(body)}")
            start = end
        assert await told(alice) == ("big", "000 200 OK")


async def test_who_refuses_a_large_message_is_named() -> None:
    async with room_of("alice", "bob", "carol") as (alice, bob, _):
        body = large_body(alice, 400 * KIB)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(upload, alice, body)
            await refuse(bob, await bob.next_frame("SEND"), "413 No room")
        assert await told(alice) == ("big", f"000 413 bob@{DOMAIN}: No room")
        await assert_nothing_is_told(alice)


async def test_who_loses_a_large_message_is_named() -> None:
    async with running_server() as server, AsyncExitStack() as stack:
        alice, bob, mallory = [
            await stack.enter_async_context(Caller(server, name))
            for name in ("alice", "bob", "mallory")
        ]
        for caller in (alice, bob):
            await caller.join()
        await mallory.join(4 * KIB)

        with trio.fail_after(4 * PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hear_large, bob)
                await upload(alice, large_body(alice, 12 * KIB * KIB))
                lost = await told(alice)
                assert lost == ("big", f"000 408 mallory@{DOMAIN}: Request Timeout")
                nursery.cancel_scope.cancel()


async def hear_large(caller: Caller) -> None:
    """Read all that comes."""
    while True:
        await caller.next_frame("SEND")
