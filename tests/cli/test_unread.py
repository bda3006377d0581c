"""Where the line between read and unread is, and what is of the past."""

from datetime import UTC, datetime, timedelta

import pytest

from sylk.cli.unread import AWAY_AFTER, CLOCK_SKEW, FRESH, REPLAY_TIME, Past, Unread

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_line_is_drawn_once_above_what_comes_while_the_keyboard_is_still() -> None:
    unread = Unread(10)
    assert unread.line_before(9 + AWAY_AFTER) is None
    assert unread.line_before(11 + AWAY_AFTER) == AWAY_AFTER + 1
    assert unread.line_before(2 * AWAY_AFTER) is None
    back = 3 * AWAY_AFTER
    unread.typed(back)
    assert unread.line_before(back + 1) is None
    assert unread.line_before(back + AWAY_AFTER) == AWAY_AFTER


@pytest.mark.parametrize(
    ("sent", "is_past"),
    [
        (None, False),
        (NOON - timedelta(days=1), True),
        (NOON - CLOCK_SKEW - SECOND, True),
        # A clock that is a little slow, and one that is fast.
        (NOON - CLOCK_SKEW, False),
        (NOON + timedelta(days=1), False),
    ],
)
def test_what_was_said_before_the_chat_is_of_the_past(sent: datetime | None, is_past: bool) -> None:
    assert Past(NOON).holds(sent, NOON + SECOND) is is_past


def test_what_was_asked_for_is_of_the_past_for_a_while() -> None:
    past = Past(NOON)
    now = NOON + timedelta(hours=1)
    old, fresh = now - FRESH - SECOND, now - FRESH
    answered = now + SECOND
    assert not past.holds(old, now)
    past.ask(now)
    assert past.holds(old, answered)
    assert not past.holds(fresh, answered)
    assert not past.holds(old, now + REPLAY_TIME + SECOND)
