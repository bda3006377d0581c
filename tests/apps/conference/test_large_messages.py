"""Large messages through a real room: passed on as they come, whole or ended aloud."""

import secrets

import pytest
import trio

from tests.end_to_end.wire_msrp import Frame, render_frame
from tests.peers import DOMAIN, PATIENCE, Caller, running_server, wrap

KIB = 1024
LETTERS = bytes(97 + number % 26 for number in range(26 * KIB))


async def enter(caller: Caller) -> None:
    await caller.join()
    await caller.hear_notice()


def body_of(caller: Caller, size: int, to: str | None = None) -> bytes:
    """Return a message of about `size` bytes in which no two places look alike for long."""
    content = b"".join(b"%08d" % number for number in range(size // 8))
    return wrap(caller.address, to or caller.room, content)


def chunk(
    caller: Caller,
    message_id: str,
    start: int,
    body: bytes,
    total: int | str,
    flag: str,
    *headers: str,
) -> bytes:
    lines = [
        f"Message-ID: {message_id}",
        f"Byte-Range: {start + 1}-{start + len(body)}/{total}",
        *headers,
        "Content-Type: message/cpim",
    ]
    return render_frame("SEND", caller.remote_path, caller.path, lines, body, flag=flag)


async def collect(caller: Caller) -> tuple[bytes, list[Frame]]:
    """Return the next message of which several chunks come, and the chunks."""
    frames: list[Frame] = []
    while not frames or frames[-1].flag == "+":
        frame = await caller.next_frame("SEND")
        if frame.headers["Content-Type"] == "message/cpim":
            frames.append(frame)
    return b"".join(frame.body or b"" for frame in frames), frames


def content_of(message: bytes) -> bytes:
    return message.split(b"\r\n\r\n", 2)[2]


async def test_what_came_in_one_chunk_leaves_in_one() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, carol):
            await enter(caller)
        for caller in (alice, bob):
            await caller.hear_notice()
        await alice.hear_notice()
        body = body_of(alice, 700 * KIB)

        async def listen(caller: Caller) -> None:
            received, frames = await collect(caller)
            assert content_of(received) == content_of(body)
            assert [frame.flag for frame in frames] == ["$"]
            assert frames[0].headers["Byte-Range"] == f"1-*/{len(received)}"
            assert frames[0].headers["Failure-Report"] == "partial"

        # Who does not read for long is left out.
        async with trio.open_nursery() as nursery:
            for caller in (bob, carol):
                nursery.start_soon(listen, caller)
            assert await alice.send(body) == 200


async def test_chunks_leave_as_chunks_and_a_short_message_goes_between_them() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, carol):
            await enter(caller)
        await bob.hear_notice()
        body = body_of(alice, 300 * KIB)
        first, second = body[: 150 * KIB], body[150 * KIB :]
        extra = "Success-Report: yes"
        for start, part, flag in ((0, first, "+"), (len(first), second, "$")):
            frame = chunk(alice, "big", start, part, len(body), flag, extra)
            await alice.msrp.send(frame)
            assert (await alice.answer_to(frame)).status == 200
            if flag == "+":
                await carol.say("quick")
        received, frames = b"", list[Frame]()
        while not frames or frames[-1].flag == "+" or b"quick" in (frames[-1].body or b""):
            frames.append(await bob.next_frame("SEND"))
        (quick,) = [
            number for number, frame in enumerate(frames) if b"quick" in (frame.body or b"")
        ]
        assert 0 < quick < len(frames) - 1
        received = b"".join(
            frame.body or b"" for number, frame in enumerate(frames) if number != quick
        )
        assert content_of(received) == content_of(body)
        report = await alice.next_frame("REPORT")
        assert report.headers["Status"].startswith("000 200")
        assert report.headers["Byte-Range"] == f"1-{len(body)}/{len(body)}"


async def test_a_long_chunk_is_interrupted_for_a_short_message() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, carol):
            await enter(caller)
        await bob.hear_notice()
        body = body_of(alice, 400 * KIB)
        frame = alice.frame(body)
        half = len(frame) // 2
        await alice.msrp.send(frame[:half])
        # The first half has begun to arrive before the short message is said.
        with trio.fail_after(PATIENCE):
            beginning = await bob.msrp.stream.receive_some(4 * KIB)
            while b"big" not in beginning and b"00000001" not in beginning:
                beginning += await bob.msrp.stream.receive_some(4 * KIB)
        bob.msrp.push_back(beginning)
        await carol.say("quick")
        frames = [await bob.next_frame("SEND")]
        assert frames[0].flag == "+"
        assert b"quick" in ((await bob.next_frame("SEND")).body or b"")
        await alice.msrp.send(frame[half:])
        received, rest = await collect(bob)
        assert content_of((frames[0].body or b"") + received) == content_of(body)
        assert rest[0].headers["Byte-Range"].startswith(f"{len(frames[0].body or b'') + 1}-*/")


async def test_who_joins_in_the_middle_gets_nothing_of_it() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        await enter(alice)
        await enter(bob)
        body = body_of(alice, 200 * KIB)
        half = len(body) // 2
        frame = chunk(alice, "big", 0, body[:half], len(body), "+")
        await alice.msrp.send(frame)
        await alice.answer_to(frame)
        await enter(carol)
        frame = chunk(alice, "big", half, body[half:], len(body), "$")
        await alice.msrp.send(frame)
        await alice.answer_to(frame)
        received, _ = await collect(bob)
        assert content_of(received).startswith(b"00000000")
        await alice.say("now all")
        heard = await carol.hear()
        assert heard.text == "now all"


@pytest.mark.parametrize("ending", ["abort", "reset", "bye"])
async def test_an_upload_that_is_dropped_is_ended_for_everybody(ending: str) -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, carol):
            await enter(caller)
        body = body_of(alice, 200 * KIB)
        frame = chunk(alice, "big", 0, body[: 100 * KIB], len(body), "+")
        await alice.msrp.send(frame)
        await alice.answer_to(frame)
        if ending == "abort":
            frame = chunk(alice, "big", 100 * KIB, b"", len(body), "#")
            await alice.msrp.send(frame)
            assert (await alice.answer_to(frame)).status == 200
        elif ending == "reset":
            alice.msrp.reset()
        else:
            await alice.bye()
        for caller in (bob, carol):
            received, frames = await collect(caller)
            while len(received) < 100 * KIB and frames[-1].flag == "$":
                # A notice of the room came before it.
                received, frames = await collect(caller)
            assert frames[-1].flag == "#"
        await bob.say("we go on")
        assert (await carol.hear()).text == "we go on"


@pytest.mark.parametrize(
    ("sender", "to", "status"),
    [("mallory", None, "403"), ("alice", f"nobody@{DOMAIN}", "404")],
)
async def test_what_is_refused_at_its_beginning_reaches_nobody(
    sender: str, to: str | None, status: str
) -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        body = wrap(f"{sender}@{DOMAIN}", to or alice.room, LETTERS * 8)
        await alice.msrp.send(alice.frame(body))
        report = await alice.next_frame("REPORT")
        assert report.headers["Status"].startswith(f"000 {status}")
        await alice.say("still here")
        assert (await bob.hear()).text == "still here"


async def test_a_whispered_one_reaches_one_alone() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, carol):
            await enter(caller)
        body = body_of(alice, 200 * KIB, bob.address)
        assert await alice.send(body) == 200
        received, _ = await collect(bob)
        while len(received) < 200 * KIB:
            received, _ = await collect(bob)
        assert content_of(received) == content_of(body)
        await alice.say("to all")
        assert (await carol.hear()).text == "to all"


async def test_who_reads_too_slowly_loses_the_message_and_keeps_his_place() -> None:
    """He gets the end of it that tells him so, and whatever is said after it."""
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "mallory") as mallory,
    ):
        await enter(alice)
        await enter(bob)
        await mallory.join(4 * KIB)
        body = body_of(alice, 12 * KIB * KIB)
        statuses: list[int] = []

        async def upload() -> None:
            for start in range(0, len(body), 512 * KIB):
                part = body[start : start + 512 * KIB]
                flag = "$" if start + len(part) == len(body) else "+"
                frame = chunk(alice, "big", start, part, len(body), flag)
                await alice.msrp.send(frame)
                statuses.append((await alice.answer_to(frame)).status)

        with trio.fail_after(3 * PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(upload)
                received, _ = await collect(bob)
                while len(received) < len(body) // 2:
                    received, _ = await collect(bob)
            assert content_of(received) == content_of(body)
            assert set(statuses) == {200}
            await alice.say("after it")
            tail = b""
            while b"after it" not in tail:
                tail = (tail + await mallory.msrp.stream.receive_some(1024 * KIB))[-8 * KIB :]
        assert b"#\r\nMSRP " in tail


async def test_end_lines_in_the_content_forge_nothing() -> None:
    """A recipient tells the sender the transaction id, who writes its end-line into the body."""
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        forged = f"MSRP {secrets.token_hex(8)} SEND\r\n"
        head = body_of(alice, 100 * KIB)
        total = len(head) + 60
        frame = chunk(alice, "big", 0, head, total, "$").rpartition(b"\r\n-------")[0]
        await alice.msrp.send(frame)
        with trio.fail_after(PATIENCE):
            beginning = await bob.msrp.stream.receive_some(64 * KIB)
        start_line = beginning[beginning.rindex(b"MSRP ") :] if b"MSRP " in beginning else b""
        identifier = start_line.split(maxsplit=2)[1].decode()
        bob.msrp.push_back(beginning)
        poison = f"\r\n-------{identifier}$\r\n{forged}".encode()
        own = frame.split(maxsplit=2)[1].decode()
        await alice.msrp.send(poison + f"\r\n-------{own}$\r\n".encode())
        received, frames = await collect(bob)
        while len(received) < len(head):
            received, frames = await collect(bob)
        assert received.endswith(poison)
        assert len(frames) == 2
