"""Limits by source: never more than allowed, never more memory than allowed, nobody else hurt."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.source_limits import (
    BURST_SECONDS,
    SentNoAnswer,
    SourceLimits,
    TokenBuckets,
    retry_after,
    source_of,
)

rates = st.floats(0.01, 1000)
pauses = st.lists(st.floats(0, 10), max_size=60)


# Buckets


@given(rate=rates, burst=st.integers(1, 50), pauses=pauses, start=st.floats(0, 1e9))
def test_never_more_than_the_rate_and_one_burst(
    rate: float, burst: int, pauses: list[float], start: float
) -> None:
    buckets = TokenBuckets(rate, burst)
    times: list[float] = []
    now = start
    for pause in pauses:
        now += pause
        if buckets.take("a", now):
            times.append(now)
    # In any stretch of time, and not only from the beginning.
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            taken = last - first + 1
            assert taken <= burst + rate * (times[last] - begin + 1e-5) + 1e-6


@given(rate=rates, burst=st.integers(1, 50))
def test_never_less_than_one_burst_and_the_rate(rate: float, burst: int) -> None:
    buckets = TokenBuckets(rate, burst)
    assert all(buckets.take("a", 5.0) for _ in range(burst))
    assert not buckets.take("a", 5.0)
    now = 5.0
    for _ in range(20):
        now += 1 / rate
        assert buckets.take("a", now)
        assert not buckets.take("a", now)


@given(rate=rates, burst=st.integers(1, 5))
def test_what_is_refused_costs_nothing(rate: float, burst: int) -> None:
    buckets = TokenBuckets(rate, burst)
    assert [buckets.take("a", 0.0) for _ in range(burst + 50)].count(True) == burst
    assert buckets.take("a", 1.001 / rate)


@given(rate=st.floats(0.1, 100), burst=st.integers(1, 5))
def test_the_wait_is_as_long_as_it_takes(rate: float, burst: int) -> None:
    buckets = TokenBuckets(rate, burst)
    while buckets.take("a", 0.0):
        assert buckets.wait("b", 0.0) == 0.0
    wait = buckets.wait("a", 0.0)
    assert wait > 0
    assert not buckets.take("a", wait * 0.9)
    assert buckets.take("a", wait)
    name, seconds = retry_after(buckets, "a", wait)
    assert name == "Retry-After"
    assert 1 / rate <= int(seconds) <= 1 / rate + 1.1


def test_one_source_takes_nothing_from_another() -> None:
    buckets = TokenBuckets(1, 3)
    while buckets.take("a", 0.0):
        pass
    assert buckets.take("b", 0.0)


def test_what_is_full_again_is_forgotten() -> None:
    buckets = TokenBuckets(10, 5)
    for number in range(100):
        assert buckets.take(str(number), 0.0)
    assert len(buckets) == 100
    assert buckets.take("new", 0.1)
    assert len(buckets) == 1


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 0.5)), max_size=100))
def test_the_table_is_bounded(sources: list[tuple[int, float]]) -> None:
    buckets = TokenBuckets(1, 4, max_sources=5)
    now = 0.0
    for source, pause in sources:
        now += pause
        buckets.take(str(source), now)
        assert len(buckets) <= 5


def test_a_spray_of_sources_does_not_make_us_forget_who_took_most() -> None:
    buckets = TokenBuckets(1, 4, max_sources=5)
    while buckets.take("greedy", 0.0):
        pass
    for number in range(1000):
        assert buckets.take(f"spray {number}", 0.0)
        assert len(buckets) == min(number + 2, 5)
    assert not buckets.take("greedy", 0.0)


def test_an_infinite_rate_refuses_nothing_and_remembers_nothing() -> None:
    buckets = TokenBuckets(math.inf, math.inf)
    assert all(buckets.take("a", 0.0) for _ in range(1000))
    assert (len(buckets), buckets.wait("a", 0.0)) == (0, 0.0)


# Sources


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("no address", "no address"),
    ],
)
def test_an_ipv6_site_is_one_source(address: str, source: str) -> None:
    assert source_of(address) == source


# Refusals


def outcome(limits: SourceLimits, now: float, source: str = "a") -> str:
    try:
        limits.check(source, now)
    except SentNoAnswer:
        return "silence"
    except RemoteProtocolError as error:
        return str(error.status) if "Retry-After" in dict(error.headers) else "no time"
    return "admitted"


def test_first_503_and_then_silence_and_never_for_others() -> None:
    limits = SourceLimits(100)
    outcomes = [outcome(limits, 0.0) for _ in range(1000)]
    burst = round(100 * BURST_SECONDS)
    assert outcomes == ["admitted"] * burst + ["503"] * 50 + ["silence"] * (1000 - burst - 50)
    assert outcome(limits, 0.0, "b") == "admitted"


@given(st.lists(st.floats(0, 0.2), min_size=50, max_size=200))
def test_answers_to_a_flood_are_bounded_and_a_share_is_admitted(pauses: list[float]) -> None:
    limits = SourceLimits(10, burst_seconds=1)
    now, counts = 0.0, {"admitted": 0, "503": 0, "silence": 0}
    for pause in pauses:
        now += pause
        counts[outcome(limits, now)] += 1
    assert counts["admitted"] <= 10 + 10 * now + 1
    assert counts["503"] <= 1 + now + 1
    # A source that goes on gets what it would have had if it had kept to its rate.
    assert counts["admitted"] >= min(len(pauses), 10)


def test_a_source_that_has_come_to_rest_is_served_again() -> None:
    limits = SourceLimits(10)
    while outcome(limits, 0.0) != "silence":
        pass
    assert outcome(limits, 0.2) == "admitted"
    assert len(limits) == 1
    assert outcome(limits, 1000.0, "b") == "admitted"
    assert len(limits) == 1
