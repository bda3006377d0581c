"""History that follows its room to another worker."""

import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sylk_conference.history.database import FILE_NAME, number, open_for_writing
from sylk_conference.history.records import HistoryLimits, Said, Visit
from sylk_conference.history.retention import Retention
from sylk_conference.history.spreading import spread
from sylk_conference.history.writer import Enter, Entry, Leave, Writer

from sylk.share import worker_of

LOGGER = logging.getLogger("test")
NAMES = [f"room{number}" for number in range(10)]
ROOMS = [f"{name}@example.com" for name in NAMES]


def write(folder: Path, entries: Sequence[Entry], now: float) -> None:
    writer = Writer(folder / FILE_NAME, Retention(HistoryLimits()), LOGGER)
    writer.write(entries, now)
    writer.close()


def said(room: str, *texts: str, at: float = 100.0) -> list[Entry]:
    bodies = [text.encode() for text in texts]
    return [Said(room, at, "sip:alice@example.com", bodies)]


def kept(folder: Path, room: str) -> list[str]:
    """Return what a file holds of a room, in order; the count of the room has to be right."""
    if not (folder / FILE_NAME).exists():
        return []
    with closing(open_for_writing(folder / FILE_NAME)) as connection:
        key = room.encode()
        row = number(connection, "SELECT id FROM rooms WHERE key = ?", key)
        found = connection.execute("SELECT body FROM records WHERE room = ? ORDER BY seq", (row,))
        texts = [body.decode() for (body,) in found]
        assert number(connection, "SELECT count FROM rooms WHERE key = ?", key) == len(texts)
        return texts


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [tmp_path / str(index) for index in range(4)]


def test_each_room_is_where_it_belongs_however_many_there_are(folders: list[Path]) -> None:
    for room in ROOMS:
        write(folders[0], said(room, f"one in {room}", f"two in {room}"), 100)
    before = 1
    for count in (3, 4, 2, 1):
        spread(folders[: max(before, count)], count)
        for name, room in zip(NAMES, ROOMS, strict=True):
            for index, folder in enumerate(folders):
                expected = [f"one in {room}", f"two in {room}"]
                assert kept(folder, room) == (expected if index == worker_of(name, count) else [])
        before = count


def test_what_a_user_has_missed_is_the_same_after_it(folders: list[Path]) -> None:
    room = next(room for name, room in zip(NAMES, ROOMS, strict=True) if worker_of(name, 2) == 1)
    # The numbers of the other file are higher.
    write(folders[1], said(f"{room}.org", *map(str, range(50))), 50)
    first, second = Visit(room, "bob@example.com"), Visit(room, "carol@example.com")
    write(
        folders[0],
        [
            *said(room, "before", at=10),
            Enter(first, 11.0),
            *said(room, "heard", at=12),
            Leave(first, 13.0),
            *said(room, "missed one", "missed two", at=20),
            Enter(second, 30.0),
            Leave(second, 31.0),
        ],
        31,
    )
    spread(folders[:2], 2)
    missed: dict[str, list[str]] = {}
    with closing(open_for_writing(folders[1] / FILE_NAME)) as connection:
        row = number(connection, "SELECT id FROM rooms WHERE key = ?", room.encode())
        for user, through in connection.execute(
            "SELECT user, max(through_seq) FROM visits WHERE room = ? GROUP BY user", (row,)
        ).fetchall():
            later = connection.execute(
                "SELECT body FROM records WHERE room = ? AND seq > ? ORDER BY seq", (row, through)
            )
            missed[user.decode()] = [body.decode() for (body,) in later]
    assert missed == {
        "bob@example.com": ["missed one", "missed two"],
        "carol@example.com": [],
    }


def test_what_was_cut_short_is_done_again_and_nothing_is_there_twice(folders: list[Path]) -> None:
    name, room = next(pair for pair in zip(NAMES, ROOMS, strict=True) if worker_of(pair[0], 2) == 1)
    visit = Visit(room, "bob@example.com")
    entries = [*said(room, "one", "two", "two"), Enter(visit, 103.0), Leave(visit, 104.0)]
    write(folders[0], entries, 105)
    # It has been copied, and not yet deleted; and somebody has gone on.
    again = Visit(room, "bob@example.com")
    copied = [*said(room, "one", "two", "two"), Enter(again, 103.0), Leave(again, 104.0)]
    write(folders[1], [*copied, *said(room, "three", at=200)], 200)
    spread(folders[:2], 2)
    assert worker_of(name, 2) == 1
    assert kept(folders[0], room) == []
    assert kept(folders[1], room) == ["one", "two", "two", "three"]
    with closing(open_for_writing(folders[1] / FILE_NAME)) as connection:
        assert number(connection, "SELECT count(*) FROM visits") == 1


def test_where_nothing_is_kept_nothing_is_made(folders: list[Path]) -> None:
    spread(folders, 4)
    assert not any(folder.exists() for folder in folders)
