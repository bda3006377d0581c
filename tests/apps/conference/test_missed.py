"""What is kept for somebody who holds the chat."""

from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.missed import Missed


@given(st.lists(st.binary(max_size=40)), st.integers(1, 5), st.integers(1, 100))
def test_the_latest_that_fit_are_kept_in_their_order(
    bodies: list[bytes], count: int, size: int
) -> None:
    missed = Missed(count, size)
    for body in bodies:
        missed.add(body)
    kept = 0
    while kept < min(count, len(bodies)) and sum(map(len, bodies[-kept - 1 :])) <= size:
        kept += 1
    lost = missed.lost
    assert missed.take() == (bodies[-kept:] if kept else [])
    assert lost == len(bodies) - kept
    assert missed.take() == []
    assert missed.lost == 0


def test_what_was_said_earlier_comes_first_and_goes_first() -> None:
    missed = Missed(3, 100)
    missed.add(b"live")
    missed.precede([b"one", b"two", b"three"])
    assert missed.take() == [b"one", b"two", b"three", b"live"]
    missed.precede([b"one", b"two", b"three"])
    missed.add(b"live")
    assert missed.lost == 1
    assert missed.take() == [b"two", b"three", b"live"]
