"""Reports on what we sent: added up, each told once, and nothing that repeats."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.msrp.events import MessageReported, ReportReceived
from sylk.msrp.frame import ByteRange, Frame
from sylk.msrp.report_table import MAX_FAILURES, MAX_REPORTED, ReportTable


def report(
    byte_range: bytes | None, status: bytes = b"000 200 OK", message_id: bytes = b"m"
) -> Frame:
    headers = {b"message-id": message_id, b"status": status}
    if byte_range is not None:
        headers[b"byte-range"] = byte_range
    return Frame(b"tid1", b"REPORT", 0, b"", b"a", b"b", headers, None, b"$")


def told(table: ReportTable, frame: Frame) -> list[str]:
    return [type(event).__name__ for event in table.take(frame)]


PART = ["ReportReceived"]
ALL = ["ReportReceived", "MessageReported"]


def table_of(size: int | None, *, whole: bool = False) -> ReportTable:
    table = ReportTable()
    table.expect(b"m", size, whole=whole)
    return table


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 45)), max_size=30))
def test_it_is_all_reported_when_every_byte_is_and_then_once(
    ranges: list[tuple[int, int]],
) -> None:
    table = table_of(40)
    there: set[int] = set()
    done = False
    for start, end in ranges:
        events = table.take(report(b"%d-%d/*" % (start, end)))
        new = set(range(start, min(end, 40) + 1)) - there
        there |= new
        assert bool(events) == (bool(new) and not done)
        assert (MessageReported(b"m") in events) == (len(there) == 40 and not done)
        done = len(there) == 40


def test_a_gap_keeps_it_open_until_it_is_filled() -> None:
    table = table_of(9)
    assert told(table, report(b"1-3/9")) == PART
    assert told(table, report(b"7-9/9")) == PART
    assert told(table, report(b"2-3/9")) == []
    assert told(table, report(b"3-7/9")) == ALL
    assert told(table, report(b"1-9/9")) == []


@pytest.mark.parametrize("byte_range", [None, b"nonsense", b"1-*/9", b"1-12/9"])
def test_a_range_that_says_no_end_is_about_all(byte_range: bytes | None) -> None:
    assert told(table_of(9), report(byte_range)) == ALL


def test_who_counts_characters_has_got_all_of_one_chunk_and_of_many_only_what_he_says() -> None:
    assert told(table_of(9, whole=True), report(b"1-7/7")) == ALL
    assert told(table_of(9), report(b"1-7/7")) == PART
    assert told(table_of(9, whole=True), report(b"1-0/0")) == []
    assert told(table_of(0, whole=True), report(b"1-0/0")) == ALL


def test_the_size_may_come_after_the_reports_and_before() -> None:
    table = table_of(None)
    assert told(table, report(b"1-*/*")) == []
    assert told(table, report(b"1-4/4")) == PART
    assert table.end_at(b"m", 4) == MessageReported(b"m")
    assert table.end_at(b"m", 4) is None
    table = table_of(None)
    assert table.end_at(b"m", 4) is None
    assert told(table, report(b"1-4/4")) == ALL
    assert table.end_at(b"other", 4) is None


def test_a_failure_is_told_with_its_comment_also_after_success_and_not_without_end() -> None:
    table = table_of(4)
    assert told(table, report(b"1-4/4")) == ALL
    failure = report(b"1-4/4", b"000 415 bob@example.com: Unsupported media type")
    assert table.take(failure) == [
        ReportReceived(b"m", 415, ByteRange(1, 4, 4), b"bob@example.com: Unsupported media type")
    ]
    for _ in range(MAX_FAILURES - 1):
        assert told(table, failure) == PART
    assert told(table, failure) == []


@pytest.mark.parametrize("status", [b"", b"200 OK", b"001 200 OK", b"000 2000", b"000 20"])
def test_a_status_of_another_kind_tells_nothing(status: bytes) -> None:
    assert told(table_of(4), report(b"1-4/4", status)) == []


def test_what_nobody_knows_or_remembers_is_ignored() -> None:
    table = table_of(4)
    assert told(table, report(b"1-4/4", message_id=b"other")) == []
    for number in range(MAX_REPORTED):
        table.expect(b"%d" % number, 4)
    assert told(table, report(b"1-4/4")) == []
    assert told(table, report(b"1-4/4", message_id=b"0")) == ALL
    assert table.expects(report(None, message_id=b"1"))
    table.clear()
    assert not table.expects(report(None, message_id=b"1"))
