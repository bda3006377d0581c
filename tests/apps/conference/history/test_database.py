import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sylk_conference.history.database import (
    APPLICATION_ID,
    MAX_DAMAGED,
    MIGRATIONS,
    UnusableDatabase,
    decode,
    encode,
    identity,
    is_damage,
    is_sound,
    number,
    open_for_reading,
    open_for_writing,
    put_aside,
    transaction,
)

NOW = 1_800_000_000.0


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_for_the_server_alone(tmp_path: Path) -> None:
    path = tmp_path / "conference" / "history.db"
    old = os.umask(0)
    try:
        with closing(open_for_writing(path)) as connection:
            with transaction(connection):
                connection.execute("INSERT INTO rooms (key) VALUES (x'61')")
            side_files = sorted(path.parent.iterdir())
            assert [mode_of(one) for one in side_files] == [0o600] * 3
    finally:
        os.umask(old)
    assert mode_of(path.parent) == 0o700


def test_what_is_committed_is_synced(tmp_path: Path) -> None:
    with closing(open_for_writing(tmp_path / "h.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert number(connection, "PRAGMA synchronous") == 2
        assert number(connection, "PRAGMA auto_vacuum") == 2
        assert number(connection, "PRAGMA application_id") == APPLICATION_ID
        assert number(connection, "PRAGMA user_version") == len(MIGRATIONS)


def test_an_older_file_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with closing(open_for_writing(path)) as connection:
        connection.execute("INSERT INTO rooms (key) VALUES (x'61')")
    further = (*MIGRATIONS, ["ALTER TABLE rooms ADD COLUMN topic BLOB"])
    for _ in range(2):
        with closing(open_for_writing(path, further)) as connection:
            assert connection.execute("SELECT key, topic FROM rooms").fetchall() == [(b"a", None)]
            assert number(connection, "PRAGMA user_version") == len(further)


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    open_for_writing(path).close()
    broken = (*MIGRATIONS, ["ALTER TABLE rooms ADD COLUMN topic BLOB", "ALTER TABLE none ADD x"])
    with pytest.raises(sqlite3.OperationalError):
        open_for_writing(path, broken)
    with closing(open_for_writing(path)) as connection:
        assert number(connection, "SELECT count(*) FROM pragma_table_info('rooms')") == 3


def test_a_newer_file_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    open_for_writing(path, (*MIGRATIONS, ["CREATE TABLE later (x)"])).close()
    before = path.read_bytes()
    with pytest.raises(UnusableDatabase, match="of a newer Sylk"):
        open_for_writing(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE notes (x)", "PRAGMA user_version = 1", "PRAGMA application_id = 7"]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "h.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    with pytest.raises(UnusableDatabase, match="something else"):
        open_for_writing(path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "h.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(OSError):
        open_for_writing(tmp_path / "h.db")
    assert not (tmp_path / "elsewhere.db").exists()


def test_garbage_is_damage_and_a_lock_is_not(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    path.write_bytes(b"garbage " * 1000)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        open_for_writing(path)
    assert is_damage(caught.value)
    assert not is_damage(OSError())
    assert not is_damage(sqlite3.ProgrammingError())


def test_a_broken_page_is_found(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with closing(open_for_writing(path)) as connection:
        connection.executemany(
            "INSERT INTO records (room, at, sender, body) VALUES (1, 0, x'', ?)",
            [(b"x" * 900,)] * 99,
        )
        assert is_sound(connection)
    data = bytearray(path.read_bytes())
    data[-4096 * 5 : -4096 * 3] = b"\xff" * 8192
    path.write_bytes(data)
    with closing(open_for_reading(path)) as connection:
        assert not is_sound(connection)


def test_a_damaged_file_is_put_aside_with_its_journal(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    for name in ("h.db", "h.db-wal", "h.db-shm"):
        (tmp_path / name).write_text(name)
    target = put_aside(path, NOW)
    assert target.name == "h.db.damaged-20270115T080000"
    assert target.read_text() == "h.db"
    assert target.with_name(target.name + "-wal").read_text() == "h.db-wal"
    assert len(list(tmp_path.iterdir())) == 3


def test_damaged_files_do_not_replace_each_other_nor_fill_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    for number_ in range(MAX_DAMAGED):
        path.write_text(str(number_))
        put_aside(path, NOW)
    kept = sorted(one.read_text() for one in tmp_path.iterdir())
    assert kept == [str(number_) for number_ in range(MAX_DAMAGED)]
    path.write_text("one more")
    with pytest.raises(UnusableDatabase, match="remove them"):
        put_aside(path, NOW)
    assert path.read_text() == "one more"


def test_any_text_comes_back() -> None:
    for text in ("alice@example.com", "a\0b", "\ud800", "Zoë 🎉", "'; DROP TABLE rooms; --"):
        assert decode(encode(text)) == text


def test_a_file_is_told_from_another_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    assert identity(path) is None
    path.write_text("one")
    first = identity(path)
    (tmp_path / "other").write_text("two")
    (tmp_path / "other").rename(path)
    assert identity(path) not in (first, None)
