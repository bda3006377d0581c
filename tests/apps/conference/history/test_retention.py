from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection

import pytest
from sylk_conference.history import HistoryLimits
from sylk_conference.history.attendance import begin_visit, end_visit
from sylk_conference.history.database import number, open_for_writing, transaction
from sylk_conference.history.retention import PIECE_ROWS, LimitsOf, Retention, used_bytes

DAY = 86400.0
NOW = 1_800_000_000.0
ALL = HistoryLimits(age=0, count=0)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with closing(open_for_writing(tmp_path / "h.db")) as connection:
        yield connection


def say(connection: Connection, room: int, ages: list[float], size: int = 10) -> None:
    with transaction(connection):
        connection.execute(
            "INSERT OR IGNORE INTO rooms (id, key) VALUES (?, ?)", (room, b"room%d" % room)
        )
        connection.executemany(
            "INSERT INTO records (room, at, sender, body) VALUES (?, ?, x'', ?)",
            [(room, NOW - age, b"x" * size) for age in ages],
        )
        connection.execute("UPDATE rooms SET count = count + ? WHERE id = ?", (len(ages), room))


def sweep(connection: Connection, limits: HistoryLimits, limits_of: LimitsOf | None = None) -> int:
    """Do all that is due and return in how many pieces."""
    pieces = 0
    for _ in Retention(limits, limits_of).sweep(connection, NOW):
        assert not connection.in_transaction
        pieces += 1
    counted = connection.execute(
        "SELECT room, count(*) FROM records GROUP BY room ORDER BY room"
    ).fetchall()
    known = connection.execute("SELECT id, count FROM rooms WHERE count > 0 ORDER BY id").fetchall()
    assert known == counted
    return pieces


def ages(connection: Connection, room: int = 1) -> list[float]:
    rows = connection.execute("SELECT at FROM records WHERE room = ? ORDER BY seq", (room,))
    return [NOW - at for (at,) in rows]


def test_what_is_too_old_goes(connection: Connection) -> None:
    say(connection, 1, [2 * DAY, DAY + 1, DAY - 1, 0])
    say(connection, 2, [DAY + 1])
    sweep(connection, HistoryLimits(age=DAY))
    assert ages(connection) == [DAY - 1, 0]
    assert ages(connection, 2) == []
    assert connection.execute("SELECT id FROM rooms").fetchall() == [(1,)]


def test_what_a_wrong_clock_dated_in_the_future_does_not_stay(connection: Connection) -> None:
    say(connection, 1, [-100 * DAY, DAY + 1, 5])
    sweep(connection, HistoryLimits(age=DAY))
    assert ages(connection) == [5]


def test_of_each_room_the_latest_stay(connection: Connection) -> None:
    say(connection, 1, [5, 4, 3, 2, 1])
    say(connection, 2, [2, 1])
    sweep(connection, HistoryLimits(age=0, count=3))
    assert ages(connection) == [3, 2, 1]
    assert ages(connection, 2) == [2, 1]


def test_without_limits_all_stays(connection: Connection) -> None:
    say(connection, 1, [1000 * DAY] * 10)
    sweep(connection, ALL)
    assert len(ages(connection)) == 10


def test_a_room_may_have_limits_of_its_own(connection: Connection) -> None:
    for room in (1, 2):
        say(connection, room, [2 * DAY, 3, 2, 1])
    own = {"room2": HistoryLimits(age=0, count=2)}
    sweep(connection, HistoryLimits(age=DAY), lambda key: own.get(key, HistoryLimits(age=DAY)))
    assert ages(connection, 1) == [3, 2, 1]
    assert ages(connection, 2) == [2, 1]


def test_it_is_done_in_small_pieces(connection: Connection) -> None:
    say(connection, 1, [2 * DAY] * (3 * PIECE_ROWS))
    before = number(connection, "SELECT total_changes()")
    retention = Retention(HistoryLimits(age=DAY)).sweep(connection, NOW)
    next(retention)
    assert len(ages(connection)) == 2 * PIECE_ROWS
    # Somebody says something in between.
    say(connection, 1, [0])
    for _ in retention:
        pass
    assert ages(connection) == [0]
    assert number(connection, "SELECT total_changes()") > before


def test_over_the_size_the_oldest_of_all_rooms_go_and_the_file_shrinks(
    connection: Connection, tmp_path: Path
) -> None:
    for room in (1, 2):
        say(connection, room, [float(age) for age in range(1500, 0, -1)], size=1000)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    large = (tmp_path / "h.db").stat().st_size
    limit = 1024**2
    assert large > 3 * limit
    assert sweep(connection, HistoryLimits(age=0, count=0, size=limit)) > 2
    assert used_bytes(connection) <= limit
    assert ages(connection, 1) == []
    left = ages(connection, 2)
    assert left == [float(age) for age in range(len(left), 0, -1)]
    assert len(left) > 500
    assert (tmp_path / "h.db").stat().st_size < 2 * limit


def test_visits_alone_cannot_fill_the_disk(connection: Connection) -> None:
    with transaction(connection):
        for who in range(5000):
            row, _, _ = begin_visit(connection, 1, b"user%d@example.com" % who, NOW)
            end_visit(connection, row, NOW)
        begin_visit(connection, 1, b"present", NOW)
    limit = used_bytes(connection) // 2
    sweep(connection, HistoryLimits(age=0, count=0, size=limit))
    assert used_bytes(connection) <= limit
    assert number(connection, "SELECT count(*) FROM visits WHERE user = ?", b"present") == 1


def test_visits_go_with_what_was_said_but_for_the_last(connection: Connection) -> None:
    for age in (30.0, 20.0, 10.0):
        row, _, _ = begin_visit(connection, 1, b"alice", NOW - age)
        say(connection, 1, [age])
        end_visit(connection, row, NOW - age)
    sweep(connection, HistoryLimits(age=0, count=2))
    left = "SELECT after_seq, through_seq FROM visits"
    assert connection.execute(left).fetchall() == [(1, 2), (2, 3)]
    say(connection, 1, [1, 1])
    sweep(connection, HistoryLimits(age=0, count=1))
    assert connection.execute(left).fetchall() == [(2, 3)]


def test_visits_are_forgotten_by_age_but_not_who_is_there(connection: Connection) -> None:
    say(connection, 1, [3 * DAY])
    for user, left in ((b"gone", 2 * DAY), (b"lately", 10.0)):
        row, _, _ = begin_visit(connection, 1, user, NOW - 3 * DAY)
        end_visit(connection, row, NOW - left)
    begin_visit(connection, 1, b"here", NOW - 3 * DAY)
    sweep(connection, HistoryLimits(age=DAY))
    users = connection.execute("SELECT user FROM visits ORDER BY id").fetchall()
    assert users == [(b"lately",), (b"here",)]
    assert number(connection, "SELECT count(*) FROM rooms") == 1
