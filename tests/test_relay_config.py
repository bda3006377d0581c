"""The [Relay] section: what it makes, and what it refuses."""

import ipaddress
import socket
from pathlib import Path

import pytest

from sylk.errors import ConfigError, RemoteProtocolError
from sylk.net.relay_path import RelayAccount
from sylk.net.relay_traffic import RelaySettings
from sylk.users import USERS_FILE, UserFile
from tests.peers import server_config


def relay(tmp_path: Path, **settings: object) -> RelaySettings | None:
    config = server_config(
        {
            "Server": {"spool_dir": tmp_path},
            "SIP": {"realm": "sip.example.com"},
            "MSRP": {"local_tls_port": 0, "advertised_ip": "192.0.2.9"},
            "Relay": settings,
        }
    )
    return config.endpoint.msrp.relay


def test_nobody_is_a_relay_unless_told(tmp_path: Path) -> None:
    assert relay(tmp_path) is None
    assert server_config({}).endpoint.msrp.relay is None


def test_the_settings_reach_the_relay(tmp_path: Path) -> None:
    made = relay(
        tmp_path,
        enabled="yes",
        host="relay.example.com",
        clear="yes",
        allowed_networks="10.0.0.0/8",
        min_expires=10,
        default_expires=100,
        max_expires=200,
        max_clients=3,
        max_paths_per_client=4,
        max_next_hops=5,
        idle_timeout=600,
    )
    assert made is not None
    assert (made.host, made.allows_clear) == ("relay.example.com", True)
    assert made.networks == (ipaddress.ip_network("10.0.0.0/8"),)
    limits = made.limits
    assert (limits.min_expires, limits.default_expires, limits.max_expires) == (10, 100, 200)
    assert (limits.max_clients, limits.max_paths, limits.max_next_hops) == (3, 4, 5)
    assert limits.idle_timeout == 600


def test_the_defaults_are_careful(tmp_path: Path) -> None:
    made = relay(tmp_path, enabled="yes")
    assert made is not None
    assert made.host == "192.0.2.9"
    assert not made.allows_clear
    assert made.networks == ()


def test_without_any_name_it_is_that_of_the_machine() -> None:
    config = server_config({"MSRP": {"local_tls_port": 0}, "Relay": {"enabled": "yes"}})
    assert config.endpoint.msrp.relay is not None
    assert config.endpoint.msrp.relay.host == socket.getfqdn()


@pytest.mark.parametrize(
    ("given", "realm"), [({}, "sip.example.com"), ({"realm": "r.example.com"}, "r.example.com")]
)
def test_the_users_are_those_of_the_realm(
    tmp_path: Path, given: dict[str, object], realm: str
) -> None:
    UserFile(tmp_path / USERS_FILE).set_password("alice", realm, "secret")
    made = relay(tmp_path, enabled="yes", **given)
    assert made is not None
    challenge = dict(made.access.challenge(0.0, "here"))["WWW-Authenticate"]
    assert f'realm="{realm}"' in challenge
    with pytest.raises(RemoteProtocolError):
        made.access.check("Digest a=b", "msrps://x;tcp", 0.0, "here")


@pytest.mark.parametrize(
    ("relay_section", "msrp", "key"),
    [
        ({}, {"local_tls_port": "none"}, "enabled"),
        ({"host": ""}, {}, "host"),
        ({"realm": ""}, {}, "realm"),
        ({"default_expires": 90_000}, {}, "default_expires"),
        ({"min_expires": 50_000}, {}, "default_expires"),
    ],
)
def test_what_cannot_be_is_refused(
    relay_section: dict[str, object], msrp: dict[str, object], key: str
) -> None:
    settings = {
        "Relay": {"enabled": "yes", **relay_section},
        "MSRP": {"local_tls_port": 0, **msrp},
    }
    with pytest.raises(ConfigError) as caught:
        server_config(settings)
    assert f"[Relay] {key}" in str(caught.value)


def test_a_relay_in_clear_needs_no_tls() -> None:
    config = server_config({"Relay": {"enabled": "yes", "clear": "yes"}})
    assert config.endpoint.msrp.relay is not None


def behind(tmp_path: Path, **msrp: object) -> RelayAccount | None:
    file = tmp_path / "password"
    file.write_text("secret\nanother line\n", encoding="utf-8")
    given: dict[str, object] = {"relay_user": "alice", "relay_password_file": file, **msrp}
    return server_config({"MSRP": {"local_tls_port": 0, **given}}).endpoint.standing_relay


def test_the_sessions_of_the_server_may_go_through_a_relay(tmp_path: Path) -> None:
    assert behind(tmp_path) is None
    account = behind(tmp_path, relay="msrps://relay.example.com;tcp")
    assert account is not None
    assert str(account.uri) == "msrps://relay.example.com;tcp"
    challenge = 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
    answer = account.password.answer(challenge, str(account.uri))
    assert 'username="alice"' in answer
    assert behind(tmp_path, relay="msrp://192.0.2.1:2855;tcp", local_tls_port="none") is not None


@pytest.mark.parametrize(
    ("msrp", "key"),
    [
        ({"relay": "relay.example.com"}, "relay"),
        ({"relay": "msrps://relay.example.com/path;tcp"}, "relay"),
        ({"local_tls_port": "none"}, "relay"),
        ({"relay_user": "none"}, "relay_user"),
        ({"relay_password_file": "none"}, "relay_password_file"),
        ({"relay_password_file": "/nowhere/password"}, "relay_password_file"),
        ({"relay_password_file": "/dev/null"}, "relay_password_file"),
    ],
)
def test_a_relay_that_cannot_be_used_stops_the_start(
    tmp_path: Path, msrp: dict[str, object], key: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        behind(tmp_path, **{"relay": "msrps://relay.example.com;tcp", **msrp})
    assert f"[MSRP] {key}:" in str(caught.value)
