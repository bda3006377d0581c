"""Frames as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.frame import (
    ByteRange,
    Frame,
    covered,
    is_empty_send,
    new_transaction_id,
    render_report,
    render_request,
    render_response,
    reported_range,
    reported_status,
    whole_range,
)

US = b"msrp://us.example.com:1/us;tcp"
RELAY = b"msrp://relay.example.com:1/relay;tcp"
THEM = b"msrp://them.example.com:1/them;tcp"


def request(method: bytes = b"SEND", headers: dict[bytes, bytes] | None = None) -> Frame:
    path = RELAY + b" " + THEM
    return Frame(b"a1b2", method, 0, b"", US, path, headers or {}, None, b"$")


@pytest.mark.parametrize(
    ("value", "start", "end", "total"),
    [
        (b"1-*/*", 1, None, None),
        (b"1-0/0", 1, 0, 0),
        (b"101-200/500", 101, 200, 500),
        (b"5-2/9223372036854775808", 5, 2, 2**63),
    ],
)
def test_byte_ranges(value: bytes, start: int, end: int | None, total: int | None) -> None:
    assert ByteRange.parse(value) == ByteRange(start, end, total)
    assert ByteRange(start, end, total).render() == value


@pytest.mark.parametrize(
    "value",
    [b"", b"1", b"1-2", b"*-2/3", b"0-0/0", b"-1-2/3", b"1-2/3x", b"1-2/3\n", b"1 -2/3", b"9" * 30],
)
def test_bad_byte_ranges(value: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        ByteRange.parse(value)
    assert caught.value.status == 400


def test_a_large_body_may_be_interrupted() -> None:
    assert whole_range(2048) == b"1-2048/2048"
    assert whole_range(2049) == b"1-*/2049"


def test_a_request_with_and_without_body() -> None:
    headers = [(b"Message-ID", b"12"), (b"Content-Type", b"text/plain")]
    assert render_request(b"a1b2", b"SEND", THEM, US, headers, b"Hi", b"+") == (
        b"MSRP a1b2 SEND\r\nTo-Path: " + THEM + b"\r\nFrom-Path: " + US + b"\r\n"
        b"Message-ID: 12\r\nContent-Type: text/plain\r\n\r\nHi\r\n-------a1b2+\r\n"
    )
    assert render_request(b"a1b2", b"SEND", THEM, US, []) == (
        b"MSRP a1b2 SEND\r\nTo-Path: " + THEM + b"\r\nFrom-Path: " + US + b"\r\n-------a1b2$\r\n"
    )


def test_the_end_line_must_not_occur_in_the_body() -> None:
    with pytest.raises(LocalProtocolError):
        render_request(b"a1b2", b"SEND", THEM, US, [], b"x -------a1b2 y")


@given(st.binary())
def test_a_transaction_id_never_occurs_in_its_body(body: bytes) -> None:
    transaction_id = new_transaction_id(body)
    assert transaction_id not in body
    assert len(transaction_id) == 16


def test_the_answer_to_send_goes_one_hop_back() -> None:
    assert render_response(request(), 200) == (
        b"MSRP a1b2 200 OK\r\nTo-Path: " + RELAY + b"\r\nFrom-Path: " + US + b"\r\n-------a1b2$\r\n"
    )


def test_any_other_answer_goes_the_whole_way() -> None:
    path = RELAY + b" " + THEM
    assert render_response(request(b"NICKNAME"), 425, b"Taken") == (
        b"MSRP a1b2 425 Taken\r\nTo-Path: " + path + b"\r\nFrom-Path: " + US + b"\r\n"
        b"-------a1b2$\r\n"
    )


def test_an_answer_leaves_out_a_path_that_the_request_lacked() -> None:
    frame = Frame(b"a1b2", b"SEND", 0, b"", b"", b"", {}, None, b"$", 0, 400)
    assert render_response(frame, 499) == b"MSRP a1b2 499\r\n-------a1b2$\r\n"


def test_a_report_is_written_as_clients_write_it() -> None:
    lines = b"To-Path: a\r\nFrom-Path: b\r\n"
    assert render_report(b"t1t1", lines, b"id", 200, b"1-5/5") == (
        b"MSRP t1t1 REPORT\r\nTo-Path: a\r\nFrom-Path: b\r\nStatus: 000 200 OK\r\n"
        b"Message-ID: id\r\nByte-Range: 1-5/5\r\n-------t1t1$\r\n"
    )


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (b"000 200 OK", 200),
        (b"000 413", 413),
        (b"001 200 OK", None),
        (b"000 2000", None),
        (b"200 OK", None),
        (b"", None),
    ],
)
def test_the_status_of_a_report(value: bytes, status: int | None) -> None:
    assert reported_status(request(b"REPORT", {b"status": value})) == status


def test_a_report_without_a_sound_range_has_none() -> None:
    assert reported_range(request(b"REPORT")) is None
    assert reported_range(request(b"REPORT", {b"byte-range": b"0-0/0"})) is None
    good = request(b"REPORT", {b"byte-range": b"1-2/3"})
    assert reported_range(good) == ByteRange(1, 2, 3)


def test_a_report_covers_the_bytes_that_came_and_keeps_the_total_of_the_sender() -> None:
    assert covered(b"1-5/5", 6) == b"1-6/5"
    assert covered(b"1-*/*", 6) == b"1-6/6"
    assert covered(b"", 0) == b"1-0/0"


@pytest.mark.parametrize(
    ("body", "typed", "empty"),
    [
        (None, False, True),
        (None, True, True),
        (b"", False, True),
        (b"", True, False),
        (b"x", False, False),
    ],
)
def test_an_empty_send_has_no_content_at_all(body: bytes | None, typed: bool, empty: bool) -> None:
    frame = request(headers={b"content-type": b"text/plain"} if typed else {})
    frame.body = body
    assert is_empty_send(frame) is empty
