"""The paths of a session."""

import pytest

from sylk.errors import LocalProtocolError
from sylk.msrp.frame import Frame
from sylk.msrp.session_paths import SessionPaths
from sylk.msrp.uri import parse_path

US, RELAY, THEM = b"msrp://us:1/us;tcp", b"msrp://relay:1/relay;tcp", b"msrp://them:1/them;tcp"


def frame(to_path: bytes, from_path: bytes) -> Frame:
    return Frame(b"tid1", b"SEND", 0, b"", to_path, from_path, {}, None, b"$")


def test_requests_go_over_our_relays_and_come_from_us() -> None:
    paths = SessionPaths(parse_path(RELAY + b" " + US))
    assert paths.request_lines == b""
    paths.remote = parse_path(THEM)
    assert paths.request_lines == (
        b"To-Path: " + RELAY + b" " + THEM + b"\r\nFrom-Path: " + US + b"\r\n"
    )
    assert paths.admit(frame(US, RELAY + b" " + THEM)) == 0
    assert paths.admit(frame(US, THEM)) == 481
    paths.remote = ()
    assert paths.request_lines == b""


def test_what_goes_back_follows_the_frame_it_belongs_to() -> None:
    paths = SessionPaths(parse_path(US))
    back = RELAY + b" " + THEM
    paths.remote = parse_path(back)
    seen = frame(US, back)
    lines = b"To-Path: " + RELAY + b"\r\nFrom-Path: " + US + b"\r\n"
    whole = b"To-Path: " + back + b"\r\nFrom-Path: " + US + b"\r\n"
    assert paths.answer_lines_for(seen) == lines
    assert paths.report_lines_for(seen) == whole
    assert paths.admit(seen) == 0
    assert paths.admit(seen) == 0
    assert paths.answer_lines_for(seen) == lines
    assert paths.report_lines_for(seen) == whole


def test_a_sender_that_is_no_uri_is_malformed() -> None:
    assert SessionPaths(parse_path(US)).admit(frame(US, b"x")) == 400


def test_a_path_ends_in_a_session() -> None:
    with pytest.raises(LocalProtocolError):
        SessionPaths(parse_path("msrp://us:1;tcp"))
