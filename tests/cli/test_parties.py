import re
from argparse import ArgumentTypeError

import pytest

from sylk.cli.parties import login_name, make_caller, parse_relay, parse_sip_uri, parse_target


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:lobby@example.com", "sip:lobby@example.com"),
        ("lobby@example.com:5070;transport=tcp", "sip:lobby@example.com:5070;transport=tcp"),
        ("SIPS:lobby@example.com", "sips:lobby@example.com"),
        (" lobby@[::1]:5070 ", "sip:lobby@[::1]:5070"),
        ("sip:example.com", "sip:example.com"),
        ("sip:localhost", "sip:localhost"),
    ],
)
def test_a_target_is_completed(text: str, uri: str) -> None:
    assert str(parse_target(text)) == uri


@pytest.mark.parametrize("text", ["lobby", "sip:lobby", "example.com", "127.0.0.1"])
def test_a_room_alone_is_told_what_to_write(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write sip:ROOM@HOST"):
        parse_target(text)


@pytest.mark.parametrize("text", ["", "@", "a b@c", "tel:+1@", "a@b@c", "a@b:99999"])
def test_no_address_is_told_what_to_write(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write sip:"):
        parse_target(text)


def test_a_caller_is_one_of_a_kind() -> None:
    callers = {str(make_caller(None, None, "192.0.2.1")) for _ in range(20)}
    assert len(callers) > 15
    for caller in callers:
        match = re.fullmatch(r'"(.+-[0-9a-f]{4})" <sip:(.+)@192\.0\.2\.1>', caller)
        assert match is not None
        assert match[1] == match[2]
        assert match[1].startswith(login_name())


def test_a_caller_with_a_name_is_still_one_of_a_kind() -> None:
    caller = str(make_caller("Alice Liddell", None, "::1"))
    assert re.fullmatch(r'"Alice Liddell" <sip:alice-liddell-[0-9a-f]{4}@\[::1\]>', caller)


def test_a_caller_with_an_address_is_taken_at_his_word() -> None:
    uri = parse_sip_uri("alice@example.com")
    assert str(make_caller(None, uri, "192.0.2.1")) == "<sip:alice@example.com>"
    assert str(make_caller("Al", uri, "192.0.2.1")) == '"Al" <sip:alice@example.com>'


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("msrps://relay.example.com:9000;tcp", "msrps://relay.example.com:9000;tcp"),
        ("relay.example.com", "msrps://relay.example.com;tcp"),
        (" relay.example.com:9000 ", "msrps://relay.example.com:9000;tcp"),
        ("msrp://[::1]:9000;tcp", "msrp://[::1]:9000;tcp"),
    ],
)
def test_a_relay_is_completed(text: str, uri: str) -> None:
    assert str(parse_relay(text)) == uri


@pytest.mark.parametrize("text", ["", "sip:relay.example.com", "msrps://h;ws", "a b"])
def test_what_is_no_relay_is_told_what_to_write(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write msrps://HOST:PORT;tcp"):
        parse_relay(text)
