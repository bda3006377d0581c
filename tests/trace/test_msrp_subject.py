"""Whom a frame is about."""

import pytest

from sylk.net.msrp_watch import SessionCall
from sylk.trace.filters import Subject, parse_filter
from sylk.trace.msrp_subject import subject_of_frame

CALL = SessionCall("call@x", "sip:Lobby@Example.com", "sip:alice@example.com")
CALLS = {"ours": CALL, "number": SessionCall("other@x", "sip:lobby@example.com", "tel:+4412;x=y")}


def frame(to: bytes, sender: bytes) -> bytes:
    return b"MSRP 1 SEND\r\nTo-Path: %b\r\nfrom-path: %b\r\n\r\nTo-Path: x/number;tcp" % (
        to,
        sender,
    )


@pytest.mark.parametrize(
    ("to", "sender"),
    [
        (b"msrp://a:1/ours;tcp", b"msrp://b:1/theirs;tcp"),
        (b"msrp://r:1/relay;tcp msrp://b:1/theirs;tcp", b"msrp://a:1/ours;tcp"),
    ],
)
def test_the_call_of_the_session_that_a_path_names(to: bytes, sender: bytes) -> None:
    subject = subject_of_frame(frame(to, sender), "192.0.2.1", CALLS)
    assert (subject.remote, subject.call_id) == ("192.0.2.1", "call@x")
    assert subject.people == {("lobby", "example.com"), ("alice", "example.com")}
    assert subject.ours == {("lobby", "example.com")}
    assert parse_filter("room:lobby").matches(subject)
    assert not parse_filter("room:alice").matches(subject)


def test_a_telephone_number() -> None:
    subject = subject_of_frame(frame(b"msrp://a:1/number;tcp", b"x"), "192.0.2.1", CALLS)
    assert parse_filter("user:tel:+4412").matches(subject)


@pytest.mark.parametrize(
    "octets", [b"", b"\xff\r\nTo-Path: \xff/\xff;", frame(b"msrp://a/b;t", b"")]
)
def test_what_names_no_session_has_its_address_alone(octets: bytes) -> None:
    assert subject_of_frame(octets, "192.0.2.1", CALLS) == Subject("192.0.2.1")
