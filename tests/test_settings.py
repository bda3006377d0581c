"""Settings that are declared: their bounds, and what this version refuses."""

from dataclasses import dataclass

import pytest

from sylk.config import parse_config
from sylk.errors import ConfigError
from sylk.settings import (
    AddressSettings,
    Bytes,
    Seconds,
    Setting,
    address_key,
    address_uri,
    setting,
    settings_of,
    take_up,
)
from sylk.sip.uri import SipURI


@dataclass(frozen=True, kw_only=True)
class Sample:
    size: Bytes = setting(2048, "A size.", unit="bytes", minimum=1024, maximum=1024**2)
    pause: Seconds = setting(5, "A pause.", unit="seconds", minimum=0.5)
    later: bool = setting(False, "Not there.", not_yet="this is not in this version yet")


def named(name: str) -> Setting:
    return {one.name: one for one in settings_of(Sample)}[name]


@pytest.mark.parametrize("text", ["1k", "4096", "1M"])
def test_takes_what_is_inside_the_bounds(text: str) -> None:
    assert named("size").read(text)


@pytest.mark.parametrize("text", ["1023", "0", "2M"])
def test_refuses_what_is_outside_and_names_the_bounds(text: str) -> None:
    with pytest.raises(ValueError, match="must be at least 1k and at most 1M, not"):
        named("size").read(text)


def test_a_bound_on_one_side_names_only_that_side() -> None:
    with pytest.raises(ValueError, match=r"must be at least 0\.5, not 0\.4"):
        named("pause").read("0.4")


def test_what_is_not_there_yet_takes_its_default_alone() -> None:
    assert named("later").read("no") is False
    with pytest.raises(ValueError, match="not in this version yet: leave it at no"):
        named("later").read("yes")


def test_refuses_what_this_version_cannot_do() -> None:
    config = parse_config("[Sample]\nlater = yes\n")
    with pytest.raises(ConfigError, match="not in this version yet"):
        config.section(Sample, "Sample")


def test_refuses_a_field_that_is_not_declared_with_setting() -> None:
    @dataclass
    class Bare:
        size: int = 3

    with pytest.raises(TypeError, match=r"Bare\.size"):
        list(settings_of(Bare))


def test_refuses_bounds_where_there_is_no_order() -> None:
    @dataclass
    class Unordered:
        name: str = setting("a", "A name.", minimum=1)

    with pytest.raises(TypeError, match=r"Unordered\.name"):
        list(settings_of(Unordered))


@dataclass(frozen=True, kw_only=True)
class Changing:
    port: int = setting(1, "Needs a restart.")
    name: str = setting("a", "Needs none.", restart=False)
    names: tuple[str, ...] = setting((), "Needs none.", restart=False)


def test_what_needs_a_restart_keeps_its_value_and_the_rest_is_taken_up() -> None:
    update = take_up(Changing(), Changing(port=2, name="b"))
    assert update.settings == Changing(port=1, name="b")
    assert (update.changed, update.waiting) == (["name"], ["port"])
    # The next time it still waits, and what is in force has not changed again.
    update = take_up(update.settings, Changing(port=2, name="b"))
    assert (update.changed, update.waiting) == ([], ["port"])
    update = take_up(update.settings, Changing(port=1, name="b"))
    assert (update.changed, update.waiting) == ([], [])


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("lobby@example.com", "lobby@example.com"),
        ("Lobby@Example.COM", "Lobby@example.com"),
        ("lobby@[2001:DB8::1]", "lobby@2001:db8::1"),
        ("a@b@c", "a@b@c"),
        ("sip:lobby@Example.com", "lobby@example.com"),
        ("SIPS:caf%C3%A9@example.com", "café@example.com"),
        ("café@example.com", "café@example.com"),
    ],
)
def test_an_address_is_looked_up_whatever_the_case_of_its_host(address: str, key: str) -> None:
    assert address_key(address) == key


@pytest.mark.parametrize(
    "text", ["", "lobby", "@example.com", "lobby@", "lobby@[]", "a b@c", "<a@b>"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        address_key(text)


@pytest.mark.parametrize(
    ("key", "uri"),
    [
        ("lobby@example.com", "sip:lobby@example.com"),
        ("café@example.com", "sip:caf%C3%A9@example.com"),
        ("a@b@example.com", "sip:a%40b@example.com"),
        ("a;b,c%d@example.com", "sip:a;b,c%25d@example.com"),
        ("lobby@2001:db8::1", "sip:lobby@[2001:db8::1]"),
    ],
)
def test_an_address_has_a_uri_and_is_found_by_it_again(key: str, uri: str) -> None:
    assert address_uri(key) == uri
    assert address_key(uri) == key
    assert str(SipURI.parse(uri)) == uri


def test_an_address_has_its_own_settings_or_those_of_all() -> None:
    settings = AddressSettings("all", {"lobby@example.com": "own"})
    assert settings.of("lobby@EXAMPLE.com") == "own"
    for other in ("Lobby@example.com", "lobby@example.org", "example.com", ""):
        assert settings.of(other) == "all"
    assert AddressSettings("all").own == {}
