"""From the settings to who may come in."""

from pathlib import Path

import pytest

from sylk.errors import ConfigError
from sylk.users import USERS_FILE, UserFile
from tests.peers import DOMAIN, HOST, server_config


def asking(spool: Path, **sip: object) -> dict[str, dict[str, object]]:
    return {
        "Server": {"spool_dir": spool},
        "SIP": {"authenticate": "yes", "realm": DOMAIN, **sip},
    }


def add_user(spool: Path, realm: str) -> None:
    UserFile(spool / USERS_FILE).set_password("alice", realm, "secret")


def test_a_realm_with_a_user_is_fine(tmp_path: Path) -> None:
    add_user(tmp_path, DOMAIN)
    assert server_config(asking(tmp_path)).admission.warning == ""
    assert server_config({"Server": {"spool_dir": tmp_path}}).admission.warning == ""


@pytest.mark.parametrize("other", [None, "example.org"])
def test_a_realm_without_users_is_told(tmp_path: Path, other: str | None) -> None:
    if other is not None:
        add_user(tmp_path, other)
    warning = server_config(asking(tmp_path)).admission.warning
    assert f"no user of the realm {DOMAIN}" in warning
    assert str(tmp_path / USERS_FILE) in warning
    assert ("example.org" in warning) is (other is not None)


def test_limits_reach_those_who_keep_them() -> None:
    sip = {
        "max_headers": 33,
        "max_header_size": 1024,
        "max_body_size": 2048,
        "max_message_size": 4096,
        "message_timeout": 2,
        "handshake_timeout": 3,
        "outbox_limit": "100k",
        "max_connections": 7,
        "max_connections_per_source": 5,
        "max_connection_rate": 4,
        "max_request_rate": 9,
        "max_subscriptions": 8,
        "max_subscriptions_per_source": 6,
    }
    config = server_config({"SIP": sip, "MSRP": {"max_connections_per_source": 11}})
    transports = config.endpoint.sip
    assert transports.limits.max_headers == 33
    assert transports.limits.max_header_line == 1024
    assert transports.limits.max_body == 2048
    assert transports.limits.max_message == 4096
    assert (transports.message_timeout, transports.handshake_timeout) == (2, 3)
    assert transports.outbox_limit == 100 * 1024
    connections = transports.connections
    assert (connections.max_connections, connections.max_per_source, connections.rate) == (7, 5, 4)
    assert config.endpoint.msrp.connections.max_per_source == 11
    assert config.admission.max_request_rate == 9
    bounds = config.endpoint.subscriptions
    assert (bounds.max_in_all, bounds.max_per_source) == (8, 6)


@pytest.mark.parametrize(
    ("address", "sip", "exempt"),
    [
        (HOST, {}, True),
        ("127.9.9.9", {}, True),
        ("::1", {}, True),
        ("192.0.2.1", {}, False),
        (HOST, {"unlimited_peers": "none"}, False),
        ("192.0.2.1", {"unlimited_peers": "192.0.2.0/24"}, True),
        ("192.0.2.1", {"trusted_peers": "192.0.2.1"}, True),
        ("192.0.2.2", {"trusted_peers": "192.0.2.1"}, False),
    ],
)
def test_whom_no_limits_hold_for(address: str, sip: dict[str, object], exempt: bool) -> None:
    config = server_config({"SIP": sip})
    assert config.admission.is_unlimited(address) is exempt
    assert config.endpoint.sip.connections.is_exempt(address) is exempt
    assert config.endpoint.msrp.connections.is_exempt(address) is exempt


# Certificates of clients


def test_certificates_cannot_be_checked_without_authorities(tmp_path: Path) -> None:
    settings = {"Server": {"spool_dir": tmp_path}, "TLS": {"client_certificates": "required"}}
    with pytest.raises(ConfigError, match="client_certificates: needs ca_file"):
        server_config(settings)


def test_domains_cannot_be_trusted_without_certificates() -> None:
    with pytest.raises(ConfigError, match=r"trusted_domains: needs client_certificates in \[TLS\]"):
        server_config({"SIP": {"trusted_domains": "example.org"}})


def test_domains_are_compared_in_lower_case(tmp_path: Path) -> None:
    tls: dict[str, dict[str, object]] = {
        "Server": {"spool_dir": tmp_path},
        "SIP": {"local_tls_port": 0},
    }
    server_config(tls)
    authority = tmp_path / "tls" / "self-signed.crt"
    tls["TLS"] = {"ca_file": authority, "client_certificates": "optional"}
    tls["SIP"]["trusted_domains"] = "Example.ORG., example.net"
    config = server_config(tls)
    assert config.admission.trusted_domains == {"example.org", "example.net"}
    assert config.endpoint.tls is not None
    assert config.endpoint.tls.asking_context is not config.endpoint.tls.server_context
