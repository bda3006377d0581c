"""Sessions: what they answer, send and tell, over one wire."""

import pytest

from sylk.errors import LocalProtocolError
from sylk.msrp.events import (
    Bound,
    Closed,
    MessageAccepted,
    MessageFailed,
    MessageReceived,
    MessageReported,
    NicknameAnswered,
    ReportReceived,
)
from sylk.msrp.fanout import FanOut
from sylk.msrp.frame import ByteRange
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_table import SessionState
from sylk.msrp.uri import parse_path
from tests.msrp.pair import THEM, US, Wire, answer, bodies, bound_wire, make_session, send


def first_message(session: MsrpSession, wire: Wire, data: bytes) -> MessageReceived:
    (event,) = wire.receive(data)
    assert isinstance(event, MessageReceived)
    assert session.state is SessionState.BOUND
    return event


# Binding


def test_a_passive_session_is_bound_by_an_empty_send() -> None:
    session = make_session()
    wire = Wire(session)
    assert wire.receive(send()) == [Bound()]
    (frame,) = wire.sent()
    assert (frame.status, frame.to_path, frame.from_path) == (200, THEM, US)
    assert wire.connection.sessions == [session]


def test_content_binds_too_and_is_answered_before_anything_else_leaves() -> None:
    session = make_session()
    wire = Wire(session)
    bound, received = wire.receive(send(b"Hi"))
    assert bound == Bound()
    assert isinstance(received, MessageReceived)
    session.send_message(b"Welcome", b"text/plain", 0.0)
    session.accept(received.message)
    first, second = wire.sent()
    assert (first.status, second.body) == (200, b"Welcome")


def test_content_that_binds_is_refused_by_a_report() -> None:
    session = make_session()
    wire = Wire(session)
    _, received = wire.receive(send(b"Hi"))
    assert isinstance(received, MessageReceived)
    session.refuse(received.message, 413)
    assert wire.statuses() == [200, -413]


def test_a_large_first_chunk_is_answered_once() -> None:
    session = make_session(max_message_size=200_000)
    wire = Wire(session)
    body = b"x" * 150_000
    events = wire.receive(send(body))
    assert bodies(events) == [body]
    assert isinstance(events[1], MessageReceived)
    session.accept(events[1].message)
    assert wire.statuses() == [200]


def test_an_active_session_sends_an_empty_send_and_waits_for_its_answer() -> None:
    session = make_session(active=True)
    wire = Wire(session)
    session.connected(wire.connection, 0.0)
    (bind,) = wire.sent()
    assert (bind.method, bind.body, bind.to_path, bind.from_path) == (b"SEND", None, THEM, US)
    assert bind.headers[b"byte-range"] == b"1-0/0"
    with pytest.raises(LocalProtocolError):
        session.send_message(b"early", b"text/plain", 0.0)
    assert wire.receive(answer(bind.transaction_id, 200)) == [Bound()]
    session.send_message(b"now", b"text/plain", 0.0)


def test_an_active_session_answers_the_empty_send_of_its_peer_while_binding() -> None:
    session = make_session(active=True)
    wire = Wire(session)
    session.connected(wire.connection, 0.0)
    (bind,) = wire.sent()
    assert wire.receive(send()) == []
    assert wire.statuses() == [200]
    assert session.state is SessionState.BINDING
    assert wire.receive(answer(bind.transaction_id, 200)) == [Bound()]


def test_content_binds_an_active_session_and_the_late_answer_changes_nothing() -> None:
    session = make_session(active=True)
    wire = Wire(session)
    session.connected(wire.connection, 0.0)
    (bind,) = wire.sent()
    events = wire.receive(send(b"Hi"), answer(bind.transaction_id, 200))
    assert events[0] == Bound()
    assert bodies(events) == [b"Hi"]
    assert session.state is SessionState.BOUND


@pytest.mark.parametrize("status", [481, 506, 400])
def test_a_bind_that_is_refused_closes_the_session(status: int) -> None:
    session = make_session(active=True)
    wire = Wire(session)
    session.connected(wire.connection, 0.0)
    (bind,) = wire.sent()
    (event,) = wire.receive(answer(bind.transaction_id, status))
    assert event == Closed(f"the peer refused to bind: {status}")
    assert wire.connection.sessions == []
    assert len(wire.registry) == 0


def test_a_session_that_is_not_bound_in_time_closes() -> None:
    session = make_session()
    assert session.next_deadline() is None
    session.await_connection(100.0)
    assert session.next_deadline() == 130.0
    session.handle_deadline(129.9)
    assert session.next_event() is None
    session.handle_deadline(130.0)
    assert session.next_event() == Closed("not bound in time")
    assert session.next_deadline() is None


def test_an_active_session_without_an_answer_closes() -> None:
    session = make_session(active=True)
    wire = Wire(session)
    session.connected(wire.connection, 0.0)
    wire.connection.handle_deadline(30.0)
    assert wire.events() == [Closed("not bound in time")]


def test_only_an_active_session_with_a_remote_path_connects_and_once() -> None:
    for session in (make_session(), make_session(active=True, remote=b"")):
        with pytest.raises(LocalProtocolError):
            session.connected(Wire().connection, 0.0)
        assert session.state is SessionState.IDLE
    session = make_session(active=True)
    session.connected(Wire().connection, 0.0)
    with pytest.raises(LocalProtocolError):
        session.connected(Wire().connection, 0.0)


def test_a_local_path_needs_a_session_id() -> None:
    for path in ((), parse_path("msrp://h:1;tcp")):
        with pytest.raises(LocalProtocolError):
            MsrpSession(path, active=False)


def test_nothing_but_send_is_taken_before_the_session_is_bound() -> None:
    wire = Wire(make_session())
    assert wire.receive(send(method=b"NICKNAME", extra=b"Use-Nickname: x\r\n")) == []
    assert wire.statuses() == [481]
    assert wire.connection.sessions == []


# Messages in


def test_a_message_is_delivered_and_answered_by_its_user() -> None:
    session, wire = bound_wire()
    received = first_message(session, wire, send(b"Hi", extra=b"Success-Report: yes\r\n"))
    message = received.message
    assert (message.message_id, message.content_type) == (b"m1", b"text/plain")
    assert wire.sent() == []
    session.accept(message)
    response, report = wire.sent()
    assert response.status == 200
    assert (report.method, report.to_path, report.from_path) == (b"REPORT", THEM, US)
    assert report.headers == {
        b"status": b"000 200 OK",
        b"message-id": b"m1",
        b"byte-range": b"1-2/2",
    }
    with pytest.raises(LocalProtocolError):
        session.refuse(message, 400)


@pytest.mark.parametrize(
    ("wishes", "accepted", "refused", "reported"),
    [
        (b"", [200], [403], [200, -403]),
        (b"Failure-Report: yes\r\n", [200], [403], [200, -403]),
        (b"Failure-Report: what\r\n", [200], [403], [200, -403]),
        (b"Failure-Report: Partial\r\n", [], [403], [-403]),
        (b"Failure-Report: no\r\n", [], [], []),
        (b"Failure-Report: no\r\nSuccess-Report: yes\r\n", [-200], [], []),
        (b"Failure-Report: partial\r\nSuccess-Report: Yes\r\n", [-200], [403], [-403]),
        (b"Success-Report: yes\r\n", [200, -200], [403], [200, -403]),
        (b"Success-Report: maybe\r\n", [200], [403], [200, -403]),
    ],
)
def test_the_sender_decides_what_it_is_told(
    wishes: bytes, accepted: list[int], refused: list[int], reported: list[int]
) -> None:
    session, wire = bound_wire()
    data = send(b"Hi", extra=wishes)
    session.accept(first_message(session, wire, data).message)
    assert wire.statuses() == accepted
    session.refuse(first_message(session, wire, data).message, 403)
    assert wire.statuses() == refused
    session.refuse(first_message(session, wire, data).message, 403, as_report=True)
    assert wire.statuses() == reported


def test_what_one_read_brings_is_answered_in_one_piece() -> None:
    session, wire = bound_wire()
    events = wire.receive(*(send(b"%d" % i, tid=b"tid%d" % i) for i in range(5)))
    assert bodies(events) == [b"%d" % i for i in range(5)]
    for event in events:
        assert isinstance(event, MessageReceived)
        session.accept(event.message)
    assert [frame.transaction_id for frame in wire.sent()] == [b"tid%d" % i for i in range(5)]
    assert wire.connection.data_to_send() == b""


def test_an_empty_send_is_answered_and_tells_nothing() -> None:
    _, wire = bound_wire()
    assert wire.receive(send(extra=b"Keep-Alive: yes\r\n")) == []
    assert wire.statuses() == [200]
    assert wire.receive(send(extra=b"Success-Report: yes\r\n")) == []
    assert wire.statuses() == [200, -200]


def test_an_empty_body_with_a_type_is_a_message() -> None:
    _, wire = bound_wire()
    assert bodies(wire.receive(send(b""))) == [b""]


def test_a_type_that_is_not_accepted_is_refused_at_once() -> None:
    _, wire = bound_wire(make_session(accept_types=("message/cpim", "text/*")))
    assert wire.receive(send(b"Hi", content_type=b"image/png")) == []
    assert wire.statuses() == [415]
    assert len(wire.receive(send(b"Hi", content_type=b"Text/HTML; charset=utf-8"))) == 1
    assert len(wire.receive(send(b"Hi", content_type=b"Message/CPIM"))) == 1


def test_a_late_answer_to_frames_with_other_paths_goes_back_their_way() -> None:
    session, wire = bound_wire()
    other = b"msrp://nat.example.com:9/them;tcp"
    one = first_message(session, wire, send(b"1", tid=b"tid1", back=other)).message
    two = first_message(session, wire, send(b"2", tid=b"tid2")).message
    session.accept(one)
    session.accept(two)
    assert [frame.to_path for frame in wire.sent()] == [other, THEM]


def test_a_closed_session_takes_answers_without_sending() -> None:
    session, wire = bound_wire()
    received = first_message(session, wire, send(b"Hi", extra=b"Success-Report: yes\r\n"))
    session.close("bye")
    session.accept(received.message)
    assert wire.sent() == []
    assert wire.events() == [Closed("bye")]
    session.close("again")
    assert session.next_event() is None


# Messages out


def test_a_sent_message_is_accepted_refused_or_times_out() -> None:
    session, wire = bound_wire()
    ids = [session.send_message(b"%d" % i, b"text/plain", float(i)) for i in range(3)]
    frames = wire.sent()
    assert [frame.body for frame in frames] == [b"0", b"1", b"2"]
    assert list(frames[0].headers) == [b"byte-range", b"message-id", b"content-type"]
    events = wire.receive(
        answer(frames[0].transaction_id, 200), answer(frames[1].transaction_id, 413)
    )
    assert events == [MessageAccepted(ids[0]), MessageFailed(ids[1], 413, b"X")]
    assert session.next_deadline() == 32.0
    session.handle_deadline(32.0)
    assert wire.events() == [MessageFailed(ids[2], 408, b"Timed out")]
    assert wire.receive(answer(frames[2].transaction_id, 200)) == []
    assert session.ignored_frames == 1


def test_what_a_message_asks_for_is_in_its_headers() -> None:
    session, wire = bound_wire()
    session.send_message(
        b"x" * 3000,
        b"text/plain",
        0.0,
        message_id=b"mine",
        success_report=True,
        failure_report=b"no",
    )
    (frame,) = wire.sent()
    assert frame.headers == {
        b"byte-range": b"1-*/3000",
        b"message-id": b"mine",
        b"failure-report": b"no",
        b"success-report": b"yes",
        b"content-type": b"text/plain",
    }
    assert session.next_deadline() == 60.0


def test_silence_after_failure_report_partial_is_success() -> None:
    session, wire = bound_wire()
    session.send_message(b"1", b"text/plain", 0.0, failure_report=b"partial")
    second = session.send_message(b"2", b"text/plain", 0.0, failure_report=b"partial")
    _, frame = wire.sent()
    assert wire.receive(answer(frame.transaction_id, 400)) == [MessageFailed(second, 400, b"X")]
    session.handle_deadline(30.0)
    assert wire.events() == []


def test_reports_on_what_we_sent_are_told_and_others_ignored() -> None:
    session, wire = bound_wire()
    message_id = session.send_message(b"Hi", b"text/plain", 0.0, success_report=True)
    report = send(
        method=b"REPORT",
        message_id=message_id,
        byte_range=b"1-2/2",
        extra=b"Status: 000 200 OK\r\n",
    )
    told = ReportReceived(message_id, 200, ByteRange(1, 2, 2), b"OK")
    assert wire.receive(report) == [told, MessageReported(message_id)]
    assert wire.receive(report) == []
    wire.sent()
    other = send(method=b"REPORT", message_id=b"other", extra=b"Status: 000 200 OK\r\n")
    nonsense = send(method=b"REPORT", message_id=message_id)
    assert wire.receive(other, nonsense) == []
    assert wire.sent() == []
    assert session.ignored_frames == 3


def test_too_many_unanswered_messages_are_refused() -> None:
    session, _ = bound_wire(make_session(max_transactions=2))
    for _ in range(2):
        session.send_message(b"x", b"text/plain", 0.0)
    with pytest.raises(LocalProtocolError):
        session.send_message(b"x", b"text/plain", 0.0)


def test_unanswered_messages_fail_when_the_session_closes() -> None:
    session, wire = bound_wire()
    message_id = session.send_message(b"x", b"text/plain", 0.0)
    transaction_id = session.set_nickname("Al", 0.0)
    wire.connection.close("the peer is gone")
    assert wire.events() == [
        MessageFailed(message_id, 408, b"Session closed"),
        NicknameAnswered(transaction_id, 408, b"Session closed"),
        Closed("the peer is gone"),
    ]
    with pytest.raises(LocalProtocolError):
        session.send_message(b"x", b"text/plain", 0.0)


def test_a_fan_out_is_delivered_with_our_paths() -> None:
    session, wire = bound_wire()
    batch = FanOut()
    message_id = batch.add(b"Hi", b"message/cpim", success_report=True)
    session.deliver(batch, 0.0)
    (frame,) = wire.sent()
    assert (frame.to_path, frame.from_path, frame.body) == (THEM, US, b"Hi")
    assert wire.receive(answer(frame.transaction_id, 415)) == []
    assert session.ignored_frames == 1
    report = send(method=b"REPORT", message_id=message_id, extra=b"Status: 000 415 No\r\n")
    assert len(wire.receive(report)) == 1


@pytest.mark.parametrize("method", [b"FILE_OFFSET", b"JUMP"])
def test_an_unknown_method_is_refused(method: bytes) -> None:
    _, wire = bound_wire()
    assert wire.receive(send(method=method)) == []
    assert wire.statuses() == [501]
