"""Unanswered requests and unreported messages."""

import pytest

from sylk.errors import LocalProtocolError
from sylk.msrp.outstanding import Outstanding, Purpose


def test_requests_expire_in_order() -> None:
    outstanding = Outstanding(30.0)
    assert outstanding.next_deadline() is None
    for i in range(3):
        outstanding.add(b"t%d" % i, Purpose.MESSAGE, b"m%d" % i, float(i))
    assert outstanding.next_deadline() == 30.0
    assert outstanding.answered(b"t0") is not None
    assert outstanding.answered(b"t0") is None
    assert [t.message_id for t in outstanding.expired(31.0)] == [b"m1"]
    assert outstanding.next_deadline() == 32.0
    assert [t.message_id for t in outstanding.clear()] == [b"m2"]
    assert outstanding.next_deadline() is None


def test_the_number_of_requests_is_bounded() -> None:
    outstanding = Outstanding(30.0, max_transactions=1)
    outstanding.add(b"t1", Purpose.BIND, b"", 0.0)
    with pytest.raises(LocalProtocolError):
        outstanding.add(b"t2", Purpose.NICKNAME, b"", 0.0)
    outstanding.add(b"t3", Purpose.KEEP_ALIVE, b"", 0.0)
    with pytest.raises(LocalProtocolError):
        outstanding.add(b"t4", Purpose.MESSAGE, b"", 0.0)


def test_quiet_parts_make_room_for_others() -> None:
    outstanding = Outstanding(30.0, max_transactions=8)
    outstanding.add(b"m", Purpose.MESSAGE, b"m", 0.0)
    for number in range(20):
        outstanding.forget_quiet()
        outstanding.add(b"c%d" % number, Purpose.QUIET_CHUNK, b"large", 0.0)
    for number in range(4):
        outstanding.add(b"n%d" % number, Purpose.MESSAGE, b"n%d" % number, 0.0)
    left = [transaction.message_id for transaction in outstanding.clear()]
    assert left == [b"m", b"large", b"large", b"large", b"n0", b"n1", b"n2", b"n3"]


def test_what_must_be_answered_is_not_forgotten() -> None:
    outstanding = Outstanding(30.0, max_transactions=2)
    for number in range(2):
        outstanding.add(b"m%d" % number, Purpose.MESSAGE, b"m%d" % number, 0.0)
    outstanding.forget_quiet()
    assert len(outstanding.clear()) == 2
