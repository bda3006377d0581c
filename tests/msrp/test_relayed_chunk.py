"""A chunk passed on in pieces: its heads."""

import pytest

from sylk.msrp.frame import Frame
from sylk.msrp.relayed_chunk import RelayedChunk


def first(byte_range: bytes | None, **others: bytes) -> Frame:
    headers = {b"message-id": b"m1"}
    if byte_range is not None:
        headers[b"byte-range"] = byte_range
    headers |= {name.replace("_", "-").encode(): value for name, value in others.items()}
    headers[b"content-type"] = b"a/b"
    return Frame(b"t1", b"SEND", 0, b"", b"to", b"back", headers, b"xy", b"")


@pytest.mark.parametrize(
    ("byte_range", "expected"),
    [(b"1-*/*", b"1-*/*"), (b"101-200/500", b"101-*/500"), (None, b"1-*/*"), (b"5-*/9", b"5-*/9")],
)
def test_a_part_says_where_it_begins(byte_range: bytes | None, expected: bytes) -> None:
    chunk = RelayedChunk(first(byte_range))
    head = chunk.open(b"n1", b"P\r\n", chunk.position)
    assert head == (
        b"MSRP n1 SEND\r\nP\r\nByte-Range: " + expected + b"\r\nMessage-ID: m1\r\n"
        b"Content-Type: a/b\r\n\r\n"
    )


def test_the_next_part_goes_on_where_the_last_one_ended() -> None:
    chunk = RelayedChunk(first(b"11-*/100", success_report=b"yes", failure_report=b"partial"))
    assert chunk.failure_report == b"partial"
    chunk.open(b"n1", b"", chunk.position)
    assert chunk.take(b"12345") == 5
    assert chunk.close(b"+") == b"\r\n-------n1+\r\n"
    lines = chunk.open(b"n2", b"", chunk.position).split(b"\r\n")
    assert b"Byte-Range: 16-*/100" in lines
    assert b"Success-Report: yes" in lines
    assert b"Failure-Report: partial" in lines
    assert lines[-3] == b"Content-Type: a/b"


def test_a_forged_end_line_ends_the_part_before_it_is_whole() -> None:
    chunk = RelayedChunk(first(b"1-*/*"))
    chunk.open(b"n1", b"", 0)
    assert chunk.take(b"abc\r\n-------n1$\r\n") == len(b"abc\r\n-------n")
