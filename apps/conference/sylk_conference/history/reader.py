"""Reading what is kept, by a connection of its own: neither waits for a writer nor holds it up.

All here blocks, and is called in a thread, by one at a time.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sylk_conference.history.database import decode, encode, identity, open_for_reading
from sylk_conference.history.records import Record

MAX_BYTES = 4 * 1024**2
"""Bytes of bodies in one answer; a single record may be larger."""

_LATEST = """
    SELECT seq, at, sender, body FROM records
    WHERE room = (SELECT id FROM rooms WHERE key = :room) AND seq > :since AND seq < :before
    {heard}
    ORDER BY seq DESC LIMIT :count
"""

_HEARD = """AND EXISTS (
    SELECT 1 FROM visits WHERE visits.room = records.room AND user = :attendee
    AND after_seq < seq AND (through_seq IS NULL OR seq <= through_seq)
)"""

_ALL = _LATEST.format(heard="")
_OF_ATTENDEE = _LATEST.format(heard=_HEARD)

_END = 1 << 62


class Reader:
    """Opens the file when something is asked for, and anew when there is another in its place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def latest(
        self,
        room: str,
        count: int,
        since: int | None = None,
        before: int | None = None,
        attendee: str | None = None,
    ) -> list[Record]:
        """Return the latest records of a room that lie between two others, oldest first.

        With an `attendee`, only what was said while that user was there. There are fewer than
        `count` where they would be over MAX_BYTES. Raises sqlite3.Error and OSError.
        """
        values = {
            "room": encode(room),
            "since": -1 if since is None else since,
            "before": _END if before is None else before,
            "attendee": None if attendee is None else encode(attendee),
            "count": max(count, 0),
        }
        connection = self._open()
        found: list[Record] = []
        size = 0
        try:
            query = _ALL if attendee is None else _OF_ATTENDEE
            with closing(connection.execute(query, values)) as rows:
                for sequence, at, sender, body in rows:
                    size += len(body)
                    if found and size > MAX_BYTES:
                        break
                    found.append(Record(room, at, decode(sender), body, sequence))
        except sqlite3.Error:
            self.close()
            raise
        found.reverse()
        return found

    def _open(self) -> sqlite3.Connection:
        now = identity(self._path)
        if self._connection is None or now != self._identity:
            self.close()
            self._connection = open_for_reading(self._path)
            self._identity = now
        return self._connection

    def close(self) -> None:
        """Close the file, until something is asked for again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
