import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sylk_conference.history import HistoryLimits, Visit
from sylk_conference.history.database import UnusableDatabase
from sylk_conference.history.reader import Reader
from sylk_conference.history.retention import Retention
from sylk_conference.history.writer import Enter, Leave, Present, Writer

from tests.apps.conference.history.disks import ROOM, Log, saying, small_disk, texts

NOW = 1_800_000_000.0


class Desk:
    """A writer and a reader of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = Log()
        self.writer = Writer(path, Retention(HistoryLimits()), self.log.logger)
        self.reader = Reader(path)

    def say(self, *said: str) -> None:
        self.writer.write([saying(text, NOW) for text in said], NOW)

    def kept(self, attendee: str | None = None) -> list[str]:
        return texts(self.reader.latest(ROOM, 1000, attendee=attendee))

    def restart(self) -> "Desk":
        """Return another, as after a kill: nothing is closed in order."""
        return Desk(self.path)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "history.db")
    yield desk
    desk.writer.close()
    desk.reader.close()


def test_comings_and_goings_stand_between_what_was_said(desk: Desk) -> None:
    visit = Visit(ROOM, "alice")
    begun = desk.writer.write(
        [
            saying("before"),
            Enter(visit, NOW),
            saying("while she is here"),
            Leave(visit, NOW),
            saying("after"),
        ],
        NOW,
    )
    assert begun == [(visit, None, 1)]
    assert desk.kept() == ["before", "while she is here", "after"]
    assert desk.kept("alice") == ["while she is here"]


def test_text_is_data_alone(desk: Desk) -> None:
    evil = "'); DROP TABLE records; --\0/../%s\ud800"
    entry = saying("said", NOW, evil)
    entry.sender = evil
    more = saying("more", NOW, evil)
    more.sender = evil
    desk.writer.write([entry, Enter(Visit(evil, evil), NOW), more], NOW)
    kept = desk.reader.latest(evil, 10)
    assert [(one.room, one.sender) for one in kept] == [(evil, evil)] * 2
    assert texts(desk.reader.latest(evil, 10, attendee=evil)) == ["more"]
    assert desk.kept() == []


def test_a_killed_server_leaves_nobody_in_the_room(desk: Desk) -> None:
    desk.writer.write([Enter(Visit(ROOM, "alice"), NOW), saying("heard")], NOW)
    after = desk.restart()
    again = Visit(ROOM, "alice")
    after.say("missed")
    assert after.writer.write([Enter(again, NOW)], NOW) == [(again, 1, 2)]
    after.say("heard again")
    assert after.kept("alice") == ["heard", "heard again"]


def test_all_of_a_batch_or_nothing(desk: Desk) -> None:
    desk.say("one")
    visit = Visit(ROOM, "alice")
    with closing(sqlite3.connect(desk.path)) as other:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON records WHEN NEW.body = x'6e6f'"
            " BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        other.commit()
        entries = [saying("two"), Enter(visit, NOW), saying("three"), saying("no")]
        with pytest.raises(sqlite3.IntegrityError):
            desk.writer.write(entries, NOW)
        assert desk.kept() == ["one"]
        other.execute("DROP TRIGGER no")
        other.commit()
    assert desk.writer.write(entries, NOW) == [(visit, None, 2)]
    assert desk.kept() == ["one", "two", "three", "no"]
    assert desk.kept("alice") == ["three", "no"]


def test_who_is_there_stays_there_when_the_file_is_opened_anew(desk: Desk) -> None:
    visit = Visit(ROOM, "alice")
    desk.writer.write([Enter(visit, NOW), saying("one")], NOW)
    desk.writer.close()
    desk.say("two")
    desk.writer.write([Leave(visit, NOW)], NOW)
    desk.say("three")
    assert desk.kept("alice") == ["one", "two"]


def test_who_is_present_stands_for_all_that_got_lost(desk: Desk) -> None:
    gone, stays, new = Visit(ROOM, "gone"), Visit(ROOM, "stays"), Visit(ROOM, "new")
    desk.writer.write([Enter(gone, NOW), Enter(stays, NOW), saying("one")], NOW)
    desk.writer.write([Present([stays, new], NOW), saying("two"), Leave(gone, NOW)], NOW)
    assert desk.kept("gone") == ["one"]
    assert desk.kept("stays") == ["one", "two"]
    assert desk.kept("new") == ["two"]


def test_a_room_that_was_swept_away_begins_anew(desk: Desk) -> None:
    desk.say("one")
    while desk.writer.sweep(NOW + 10 * 86400):
        pass
    assert desk.kept() == []
    desk.say("two")
    assert desk.kept() == ["two"]


def test_a_file_that_is_gone_is_begun_anew(desk: Desk) -> None:
    visit = Visit(ROOM, "alice")
    desk.writer.write([Enter(visit, NOW), saying("one")], NOW)
    assert desk.kept() == ["one"]
    for path in desk.path.parent.iterdir():
        path.unlink()
    desk.say("two")
    assert desk.kept() == desk.kept("alice") == ["two"]
    assert desk.log.lines == [f"{desk.path} is gone or replaced: it is opened anew"]


def test_garbage_is_put_aside_at_the_start(desk: Desk) -> None:
    desk.path.write_bytes(b"garbage " * 1000)
    desk.say("one")
    assert desk.kept() == ["one"]
    (line,) = desk.log.lines
    assert "is damaged (file is not a database): it is history.db.damaged-2027" in line
    (aside,) = desk.path.parent.glob("*.damaged-*")
    assert aside.read_bytes() == b"garbage " * 1000


def test_damage_that_comes_later_is_found_and_put_aside(desk: Desk) -> None:
    desk.say(*("x" * 900 for _ in range(100)))
    desk.writer.close()
    size = desk.path.stat().st_size
    with desk.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    desk.say("one")
    assert desk.kept() == ["one"]
    assert len(desk.log.lines) == 1


def test_what_only_a_reader_finds_is_put_aside_too(desk: Desk) -> None:
    desk.say(*("x" * 900 for _ in range(100)))
    desk.writer.check(NOW)
    assert desk.log.lines == []
    desk.writer.close()
    with desk.path.open("r+b") as file:
        file.seek(-4096 * 5, 2)
        file.write(b"\xff" * 8192)
    desk.writer.check(NOW)
    assert len(desk.log.lines) == 1
    desk.say("one")
    assert desk.kept() == ["one"]


@pytest.mark.parametrize("work", [Writer.check, Writer.sweep])
def test_other_work_finds_damage_too(desk: Desk, work: Callable[[Writer, float], object]) -> None:
    desk.say(*("x" * 900 for _ in range(100)))
    desk.writer.close()
    desk.path.write_bytes(b"garbage " * 1000)
    work(desk.writer, NOW)
    assert len(desk.log.lines) == 1
    desk.say("one")
    assert desk.kept() == ["one"]


def test_a_sweep_that_a_lock_ends_is_begun_anew(desk: Desk) -> None:
    desk.say("one")
    later = NOW + 10 * 86400
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            desk.writer.sweep(later)
        other.execute("ROLLBACK")
    while desk.writer.sweep(later):
        pass
    assert desk.kept() == []


def test_what_belongs_to_others_is_left_alone(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.path)) as other:
        other.execute("CREATE TABLE notes (x)")
    with pytest.raises(UnusableDatabase):
        desk.say("one")
    assert [one.name for one in desk.path.parent.iterdir()] == ["history.db"]
    desk.path.unlink()
    desk.say("two")
    assert desk.kept() == ["two"]


def test_a_lock_of_another_process_is_an_error_that_passes(desk: Desk) -> None:
    desk.say("one")
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            desk.say("two")
        assert desk.kept() == ["one"]
        other.execute("ROLLBACK")
    desk.say("three")
    assert desk.kept() == ["one", "three"]


def test_a_full_disk_is_an_error_that_passes_and_reading_goes_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        desk = Desk(disk.path / "history.db")
        desk.say("one")
        filler = disk.fill()
        with pytest.raises(sqlite3.OperationalError, match=r"full|I/O"):
            desk.say("x" * 100_000)
        assert desk.kept() == ["one"]
        filler.unlink()
        desk.say("two")
        assert desk.kept() == ["one", "two"]
        desk.writer.close()
        desk.reader.close()
