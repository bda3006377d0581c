"""The history of real rooms: kept before the 200, and shown to who comes as it was said."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from tests.apps.conference.visits import call_oneself, enter
from tests.end_to_end.wire_client import Heard
from tests.end_to_end.wire_msrp import render_frame
from tests.peers import DOMAIN, Caller, Settings, answer_frame, chat_offer, running_server, wrap


def kept_in(folder: Path, more: Settings | None = None) -> Settings:
    """Return the settings of a server that keeps what is said below `folder`."""
    given = more or {}
    conference = {"history": "yes", "notify_interval": 0, **given.get("Conference", {})}
    return {**given, "Server": {"spool_dir": folder}, "Conference": conference}


def bodies_in(folder: Path) -> list[bytes]:
    """Return what is on the disk now."""
    with sqlite3.connect(folder / "conference" / "history.db") as connection:
        return [body for (body,) in connection.execute("SELECT body FROM records ORDER BY seq")]


async def hear_texts(caller: Caller, count: int) -> list[str]:
    return [(await caller.hear()).text for _ in range(count)]


def date_of(heard: Heard) -> str:
    head = heard.frame.body.partition(b"\r\n\r\n")[0].decode()
    return next(line[10:] for line in head.split("\r\n") if line.startswith("DateTime: "))


async def test_a_message_is_on_the_disk_when_it_is_acknowledged(tmp_path: Path) -> None:
    async with running_server(kept_in(tmp_path)) as server, Caller(server) as alice:
        await enter(alice)
        for number in range(5):
            await alice.say(f"number {number}")
            assert [body.rpartition(b"\n")[2] for body in bodies_in(tmp_path)] == [
                b"number %d" % each for each in range(number + 1)
            ]


async def test_a_newcomer_is_shown_what_was_said_as_it_was_said(tmp_path: Path) -> None:
    async with (
        running_server(kept_in(tmp_path, {"Conference": {"history_replay": 3}})) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        date = "2026-01-02T03:04:05.678901+00:00"
        for text in ("too long ago", "one"):
            body = wrap(alice.address, alice.room, text.encode(), date_time=date)
            assert await alice.send(body) == 200
        assert await call_oneself(alice, "Ali") == 200
        html = wrap(alice.address, alice.room, b"<b>two</b>", "text/html", date)
        assert await alice.send(html) == 200
        assert await call_oneself(alice, "Someone Else") == 200
        await alice.say("three")
        welcome = await enter(bob)
        assert "kept for a day" in welcome
        heard = [await bob.hear() for _ in range(3)]
        assert [one.text for one in heard] == ["one", "<b>two</b>", "three"]
        assert [one.sender.partition("<")[0].strip() for one in heard] == [
            "",
            "Ali",
            "Someone Else",
        ]
        assert [date_of(one) for one in heard[:2]] == [date, date]
        assert [one.content_type for one in heard[:2]] == ["text/plain; charset=utf-8", "text/html"]
        assert all(f"<sip:{alice.room}>" in one.recipient for one in heard)
        await alice.say("live")
        assert (await bob.hear()).text == "live"


async def test_who_was_here_before_gets_what_he_missed_and_no_more(tmp_path: Path) -> None:
    async with (
        running_server(kept_in(tmp_path, {"Conference": {"history_replay": 2}})) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        await alice.say("heard")
        assert (await bob.hear()).text == "heard"
        assert (await bob.bye()).status == 200
        assert await alice.hear_notice() == f"bob@{DOMAIN} has joined the room"
        assert await alice.hear_notice() == f"bob@{DOMAIN} has left the room"
        for number in range(5):
            await alice.say(str(number))
        async with Caller(server, "bob") as again, Caller(server, "bob") as phone:
            await enter(again)
            assert await hear_texts(again, 5) == ["0", "1", "2", "3", "4"]
            # His second client has missed nothing, but has nothing to show either.
            await enter(phone)
            assert await hear_texts(phone, 2) == ["3", "4"]


async def test_what_is_not_said_to_all_is_never_kept(tmp_path: Path) -> None:
    async with (
        running_server(kept_in(tmp_path)) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        await enter(alice)
        await enter(bob)
        # He is answered when he has been shown all there is: before that he misses who composes.
        await bob.say("ready", alice.address)
        await alice.say("secret", bob.address)
        composing = wrap(alice.address, alice.room, b"<x/>", "application/im-iscomposing+xml")
        assert await alice.send(composing) == 200
        # A notification is for the one whose message it is about.
        disposition = wrap(alice.address, bob.address, b"<x/>", "message/imdn+xml")
        assert await alice.send(disposition) == 200
        await alice.msrp.send(alice.line("hidden", bob.address) + alice.line("open"))
        assert await hear_texts(bob, 5) == ["secret", "<x/>", "<x/>", "hidden", "open"]
        assert await alice.send(None) == 200
        await enter(carol)
        assert await hear_texts(carol, 1) == ["open"]
        (only,) = bodies_in(tmp_path)
        assert only.endswith(b"open")


async def test_what_was_said_outlives_the_room_and_the_server(tmp_path: Path) -> None:
    settings = kept_in(tmp_path, {"Conference": {"history_replay": 10}})
    texts: list[str] = []
    for life in range(2):
        async with running_server(settings) as server:
            for room in range(2):
                async with Caller(server, f"alice{life}{room}") as alice:
                    await enter(alice)
                    assert await hear_texts(alice, len(texts)) == texts
                    texts.append(f"{life} {room}")
                    await alice.say(texts[-1])
                    assert (await alice.bye()).status == 200
    assert (tmp_path / "conference" / "history.db").stat().st_mode & 0o777 == 0o600


async def test_each_may_see_what_was_said_since_he_first_came(tmp_path: Path) -> None:
    settings = kept_in(tmp_path, {"Conference": {"history_visible_to": "present"}})
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Caller(server, "carol") as carol,
    ):
        await enter(alice)
        await alice.say("before him")
        async with Caller(server, "bob") as bob:
            await enter(bob)
            await alice.say("with him")
            assert await hear_texts(bob, 1) == ["with him"]
            await bob.bye()
        await alice.say("without him")
        async with Caller(server, "bob") as bob:
            await enter(bob)
            await alice.say("live")
            heard = await hear_texts(bob, 1)
            while heard[-1] != "live":
                heard += await hear_texts(bob, 1)
            assert "before him" not in heard
        await enter(carol)
        await alice.say("to her")
        assert await hear_texts(carol, 1) == ["to her"]


async def test_moderators_alone_may_see_it(tmp_path: Path) -> None:
    more = {"history_visible_to": "moderators", "moderators": f"boss@{DOMAIN}"}
    async with (
        running_server(kept_in(tmp_path, {"Conference": more})) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "boss") as boss,
    ):
        await enter(alice)
        await alice.say("one")
        await enter(bob)
        await enter(boss)
        await alice.say("two")
        assert await hear_texts(bob, 1) == ["two"]
        assert await hear_texts(boss, 2) == ["one", "two"]


async def test_a_room_may_keep_nothing(tmp_path: Path) -> None:
    settings = kept_in(tmp_path, {f"secret@{DOMAIN}": {"history": "no"}})
    async with (
        running_server(settings) as server,
        Caller(server, "alice", room=f"secret@{DOMAIN}") as alice,
        Caller(server, "bob", room=f"secret@{DOMAIN}") as bob,
        Caller(server, "carol") as carol,
    ):
        assert "kept" not in await enter(alice)
        await alice.say("burn after reading")
        await enter(carol)
        await carol.say("open")
        await enter(bob)
        await alice.say("live")
        assert await hear_texts(bob, 1) == ["live"]
        assert [body.rpartition(b"\n")[2] for body in bodies_in(tmp_path)] == [b"open"]


async def test_a_newcomer_is_shown_what_his_client_takes(tmp_path: Path) -> None:
    async with (
        running_server(kept_in(tmp_path)) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        for content, kind in (
            (b"<b>bold</b>", "text/html"),
            (b"iVBO", "image/png"),
            (b"x", "text/plain"),
        ):
            assert await alice.send(wrap(alice.address, alice.room, content, kind)) == 200
        offer = chat_offer(bob.path, accept_types="message/cpim")
        await bob.invite(offer.replace(b"wrapped-types:*", b"wrapped-types:text/plain"))
        await bob.acknowledge()
        await bob.connect()
        assert await hear_texts(bob, 2) == ["bold", "x"]


async def test_who_comes_on_hold_is_shown_it_when_he_listens(tmp_path: Path) -> None:
    async with (
        running_server(kept_in(tmp_path)) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await alice.say("earlier")
        await bob.invite(chat_offer(bob.path, extra=["a=sendonly"]))
        await bob.acknowledge()
        await bob.connect()
        assert f"bob@{DOMAIN}" in await alice.hear_notice()
        await alice.say("meanwhile")
        assert (await bob.reinvite(chat_offer(bob.path, version=2))).status == 200
        await alice.say("now")
        assert await hear_texts(bob, 3) == ["earlier", "meanwhile", "now"]


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Keep the database from everybody, as a backup that hangs does."""
    connection = sqlite3.connect(folder / "conference" / "history.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


async def test_what_comes_while_one_catches_up_comes_after_it(tmp_path: Path) -> None:
    async with (
        running_server(kept_in(tmp_path)) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await alice.say("earlier")
        with locked(tmp_path):
            # Whether he was here before is not known until that is written.
            await enter(bob)
            frame = alice.line("live")
            await alice.msrp.send(frame)
            # To hold and to resume does not bring what is live before what was earlier.
            for version, direction in ((2, "inactive"), (3, "sendrecv")):
                offer = chat_offer(bob.path, version=version, extra=[f"a={direction}"])
                assert (await bob.reinvite(offer)).status == 200
        assert await hear_texts(bob, 2) == ["earlier", "live"]
        assert (await alice.answer_to(frame)).status == 200


async def test_a_database_that_another_has_locked_is_one_line_and_the_talk_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING"):
        async with (
            running_server(kept_in(tmp_path)) as server,
            Caller(server, "alice") as alice,
            Caller(server, "bob") as bob,
        ):
            await enter(alice)
            await enter(bob)
            await alice.say("before")
            with locked(tmp_path):
                for number in range(10):
                    await alice.say(str(number))
                assert await hear_texts(bob, 11) == ["before", *map(str, range(10))]
    complaint, *others = [one.getMessage() for one in caplog.records if "conference" in one.name]
    assert "history is off: database is locked" in complaint
    # That it is on again is said when it is, at the end of the server at the latest.
    assert all("history is on again" in other for other in others)


@pytest.mark.parametrize("damage", ["garbage", "a folder", "no rights"])
async def test_a_disk_that_does_not_do_its_part_keeps_nobody_from_talking(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "conference"
    if damage == "no rights":
        folder.write_text("a file where the folder should be")
    else:
        folder.mkdir()
        if damage == "garbage":
            (folder / "history.db").write_bytes(os.urandom(8192))
        else:
            (folder / "history.db").mkdir()
    with caplog.at_level("WARNING"):
        async with (
            running_server(kept_in(tmp_path)) as server,
            Caller(server, "alice") as alice,
            Caller(server, "bob") as bob,
        ):
            await enter(alice)
            await enter(bob)
            for number in range(20):
                await alice.say(str(number))
            assert await hear_texts(bob, 20) == [str(number) for number in range(20)]
    complaints = [one.getMessage() for one in caplog.records if "conference" in one.name]
    assert len(complaints) == 1, complaints


@pytest.mark.parametrize("rule", ["accepted", "any", "all"])
async def test_a_report_never_comes_before_its_200(tmp_path: Path, rule: str) -> None:
    settings = kept_in(tmp_path, {"Conference": {"success_reports": rule}})
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        trio.open_nursery() as nursery,
    ):
        await enter(alice)
        await enter(bob)
        await alice.hear_notice()

        async def answer() -> None:
            while True:
                frame = await bob.next_frame("SEND")
                to_path, from_path = frame.headers["From-Path"], frame.headers["To-Path"]
                report = [
                    "Status: 000 200 OK",
                    f"Message-ID: {frame.headers['Message-ID']}",
                    f"Byte-Range: 1-{len(frame.body)}/{len(frame.body)}",
                ]
                data = render_frame("REPORT", to_path, from_path, report)
                await bob.msrp.send(answer_frame(frame) + data)

        nursery.start_soon(answer)
        ids: dict[str, str] = {}
        for number in range(40):
            # A whisper waits for no disk, and must not let the reports of others out.
            to = bob.address if number % 4 == 3 else alice.room
            body = wrap(alice.address, to, b"%d" % number)
            frame = alice.frame(body, "message/cpim", "Success-Report: yes")
            ids[frame.split(maxsplit=2)[1].decode()] = message_id_of(frame)
            await alice.msrp.send(frame)
        answered: set[str] = set()
        reported: set[str] = set()
        while len(reported) < len(ids) or len(answered) < len(ids):
            frame = await alice.msrp.receive()
            if frame.status:
                assert frame.status == 200
                answered.add(ids[frame.transaction_id])
            elif frame.what == "REPORT":
                assert frame.headers["Status"].startswith("000 200")
                assert frame.headers["Message-ID"] in answered
                reported.add(frame.headers["Message-ID"])
        nursery.cancel_scope.cancel()


def message_id_of(frame: bytes) -> str:
    return frame.split(b"Message-ID: ", 1)[1].split(b"\r\n", 1)[0].decode()
