"""Answers to messages that went to many."""

from sylk.msrp.events import FanOutAnswered
from sylk.msrp.fanout import FanOut
from sylk.msrp.strays import MAX_REMEMBERED, Strays
from tests.msrp.pair import answer, bound_wire, send


def test_an_error_is_told_once_and_finds_its_message_by_either_id() -> None:
    session, wire = bound_wire()
    session.strays = Strays()
    batch = FanOut()
    message_id = batch.add(b"Hi", b"message/cpim")
    session.deliver(batch, 0.0)
    (frame,) = wire.sent()
    assert frame.transaction_id == frame.headers[b"message-id"] == message_id
    refused = FanOutAnswered(message_id, 415, b"X")
    assert wire.receive(answer(message_id, 415), answer(message_id, 415)) == [refused]
    report = send(method=b"REPORT", message_id=message_id, extra=b"Status: 000 413 No\r\n")
    assert wire.receive(report) == []
    assert session.ignored_frames == 3
    assert wire.sent() == []


def test_success_is_what_a_report_says_on_the_last_bytes() -> None:
    session, wire = bound_wire()
    session.strays = Strays()
    ok = b"Status: 000 200 OK\r\n"
    told = [FanOutAnswered(b"m1", 200, b"OK")]
    for byte_range, expected in ((b"1-5/9", []), (b"6-9/9", told), (b"", told), (b"1-*/*", told)):
        report = send(method=b"REPORT", message_id=b"m1", byte_range=byte_range, extra=ok)
        assert wire.receive(report) == expected
    assert wire.receive(answer(b"tid9", 200)) == []
    assert wire.receive(send(method=b"REPORT", message_id=b"m1")) == []


def test_a_report_on_a_message_of_the_session_is_never_a_stray() -> None:
    session, wire = bound_wire()
    session.strays = Strays()
    message_id = session.send_message(b"Hi", b"text/plain", 0.0)
    report = send(
        method=b"REPORT",
        message_id=message_id,
        byte_range=b"1-2/2",
        extra=b"Status: 000 200 OK\r\n",
    )
    assert len(wire.receive(report)) == 2
    assert wire.receive(report) == []


def test_a_storm_of_errors_costs_no_more_than_its_bound() -> None:
    session, wire = bound_wire()
    session.strays = Strays()
    storm = [answer(b"tid%d" % (number % MAX_REMEMBERED), 415) for number in range(1000)]
    assert len(wire.receive(*storm)) == MAX_REMEMBERED
    assert session.ignored_frames == 1000


def test_without_a_listener_nothing_is_told() -> None:
    session, wire = bound_wire()
    report = send(method=b"REPORT", message_id=b"m1", extra=b"Status: 000 413 No\r\n")
    assert wire.receive(answer(b"tid9", 415), report) == []
    assert session.ignored_frames == 2
