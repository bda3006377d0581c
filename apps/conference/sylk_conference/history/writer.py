"""Writing: one transaction for all that waits, so that many share the cost of one commit.

All here blocks, and is called in a thread, by one at a time.
"""

import logging
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sylk_conference.history import attendance
from sylk_conference.history.database import (
    encode,
    identity,
    is_damage,
    is_sound,
    number,
    open_for_writing,
    put_aside,
    transaction,
)
from sylk_conference.history.records import Said, Visit
from sylk_conference.history.retention import Retention

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


@dataclass(slots=True)
class Enter:
    """A visit begins."""

    visit: Visit
    at: float


@dataclass(slots=True)
class Leave:
    """A visit ends."""

    visit: Visit
    at: float


@dataclass(slots=True)
class Present:
    """Nobody but these is there: stands for comings and goings that got lost."""

    visits: Sequence[Visit]
    at: float


MAX_ROOMS = 10_000
"""Rooms whose rows are remembered."""

Entry = Said | Enter | Leave | Present
Begun = tuple[Visit, int | None, int]
"""A visit that is on disk now, with what becomes its `since` and `until`."""


class Writer:
    """The one connection that writes; opened when it is needed, closed when it fails."""

    def __init__(self, path: Path, retention: Retention, logger: Logger) -> None:
        self._path = path
        self._retention = retention
        self._logger = logger
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._visits: dict[Visit, int] = {}
        """The row of each visit that has begun and not ended on disk."""
        self._rooms = _Rooms()
        self._sweep: Iterator[None] | None = None

    def write(self, entries: Sequence[Entry], now: float) -> list[Begun]:
        """Put all on disk, or nothing.

        A damaged file is put aside, and a new one begun. Raises sqlite3.Error, OSError, and
        UnusableDatabase.
        """
        try:
            return self._write(entries, now)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self._put_aside(str(error), now)
            return self._write(entries, now)

    def sweep(self, now: float) -> bool:
        """Do one piece of the sweep; False when it is over. Raises as `write` does."""
        try:
            if self._sweep is None:
                self._sweep = self._retention.sweep(self._open(now), now)
            # It deletes those that are empty.
            self._rooms.forget()
            next(self._sweep)
        except StopIteration:
            self._sweep = None
            return False
        except sqlite3.Error as error:
            self.close()
            if not is_damage(error):
                raise
            self._put_aside(str(error), now)
            return False
        return True

    def check(self, now: float) -> None:
        """Read the whole file, and put it aside if it is damaged; raises as `write` does."""
        try:
            sound = is_sound(self._open(now))
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            sound = False
        if not sound:
            self._put_aside("the database disk image is malformed", now)

    def close(self) -> None:
        """Close the file; the next call of another method opens it again."""
        self._sweep = None
        self._rooms.forget()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, now: float) -> sqlite3.Connection:
        if self._connection is not None:
            if identity(self._path) == self._identity:
                return self._connection
            self._logger.warning("%s is gone or replaced: it is opened anew", self._path)
            self.close()
        connection = open_for_writing(self._path)
        try:
            self._identity = identity(self._path)
            with transaction(connection):
                # If it is not the start of the server, some have been there all the time; and if it
                # is another file, it does not know of them.
                visits = {
                    visit: row
                    for visit, row in self._visits.items()
                    if attendance.is_open(connection, row, encode(visit.user))
                }
                attendance.close_open_visits(connection, set(visits.values()))
                for visit in self._visits:
                    if visit not in visits:
                        visits[visit] = _begin(connection, self._rooms, visit, now)[0]
        except BaseException:
            self._rooms.forget()
            connection.close()
            raise
        self._visits = visits
        self._connection = connection
        return connection

    def _write(self, entries: Sequence[Entry], now: float) -> list[Begun]:
        try:
            connection = self._open(now)
            with transaction(connection):
                batch = _Batch(connection, self._rooms, self._visits)
                batch.write(entries)
        except sqlite3.Error:
            self.close()
            raise
        self._visits = batch.visits
        return batch.begun

    def _put_aside(self, reason: str, now: float) -> None:
        self.close()
        target = put_aside(self._path, now)
        self._logger.error(
            "%s is damaged (%s): it is %s now, and a new one is begun",
            self._path,
            reason,
            target.name,
        )


class _Rooms:
    """The rows of rooms by their keys, as far as they have been looked up.

    Each statement that need not be costs a transaction little, but more where the loop is busy, for
    a thread has to get the interpreter back after each.
    """

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}

    def find(self, connection: sqlite3.Connection, room: str) -> int:
        """Return the row of a room; inside of a transaction, for there may be none yet."""
        row = self._rows.get(room)
        if row is None:
            key = encode(room)
            row = number(connection, "SELECT id FROM rooms WHERE key = ?", key)
            if not row:
                connection.execute("INSERT INTO rooms (key) VALUES (?)", (key,))
                row = number(connection, "SELECT last_insert_rowid()")
            if len(self._rows) >= MAX_ROOMS:
                self._rows.clear()
            self._rows[room] = row
        return row

    def forget(self) -> None:
        """Look all up again: rows may have been deleted, or undone with a transaction."""
        self._rows.clear()


class _Batch:
    """The entries of one transaction, in their order."""

    def __init__(
        self, connection: sqlite3.Connection, rooms: _Rooms, visits: dict[Visit, int]
    ) -> None:
        self.visits = visits
        self._before = visits
        self.begun: list[Begun] = []
        self._connection = connection
        self._rooms = rooms
        self._values: list[int | float | bytes] = []
        self._counts: Counter[int] = Counter()

    def write(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            match entry:
                case Said(name, at, sender, bodies):
                    room, who = self._rooms.find(self._connection, name), encode(sender)
                    for body in bodies:
                        self._values += (room, at, who, body)
                    self._counts[room] += len(bodies)
                case Enter(visit, at):
                    self._flush()
                    self._enter(visit, at)
                case Leave(visit, at):
                    self._flush()
                    self._leave(visit, at)
                case Present(visits, at):
                    self._flush()
                    self._set_present(visits, at)
        self._flush()

    def _own_visits(self) -> dict[Visit, int]:
        """Return those to change: the old ones hold again if the transaction fails."""
        if self.visits is self._before:
            self.visits = dict(self._before)
        return self.visits

    def _leave(self, visit: Visit, at: float) -> None:
        row = self._own_visits().pop(visit, None)
        if row is not None:
            attendance.end_visit(self._connection, row, at)

    def _enter(self, visit: Visit, at: float) -> None:
        row, since, until = _begin(self._connection, self._rooms, visit, at)
        self._own_visits()[visit] = row
        self.begun.append((visit, since, until))

    def _set_present(self, visits: Sequence[Visit], at: float) -> None:
        here = set(visits)
        self.visits = {visit: row for visit, row in self.visits.items() if visit in here}
        attendance.close_open_visits(self._connection, set(self.visits.values()))
        for visit in visits:
            if visit not in self.visits:
                self._enter(visit, at)

    def _flush(self) -> None:
        """Write the records that came before something else."""
        values = self._values
        for begin in range(0, len(values), _MOST_VALUES):
            some = values[begin : begin + _MOST_VALUES]
            self._connection.execute(_insert(len(some)), some)
        values.clear()
        for room, count in self._counts.items():
            self._connection.execute(
                "UPDATE rooms SET count = count + ? WHERE id = ?", (count, room)
            )
        self._counts.clear()


_MOST_VALUES = 4 * 64
"""Values that one statement takes. It runs without the lock of the interpreter, which a thread has
to get back after each: with a statement for each row, that takes longer than the disk does."""


@cache
def _insert(values: int) -> str:
    rows = ", ".join(["(?, ?, ?, ?)"] * (values // 4))
    return f"INSERT INTO records (room, at, sender, body) VALUES {rows}"


def _begin(
    connection: sqlite3.Connection, rooms: _Rooms, visit: Visit, at: float
) -> tuple[int, int | None, int]:
    room = rooms.find(connection, visit.room)
    return attendance.begin_visit(connection, room, encode(visit.user), at)
