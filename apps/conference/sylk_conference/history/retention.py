"""What is too old, too much of one room, or too big for the disk, goes: in small pieces.

Each piece is a short transaction of its own, so that what is said meanwhile is written between two
of them. All here blocks, and is called in a thread.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator

from sylk_conference.history.database import decode, number, transaction
from sylk_conference.history.records import HistoryLimits

PIECE_ROWS = 1000
"""Rows that one piece deletes at most: as many as one write adds."""

PIECE_ROOMS = 100
"""Rooms that one piece looks at."""

PIECE_PAGES = 256
"""Pages that one piece gives back to the file system, a megabyte."""

_LEAST_FREED = 64 * 1024
_SPARE_PAGES = 64
# Pages that may be free without giving them back, and one in so many of all: they are needed again.
_SPARE_SHARE = 10

LimitsOf = Callable[[str], HistoryLimits]


class Retention:
    """Applies limits: those of each room to its age and count, the common one to the size.

    `limits_of` is called in a thread, with the key of a room.
    """

    def __init__(self, limits: HistoryLimits, limits_of: LimitsOf | None = None) -> None:
        self._limits = limits
        self._limits_of = limits_of

    def sweep(self, connection: sqlite3.Connection, now: float) -> Iterator[None]:
        """Delete all that is due by `now`, one piece for each item; raises sqlite3.Error."""
        yield from self._sweep_rooms(connection, now)
        yield from self._sweep_size(connection)
        yield from _shrink(connection)

    def _sweep_rooms(self, connection: sqlite3.Connection, now: float) -> Iterator[None]:
        last = 0
        while True:
            rooms: list[tuple[int, bytes]] = connection.execute(
                "SELECT id, key FROM rooms WHERE id > ? ORDER BY id LIMIT ?", (last, PIECE_ROOMS)
            ).fetchall()
            if not rooms:
                return
            for last, key in rooms:
                limits = self._limits_of(decode(key)) if self._limits_of else self._limits
                yield from _sweep_room(connection, last, limits, now)
            yield

    def _sweep_size(self, connection: sqlite3.Connection) -> Iterator[None]:
        while (excess := used_bytes(connection) - self._limits.size) > 0:
            with transaction(connection):
                if not (_delete_oldest(connection, excess) or _delete_oldest_visits(connection)):
                    return
            yield


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return how much of the file holds something."""
    pages = number(connection, "PRAGMA page_count") - number(connection, "PRAGMA freelist_count")
    return pages * number(connection, "PRAGMA page_size")


def _sweep_room(
    connection: sqlite3.Connection, room: int, limits: HistoryLimits, now: float
) -> Iterator[None]:
    cutoff = now - limits.age if limits.age else float("-inf")
    # Nothing is said in the future: a clock was wrong then, and what it dated must not stay for
    # years, nor keep what stands behind it.
    horizon = now + limits.age if limits.age else float("inf")
    while (reached := _expired(connection, room, limits.count, cutoff, horizon)) is not None:
        with transaction(connection):
            deleted = connection.execute(
                "DELETE FROM records WHERE room = ? AND seq <= ?", (room, reached)
            ).rowcount
            connection.execute("UPDATE rooms SET count = count - ? WHERE id = ?", (deleted, room))
            _forget_visits_without_records(connection, room)
        yield
    outdated = "room = ? AND left_at < ? AND through_seq IS NOT NULL"
    if number(connection, f"SELECT count(*) FROM visits WHERE {outdated}", room, cutoff):
        connection.execute(f"DELETE FROM visits WHERE {outdated}", (room, cutoff))
        yield
    empty = "id = ? AND count = 0 AND NOT EXISTS (SELECT 1 FROM visits WHERE room = rooms.id)"
    if number(connection, f"SELECT count(*) FROM rooms WHERE {empty}", room):
        connection.execute(f"DELETE FROM rooms WHERE {empty}", (room,))
        yield


def _expired(
    connection: sqlite3.Connection, room: int, count: int, cutoff: float, horizon: float
) -> int | None:
    """Return the sequence number up to which a room's records go now, None if they stay."""
    kept = number(connection, "SELECT count FROM rooms WHERE id = ?", room)
    excess = kept - count if count else 0
    oldest: tuple[float] | None = connection.execute(
        "SELECT at FROM records WHERE room = ? ORDER BY seq LIMIT 1", (room,)
    ).fetchone()
    if oldest is None or (excess <= 0 and cutoff <= oldest[0] <= horizon):
        return None
    # In one step: where rooms are busy, a thread waits long for the interpreter after each.
    found: tuple[int | None] | None = connection.execute(
        "WITH oldest AS (SELECT seq, at, row_number() OVER (ORDER BY seq) AS place FROM records"
        " WHERE room = ?1 ORDER BY seq LIMIT ?2)"
        " SELECT max(seq) FROM oldest WHERE place < coalesce((SELECT min(place) FROM oldest"
        " WHERE place > ?3 AND at BETWEEN ?4 AND ?5), ?2 + 1)",
        (room, PIECE_ROWS, excess, cutoff, horizon),
    ).fetchone()
    return None if found is None else found[0]


def _forget_visits_without_records(connection: sqlite3.Connection, room: int) -> None:
    """Delete visits of which nothing is left, but the last of each user."""
    connection.execute(
        "DELETE FROM visits WHERE room = ?1"
        " AND through_seq < coalesce((SELECT min(seq) FROM records WHERE room = ?1), 1 << 62)"
        " AND EXISTS (SELECT 1 FROM visits AS later WHERE later.room = visits.room"
        " AND later.user = visits.user AND later.id > visits.id)",
        (room,),
    )


def _delete_oldest(connection: sqlite3.Connection, excess: int) -> bool:
    """Delete the oldest records of all rooms; whether there were any."""
    freed = 0
    reached: int | None = None
    of_rooms: Counter[int] = Counter()
    rows = connection.execute(
        "SELECT seq, room, length(body) FROM records ORDER BY seq LIMIT ?", (PIECE_ROWS,)
    )
    for sequence, room, size in rows:
        reached = sequence
        of_rooms[room] += 1
        freed += size
        if freed >= max(excess, _LEAST_FREED):
            break
    rows.close()
    if reached is None:
        return False
    connection.execute("DELETE FROM records WHERE seq <= ?", (reached,))
    for room, deleted in of_rooms.items():
        connection.execute("UPDATE rooms SET count = count - ? WHERE id = ?", (deleted, room))
        _forget_visits_without_records(connection, room)
    return True


def _delete_oldest_visits(connection: sqlite3.Connection) -> bool:
    return (
        connection.execute(
            "DELETE FROM visits WHERE id IN (SELECT id FROM visits WHERE through_seq IS NOT NULL"
            " ORDER BY id LIMIT ?)",
            (PIECE_ROWS,),
        ).rowcount
        > 0
    )


def _shrink(connection: sqlite3.Connection) -> Iterator[None]:
    """Give free pages back to the file system, but for a few."""
    before = number(connection, "PRAGMA freelist_count")
    spare = max(_SPARE_PAGES, number(connection, "PRAGMA page_count") // _SPARE_SHARE)
    if before <= spare:
        return
    while (free := number(connection, "PRAGMA freelist_count")) > _SPARE_PAGES:
        # It goes on for as long as rows are asked for.
        connection.execute(f"PRAGMA incremental_vacuum({PIECE_PAGES})").fetchall()
        yield
        if number(connection, "PRAGMA freelist_count") >= free:
            return
    # What is in the journal only does not shorten the file.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
