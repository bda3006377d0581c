"""A message in pieces as the peer's parser reads it: one chunk, or several where it must be."""

from hypothesis import given
from hypothesis import strategies as st

from sylk.msrp.frame import Frame
from sylk.msrp.outgoing_stream import OutgoingStream
from sylk.msrp.parser import FrameParser

PATHS = b"To-Path: msrp://a:1/a;tcp\r\nFrom-Path: msrp://b:1/b;tcp\r\n"


def make_stream(total: int | None = None, failure_report: bytes = b"partial") -> OutgoingStream:
    return OutgoingStream(b"m1", b"text/plain", total, failure_report=failure_report)


def parse(data: bytes) -> list[Frame]:
    parser = FrameParser()
    parser.receive_data(data)
    frames: list[Frame] = []
    while (frame := parser.next_event()) is not None:
        frames.append(frame)
    return frames


def test_pieces_that_follow_each_other_are_one_chunk() -> None:
    stream = make_stream(7)
    data = stream.open(b"tid1", PATHS, 0)
    for piece in (b"abc", b"defg"):
        assert stream.take(piece) == len(piece)
        data += piece
    data += stream.close(b"$")
    (frame,) = parse(data)
    assert (frame.body, frame.flag) == (b"abcdefg", b"$")
    assert frame.headers[b"byte-range"] == b"1-*/7"
    assert frame.headers[b"failure-report"] == b"partial"
    assert not stream.is_open


def test_a_chunk_that_goes_on_says_where() -> None:
    stream = make_stream(None, b"yes")
    (frame,) = parse(stream.open(b"tid1", PATHS, 41) + b"x" + stream.close(b"+"))
    assert frame.headers[b"byte-range"] == b"42-*/*"
    assert b"failure-report" not in frame.headers


@given(
    before=st.binary(max_size=40),
    after=st.binary(max_size=40),
    cut=st.integers(0, 120),
    second=st.integers(0, 120),
    mark=st.sampled_from([b"\r\n-------tid1$\r\n", b"-------tid1", b"\r\n-------tid1+\r\nMSRP "]),
    flagged=st.booleans(),
)
def test_the_end_line_never_goes_out_inside_of_the_chunk_that_it_would_end(
    before: bytes, after: bytes, cut: int, second: int, mark: bytes, flagged: bool
) -> None:
    """Whatever the cuts: the parser finds the very body, and nothing that was forged."""
    body = before + mark + after
    first, last = sorted((cut, second))
    stream = make_stream(len(body))
    ids = iter([b"tid1", b"tid2", b"tid3"])
    data = stream.open(next(ids), PATHS, 0)
    for piece in (body[:first], body[first:last], body[last:]):
        rest = piece
        # Each piece that may hold a dash is searched, the others need it only if asked to.
        while rest:
            taken = stream.take(rest, has_dashes=flagged or b"-" in body)
            data += rest[:taken]
            rest = rest[taken:]
            if rest:
                data += stream.close(b"+") + stream.open(next(ids), PATHS, stream.position)
    data += stream.close(b"$")
    frames = parse(data)
    assert b"".join(frame.body or b"" for frame in frames) == body
    assert len(frames) == 2
    assert [frame.fault for frame in frames] == [0, 0]
