"""How often one person is called, and how many calls one person may ask for."""

from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.call_quota import WINDOW, CallQuota

ALICE, BOB, CAROL = b"alice@a", b"bob@a", b"carol@a"


def test_one_person_is_called_so_often_whoever_asks() -> None:
    quota = CallQuota(to_one=2, by_one=10)
    assert quota.take(ALICE, CAROL, 0.0) is None
    assert quota.take(BOB, CAROL, 100.0) is None
    assert quota.take(BOB, CAROL, 200.0) == 401
    # What was refused does not count.
    assert quota.take(ALICE, CAROL, WINDOW) is None
    assert quota.take(ALICE, CAROL, WINDOW + 99) == 2
    assert quota.take(ALICE, CAROL, WINDOW + 100) is None


def test_one_person_asks_for_so_many_calls() -> None:
    quota = CallQuota(to_one=10, by_one=2)
    assert quota.take(ALICE, BOB, 0.0) is None
    assert quota.take(ALICE, CAROL, 0.0) is None
    assert quota.take(ALICE, b"dave@a", 0.0) == WINDOW + 1
    assert quota.take(BOB, b"dave@a", 0.0) is None
    assert quota.take(ALICE, b"dave@a", WINDOW) is None


def test_while_there_are_too_many_nobody_new_is_called() -> None:
    quota = CallQuota(to_one=5, by_one=5, max_kept=2)
    assert quota.take(ALICE, BOB, 0.0) is None
    assert quota.take(ALICE, CAROL, 10.0) is None
    assert quota.take(ALICE, b"dave@a", 20.0) == WINDOW - 20 + 1
    # Those who are known already are no news.
    assert quota.take(ALICE, BOB, 20.0) is None
    assert quota.take(ALICE, b"dave@a", WINDOW + 10) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ALICE, BOB]),
            st.sampled_from([ALICE, BOB, CAROL]),
            st.floats(0, 400, allow_nan=False),
        )
    )
)
def test_no_window_holds_more_than_the_limits(calls: list[tuple[bytes, bytes, float]]) -> None:
    quota, now = CallQuota(to_one=3, by_one=4, max_kept=2), 0.0
    made: list[tuple[bytes, bytes, float]] = []
    for referrer, target, pause in calls:
        now += pause
        wait = quota.take(referrer, target, now)
        if wait is None:
            made.append((referrer, target, now))
        else:
            assert 0 < wait <= WINDOW + 1
        recent = [call for call in made if call[2] > now - WINDOW]
        for position, most in ((0, 4), (1, 3)):
            people = [call[position] for call in recent]
            assert all(people.count(one) <= most for one in people)
            assert len(set(people)) <= 2
