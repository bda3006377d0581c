"""Tests of sylk.sip.subscription_lifetime: the clocks of a subscriber."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.sip.subscription_lifetime import MAX_EXPIRES_ASKED, SubscriptionLifetime

TIMER_N = 32.0


def lifetime(asked: int | None = 600, refresh_at: float = 0.5) -> SubscriptionLifetime:
    return SubscriptionLifetime(asked, TIMER_N, refresh_at, 0.0)


def test_a_notify_is_awaited_after_each_subscribe() -> None:
    times = lifetime()
    assert times.next_deadline(False, False) == TIMER_N
    assert not times.is_overdue(31.9)
    assert times.is_overdue(32.0)
    times.told(600, 1.0)
    assert not times.is_overdue(1000.0)
    times.begin(300.0)
    assert times.is_overdue(332.0)
    times.no_notify_follows()
    assert times.next_deadline(False, True) is None


def test_the_shorter_of_two_times_counts() -> None:
    times = lifetime()
    times.granted(500, 0.0)
    times.told(400, 0.0)
    assert (times.is_expired(399.9), times.is_expired(400.0)) == (False, True)
    times.told(4000, 0.0)
    assert (times.is_expired(499.9), times.is_expired(500.0)) == (False, True)


def test_nobody_says_how_long() -> None:
    times = lifetime(None)
    times.granted(None, 0.0)
    times.told(None, 0.0)
    assert times.asked == 3600
    assert (times.is_expired(3599.9), times.is_expired(3600.0)) == (False, True)


def test_the_times_before_a_refresh_do_not_count_after_it() -> None:
    times = lifetime()
    times.granted(600, 0.0)
    times.told(300, 0.0)
    times.begin(250.0)
    times.granted(600, 250.0)
    assert not times.is_expired(849.0)


def test_a_notify_that_overtakes_the_answer_to_the_refresh_counts() -> None:
    times = lifetime()
    times.granted(600, 0.0)
    times.begin(300.0)
    times.told(100, 300.0)
    times.granted(600, 300.0)
    assert times.is_expired(400.0)


def test_the_refresh_is_reckoned_from_the_subscribe() -> None:
    times = lifetime(refresh_at=0.5)
    times.granted(600, 0.0)
    for now in range(0, 290, 10):
        times.told(600 - now, float(now))
    assert times.next_deadline(True, True) == pytest.approx(300.0)
    assert times.next_deadline(True, False) == pytest.approx(600.0)


def test_a_refresh_that_failed_comes_back_within_what_is_left() -> None:
    times = lifetime(refresh_at=0.5)
    times.granted(600, 0.0)
    times.told(600, 0.0)
    tries = 0
    now = 300.0
    while not times.is_expired(now):
        times.postpone(None, now)
        due = times.next_deadline(True, True)
        assert due is not None
        assert due > now
        now = due
        tries += 1
    assert now == pytest.approx(600.0)
    assert tries < 12


def test_a_retry_after_is_kept() -> None:
    times = lifetime(refresh_at=0.5)
    times.granted(600, 0.0)
    times.told(None, 0.0)
    times.postpone(200, 300.0)
    assert times.next_deadline(True, True) == pytest.approx(500.0)
    times.postpone(2000, 300.0)
    assert times.next_deadline(True, True) == pytest.approx(600.0)


def test_a_time_too_short_to_refresh_is_left_to_end() -> None:
    times = lifetime()
    times.granted(1, 0.0)
    times.told(None, 0.0)
    assert times.next_deadline(True, True) == 1.0


@given(st.integers(0, MAX_EXPIRES_ASKED), st.lists(st.none() | st.integers(0, 2**32), max_size=8))
def test_longer_times_are_asked_for_twice_at_most(asked: int, wanted: list[int | None]) -> None:
    times = lifetime(asked)
    agreed = 0
    for seconds in wanted:
        before = times.asked
        if times.ask_longer(seconds):
            agreed += 1
            assert seconds == times.asked
            assert before < times.asked <= MAX_EXPIRES_ASKED
        else:
            assert times.asked == before
    assert agreed <= 2
    # A poll stays one.
    assert times.asked or not agreed
