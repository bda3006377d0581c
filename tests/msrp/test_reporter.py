"""REPORTs by hand, on whole messages, on those in chunks and on those in pieces."""

import pytest

from sylk.msrp.events import IncomingMessage, MessageReceived, PieceReceived
from sylk.msrp.session import MsrpSession
from tests.msrp.pair import THEM, US, Wire, bound_wire, make_session, send

BOTH = b"Success-Report: yes\r\n"


def only_message(wire: Wire, *data: bytes) -> IncomingMessage:
    (event,) = wire.receive(*data)
    assert isinstance(event, MessageReceived)
    return event.message


def test_the_answer_comes_at_once_and_the_report_when_it_is_sent() -> None:
    session, wire = bound_wire()
    message = only_message(wire, send(b"Hi", extra=BOTH))
    receipt = session.reports.receipt_of(message)
    session.accept(message, report=False)
    assert wire.statuses() == [200]
    session.reports.send(receipt)
    session.reports.send(session.reports.receipt_of(message))
    (report,) = wire.sent()
    assert (report.method, report.to_path, report.from_path) == (b"REPORT", THEM, US)
    assert report.headers == {
        b"status": b"000 200 OK",
        b"message-id": b"m1",
        b"byte-range": b"1-2/2",
    }


def test_success_that_went_with_the_answer_is_not_reported_again_but_failure_is() -> None:
    session, wire = bound_wire()
    message = only_message(wire, send(b"Hi", extra=BOTH))
    session.accept(message)
    assert wire.statuses() == [200, -200]
    receipt = session.reports.receipt_of(message)
    session.reports.send(receipt)
    session.reports.send(receipt, 415, "bob@example.com: No\r\nway")
    (report,) = wire.sent()
    assert report.headers[b"status"] == b"000 415 bob@example.com: No  way"


@pytest.mark.parametrize(
    ("extra", "statuses"),
    [
        (b"", [200, -413]),
        (BOTH, [200, -200, -413]),
        (b"Failure-Report: partial\r\n", [-413]),
        (b"Failure-Report: no\r\n", []),
        (b"Failure-Report: no\r\n" + BOTH, [-200]),
    ],
)
def test_each_wish_for_a_message_in_chunks(extra: bytes, statuses: list[int]) -> None:
    session, wire = bound_wire()
    first = send(b"Hi", tid=b"tid1", byte_range=b"1-2/5", flag=b"+", extra=extra)
    assert wire.receive(first) == []
    wire.sent()
    message = only_message(wire, send(b" Al", tid=b"tid2", byte_range=b"3-5/5", extra=extra))
    assert message.body == b"Hi Al"
    session.accept(message, report=False)
    receipt = session.reports.receipt_of(message)
    assert receipt.byte_range == b"1-5/5"
    session.reports.send(receipt)
    session.reports.send(receipt, 413)
    assert wire.statuses() == statuses


def test_whichever_chunk_asks_for_success_the_whole_is_reported() -> None:
    session, wire = bound_wire()
    assert wire.receive(send(b"Hi", tid=b"tid1", byte_range=b"1-2/5", flag=b"+")) == []
    message = only_message(wire, send(b" Al", tid=b"tid2", byte_range=b"3-5/5", extra=BOTH))
    session.accept(message)
    assert wire.statuses() == [200, 200, -200]


def streaming() -> tuple[MsrpSession, Wire]:
    return bound_wire(make_session(max_message_size=10, stream_above=10))


def test_a_message_in_pieces_is_reported_with_what_has_come_of_it() -> None:
    session, wire = streaming()
    (piece,) = wire.receive(
        send(b"x" * 12, tid=b"tid1", byte_range=b"1-12/20", flag=b"+", extra=BOTH)
    )
    assert isinstance(piece, PieceReceived)
    receipt = session.reports.receipt_of(piece.stream)
    assert receipt.byte_range == b"1-12/20"
    wire.receive(send(b"x" * 8, tid=b"tid2", byte_range=b"13-20/20", extra=BOTH))
    session.reports.send(receipt)
    assert [frame.headers.get(b"byte-range") for frame in wire.sent()] == [None, None, b"1-20/20"]


def test_when_the_session_is_over_nothing_is_sent() -> None:
    session, wire = bound_wire()
    message = only_message(wire, send(b"Hi", extra=BOTH))
    session.accept(message, report=False)
    wire.sent()
    session.close("bye")
    session.reports.send(session.reports.receipt_of(message))
    assert wire.sent() == []
