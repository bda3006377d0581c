"""When each user was in a room: the rows of visits.

They say from which sequence number on somebody has missed something, and what he was there for. A
visit in which nothing was said counts only as the last time that somebody was there, and only until
the next. All here blocks, and is called inside of a transaction.
"""

import sqlite3
from collections.abc import Collection

from sylk_conference.history.database import number

_LAST_HEARD = """coalesce(
    (SELECT max(seq) FROM records WHERE records.room = visits.room AND seq > after_seq), after_seq
)"""

_LAST_AT = """max(joined_at, coalesce(
    (SELECT at FROM records WHERE records.room = visits.room ORDER BY seq DESC LIMIT 1), 0
))"""


def last_sequence(connection: sqlite3.Connection) -> int:
    """Return the highest sequence number that was ever given."""
    return number(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'records'")


def begin_visit(
    connection: sqlite3.Connection, room: int, user: bytes, now: float
) -> tuple[int, int | None, int]:
    """Return the new row, where the user's time before it ended, and what it follows.

    The second is None for who was never here, and for who is here with another client.
    """
    until = last_sequence(connection)
    found: tuple[int, int | None] = connection.execute(
        "SELECT count(*) > count(through_seq), max(through_seq) FROM visits"
        " WHERE room = ? AND user = ?",
        (room, user),
    ).fetchone()
    is_here, since = found
    row = connection.execute(
        "INSERT INTO visits (room, user, joined_at, after_seq) VALUES (?, ?, ?, ?)",
        (room, user, now, until),
    ).lastrowid
    assert row is not None, "an INSERT gives a row"
    return row, None if is_here else since, until


def end_visit(connection: sqlite3.Connection, row: int, now: float) -> None:
    """Close a visit, and forget those of the same user that this one makes needless."""
    connection.execute(
        f"UPDATE visits SET left_at = ?, through_seq = {_LAST_HEARD} WHERE id = ?", (now, row)
    )
    connection.execute(
        "DELETE FROM visits WHERE id != ?1 AND through_seq = after_seq"
        " AND (room, user) = (SELECT room, user FROM visits WHERE id = ?1)",
        (row,),
    )


def is_open(connection: sqlite3.Connection, row: int, user: bytes) -> bool:
    """Tell whether a row is a visit of that user which goes on."""
    query = "SELECT count(*) FROM visits WHERE id = ? AND user = ? AND through_seq IS NULL"
    return bool(number(connection, query, row, user))


def close_open_visits(connection: sqlite3.Connection, but: Collection[int] = ()) -> None:
    """Close the visits whose end was not told, except some: at the last word that was kept.

    So it is after a server was killed. What was said later is not kept, so nothing tells how long
    they really were there.
    """
    rows: list[tuple[int]] = connection.execute(
        "SELECT id FROM visits WHERE through_seq IS NULL"
    ).fetchall()
    connection.executemany(
        f"UPDATE visits SET left_at = {_LAST_AT}, through_seq = {_LAST_HEARD} WHERE id = ?",
        [row for row in rows if row[0] not in but],
    )
