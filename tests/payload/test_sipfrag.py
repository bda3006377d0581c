"""Tests of sylk.payload.sipfrag: the status line of a fragment, and everything that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.sipfrag import MAX_LINE, MAX_SIZE, StatusFragment


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"SIP/2.0 180 Ringing\r\n", 180, "Ringing"),
        (b"SIP/2.0 603 Declined", 603, "Declined"),
        (b"sip/2.0 200 OK\n", 200, "OK"),
        (b"SIP/2.0 200\r\n", 200, ""),
        (b"SIP/2.0 200 \r\n", 200, ""),
        (b"SIP/2.0  404  Not Found ", 404, "Not Found"),
        (b"SIP/2.0 400 Bad Request\r\nWarning: 399 a.com Your Event\r\n", 400, "Bad Request"),
        (b"SIP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nv=0\r\n", 200, "OK"),
        ("SIP/2.0 486 Très occupé\r\n".encode(), 486, "Très occupé"),
        (b"SIP/2.0 486 a\x1b[2Jb\r\n", 486, "a [2Jb"),
    ],
)
def test_fragments_that_occur(data: bytes, status: int, reason: str) -> None:
    assert StatusFragment.parse(data) == StatusFragment(status, reason)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"INVITE sip:alice@atlanta.com SIP/2.0",
        b"INVITE",
        b"SIP/2.0",
        b"404 Not Found",
        b"SIP/2.0 99 Low",
        b"SIP/2.0 700 High",
        b"SIP/2.0 2000 OK",
        b"SIP/2.0 20 OK",
        b"SIP/2.00 200 OK",
        b"SIP/2.0 200OK",
        b" SIP/2.0 200 OK",
        b"From: Alice <sip:alice@atlanta.com>\r\nTo: Bob <sip:bob@biloxi.com>\r\n",
        b"SIP/2.0 200 O\rK",
        "SIP/2.0 ٢٠٠ OK".encode(),
    ],
)
def test_what_is_no_status_line(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        StatusFragment.parse(data)
    assert caught.value.status == 400


def test_bounds() -> None:
    assert StatusFragment.parse(b"SIP/2.0 200 " + b"x" * (MAX_LINE - 12)).status == 200
    with pytest.raises(RemoteProtocolError) as caught:
        StatusFragment.parse(b"SIP/2.0 200 " + b"x" * (MAX_LINE - 11))
    assert caught.value.status == 400
    with pytest.raises(RemoteProtocolError) as caught:
        StatusFragment.parse(b"SIP/2.0 200 OK\r\n" + b"x" * MAX_SIZE)
    assert caught.value.status == 413


def test_a_reason_without_end_is_cut_between_two_characters() -> None:
    data = StatusFragment(500, "é" * MAX_LINE).render()
    assert MAX_LINE <= len(data) <= MAX_LINE + 2
    assert set(StatusFragment.parse(data).reason) == {"é"}


@given(st.integers(100, 699), st.text(max_size=2000))
def test_what_we_write_is_one_line_that_we_can_read(status: int, reason: str) -> None:
    data = StatusFragment(status, reason).render()
    assert data.endswith(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r") == 1
    assert len(data) <= MAX_LINE + 2
    again = StatusFragment.parse(data)
    assert again.status == status
    assert StatusFragment.parse(again.render()) == again


@given(st.integers(100, 699), st.text("abc ÄßОК'\"", max_size=40))
def test_there_and_back(status: int, reason: str) -> None:
    fragment = StatusFragment(status, reason.strip(" "))
    assert StatusFragment.parse(fragment.render()) == fragment


@pytest.mark.parametrize("reason", ["a\r\nWarning: x", "\ud800", "\0"])
def test_a_reason_that_cannot_stand_in_a_line(reason: str) -> None:
    assert StatusFragment.parse(StatusFragment(500, reason).render()).status == 500


@pytest.mark.parametrize("status", [-1, 0, 99, 700])
def test_what_is_no_status_cannot_be_written(status: int) -> None:
    with pytest.raises(LocalProtocolError):
        StatusFragment(status, "OK").render()


@given(st.binary() | st.binary().map(lambda tail: b"SIP/2.0 200 " + tail))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    try:
        fragment = StatusFragment.parse(data)
    except RemoteProtocolError:
        return
    assert StatusFragment.parse(fragment.render()).status == fragment.status
