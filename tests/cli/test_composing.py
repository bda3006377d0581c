"""Who is writing: the machines of RFC 3994."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.cli.composing import (
    IDLE_AFTER,
    REFRESH,
    WRITERS_LIMIT,
    OwnWriting,
    Writers,
    writing_line,
)
from sylk.payload.composing import DEFAULT_REFRESH, ComposingState, IsComposing

ACTIVE = IsComposing(ComposingState.ACTIVE)
IDLE = IsComposing(ComposingState.IDLE)


def state_of(status: IsComposing | None) -> ComposingState | None:
    return None if status is None else status.state


def test_somebody_writes_until_he_says_otherwise_speaks_or_is_not_heard_of() -> None:
    writers = Writers()
    assert (writers.at(0), writers.next_deadline()) == ([], None)
    writers.take("alice", ACTIVE, 0)
    writers.take("bob", IsComposing(ComposingState.ACTIVE, refresh=60), 10)
    writers.take("carol", ACTIVE, 20)
    assert writers.at(20) == ["alice", "bob", "carol"]
    writers.take("carol", IDLE, 30)
    assert writers.next_deadline() == 70
    assert writers.at(69) == ["alice", "bob"]
    writers.take("bob", ACTIVE, 69)
    assert writers.at(70) == ["alice", "bob"]
    writers.spoke("bob")
    writers.spoke("nobody")
    assert writers.at(DEFAULT_REFRESH - 1) == ["alice"]
    assert writers.at(DEFAULT_REFRESH) == []
    assert writers.next_deadline() is None


def test_a_crowd_of_writers_is_bounded() -> None:
    writers = Writers()
    for number in range(10 * WRITERS_LIMIT):
        writers.take(str(number), ACTIVE, 0)
    assert len(writers.at(0)) == WRITERS_LIMIT
    writers.take("0", IDLE, 0)
    writers.take("new", ACTIVE, 0)
    assert "new" in writers.at(0)


def test_we_tell_that_we_write_and_tell_it_again_rarely() -> None:
    own = OwnWriting()
    first = own.typed(True, 0)
    assert first is not None
    assert (first.state, first.content_type) == (ComposingState.ACTIVE, "text/plain")
    assert first.refresh is not None
    # It must last until we tell it again.
    assert first.refresh >= REFRESH
    now = 0.0
    while now + 10 < REFRESH:
        now += 10
        assert own.typed(True, now) is None
    assert state_of(own.typed(True, REFRESH)) is ComposingState.ACTIVE
    assert own.next_deadline() == REFRESH + IDLE_AFTER


def test_a_pause_and_an_empty_line_are_told() -> None:
    own = OwnWriting()
    own.typed(True, 0)
    assert own.handle_deadline(IDLE_AFTER - 1) is None
    assert state_of(own.handle_deadline(IDLE_AFTER)) is ComposingState.IDLE
    assert own.next_deadline() is None
    assert own.handle_deadline(IDLE_AFTER + 1) is None
    assert state_of(own.typed(True, 20)) is ComposingState.ACTIVE
    assert state_of(own.typed(False, 21)) is ComposingState.IDLE
    assert own.typed(False, 22) is None


def test_what_was_said_needs_no_word_about_it() -> None:
    own = OwnWriting()
    own.typed(True, 0)
    own.said()
    assert own.next_deadline() is None
    assert own.typed(False, 1) is None
    assert state_of(own.typed(True, 2)) is ComposingState.ACTIVE


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 30)), max_size=50))
def test_what_is_told_alternates_or_refreshes(keys: list[tuple[bool, float]]) -> None:
    own = OwnWriting()
    now = 0.0
    told: list[tuple[ComposingState, float]] = []
    for has_text, pause in keys:
        now += pause
        deadline = own.next_deadline()
        if deadline is not None and deadline <= now and (status := own.handle_deadline(deadline)):
            told.append((status.state, deadline))
        if status := own.typed(has_text, now):
            told.append((status.state, now))
    for (state, at), (after, later) in pairwise(told):
        assert state is not after or (after is ComposingState.ACTIVE and later - at >= REFRESH)
    assert not told or told[0][0] is ComposingState.ACTIVE


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ([], ""),
        (["Ali"], "… Ali is writing"),
        (["Ali", "Bob"], "… Ali and Bob are writing"),
        (["Ali", "Bob", "Eve"], "… Ali, Bob and Eve are writing"),
        (["a", "b", "c", "d"], "… 4 people are writing"),
    ],
)
def test_how_it_is_said(names: list[str], line: str) -> None:
    assert writing_line(names) == line
