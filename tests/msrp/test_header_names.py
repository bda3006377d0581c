"""Names of header fields as clients spell them."""

import pytest

from sylk.msrp.header_names import render_headers


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        (b"message-id", b"Message-ID"),
        (b"byte-range", b"Byte-Range"),
        (b"www-authenticate", b"WWW-Authenticate"),
        (b"content-id", b"Content-ID"),
        (b"use-path", b"Use-Path"),
        (b"x-of-mine", b"X-Of-Mine"),
    ],
)
def test_names_are_spelled_as_in_the_rfcs(name: bytes, spelled: bytes) -> None:
    assert render_headers({name: b"v: 1"}) == spelled + b": v: 1\r\n"


def test_the_order_stays() -> None:
    assert render_headers({b"b": b"1", b"a": b"2"}) == b"B: 1\r\nA: 2\r\n"
    assert render_headers({}) == b""
