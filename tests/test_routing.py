"""Which application answers which address, and who may ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.config import parse_config
from sylk.errors import ConfigError, RemoteProtocolError
from sylk.routing import RoutingTable, TrustedPeers
from sylk.sections import ServerSettings, SipSettings
from sylk.setting_types import ANY_NETWORK

APPLICATIONS = ["conference", "echo", "playback", "gateway"]


def table(
    application_map: dict[str, str] | None = None, disabled: tuple[str, ...] = ()
) -> RoutingTable:
    return RoutingTable("conference", application_map or {}, APPLICATIONS, disabled)


def peers_of(text: str) -> TrustedPeers:
    config = parse_config(f"[SIP]\ntrusted_peers = {text}\n")
    return TrustedPeers(config.section(SipSettings, "SIP").trusted_peers)


def test_the_default_answers_what_nothing_else_claims() -> None:
    assert table().choose("lobby", "example.org") == "conference"
    assert table().choose(None, "example.org") == "conference"


def test_address_goes_before_domain_and_domain_before_user() -> None:
    routes = table({"a": "echo", "example.org": "playback", "a@example.org": "gateway"})
    assert routes.choose("a", "example.org") == "gateway"
    assert routes.choose("b", "example.org") == "playback"
    assert routes.choose(None, "example.org") == "playback"
    assert routes.choose("a", "other.org") == "echo"
    assert routes.choose("b", "other.org") == "conference"


def test_domains_have_no_case_and_users_have() -> None:
    routes = table({"Alice@Example.ORG": "echo", "MyHost.org": "playback", "Bob": "gateway"})
    assert routes.choose("Alice", "EXAMPLE.org") == "echo"
    assert routes.choose("alice", "example.org") == "conference"
    assert routes.choose("x", "myhost.ORG") == "playback"
    assert routes.choose("Bob", "other.org") == "gateway"
    assert routes.choose("bob", "other.org") == "conference"


def test_an_ipv6_address_can_be_a_domain() -> None:
    routes = table({"[2001:DB8::1]": "echo", "bob@[2001:db8::2]": "playback"})
    assert routes.choose("x", "2001:db8::1") == "echo"
    assert routes.choose("bob", "2001:db8::2") == "playback"


@pytest.mark.parametrize("header", ["echo", "  echo\t"])
def test_the_header_goes_before_everything(header: str) -> None:
    assert table({"a@b.org": "gateway"}).choose("a", "b.org", header) == "echo"


@pytest.mark.parametrize("header", [None, "", "  "])
def test_an_empty_header_names_nothing(header: str | None) -> None:
    assert table().choose("a", "b.org", header) == "conference"


@given(header=st.text(min_size=1).filter(lambda text: text.strip() not in {"", *APPLICATIONS}))
def test_an_unknown_application_is_refused_with_404(header: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        table().choose("a", "b.org", header)
    assert caught.value.status == 404


def test_a_disabled_application_is_refused_with_404() -> None:
    routes = table({"echo": "echo"}, disabled=("echo", "conference"))
    for user, header in [("echo", None), ("lobby", None), ("lobby", "echo")]:
        with pytest.raises(RemoteProtocolError) as caught:
            routes.choose(user, "b.org", header)
        assert caught.value.status == 404
    assert routes.choose("echo", "b.org", "playback") == "playback"


def test_an_address_belongs_to_an_application_even_if_that_is_disabled() -> None:
    routes = RoutingTable("conference", {"echo@Example.com": "echo"}, ["conference"], ["echo"])
    assert routes.owner_of("echo", "example.COM") == "echo"
    assert routes.owner_of("lobby", "example.com") == "conference"
    assert routes.owner_of(None, "example.com") == "conference"


def test_disabling_what_is_not_there_is_no_error() -> None:
    assert table(disabled=("irc",)).choose("lobby", "b.org") == "conference"


def test_the_default_must_be_there() -> None:
    with pytest.raises(ConfigError, match=r"\[Server\] default_application: .*mean conference"):
        RoutingTable("confrence", {}, APPLICATIONS)
    with pytest.raises(ConfigError, match="there are: none"):
        RoutingTable("conference", {}, [])


def test_an_application_of_the_map_must_be_there_and_the_error_names_the_line() -> None:
    config = parse_config("[Server]\napplication_map = a:eco\n", "sylk.ini")
    settings = config.section(ServerSettings, "Server")
    with pytest.raises(ConfigError, match=r"^sylk\.ini:2: \[Server\] application_map: .*mean echo"):
        RoutingTable(
            settings.default_application,
            settings.application_map,
            APPLICATIONS,
            settings.disabled_applications,
            config.error,
        )


@pytest.mark.parametrize("peer", ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7", "fe80::1%eth0"])
def test_any_trusts_every_address_and_none_trusts_no_address(peer: str) -> None:
    assert TrustedPeers(ANY_NETWORK).allows(peer)
    assert not TrustedPeers(()).allows(peer)


def test_addresses_and_networks_are_trusted() -> None:
    peers = peers_of("192.0.2.7, 10.0.0.0/8, 2001:db8::/32")
    for address in ("192.0.2.7", "10.255.0.1", "2001:db8::9", "::ffff:10.1.1.1"):
        assert peers.allows(address)
    for address in ("192.0.2.8", "11.0.0.1", "2001:db9::9", "::ffff:11.1.1.1"):
        assert not peers.allows(address)


@given(st.text())
def test_what_is_no_address_is_not_trusted(text: str) -> None:
    assert not peers_of("192.0.2.7").allows(f"{text} 192.0.2.7")


@pytest.mark.parametrize("peers", ["any", "none", "0.0.0.0/0", "::/0, 0.0.0.0/0"])
def test_a_network_of_all_addresses_names_nobody(peers: str) -> None:
    for address in ("192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7", "nonsense"):
        assert not peers_of(peers).names(address)


def test_what_is_listed_is_named() -> None:
    peers = peers_of("192.0.2.7, 10.0.0.0/8, ::/0")
    for address in ("192.0.2.7", "10.0.0.1", "::ffff:10.0.0.1"):
        assert peers.names(address)
    for address in ("192.0.2.8", "2001:db8::7"):
        assert not peers.names(address)
