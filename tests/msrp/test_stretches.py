"""Stretches against a set of positions."""

from hypothesis import given
from hypothesis import strategies as st

from sylk.msrp.assembly import MAX_SEGMENTS
from sylk.msrp.stretches import Stretches

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=30)


@given(RANGES, st.integers(0, 60), st.integers(0, 60))
def test_any_order_and_overlap_agrees_with_a_set(
    ranges: list[tuple[int, int]], start: int, end: int
) -> None:
    stretches = Stretches()
    there: set[int] = set()
    for first, last in ranges:
        assert stretches.add(first, last)
        there |= set(range(first, last))
    assert stretches.covers(start, end) == (set(range(start, end)) <= there)
    assert stretches.reached == max(there, default=-1) + 1
    stretches.cut(30)
    there -= set(range(30, 61))
    assert stretches.covers(start, end) == (set(range(start, end)) <= there)


def test_too_many_are_not_added() -> None:
    stretches = Stretches()
    for number in range(MAX_SEGMENTS):
        assert stretches.add(2 * number, 2 * number + 1)
    assert not stretches.add(2 * MAX_SEGMENTS, 2 * MAX_SEGMENTS + 1)
    assert stretches.reached == 2 * MAX_SEGMENTS - 1
    assert stretches.add(1, 2)
