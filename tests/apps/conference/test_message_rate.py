"""How fast one may talk: a burst at once, then the rate, and a debt that is paid by waiting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.message_rate import MessageBucket

RATES = st.integers(1, 1000)
BURSTS = st.integers(1, 2000)


def test_a_burst_is_free_and_what_is_over_it_waits() -> None:
    bucket = MessageBucket()
    assert bucket.spend(10, 0.0, rate=2, burst=10) == 0
    assert bucket.spend(1, 0.0, rate=2, burst=10) == pytest.approx(0.5)
    assert bucket.spend(4, 0.0, rate=2, burst=10) == pytest.approx(2.5)
    # Who waits out his debt may go on at the rate, and who is silent has his burst again.
    assert bucket.spend(1, 3.0, rate=2, burst=10) == 0
    assert bucket.spend(10, 8.0, rate=2, burst=10) == 0
    assert bucket.spend(1, 8.0, rate=2, burst=10) > 0


def test_nobody_saves_more_than_a_burst() -> None:
    bucket = MessageBucket()
    assert bucket.spend(1, 0.0, rate=1, burst=5) == 0
    assert bucket.spend(6, 1e9, rate=1, burst=5) == pytest.approx(1.0)


def test_another_rate_holds_at_once() -> None:
    bucket = MessageBucket()
    assert bucket.spend(20, 0.0, rate=10, burst=10) == pytest.approx(1.0)
    assert bucket.spend(0, 0.0, rate=10, burst=20) == 0


@given(
    st.lists(st.tuples(st.integers(0, 300), st.floats(0, 10)), min_size=1, max_size=30),
    RATES,
    BURSTS,
)
def test_who_waits_as_he_is_told_never_gets_beyond_burst_and_rate(
    batches: list[tuple[int, float]], rate: int, burst: int
) -> None:
    bucket, now, spent = MessageBucket(), 0.0, 0
    for count, pause in batches:
        spent += count
        now += bucket.spend(count, now, rate=rate, burst=burst)
        assert spent <= burst + rate * now + 1e-3 * rate
        now += pause


@given(RATES, BURSTS, st.integers(1, 500))
def test_who_keeps_to_the_rate_never_waits(rate: int, burst: int, messages: int) -> None:
    bucket = MessageBucket()
    assert not any(
        bucket.spend(1, number / rate, rate=rate, burst=burst) for number in range(messages)
    )


@given(RATES, BURSTS, st.lists(st.integers(0, 100), max_size=20))
def test_a_wait_is_as_long_as_the_debt(rate: int, burst: int, counts: list[int]) -> None:
    bucket = MessageBucket()
    waits = [bucket.spend(count, 0.0, rate=rate, burst=burst) for count in counts]
    total = 0
    for count, wait in zip(counts, waits, strict=True):
        total += count
        assert wait == pytest.approx(max(0, total - burst) / rate, abs=1e-5)
