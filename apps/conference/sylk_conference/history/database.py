"""The file: how it is made, opened, brought up to date, and put aside when it is damaged.

All here blocks, and is called in threads.
"""

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sylk.errors import SylkError

FILE_NAME = "history.db"

APPLICATION_ID = 0x53796C6B
"""Marks the file as ours ("Sylk"), for `file` and against opening what belongs to others."""

BUSY_TIMEOUT = 2.0
"""Seconds to wait for a lock that another process holds, a backup for example."""

MAX_DAMAGED = 5
"""Damaged files that are kept beside the new one; a disk that damages more wants an operator."""

_WAL_LIMIT = 16 * 1024**2
_SIDE_FILES = ("", "-wal", "-shm")

_FIRST = (
    """CREATE TABLE rooms (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        count INTEGER NOT NULL DEFAULT 0
    )""",
    # AUTOINCREMENT: a number is not given again after the last record is gone, for visits know it.
    """CREATE TABLE records (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        room INTEGER NOT NULL,
        at REAL NOT NULL,
        sender BLOB NOT NULL,
        body BLOB NOT NULL
    )""",
    "CREATE INDEX records_of_room ON records (room, seq)",
    # A record was heard in a visit if after_seq < seq <= through_seq, or there is no end yet: so it
    # does not matter when somebody sets the clock.
    """CREATE TABLE visits (
        id INTEGER PRIMARY KEY,
        room INTEGER NOT NULL,
        user BLOB NOT NULL,
        joined_at REAL NOT NULL,
        left_at REAL,
        after_seq INTEGER NOT NULL,
        through_seq INTEGER
    )""",
    "CREATE INDEX visits_of_user ON visits (room, user)",
    "CREATE INDEX open_visits ON visits (id) WHERE through_seq IS NULL",
)

MIGRATIONS: tuple[Sequence[str], ...] = (_FIRST,)
"""The statements that lead from each version of the schema to the next."""


class UnusableDatabase(SylkError):
    """The file is not ours to write: of something else, or of a newer Sylk."""


def encode(text: str) -> bytes:
    """Return text as it is stored: any text at all, and equal only to itself."""
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """Return what `encode` was given."""
    return data.decode("utf-8", "surrogatepass")


def open_for_writing(
    path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> sqlite3.Connection:
    """Open the file, or make it, with all tables of today.

    Raises sqlite3.Error, OSError, and UnusableDatabase.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made here, so that the mode is right from the first moment; SQLite gives it to its side files.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(path, flags, 0o600))
    connection = _connect(path, "rw")
    try:
        _prepare(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the file that a writer has made; raises sqlite3.Error.

    The one that writes is also the only one that takes the journal into the file (checkpoints),
    though another could do it meanwhile: up to SQLite 3.51.2 both at one time may damage the file.
    """
    return _connect(path, "ro")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        # Each connection is used by one thread at a time, but not always by the same.
        check_same_thread=False,
    )


def _prepare(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Sequence[str]]
) -> None:
    version = number(connection, "PRAGMA user_version")
    owner = number(connection, "PRAGMA application_id")
    tables = number(connection, "SELECT count(*) FROM sqlite_master")
    if owner != APPLICATION_ID and (owner or version or tables):
        raise UnusableDatabase(f"{path} is the database of something else")
    if version > len(migrations):
        raise UnusableDatabase(
            f"{path} is of a newer Sylk (version {version}, this one knows {len(migrations)})"
        )
    if not tables:
        # Only before the first table, and before the journal.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
    # What has been deleted is not to be found in the file any more.
    connection.execute("PRAGMA secure_delete = FAST")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    if version < len(migrations):
        with transaction(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            for step in migrations[version:]:
                for statement in step:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(migrations)}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Do all of what is inside, or nothing; on disk when it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Some errors have rolled back by themselves.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def number(connection: sqlite3.Connection, query: str, *values: object) -> int:
    """Return the one number that a query asks for, 0 if there is none."""
    row: tuple[int | None] | None = connection.execute(query, values).fetchone()
    return 0 if row is None else row[0] or 0


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells the file from another in its place; None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def is_damage(error: Exception) -> bool:
    """Tell whether an error says that the file itself is broken."""
    # Errors of the module itself, such as a closed connection, have no code.
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_sound(connection: sqlite3.Connection) -> bool:
    """Read the whole file and tell whether it is what it should be; takes seconds for a big one."""
    with closing(connection.execute("PRAGMA quick_check(1)")) as cursor:
        row: tuple[str] | None = cursor.fetchone()
    return row == ("ok",)


def put_aside(path: Path, now: float) -> Path:
    """Rename a damaged file, and what SQLite keeps beside it; returns its new name.

    Raises OSError, and UnusableDatabase if there are MAX_DAMAGED already.
    """
    damaged = [one for one in path.parent.iterdir() if one.name.startswith(f"{path.name}.damaged-")]
    if sum(not one.name.endswith(_SIDE_FILES[1:]) for one in damaged) >= MAX_DAMAGED:
        raise UnusableDatabase(f"{path} is damaged, and {MAX_DAMAGED} before it were: remove them")
    date = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    for attempt in range(len(damaged) + 1):
        name = f"{path.name}.damaged-{date}" + (f".{attempt}" if attempt else "")
        if not (path.parent / name).exists():
            break
    else:
        raise AssertionError("as many names as files are taken at most")
    target = path.parent / name
    # The journal first: a new file must never be found with the journal of an old one.
    for suffix in reversed(_SIDE_FILES):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(target.with_name(target.name + suffix))
    return target
