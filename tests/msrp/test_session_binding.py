"""How a session outlives its connection."""

import pytest

from sylk.errors import LocalProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import Bound, Closed, Detached, Rebound
from sylk.msrp.session_limits import DOUBT_TIMEOUT
from sylk.msrp.session_table import SessionState
from tests.msrp.lasting_pair import RECONNECT, Pair
from tests.msrp.pair import Wire, answer, bound_wire, make_session, send
from tests.msrp.test_receiver import lasting_wire


def test_without_time_to_come_back_a_session_ends_with_its_connection() -> None:
    session, wire = bound_wire()
    wire.connection.close("lost", 1.0)
    assert wire.events() == [Closed("lost")]
    assert session.state is SessionState.CLOSED
    assert session.registry is None


def test_a_lost_session_is_bound_by_the_first_send_on_another_connection() -> None:
    session, wire = lasting_wire()
    wire.connection.close("lost", 1.0)
    assert wire.events() == [Detached("lost")]
    assert session.is_detached
    assert session.connection is None
    assert session.next_deadline() == 1.0 + RECONNECT
    wire.connection = MsrpConnection(wire.registry)
    assert wire.receive(send(tid=b"bind"), now=5.0) == [Rebound()]
    assert session.connection is wire.connection
    assert session.next_deadline() == 65.0


def test_a_connection_whose_bytes_make_no_sense_is_no_fault_of_the_network() -> None:
    session, wire = lasting_wire()
    with pytest.raises(Exception, match=r".+"):
        wire.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert session.state is SessionState.CLOSED


def test_the_time_to_come_back_is_bounded_and_a_later_peer_gets_481() -> None:
    session, wire = lasting_wire()
    wire.connection.close("lost", 1.0)
    wire.events()
    session.handle_deadline(1.0 + RECONNECT)
    reason = "lost, and there was no other connection in time"
    assert session.next_event() == Closed(reason)
    assert session.next_deadline() is None
    wire.connection = MsrpConnection(wire.registry)
    wire.receive(send(tid=b"bind"))
    assert wire.statuses() == [481]


def test_who_does_not_know_both_session_ids_gets_nothing() -> None:
    session, wire = lasting_wire()
    wire.connection.close("lost", 1.0)
    wire.events()
    wire.connection = MsrpConnection(wire.registry)
    stranger = b"msrp://us.example.com:1/stranger;tcp"
    assert wire.receive(send(tid=b"aaaa", back=stranger)) == []
    assert wire.receive(send(b"Hi", tid=b"bbbb", back=stranger)) == []
    assert wire.receive(send(tid=b"cccc", to=b"msrp://us.example.com:1/guess;tcp")) == []
    assert wire.statuses() == [481, 481, 481]
    assert session.is_detached
    assert session.connection is None
    # Neither is the connection any nearer to the session, nor the session to its end.
    assert wire.receive(send(method=b"NICKNAME", tid=b"dddd")) == []
    assert wire.statuses() == [481]
    assert session.next_deadline() == 1.0 + RECONNECT


def second_connection(wire: Wire) -> Wire:
    other = Wire(registry=wire.registry)
    assert other.receive(send(tid=b"other"), now=100.0) == []
    assert other.statuses() == [506]
    return other


def test_a_connection_that_answers_is_not_pushed_out() -> None:
    session, wire = lasting_wire()
    other = second_connection(wire)
    assert other.connection.take_doubted() == [session]
    assert other.connection.take_doubted() == []
    (sign,) = wire.sent()
    assert session.next_deadline() == 60.0
    # However often that is tried, the peer is asked once.
    other.receive(send(tid=b"again"), now=101.0)
    assert other.connection.take_doubted() == []
    assert wire.sent() == []
    wire.receive(answer(sign.transaction_id, 200), now=102.0)
    session.handle_deadline(100.0 + DOUBT_TIMEOUT)
    assert session.state is SessionState.BOUND
    assert session.connection is wire.connection


def test_a_connection_that_is_dead_makes_room_for_another_one() -> None:
    session, wire = lasting_wire()
    other = second_connection(wire)
    session.handle_deadline(100.0 + DOUBT_TIMEOUT)
    assert wire.events() == [Detached("the peer does not answer")]
    assert other.receive(send(tid=b"again"), now=106.0) == [Rebound()]
    assert session.connection is other.connection


def test_a_stranger_cannot_bring_a_connection_into_doubt() -> None:
    _, wire = lasting_wire()
    other = Wire(registry=wire.registry)
    other.receive(send(tid=b"other", back=b"msrp://x:1/stranger;tcp"))
    other.receive(send(method=b"NICKNAME", tid=b"nick"))
    assert other.statuses() == [506, 506]
    assert other.connection.take_doubted() == []
    assert wire.sent() == []


def test_who_may_not_outlive_its_connection_is_in_no_doubt() -> None:
    _, wire = bound_wire()
    other = second_connection(wire)
    assert other.connection.take_doubted() == []
    assert wire.sent() == []


def test_a_peer_that_answers_no_keep_alive_may_come_back() -> None:
    session, wire = lasting_wire()
    session.handle_deadline(60.0)
    session.handle_deadline(90.0)
    assert wire.events() == [Detached("the peer does not answer")]
    assert session.next_deadline() == 90.0 + RECONNECT


def test_the_active_side_tries_again_after_506_and_ends_after_481() -> None:
    pair = Pair()
    pair.break_off(noticed_by=(0,))
    session = pair.alice.session
    for _ in range(3):
        pair.connect()
        assert session.state is SessionState.REBINDING
        pair.carry_all()
        assert session.state is SessionState.DETACHED
        assert session.connection is None
    assert session.next_deadline() == RECONNECT
    pair.bob.session.close("over")
    pair.connect()
    pair.carry_all()
    assert session.state is SessionState.CLOSED
    assert pair.alice.closed == 1


def test_an_attempt_that_breaks_leaves_the_time_as_it_was() -> None:
    pair = Pair()
    pair.break_off()
    pair.now = 5.0
    pair.connect()
    pair.break_off(noticed_by=(0,))
    assert pair.alice.state is SessionState.DETACHED
    assert pair.alice.session.next_deadline() == RECONNECT
    pair.reopen()
    assert pair.alice.rebound == pair.bob.rebound == 1


def test_content_before_the_answer_binds_the_active_side_again() -> None:
    pair = Pair()
    pair.break_off()
    pair.bob.say(b"take this", pair.now)
    pair.connect()
    pair.carry(0, 10_000)
    line = pair.bob.lines[-1]
    _, _, content = line.outbox.partition(b"$\r\n")
    line.outbox = content
    pair.carry(1, 10_000)
    assert pair.alice.state is SessionState.BOUND
    assert list(pair.alice.delivered.values()) == [b"take this"]


def test_a_peer_that_comes_back_a_thousand_times_leaves_nothing_behind() -> None:
    pair = Pair()
    for number in range(1000):
        pair.alice.say(b"take %d" % number, pair.now)
        pair.break_off()
        pair.reopen()
        for person in pair.people:
            del person.lines[0]
    assert len(pair.bob.delivered) == len(pair.alice.accepted) == 1000
    assert pair.alice.session.kept == pair.bob.session.kept == 0
    assert len(pair.bob.registry) == 1


def test_a_session_is_bound_at_first_and_bound_again_after_that() -> None:
    session = make_session(active=True)
    wire = Wire(session)
    session.connected(wire.connection, 0.0)
    (bind,) = wire.sent()
    assert wire.receive(answer(bind.transaction_id, 200)) == [Bound()]
    with pytest.raises(LocalProtocolError):
        session.connected(wire.connection, 0.0)
