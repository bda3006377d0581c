"""The bind time-out and the keep-alive."""

from sylk.msrp.events import Closed
from sylk.msrp.session_table import SessionState
from sylk.msrp.session_timers import SessionTimers
from tests.msrp.pair import answer, bound_wire, make_session, send


def test_the_bind_time_out_ends_with_binding() -> None:
    timers = SessionTimers(30.0, None)
    timers.await_binding(10.0)
    assert timers.next_deadline() == 40.0
    assert not timers.bind_overdue(39.0)
    assert timers.bind_overdue(40.0)
    timers.bound(20.0)
    assert timers.next_deadline() is None
    assert not timers.bind_overdue(99.0)


def test_the_keep_alive_is_due_after_a_silent_interval_only() -> None:
    timers = SessionTimers(30.0, 60.0)
    timers.bound(0.0)
    assert not timers.keepalive_due(59.0)
    timers.heard = 20.0
    assert not timers.keepalive_due(60.0)
    assert timers.next_deadline() == 80.0
    assert timers.keepalive_due(85.0)
    assert timers.next_deadline() == 145.0
    timers.stop()
    assert timers.next_deadline() is None
    assert not timers.keepalive_due(999.0)


def test_a_silent_peer_is_asked_and_its_answer_keeps_the_session() -> None:
    session, wire = bound_wire()
    assert session.next_deadline() == 60.0
    session.handle_deadline(60.0)
    (frame,) = wire.sent()
    assert frame.headers[b"keep-alive"] == b"yes"
    assert session.next_deadline() == 90.0
    assert wire.receive(answer(frame.transaction_id, 481), now=80.0) == []
    session.handle_deadline(90.0)
    assert session.state is SessionState.BOUND
    assert session.next_deadline() == 120.0


def test_a_peer_that_speaks_is_not_asked() -> None:
    session, wire = bound_wire()
    wire.receive(send(), now=50.0)
    wire.sent()
    session.handle_deadline(60.0)
    assert wire.sent() == []
    assert session.next_deadline() == 110.0


def test_a_peer_that_does_not_answer_is_let_go() -> None:
    session, wire = bound_wire()
    session.handle_deadline(60.0)
    session.handle_deadline(90.0)
    assert wire.events() == [Closed("the peer does not answer")]
    assert session.connection is None


def test_a_peer_that_owes_as_many_answers_as_it_may_is_asked_and_let_go_too() -> None:
    session, wire = bound_wire(make_session(max_transactions=2))
    for _ in range(2):
        session.send_message(b"x", b"text/plain", 55.0)
    session.handle_deadline(60.0)
    session.handle_deadline(90.0)
    assert wire.events()[-1] == Closed("the peer does not answer")


def test_keep_alive_can_be_off() -> None:
    session, _ = bound_wire(make_session(keepalive_interval=None))
    assert session.next_deadline() is None
