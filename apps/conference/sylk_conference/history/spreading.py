"""Rooms that now belong to another worker take their history along, before any worker starts.

Each worker has a file of its own. What all files hold of a room is put together in the file of its
owner in one transaction, and only then deleted from the others: so it does not matter where this
is interrupted, and what stood in two files by then is there once again the next time. Records get
new numbers, in the order of their time, and visits those that stand for the same records. All here
blocks.
"""

import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from sylk.share import user_of, worker_of
from sylk_conference.history.database import (
    FILE_NAME,
    decode,
    number,
    open_for_writing,
    transaction,
)


def spread(folders: Sequence[Path], count: int) -> None:
    """Move what `folders` hold to the first `count` of them, each room to its worker's.

    Raises sqlite3.Error, OSError, and UnusableDatabase.
    """
    with ExitStack() as stack:
        files: dict[int, sqlite3.Connection] = {}

        def file(index: int) -> sqlite3.Connection:
            if index not in files:
                files[index] = stack.enter_context(
                    closing(open_for_writing(folders[index] / FILE_NAME))
                )
            return files[index]

        for index, folder in enumerate(folders):
            if (folder / FILE_NAME).exists():
                file(index)
        places: dict[bytes, set[int]] = {}
        for index, connection in files.items():
            for (key,) in connection.execute("SELECT key FROM rooms").fetchall():
                places.setdefault(key, set()).add(index)
        for key, indexes in places.items():
            owner = worker_of(user_of(decode(key)), count)
            if indexes != {owner}:
                found = [_read(files[index], key) for index in sorted(indexes)]
                _write(file(owner), key, found)
                for index in indexes - {owner}:
                    with transaction(files[index]):
                        _delete(files[index], key)


_Row = tuple[int, float, bytes, bytes]


@dataclass(slots=True)
class _Kept:
    """What one file holds of a room."""

    records: list[_Row]
    """Number, time, sender and body, by number."""
    visits: list[tuple[bytes, float, float | None, int, int | None]]
    """User, beginning, end, and after and through which number he heard."""
    numbers: dict[int, int] = field(default_factory=dict[int, int])
    """The new number of each record, by the old one."""
    _alike: Counter[tuple[float, bytes, bytes]] = field(
        default_factory=Counter[tuple[float, bytes, bytes]]
    )

    def next_like(self, record: tuple[float, bytes, bytes]) -> int:
        """Return how many there have been that are the same."""
        self._alike[record] += 1
        return self._alike[record]


def _read(connection: sqlite3.Connection, key: bytes) -> _Kept:
    room = number(connection, "SELECT id FROM rooms WHERE key = ?", key)
    records = connection.execute(
        "SELECT seq, at, sender, body FROM records WHERE room = ? ORDER BY seq", (room,)
    )
    visits = connection.execute(
        "SELECT user, joined_at, left_at, after_seq, through_seq FROM visits WHERE room = ?"
        " ORDER BY id",
        (room,),
    )
    return _Kept(records.fetchall(), visits.fetchall())


def _write(connection: sqlite3.Connection, key: bytes, found: Sequence[_Kept]) -> None:
    """Let a file hold all of a room that was found, and nothing else of it."""
    with transaction(connection):
        _delete(connection, key)
        connection.execute("INSERT INTO rooms (key) VALUES (?)", (key,))
        room = number(connection, "SELECT last_insert_rowid()")
        last = number(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'records'")
        before = last
        written: dict[tuple[float, bytes, bytes, int], int] = {}
        ordered = [(record, kept) for kept in found for record in kept.records]
        if len(found) > 1:
            ordered.sort(key=_time_of)
        for (seq, at, sender, body), kept in ordered:
            # The same words at one time are no copy, if they stand in one file.
            record = (at, sender, body, kept.next_like((at, sender, body)))
            if record not in written:
                last += 1
                written[record] = last
                connection.execute(
                    "INSERT INTO records (seq, room, at, sender, body) VALUES (?, ?, ?, ?, ?)",
                    (last, room, at, sender, body),
                )
            kept.numbers[seq] = written[record]
        count = len(written)
        connection.execute("UPDATE rooms SET count = ? WHERE id = ?", (count, room))
        visits: set[tuple[object, ...]] = set()
        for kept in found:
            for user, joined_at, left_at, after, through in kept.visits:
                heard = None if through is None else _renumbered(kept, through, before)
                visits.add((user, joined_at, left_at, _renumbered(kept, after, before), heard))
        connection.executemany(
            "INSERT INTO visits (room, user, joined_at, left_at, after_seq, through_seq)"
            f" VALUES ({room}, ?, ?, ?, ?, ?)",
            list(visits),
        )


def _time_of(pair: tuple[_Row, _Kept]) -> float:
    return pair[0][1]


def _renumbered(kept: _Kept, seq: int, before: int) -> int:
    """Return the new number of the last record up to `seq`, `before` if there is none."""
    numbers = sorted(kept.numbers)
    place = bisect_right(numbers, seq)
    return kept.numbers[numbers[place - 1]] if place else before


def _delete(connection: sqlite3.Connection, key: bytes) -> None:
    room = number(connection, "SELECT id FROM rooms WHERE key = ?", key)
    for table, column in (("records", "room"), ("visits", "room"), ("rooms", "id")):
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (room,))
