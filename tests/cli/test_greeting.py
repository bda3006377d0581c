"""The words for who has set nothing up."""

from pathlib import Path

import pytest

from sylk.cli.greeting import greeting, room_uri


@pytest.mark.parametrize(
    ("places", "uri"),
    [
        ([("udp", ("192.0.2.7", 5060))], "sip:lobby@192.0.2.7"),
        ([("udp", ("192.0.2.7", 5070)), ("tcp", ("192.0.2.7", 5060))], "sip:lobby@192.0.2.7:5070"),
        ([("tcp", ("192.0.2.7", 5060))], "sip:lobby@192.0.2.7;transport=tcp"),
        ([("tls", ("2001:db8::7", 5061))], "sip:lobby@[2001:db8::7]:5061;transport=tls"),
    ],
)
def test_the_room_has_the_shortest_uri(places: list[tuple[str, tuple[str, int]]], uri: str) -> None:
    assert room_uri("lobby", places) == uri


def test_a_wildcard_is_shown_as_an_address_that_others_can_call() -> None:
    uri = room_uri("lobby", [("udp", ("0.0.0.0", 5060))])
    assert uri.startswith("sip:lobby@")
    assert "0.0.0.0" not in uri


def test_the_text_has_all_that_one_needs_and_fits_a_terminal() -> None:
    text = greeting([("udp", ("127.0.0.1", 5060))], [("tcp", ("127.0.0.1", 2855))], Path("spool"))
    assert "sylk-chat 'sip:lobby@127.0.0.1'" in text
    assert "SIP on      udp 127.0.0.1:5060" in text
    assert "MSRP on     tcp 127.0.0.1:2855" in text
    assert f"state in    {Path('spool').absolute()}" in text
