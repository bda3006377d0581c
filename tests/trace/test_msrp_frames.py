"""Frames are cut out of what goes by, whatever the reads, and whenever one begins to watch."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.trace.msrp_frames import MAX_FAULT, MAX_SHOWN, FrameCutter, SeenFrame

PATHS = b"To-Path: msrp://a:1/a;tcp\r\nFrom-Path: msrp://b:1/b;tcp\r\n"
ANSWER = b"MSRP x1 200 OK\r\n" + PATHS + b"-------x1$\r\n"


def send(body: bytes, identifier: bytes = b"abcd", flag: bytes = b"$") -> bytes:
    return b"MSRP %b SEND\r\n%bContent-Type: a/b\r\n\r\n%b\r\n-------%b%b\r\n" % (
        *(identifier, PATHS, body),
        *(identifier, flag),
    )


FRAMES = [
    *(ANSWER, send(b"words"), send(b"", b"e1"), send(b"\r\n-------abc$\r\n", flag=b"+")),
    *(send(b"-------abcd$ \r\n-------abcd!\r\n", flag=b"#"), ANSWER),
]


def feed(cutter: FrameCutter, *pieces: bytes) -> list[SeenFrame]:
    return [frame for piece in pieces for frame in cutter.feed(piece)]


@given(st.lists(st.integers(0, len(b"".join(FRAMES))), max_size=20))
def test_however_it_is_cut_the_frames_are_the_same(places: list[int]) -> None:
    data = b"".join(FRAMES)
    marks = [0, *sorted(places), len(data)]
    pieces = [data[a:b] for a, b in pairwise(marks)]
    assert feed(FrameCutter(), *pieces) == [SeenFrame(frame) for frame in FRAMES]


def test_byte_by_byte_with_keep_alives_between() -> None:
    data = b"\r\n\r\n" + b"\r\n".join(FRAMES)
    pieces = [data[at : at + 1] for at in range(len(data))]
    assert feed(FrameCutter(), *pieces) == [SeenFrame(frame) for frame in FRAMES]


@pytest.mark.parametrize("size", [1000, 100_000])
def test_of_a_large_frame_the_beginning_and_the_end_line_are_kept(size: int) -> None:
    frame = send(b"y" * 1_000_000)
    pieces = [frame[at : at + size] for at in range(0, len(frame), size)]
    (seen,) = feed(FrameCutter(), *pieces)
    assert seen.octets == frame[:MAX_SHOWN] + b"\r\n-------abcd$\r\n"
    assert seen.left_out == len(frame) - len(seen.octets)


def test_a_frame_without_end_takes_no_memory() -> None:
    cutter = FrameCutter()
    assert feed(cutter, send(b"")[:-16], *[b"y" * 10_000] * 100) == []
    assert feed(cutter, b"\r\n-------abcd+\r\n" + ANSWER)[1:] == [SeenFrame(ANSWER)]


@given(st.integers(1, len(FRAMES[4]) - 1))
def test_who_begins_in_the_middle_of_a_frame_sees_the_next_one_first(start: int) -> None:
    found = feed(FrameCutter(), FRAMES[4][start:], ANSWER, ANSWER)
    assert found in ([SeenFrame(ANSWER)] * 2, [SeenFrame(ANSWER)])


def test_what_is_no_msrp_is_told_once_and_skipped() -> None:
    noise = b"GET / HTTP/1.1\r\n" + b"z" * 5000
    found = feed(FrameCutter(), ANSWER, noise, noise, FRAMES[1] + ANSWER)
    assert found[0] == SeenFrame(ANSWER)
    assert found[1] == SeenFrame(noise[:MAX_FAULT], 0, "not MSRP")
    assert found[2:] == [SeenFrame(ANSWER)]


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_whatever_comes_nothing_breaks(pieces: list[bytes]) -> None:
    for frame in feed(FrameCutter(), ANSWER, *pieces):
        assert len(frame.octets) <= MAX_SHOWN + 100
