from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection

import pytest
from sylk_conference.history.attendance import (
    begin_visit,
    close_open_visits,
    end_visit,
    is_open,
    last_sequence,
)
from sylk_conference.history.database import number, open_for_writing

LOBBY, ATTIC = 1, 2
ALICE, BOB = b"alice@x", b"bob@x"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with closing(open_for_writing(tmp_path / "h.db")) as connection:
        yield connection


def say(connection: Connection, room: int, at: float = 0.0) -> None:
    connection.execute(
        "INSERT INTO records (room, at, sender, body) VALUES (?, ?, x'', x'')", (room, at)
    )


def visits(connection: Connection) -> list[tuple[bytes, int, int | None]]:
    return connection.execute(
        "SELECT user, after_seq, through_seq FROM visits ORDER BY id"
    ).fetchall()


def test_who_comes_back_is_told_from_where_he_has_missed_something(connection: Connection) -> None:
    say(connection, LOBBY)
    row, since, until = begin_visit(connection, LOBBY, ALICE, 1.0)
    assert (since, until) == (None, 1)
    say(connection, LOBBY)
    say(connection, ATTIC)
    end_visit(connection, row, 2.0)
    say(connection, LOBBY)
    _, since, until = begin_visit(connection, LOBBY, ALICE, 3.0)
    assert (since, until) == (2, 4)
    assert begin_visit(connection, ATTIC, ALICE, 3.0)[1] is None
    assert begin_visit(connection, LOBBY, BOB, 3.0)[1] is None


def test_who_is_here_with_another_client_has_missed_nothing(connection: Connection) -> None:
    first, _, _ = begin_visit(connection, LOBBY, ALICE, 1.0)
    say(connection, LOBBY)
    second, since, _ = begin_visit(connection, LOBBY, ALICE, 2.0)
    assert since is None
    end_visit(connection, first, 3.0)
    end_visit(connection, second, 4.0)
    assert begin_visit(connection, LOBBY, ALICE, 5.0)[1] == 1


def test_visits_in_which_nothing_was_said_do_not_gather(connection: Connection) -> None:
    for second in range(10):
        say(connection, ATTIC)
        end_visit(connection, begin_visit(connection, LOBBY, ALICE, second)[0], second)
    assert visits(connection) == [(ALICE, 10, 10)]


def test_visits_in_which_something_was_said_stay(connection: Connection) -> None:
    for second in range(2):
        row, _, _ = begin_visit(connection, LOBBY, ALICE, second)
        say(connection, LOBBY)
        end_visit(connection, row, second)
    end_visit(connection, begin_visit(connection, LOBBY, ALICE, 3.0)[0], 3.0)
    assert visits(connection) == [(ALICE, 0, 1), (ALICE, 1, 2), (ALICE, 2, 2)]


def test_who_stays_is_not_closed(connection: Connection) -> None:
    alice, _, _ = begin_visit(connection, LOBBY, ALICE, 1.0)
    bob, _, _ = begin_visit(connection, LOBBY, BOB, 1.0)
    close_open_visits(connection, {alice})
    assert is_open(connection, alice, ALICE)
    assert not is_open(connection, alice, BOB)
    assert not is_open(connection, bob, BOB)


def test_a_killed_server_leaves_nobody_in_a_room(connection: Connection) -> None:
    begin_visit(connection, LOBBY, ALICE, 5.0)
    say(connection, LOBBY, 7.0)
    begin_visit(connection, LOBBY, BOB, 8.0)
    say(connection, ATTIC, 9.0)
    close_open_visits(connection)
    assert visits(connection) == [(ALICE, 0, 1), (BOB, 1, 1)]
    assert connection.execute("SELECT left_at FROM visits ORDER BY id").fetchall() == [(7,), (8,)]
    say(connection, LOBBY)
    assert begin_visit(connection, LOBBY, ALICE, 9.0)[1] == 1


def test_numbers_are_not_given_twice(connection: Connection) -> None:
    assert last_sequence(connection) == 0
    say(connection, LOBBY)
    connection.execute("DELETE FROM records")
    assert last_sequence(connection) == 1
    say(connection, LOBBY)
    assert number(connection, "SELECT max(seq) FROM records") == 2
