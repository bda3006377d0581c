"""Messages that are too large to be put together: handed on as they come."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from sylk.msrp.events import Closed, MessageReceived, PieceReceived, SessionEvent, StreamAborted
from sylk.msrp.parser import MAX_HELD
from sylk.msrp.session import MsrpSession
from tests.msrp.pair import Wire, bodies, bound_wire, make_session, send

LIMIT = 10


def make_pair(max_stream_size: int = 10**9) -> tuple[MsrpSession, Wire]:
    return bound_wire(make_session(stream_above=LIMIT, max_stream_size=max_stream_size))


def chunk(
    start: int, body: bytes, flag: bytes, total: int | None = None, mid: bytes = b"m"
) -> bytes:
    announced = b"*" if total is None else b"%d" % total
    return send(
        body,
        tid=b"t%d" % start,
        message_id=mid,
        byte_range=b"%d-*/%b" % (start + 1, announced),
        flag=flag,
        extra=b"Success-Report: yes\r\n",
    )


def pieces(events: list[SessionEvent]) -> list[tuple[int, bytes, bytes]]:
    return [
        (event.start, event.body, event.flag)
        for event in events
        if isinstance(event, PieceReceived)
    ]


def test_a_small_message_in_chunks_is_put_together() -> None:
    _, wire = make_pair()
    assert bodies(wire.receive(chunk(0, b"abc", b"+"), chunk(3, b"defg", b"$"))) == [b"abcdefg"]


def test_what_was_kept_is_handed_on_when_a_message_turns_out_to_be_large() -> None:
    session, wire = make_pair()
    assert wire.receive(chunk(0, b"a" * 6, b"+")) == []
    events = wire.receive(chunk(6, b"b" * 6, b"+"))
    assert pieces(events) == [(0, b"a" * 6, b"+"), (6, b"b" * 6, b"+")]
    assert wire.statuses() == [200, 200]
    (last,) = wire.receive(chunk(12, b"c", b"$"))
    assert isinstance(last, PieceReceived)
    assert (last.stream.is_complete, last.stream.size) == (True, 13)
    session.accept_stream(last.stream)
    assert [frame.headers.get(b"byte-range") for frame in wire.sent()] == [None, b"1-13/13"]


def test_a_size_that_is_announced_as_large_is_handed_on_at_once() -> None:
    _, wire = make_pair()
    assert pieces(wire.receive(chunk(0, b"ab", b"+", total=11))) == [(0, b"ab", b"+")]


def test_one_large_chunk_comes_in_pieces_and_is_answered_at_its_end() -> None:
    _, wire = make_pair()
    data = chunk(0, b"x" * (MAX_HELD + 5), b"$")
    events = wire.receive(data[: MAX_HELD + 200])
    assert pieces(events) == [(0, b"x" * MAX_HELD, b"")]
    assert wire.statuses() == []
    assert pieces(wire.receive(data[MAX_HELD + 200 :])) == [(MAX_HELD, b"x" * 5, b"$")]
    assert wire.statuses() == [200]


def test_the_beginning_is_waited_for() -> None:
    _, wire = make_pair()
    assert wire.receive(chunk(8, b"late", b"$")) == []
    events = wire.receive(chunk(0, b"12345678", b"+"))
    assert pieces(events) == [(0, b"12345678", b"+"), (8, b"late", b"+")]
    first = events[0]
    assert isinstance(first, PieceReceived)
    assert first.stream.is_complete


def test_a_message_whose_beginning_does_not_come_is_refused() -> None:
    _, wire = make_pair()
    assert wire.receive(chunk(50, b"x" * 8, b"+"), chunk(58, b"x" * 8, b"+")) == []
    assert wire.statuses() == [200, 413]


def test_the_sender_may_give_up() -> None:
    _, wire = make_pair()
    wire.receive(chunk(0, b"x" * 11, b"+"))
    (event,) = wire.receive(chunk(11, b"", b"#"))
    assert isinstance(event, StreamAborted)
    assert event.stream.is_over
    assert wire.statuses() == [200, 200]


def test_what_is_refused_is_told_at_once_and_for_each_further_chunk() -> None:
    session, wire = make_pair()
    (event,) = wire.receive(chunk(0, b"x" * 11, b"+"))
    assert isinstance(event, PieceReceived)
    session.refuse_stream(event.stream, 403)
    assert wire.receive(chunk(11, b"y", b"+")) == []
    assert wire.statuses() == [200, -403, 403]


def test_a_message_that_grows_too_large_is_aborted_and_refused() -> None:
    _, wire = make_pair(max_stream_size=20)
    wire.receive(chunk(0, b"x" * 11, b"+"))
    (event,) = wire.receive(chunk(11, b"y" * 10, b"+"))
    assert isinstance(event, StreamAborted)
    assert wire.statuses() == [200, 413]


def test_too_many_large_messages_at_one_time_are_refused() -> None:
    _, wire = make_pair()
    for number in range(4):
        wire.receive(chunk(0, b"x" * 11, b"+", mid=b"m%d" % number))
    assert wire.receive(chunk(0, b"x" * 11, b"+", mid=b"m5")) == []
    assert wire.statuses() == [200] * 4 + [413]


def test_a_session_that_ends_gives_up_what_is_not_whole() -> None:
    session, wire = make_pair()
    wire.receive(chunk(0, b"x" * 11, b"+"))
    session.close("bye")
    aborted, closed = wire.events()
    assert isinstance(aborted, StreamAborted)
    assert isinstance(closed, Closed)


def test_a_repeated_chunk_of_a_finished_message_is_answered_and_forgotten() -> None:
    _, wire = make_pair()
    wire.receive(chunk(0, b"x" * 11, b"+"), chunk(11, b"y", b"$"))
    assert wire.receive(chunk(11, b"y", b"$")) == []
    assert wire.statuses() == [200, 200, 200]


@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(0, 60), max_size=6), st.randoms())
def test_whatever_the_chunks_and_their_order_the_whole_message_is_told(
    body: bytes, cuts: list[int], random: Random
) -> None:
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    parts = [
        chunk(start, body[start:end], b"$" if end == len(body) else b"+", len(body))
        for start, end in pairwise(edges)
    ]
    first, rest = parts[0], parts[1:]
    random.shuffle(rest)
    _, wire = make_pair()
    events = wire.receive(first, *rest)
    whole = bodies(events)
    if whole:
        assert whole == [body]
        assert len(body) <= LIMIT or len(parts) == 1
        return
    laid = bytearray(len(body))
    for event in events:
        assert isinstance(event, PieceReceived)
        laid[event.start : event.start + len(event.body)] = event.body
    assert bytes(laid) == body
    final = events[-1]
    assert isinstance(final, PieceReceived)
    assert final.completes
    assert sum(isinstance(one, PieceReceived) and one.completes for one in events) == 1
    assert not any(isinstance(event, MessageReceived) for event in events)
