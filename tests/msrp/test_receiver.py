"""Messages that come again on another connection."""

import pytest

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import MessageReceived, PieceReceived, Rebound, SessionEvent, StreamAborted
from sylk.msrp.frame import SEND
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_limits import SessionLimits
from sylk.msrp.uri import parse_path
from tests.msrp.pair import THEM, Wire, bodies, send

LIMITS = SessionLimits(
    max_message_size=1000, stream_above=400, max_stream_size=10_000, reconnect_timeout=20.0
)


def lasting_wire() -> tuple[MsrpSession, Wire]:
    """Return a session that outlives its connections, bound by its peer."""
    session = MsrpSession(parse_path("msrp://us.example.com:1/us;tcp"), active=False, limits=LIMITS)
    session.remote_path = parse_path(THEM)
    wire = Wire(session)
    wire.receive(send())
    wire.sent()
    return session, wire


def reopen(wire: Wire) -> list[SessionEvent]:
    """Lose the connection, open another one, and return what that told."""
    wire.connection.close("lost", 0.0)
    events = wire.events()
    wire.sent()
    wire.connection = MsrpConnection(wire.registry)
    events += wire.receive(send(tid=b"bind"))
    assert wire.statuses() == [200]
    assert Rebound() in events
    return events


def message_of(events: list[SessionEvent]) -> MessageReceived:
    (event,) = events
    assert isinstance(event, MessageReceived)
    return event


@pytest.mark.parametrize(("status", "report"), [(200, 0), (403, 0), (200, 413)])
def test_what_comes_again_is_answered_as_it_was_and_told_once(status: int, report: int) -> None:
    session, wire = lasting_wire()
    message = message_of(wire.receive(send(b"one", tid=b"aaaa"))).message
    if status == 200 and not report:
        session.accept(message)
    else:
        session.refuse(message, report or status, as_report=bool(report))
    expected = [status, -report] if report else [status]
    assert wire.statuses() == expected
    reopen(wire)
    for transaction_id in (b"bbbb", b"cccc"):
        assert wire.receive(send(b"one", tid=transaction_id)) == []
        assert wire.statuses() == expected
    assert bodies(wire.receive(send(b"two", tid=b"dddd", message_id=b"m2"))) == [b"two"]


def test_success_is_reported_again() -> None:
    session, wire = lasting_wire()
    wish = b"Success-Report: yes\r\n"
    session.accept(message_of(wire.receive(send(b"one", extra=wish))).message)
    assert wire.statuses() == [200, -200]
    reopen(wire)
    wire.receive(send(b"one", tid=b"bbbb", extra=wish))
    assert wire.statuses() == [200, -200]


def test_what_is_not_decided_yet_is_answered_where_that_reaches_the_sender() -> None:
    session, wire = lasting_wire()
    message = message_of(wire.receive(send(b"one", tid=b"aaaa"))).message
    reopen(wire)
    assert wire.receive(send(b"one", tid=b"bbbb")) == []
    assert wire.sent() == []
    session.refuse(message, 403)
    (answer,) = wire.sent()
    assert (answer.transaction_id, answer.status) == (b"bbbb", 403)
    wire.receive(send(b"one", tid=b"cccc"))
    assert wire.statuses() == [403]


def test_on_one_connection_a_message_id_may_be_used_twice() -> None:
    _, wire = lasting_wire()
    events = wire.receive(send(b"one", tid=b"aaaa"), send(b"two", tid=b"bbbb"))
    assert bodies(events) == [b"one", b"two"]


def test_behind_a_relay_the_peer_binds_anew_on_our_connection() -> None:
    session, wire = lasting_wire()
    session.accept(message_of(wire.receive(send(b"one", tid=b"aaaa"))).message)
    wire.receive(send(tid=b"kept", extra=b"Keep-Alive: yes\r\n"))
    again = message_of(wire.receive(send(b"two", tid=b"bbbb"))).message
    assert again.body == b"two", "the same connection loses nothing"
    session.accept(again)
    wire.receive(send(tid=b"bind"))
    wire.sent()
    assert wire.receive(send(b"one", tid=b"cccc")) == []
    assert wire.statuses() == [200]


def chunk(body: bytes, start: int, total: int, tid: bytes, flag: bytes) -> bytes:
    byte_range = b"%d-%d/%d" % (start, start + len(body) - 1, total)
    return send(body, tid=tid, message_id=b"long", byte_range=byte_range, flag=flag)


def test_a_message_that_is_put_together_goes_on_where_it_was() -> None:
    _, wire = lasting_wire()
    assert wire.receive(chunk(b"a" * 100, 1, 200, b"aaaa", b"+")) == []
    reopen(wire)
    events = wire.receive(chunk(b"b" * 100, 101, 200, b"bbbb", b"$"))
    assert bodies(events) == [b"a" * 100 + b"b" * 100]


def test_a_message_in_pieces_is_given_up_and_may_come_anew() -> None:
    _, wire = lasting_wire()
    (piece,) = wire.receive(chunk(b"a" * 300, 1, 600, b"aaaa", b"+"))
    assert isinstance(piece, PieceReceived)
    assert StreamAborted(piece.stream) in reopen(wire)
    wire.receive(chunk(b"a" * 300, 1, 600, b"bbbb", b"+"))
    (piece,) = wire.receive(chunk(b"b" * 300, 301, 600, b"cccc", b"$"))
    assert isinstance(piece, PieceReceived)
    assert piece.completes
    assert wire.statuses() == [200, 200]
    reopen(wire)
    assert wire.receive(chunk(b"a" * 300, 1, 600, b"dddd", b"+")) == []
    assert wire.receive(chunk(b"b" * 300, 301, 600, b"eeee", b"$")) == []
    assert wire.statuses() == [200, 200]


def test_reports_wait_for_the_new_connection_and_answers_do_not() -> None:
    session, wire = lasting_wire()
    wish = b"Success-Report: yes\r\n"
    message = message_of(wire.receive(send(b"one", tid=b"aaaa", extra=wish))).message
    wire.connection.close("lost", 0.0)
    wire.sent()
    session.accept(message)
    wire.connection = MsrpConnection(wire.registry)
    wire.receive(send(tid=b"bind"))
    bind, report = wire.sent()
    assert bind.transaction_id == b"bind"
    assert report.headers[b"message-id"] == b"m1"
    assert report.method != SEND
