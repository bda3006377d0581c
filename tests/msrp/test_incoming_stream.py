"""Which bytes of a large message have come: told by the stretches alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.msrp.assembly import MAX_SEGMENTS
from sylk.msrp.incoming_stream import IncomingStream


def make_stream() -> IncomingStream:
    return IncomingStream(b"m1", b"text/plain", None, False, b"yes")


def test_it_is_complete_when_the_end_and_all_before_it_has_come() -> None:
    stream = make_stream()
    stream.add(0, 10, last=False)
    assert (stream.is_complete, stream.reached) == (False, 10)
    stream.add(20, 5, last=True)
    assert (stream.is_complete, stream.size) == (False, 25)
    stream.add(10, 10, last=False)
    assert stream.is_complete


def test_an_end_without_a_byte_completes_what_has_come() -> None:
    stream = make_stream()
    stream.add(0, 10, last=False)
    stream.add(10, 0, last=True)
    assert stream.is_complete


def test_what_lies_behind_the_end_does_not_count() -> None:
    stream = make_stream()
    stream.add(0, 10, last=False)
    stream.add(4, 2, last=True)
    assert (stream.size, stream.is_complete) == (6, True)


def test_too_many_stretches_are_refused() -> None:
    stream = make_stream()
    for number in range(MAX_SEGMENTS):
        stream.add(2 * number, 1, last=False)
    with pytest.raises(RemoteProtocolError) as caught:
        stream.add(2 * MAX_SEGMENTS, 1, last=False)
    assert caught.value.status == 413


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=30), st.integers(0, 60))
def test_any_order_and_overlap_agrees_with_a_set_of_positions(
    pieces: list[tuple[int, int]], size: int
) -> None:
    stream = make_stream()
    stream.add(size, 0, last=True)
    there: set[int] = set()
    for start, length in pieces:
        stream.add(start, length, last=False)
        there |= set(range(start, start + length))
        assert stream.is_complete == (set(range(size)) <= there)
