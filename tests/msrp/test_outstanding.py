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
