"""Messages in pieces beside other frames, on one connection."""

import pytest

from sylk.errors import LocalProtocolError
from sylk.msrp.events import MessageFailed, MessageReported, ReportReceived
from sylk.msrp.outgoing_stream import OutgoingStream
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_limits import MAX_TRANSACTIONS, TRANSACTION_TIMEOUT
from sylk.msrp.stream_sender import MAX_STREAMS
from tests.msrp.pair import Wire, answer, bound_wire, send


def begin(session: MsrpSession, message_id: bytes = b"big", **wishes: bytes) -> OutgoingStream:
    stream = OutgoingStream(message_id, b"text/plain", 9, **wishes)  # pyright: ignore[reportArgumentType] - only bytes are given
    session.streams.begin(stream)
    return stream


def write(session: MsrpSession, stream: OutgoingStream, start: int, piece: bytes) -> None:
    assert session.connection is not None
    session.streams.write(session.connection, stream, start, piece, 0.0)


def end(session: MsrpSession, stream: OutgoingStream, flag: bytes) -> None:
    assert session.connection is not None
    session.streams.end(session.connection, stream, flag, 0.0)


def shape(wire: Wire) -> list[tuple[bytes, bytes, bytes]]:
    return [
        (frame.headers.get(b"byte-range", b""), frame.body or b"", frame.flag)
        for frame in wire.sent()
    ]


def test_a_message_that_nothing_interrupts_is_one_chunk() -> None:
    session, wire = bound_wire()
    stream = begin(session)
    for start, piece in ((0, b"abc"), (3, b"def"), (6, b"ghi")):
        write(session, stream, start, piece)
    end(session, stream, b"$")
    assert shape(wire) == [(b"1-*/9", b"abcdefghi", b"$")]


def test_another_message_goes_between_two_chunks() -> None:
    session, wire = bound_wire()
    stream = begin(session)
    write(session, stream, 0, b"abcd")
    session.send_message(b"quick", b"text/plain", 0.0)
    write(session, stream, 4, b"efghi")
    end(session, stream, b"$")
    assert shape(wire) == [
        (b"1-*/9", b"abcd", b"+"),
        (b"1-5/5", b"quick", b"$"),
        (b"5-*/9", b"efghi", b"$"),
    ]


def test_two_messages_in_pieces_take_turns() -> None:
    session, wire = bound_wire()
    one, other = begin(session), begin(session, b"other")
    write(session, one, 0, b"a")
    write(session, other, 0, b"x")
    write(session, one, 1, b"b")
    end(session, other, b"#")
    end(session, one, b"$")
    assert shape(wire) == [
        (b"1-*/9", b"a", b"+"),
        (b"1-*/9", b"x", b"+"),
        (b"2-*/9", b"b", b"+"),
        (b"2-*/9", b"", b"#"),
        (b"3-*/9", b"", b"$"),
    ]


def test_a_piece_from_elsewhere_begins_a_chunk() -> None:
    session, wire = bound_wire()
    stream = begin(session)
    write(session, stream, 0, b"abc")
    write(session, stream, 6, b"ghi")
    end(session, stream, b"+")
    assert shape(wire) == [(b"1-*/9", b"abc", b"+"), (b"7-*/9", b"ghi", b"+")]


def test_a_peer_that_refuses_a_chunk_gets_no_more() -> None:
    session, wire = bound_wire()
    stream = begin(session)
    write(session, stream, 0, b"abc")
    end(session, stream, b"+")
    (frame,) = wire.sent()
    events = wire.receive(answer(frame.transaction_id, 413))
    assert events == [MessageFailed(b"big", 413, b"X")]
    assert stream.failed == 413
    write(session, stream, 3, b"def")
    end(session, stream, b"$")
    assert wire.sent() == []


def test_silence_fails_a_message_that_wants_answers_and_no_other() -> None:
    for wish, events in ((b"partial", []), (b"yes", [MessageFailed(b"big", 408, b"Timed out")])):
        session, wire = bound_wire()
        stream = begin(session, failure_report=wish)
        write(session, stream, 0, b"abc")
        end(session, stream, b"$")
        session.handle_deadline(TRANSACTION_TIMEOUT)
        assert wire.events() == events


def test_the_time_of_an_open_chunk_begins_anew_with_each_piece() -> None:
    session, wire = bound_wire()
    stream = begin(session, failure_report=b"yes")
    assert session.connection is not None
    for now in (0.0, 20.0, 40.0):
        session.streams.write(session.connection, stream, int(now), b"x" * 20, now)
        session.handle_deadline(now + 1)
    assert wire.events() == []
    session.handle_deadline(40.0 + TRANSACTION_TIMEOUT)
    assert wire.events() == [MessageFailed(b"big", 408, b"Timed out")]


def test_there_is_a_bound_on_messages_in_pieces() -> None:
    session, _ = bound_wire()
    for number in range(MAX_STREAMS):
        begin(session, b"m%d" % number)
    with pytest.raises(LocalProtocolError):
        begin(session)


def ok_report(message_id: bytes, byte_range: bytes, status: bytes = b"200 OK") -> bytes:
    return send(
        method=b"REPORT",
        message_id=message_id,
        byte_range=byte_range,
        extra=b"Status: 000 %b\r\n" % status,
    )


def test_reports_on_pieces_are_added_up() -> None:
    session, wire = bound_wire()
    stream = OutgoingStream(b"big", b"text/plain", 9, success_report=True)
    session.streams.begin(stream)
    write(session, stream, 0, b"abcd")
    assert len(wire.receive(ok_report(b"big", b"1-4/9"))) == 1
    write(session, stream, 4, b"efghi")
    end(session, stream, b"$")
    assert len(wire.receive(ok_report(b"big", b"7-9/9"))) == 1
    assert MessageReported(b"big") in wire.receive(ok_report(b"big", b"5-6/9"))


def test_the_end_may_come_after_the_last_report() -> None:
    session, wire = bound_wire()
    stream = OutgoingStream(b"big", b"text/plain", None, success_report=True)
    session.streams.begin(stream)
    write(session, stream, 0, b"abcd")
    assert len(wire.receive(ok_report(b"big", b"1-4/*"))) == 1
    end(session, stream, b"$")
    assert wire.events() == [MessageReported(b"big")]


def test_a_reported_failure_ends_it_as_a_refusal_does() -> None:
    session, wire = bound_wire()
    stream = begin(session)
    write(session, stream, 0, b"abcd")
    wire.sent()
    (event,) = wire.receive(ok_report(b"big", b"1-4/9", b"413 Enough"))
    assert isinstance(event, ReportReceived)
    assert stream.failed == 413
    write(session, stream, 4, b"efghi")
    end(session, stream, b"#")
    assert [frame for _, frame, _ in shape(wire)] == [b"abcd"]


def test_a_200_to_a_part_that_asked_for_none_says_nothing_of_the_whole() -> None:
    session, wire = bound_wire()
    stream = begin(session)
    write(session, stream, 0, b"abcd")
    transaction_id = stream.transaction_id
    end(session, stream, b"+")
    assert wire.receive(answer(transaction_id, 200)) == []
    assert stream.failed == 0


def test_any_number_of_quick_chunks_that_nobody_answers_may_go() -> None:
    session, _ = bound_wire()
    stream = begin(session)
    for start in range(2 * MAX_TRANSACTIONS):
        write(session, stream, start, b"x")
        end(session, stream, b"+")
    session.send_message(b"quick", b"text/plain", 0.0)
    assert not stream.failed
