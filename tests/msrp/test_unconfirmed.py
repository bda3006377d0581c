"""What is kept for the next connection, and how much of it."""

import pytest

from sylk.errors import LocalProtocolError
from sylk.msrp.events import Closed, FanOutAnswered, MessageFailed, NicknameAnswered
from sylk.msrp.fanout import FanOut
from sylk.msrp.session_limits import SessionLimits
from sylk.msrp.unconfirmed import KEPT_FAN_OUTS, MAX_AGAIN, MAX_REPORTS
from tests.msrp.lasting_pair import EVERYTHING, RECONNECT, Pair

LOST = b"Connection lost"


def say_to_many(pair: Pair, number: int) -> None:
    pair.now += 0.01
    pair.alice.say_to_many([b"take %d" % number], pair.now)


def test_the_latest_to_many_go_again_when_nobody_knows_whether_they_came() -> None:
    pair = Pair()
    for number in range(10 * KEPT_FAN_OUTS):
        say_to_many(pair, number)
        pair.write_out(0, EVERYTHING)
    pair.break_off()
    pair.reopen()
    came = list(pair.bob.delivered.values())
    assert KEPT_FAN_OUTS <= len(came) <= 2 * KEPT_FAN_OUTS
    assert came == list(pair.alice.said.values())[-len(came) :]


def test_what_waited_for_the_socket_goes_again_however_much_it_is() -> None:
    pair = Pair()
    for number in range(10 * KEPT_FAN_OUTS):
        say_to_many(pair, number)
    pair.break_off()
    pair.reopen()
    assert list(pair.bob.delivered) == list(pair.alice.said)


def test_what_is_known_to_have_come_does_not_go_again() -> None:
    pair = Pair()
    say_to_many(pair, 1)
    pair.now += 1
    pair.alice.say(b"take it", pair.now)
    pair.carry_all()
    pair.break_off()
    pair.connect()
    pair.carry(0, EVERYTHING)
    pair.carry(1, EVERYTHING)
    assert pair.alice.lines[-1].outbox == b""


def test_silence_means_success_after_the_time_of_a_transaction() -> None:
    pair = Pair()
    pair.alice.say_to_many([b"take 1"], pair.now)
    pair.write_out(0, EVERYTHING)
    pair.now += 31
    pair.break_off()
    pair.reopen()
    assert not pair.bob.delivered


def test_no_more_is_sent_again_than_a_peer_remembers() -> None:
    pair = Pair()
    batch = FanOut()
    for number in range(2 * MAX_AGAIN):
        batch.add(b"take %d" % number, b"text/plain")
    pair.alice.session.deliver(batch, pair.now)
    ids = [pair.alice.say(b"take", pair.now) for _ in range(2 * MAX_AGAIN)]
    pair.carry(0, EVERYTHING)
    pair.break_off()
    assert pair.alice.failed == set(ids[:MAX_AGAIN])
    pair.reopen()
    assert pair.alice.accepted == ids[MAX_AGAIN:]


def test_what_is_kept_is_bounded_in_bytes() -> None:
    pair = Pair(SessionLimits(reconnect_timeout=RECONNECT, max_kept=1000))
    pair.break_off()
    pair.alice.say(bytes(400), pair.now)
    pair.alice.say(bytes(400), pair.now, b"no")
    for failure_report in (b"yes", b"partial", b"no"):
        with pytest.raises(LocalProtocolError, match="wait for another connection"):
            pair.alice.say(bytes(400), pair.now, failure_report)
    batch = FanOut()
    batch.add(bytes(400), b"text/plain")
    with pytest.raises(LocalProtocolError, match="wait for another connection"):
        pair.alice.session.deliver(batch, pair.now)
    pair.reopen()
    assert list(pair.bob.delivered.values()) == [bytes(400)] * 2
    assert pair.alice.session.kept == 0


def test_unanswered_bodies_are_bounded_while_there_is_a_connection_too() -> None:
    pair = Pair(SessionLimits(reconnect_timeout=RECONNECT, max_kept=1000))
    first, second, third = (pair.alice.say(bytes(400), pair.now) for _ in range(3))
    assert pair.alice.session.kept == 800
    pair.break_off()
    assert pair.alice.failed == {first}
    pair.reopen()
    assert pair.alice.accepted == [second, third]


def test_reports_are_bounded() -> None:
    pair = Pair()
    pair.bob.is_slow = True
    for number in range(2 * MAX_REPORTS):
        pair.alice.session.send_message(
            b"%d" % number, b"text/plain", pair.now, success_report=True, failure_report=b"no"
        )
    pair.alice.settle()
    pair.carry_all()
    pair.break_off()
    pair.bob.decide()
    pair.connect()
    pair.carry(0, EVERYTHING)
    assert pair.bob.lines[-1].outbox.count(b" REPORT\r\n") == MAX_REPORTS


def test_all_that_never_came_is_told_when_the_time_is_over() -> None:
    pair = Pair()
    pair.alice.say_to_many([b"take 1"], pair.now)
    quiet = pair.alice.say(b"take 2", pair.now, b"partial")
    transaction_id = pair.alice.session.set_nickname("Ali", pair.now)
    pair.alice.lines[0].connection.close("lost", pair.now)
    session = pair.alice.session
    told = [session.next_event() for _ in range(2)]
    assert NicknameAnswered(transaction_id, 408, LOST) in told
    session.handle_deadline(RECONNECT)
    events = [session.next_event() for _ in range(3)]
    many, *_ = pair.alice.said
    assert events == [
        MessageFailed(quiet, 408, LOST),
        FanOutAnswered(many, 408, LOST),
        Closed("lost, and there was no other connection in time"),
    ]


def test_a_nickname_is_not_asked_for_without_connection() -> None:
    pair = Pair()
    pair.break_off()
    with pytest.raises(LocalProtocolError, match="no connection now"):
        pair.alice.session.set_nickname("Ali", pair.now)
