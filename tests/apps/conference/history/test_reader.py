import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sylk_conference.history import HistoryLimits
from sylk_conference.history.reader import MAX_BYTES, Reader
from sylk_conference.history.retention import Retention
from sylk_conference.history.writer import Writer

from tests.apps.conference.history.disks import ALICE, ROOM, Log, saying, texts


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "h.db", Retention(HistoryLimits()), Log().logger)
    yield writer
    writer.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path / "h.db")
    yield reader
    reader.close()


def test_a_record_comes_back_as_it_was(writer: Writer, reader: Reader) -> None:
    said = saying("Grüße\r\n\0", at=1_800_000_000.123456)
    writer.write([said], 0.0)
    (kept,) = reader.latest(ROOM, 10)
    assert (kept.room, kept.at, kept.sender, kept.body) == (ROOM, said.at, ALICE, said.bodies[0])
    assert kept.sequence == 1


def test_pages(writer: Writer, reader: Reader) -> None:
    for number in range(10):
        writer.write([saying(str(number)), saying("elsewhere", room="attic")], 0.0)
    page = reader.latest(ROOM, 3)
    assert texts(page) == ["7", "8", "9"]
    page = reader.latest(ROOM, 3, before=page[0].sequence)
    assert texts(page) == ["4", "5", "6"]
    assert texts(reader.latest(ROOM, 100, since=page[0].sequence)) == ["5", "6", "7", "8", "9"]
    assert texts(reader.latest(ROOM, 2, since=page[0].sequence, before=page[2].sequence)) == ["5"]
    assert reader.latest(ROOM, 0) == reader.latest(ROOM, -1) == reader.latest("none", 5) == []


def test_an_answer_is_bounded_in_bytes_but_never_empty(writer: Writer, reader: Reader) -> None:
    large = "x" * (MAX_BYTES // 2)
    writer.write([saying(large) for _ in range(4)], 0.0)
    assert [one.sequence for one in reader.latest(ROOM, 10)] == [3, 4]
    writer.write([saying("y" * (MAX_BYTES + 1))], 0.0)
    assert [one.sequence for one in reader.latest(ROOM, 10)] == [5]


def test_there_must_be_a_file(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        reader.latest(ROOM, 10)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_cannot_write_and_finds_a_new_file(
    writer: Writer, reader: Reader, tmp_path: Path
) -> None:
    writer.write([saying("old")], 0.0)
    assert texts(reader.latest(ROOM, 10)) == ["old"]
    writer.close()
    reader.close()
    for path in tmp_path.iterdir():
        path.unlink()
    writer.write([saying("new")], 0.0)
    assert texts(reader.latest(ROOM, 10)) == ["new"]
