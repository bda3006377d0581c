"""What a relay waits for: times, counts, and the table of consequences."""

import pytest

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import Frame
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.relay_transactions import (
    CONSEQUENCES,
    Consequence,
    Outcome,
    Purpose,
    Transaction,
    Transactions,
    transaction_of,
)


def link() -> MsrpConnection:
    return MsrpConnection(SessionRegistry())


def transaction(source: MsrpConnection, target: MsrpConnection) -> Transaction:
    headers = {b"message-id": b"m1", b"byte-range": b"11-20/100"}
    frame = Frame(b"t1", b"SEND", 0, b"", b"to x", b"back", headers, b"0123456789", b"$")
    return transaction_of(Purpose.SEND, frame, source, target, 1)


def test_every_outcome_of_every_purpose_has_a_consequence() -> None:
    assert set(CONSEQUENCES) == {(purpose, outcome) for purpose in Purpose for outcome in Outcome}
    for (purpose, outcome), consequence in CONSEQUENCES.items():
        if purpose is not Purpose.OTHER and outcome is Outcome.REFUSED:
            assert consequence is Consequence.REPORT
        if outcome is Outcome.ACCEPTED and purpose is not Purpose.OTHER:
            assert consequence is Consequence.END


def test_what_a_report_needs_is_kept() -> None:
    one = transaction(link(), link())
    assert one.report_lines == b"To-Path: back\r\nFrom-Path: to\r\n"
    assert (one.message_id, one.byte_range, one.original_id) == (b"m1", b"11-20/100", b"t1")


def test_time_begins_with_the_last_byte() -> None:
    transactions, source, target = Transactions(30, 10), link(), link()
    transactions.begin(b"a", transaction(source, target))
    transactions.begin(b"b", transaction(source, target))
    assert transactions.next_deadline() is None
    transactions.add_piece(b"a", 5)
    transactions.sent(b"b", 1)
    transactions.sent(b"a", 2)
    assert transactions.next_deadline() == 31
    assert list(transactions.expired(30.9)) == []
    (late,) = transactions.expired(31)
    assert late.size == 10
    assert transactions.next_deadline() == 32
    (late,) = transactions.expired(40)
    assert late.byte_range == b"11-25/100"
    assert len(transactions) == 0


def test_only_who_was_asked_answers_and_once() -> None:
    transactions, source, target = Transactions(30, 10), link(), link()
    one = transaction(source, target)
    transactions.begin(b"a", one)
    assert transactions.answered(b"a", source) is None
    assert transactions.answered(b"b", target) is None
    assert transactions.answered(b"a", target) is one
    assert transactions.answered(b"a", target) is None


def test_a_source_has_only_so_many() -> None:
    transactions, source, target = Transactions(30, 2), link(), link()
    transactions.begin(b"a", transaction(source, target))
    transactions.begin(b"b", transaction(source, target))
    with pytest.raises(RemoteProtocolError) as caught:
        transactions.begin(b"c", transaction(source, target))
    assert caught.value.status == 408
    transactions.begin(b"d", transaction(link(), target))
    transactions.answered(b"a", target)
    transactions.begin(b"c", transaction(source, target))
    transactions.forget(b"c")
    transactions.forget(b"c")
    transactions.begin(b"e", transaction(source, target))
    assert len(transactions) == 3


def test_a_closed_connection_leaves_nothing_behind() -> None:
    transactions, one, other = Transactions(30, 10), link(), link()
    asked = transaction(one, other)
    transactions.begin(b"a", asked)
    transactions.begin(b"b", transaction(other, one))
    transactions.sent(b"b", 0)
    assert transactions.lost(other) == [asked]
    assert len(transactions) == 0
    transactions.begin(b"c", transaction(one, other))
    assert transactions.lost(one) == []
    assert len(transactions) == 0
