"""From the settings file to what a server is made of."""

from pathlib import Path

import pytest

from sylk.call.session_timer import SessionTimerSettings
from sylk.config import parse_config
from sylk.errors import ConfigError
from sylk.server_config import ServerSections, build_config, check_sections, port_of
from sylk.share import Share
from tests.peers import HOST, server_config


def test_settings_reach_the_endpoint_and_the_applications() -> None:
    config = server_config(
        {
            "SIP": {"local_tcp_port": "none", "advertised_ip": "192.0.2.1", "max_sessions": 7},
            "MSRP": {"outbox_limit": 123456, "establish_timeout": 3},
            "Conference": {"max_rooms": 5},
        }
    )
    assert config.endpoint.sip.tcp_port is None
    assert config.endpoint.sip.advertised_host == "192.0.2.1"
    # The paths follow unless they are set apart.
    assert config.endpoint.msrp.advertised_host == "192.0.2.1"
    assert config.endpoint.msrp.outbox_limit == 123456
    assert config.endpoint.msrp.establish_timeout == 3
    assert config.admission.max_sessions == 7
    assert config.applications["conference"].settings.max_rooms == 5


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("SIP", "session_expires", "89"),
        ("SIP", "min_session_expires", "89"),
        ("SIP", "min_session_expires", "1801"),
        ("Server", "default_application", "nobody"),
        ("Server", "application_map", "a:nobody"),
        ("Conference", "max_rooms", "0"),
        ("Conference", "no_such", "1"),
        ("Confrence", "max_rooms", "1"),
    ],
)
def test_settings_that_cannot_be_are_refused(section: str, key: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server_config({section: {key: value}})
    assert section in str(caught.value)


def test_session_timers_are_as_the_operator_wants_them() -> None:
    assert server_config().endpoint.session_timer == SessionTimerSettings(1800, 90)
    config = server_config({"SIP": {"session_expires": 0, "min_session_expires": 300}})
    assert config.endpoint.session_timer == SessionTimerSettings(0, 300)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:proxy.example.com", "sip:proxy.example.com"),
        ("SIPS:proxy.example.com:5071", "sips:proxy.example.com:5071"),
        ("proxy.example.com:5070;transport=tcp", "sip:proxy.example.com:5070;transport=tcp"),
        ("[2001:db8::1]:5070", "sip:[2001:db8::1]:5070"),
        ("none", "None"),
    ],
)
def test_the_outbound_proxy_is_a_uri_or_host_and_port(text: str, uri: str) -> None:
    config = server_config({"SIP": {"outbound_proxy": text}})
    assert str(config.endpoint.outbound_proxy) == uri


@pytest.mark.parametrize("text", ["tel:+3120", "proxy example", "proxy:99999", "2001:db8::1"])
def test_what_is_no_proxy_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="outbound_proxy"):
        server_config({"SIP": {"outbound_proxy": text}})


def test_a_disabled_application_may_keep_its_section() -> None:
    config = server_config(
        {"Server": {"disabled_applications": "echo"}, "Echo": {"session_limit": 5}}
    )
    assert "echo" not in config.applications


def with_tls(spool: Path, **sip: object) -> dict[str, dict[str, object]]:
    return {
        "Server": {"spool_dir": spool},
        "SIP": {"local_tls_port": 0, **sip},
        "MSRP": {"local_tls_port": 0},
    }


@pytest.mark.parametrize(
    ("sip", "addresses"),
    [
        ({}, {HOST}),
        ({"advertised_ip": "192.0.2.7"}, {HOST, "192.0.2.7"}),
        ({"local_ip": "127.0.0.2"}, {HOST, "127.0.0.2"}),
    ],
)
def test_a_certificate_is_made_for_the_addresses_that_peers_use(
    tmp_path: Path, sip: dict[str, object], addresses: set[str]
) -> None:
    config = server_config(with_tls(tmp_path, **sip))
    assert config.endpoint.tls is not None
    assert config.certificate is not None
    assert addresses <= set(config.certificate.addresses)
    assert list((tmp_path / "tls").iterdir())


def test_a_wildcard_stands_for_the_address_that_leads_outside(tmp_path: Path) -> None:
    config = server_config(with_tls(tmp_path, local_ip="0.0.0.0"))
    assert config.certificate is not None
    assert HOST in config.certificate.addresses


def test_the_operators_own_certificate_is_taken(tmp_path: Path) -> None:
    server_config(with_tls(tmp_path))
    made = sorted((tmp_path / "tls").iterdir())
    together = tmp_path / "own.pem"
    together.write_bytes(b"".join(path.read_bytes() for path in made))
    elsewhere = tmp_path / "elsewhere"
    config = server_config({**with_tls(elsewhere), "TLS": {"certificate": together}})
    assert config.endpoint.tls is not None
    assert not elsewhere.exists()


def test_without_tls_ports_there_is_no_certificate(tmp_path: Path) -> None:
    settings: dict[str, dict[str, object]] = {
        "Server": {"spool_dir": tmp_path / "spool"},
        "SIP": {"local_tls_port": "none"},
        "MSRP": {"local_tls_port": "none"},
    }
    config = server_config(settings)
    assert config.endpoint.tls is None
    assert config.certificate is None
    assert not (tmp_path / "spool").exists()


def test_the_operators_certificate_may_have_its_key_beside_it(tmp_path: Path) -> None:
    made = server_config(with_tls(tmp_path)).certificate
    files = {"certificate": "self-signed.crt", "private_key": "self-signed.key"}
    paths = {key: tmp_path / "tls" / name for key, name in files.items()}
    config = server_config({**with_tls(tmp_path / "elsewhere"), "TLS": paths})
    assert made is not None
    assert config.certificate == made
    assert config.endpoint.tls is not None
    assert config.endpoint.tls.fingerprint() == made.fingerprint


@pytest.mark.parametrize("section", ["SIP", "MSRP"])
def test_one_port_for_tls_is_enough_for_a_certificate(tmp_path: Path, section: str) -> None:
    config = server_config({"Server": {"spool_dir": tmp_path}, section: {"local_tls_port": 0}})
    assert config.certificate is not None
    assert (config.endpoint.sip.tls_port is None) is (section == "MSRP")
    assert (config.endpoint.msrp.tls_port is None) is (section == "SIP")


@pytest.mark.parametrize("verifies", [False, True])
def test_peers_are_verified_where_there_are_authorities(tmp_path: Path, verifies: bool) -> None:
    server_config(with_tls(tmp_path))
    authority = tmp_path / "tls" / "self-signed.crt"
    tls: dict[str, object] = {"ca_file": authority} if verifies else {}
    config = server_config({**with_tls(tmp_path), "TLS": tls})
    assert config.endpoint.sip.verify_peers is verifies
    assert config.endpoint.msrp.verify_peers is verifies


@pytest.mark.parametrize("key", ["certificate", "private_key", "ca_file"])
def test_files_of_tls_that_are_not_there(tmp_path: Path, key: str) -> None:
    server_config(with_tls(tmp_path))
    given: dict[str, object] = {"certificate": tmp_path / "tls" / "self-signed.crt"}
    given["private_key"] = tmp_path / "tls" / "self-signed.key"
    given[key] = tmp_path / "nowhere.pem"
    with pytest.raises(ConfigError, match=r"there is no such .+nowhere\.pem|nowhere\.pem.+no such"):
        server_config({**with_tls(tmp_path), "TLS": given})


def test_a_key_alone_is_refused(tmp_path: Path) -> None:
    settings: dict[str, dict[str, object]] = {**with_tls(tmp_path), "TLS": {"private_key": "x.pem"}}
    with pytest.raises(ConfigError, match="needs certificate"):
        server_config(settings)
    assert list(tmp_path.iterdir()) == []


def test_tls_cannot_be_offered_without_a_port_for_it() -> None:
    with pytest.raises(ConfigError, match="needs local_tls_port"):
        server_config({"MSRP": {"use_tls": "yes"}})


def test_what_was_made_once_is_kept(tmp_path: Path) -> None:
    first, second = (server_config(with_tls(tmp_path)).certificate for _ in range(2))
    assert first is not None
    assert first == second


def test_passwords_are_asked_for_only_where_that_is_set(tmp_path: Path) -> None:
    spool: dict[str, object] = {"spool_dir": tmp_path}
    assert server_config({"Server": spool}).admission.authenticator is None
    assert server_config({"Server": spool, "SIP": {"realm": ""}}).admission.authenticator is None
    config = server_config({"Server": spool, "SIP": {"authenticate": "yes"}})
    assert config.admission.authenticator is not None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("realm", ""),
        ("digest_algorithms", ""),
        ("digest_algorithms", "SHA-1"),
        ("digest_algorithms", "MD5, MD5-sess"),
    ],
)
def test_passwords_cannot_be_asked_for_in_any_way(key: str, value: str, tmp_path: Path) -> None:
    sip = {key: value}
    server_config({"Server": {"spool_dir": tmp_path}, "SIP": sip})
    with pytest.raises(ConfigError, match=rf"\[SIP\] {key}: "):
        server_config({"Server": {"spool_dir": tmp_path}, "SIP": {"authenticate": "yes", **sip}})


def test_a_file_of_users_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("nonsense\n")
    settings: dict[str, dict[str, object]] = {"Server": {"spool_dir": tmp_path}}
    server_config(settings)
    with pytest.raises(ConfigError, match="users:1"):
        server_config({**settings, "SIP": {"authenticate": "yes"}})


@pytest.mark.parametrize(
    ("words", "filters"),
    [
        ("none", None),
        ("no", None),
        ("False", None),
        ("", None),
        ("all", []),
        ("yes", []),
        ("True", []),
        ("user:Alice@example.com", ["user:alice@example.com"]),
        ("room:lobby, address:192.0.2.0/24", ["room:lobby", "address:192.0.2.0/24"]),
    ],
)
def test_whose_messages_are_traced(words: str, filters: list[str] | None) -> None:
    trace = server_config({"Trace": {"trace_sip": words}}).trace
    assert (trace.from_start if filters is None else [*map(str, trace.from_start or ())]) == filters
    assert (trace.from_start is None) == (filters is None)


def test_how_messages_are_traced(tmp_path: Path) -> None:
    spool: dict[str, object] = {"spool_dir": tmp_path}
    trace = server_config({"Server": spool}).trace
    assert trace.output.directory == tmp_path / "traces"
    assert trace.output.privacy.with_bodies
    assert not trace.output.privacy.with_credentials
    assert (trace.pcap, trace.duration) == (False, 3600)
    values: dict[str, object] = {
        "directory": tmp_path / "elsewhere",
        "pcap": "yes",
        "bodies": "no",
        "mask_credentials": "no",
        "max_file_size": "1M",
        "max_files": 2,
        "duration": 60,
    }
    trace = server_config({"Server": spool, "Trace": values}).trace
    assert trace.output.directory == tmp_path / "elsewhere"
    assert (trace.output.max_file_size, trace.output.max_files) == (1024**2, 2)
    assert not trace.output.privacy.with_bodies
    assert trace.output.privacy.with_credentials
    assert (trace.pcap, trace.duration) == (True, 60)


@pytest.mark.parametrize("words", ["all, user:alice", "alice", "user:", "none, all"])
def test_nobody_can_be_traced_in_any_way(words: str) -> None:
    with pytest.raises(ConfigError, match=r"\[Trace\] trace_sip: must be .* \(or none, or all\)$"):
        server_config({"Trace": {"trace_sip": words}})


WORKERS = "[Server]\nworkers = 3\n[MSRP]\nlocal_tcp_port = 2855\nlocal_tls_port = 2856\n"


def test_each_worker_has_ports_and_folders_of_its_own(tmp_path: Path) -> None:
    spool = f"spool_dir = {tmp_path}\nbonjour = no\n[Relay]\nenabled = yes\n"
    raw = parse_config(WORKERS.replace("[MSRP]", f"{spool}[MSRP]"))
    ports: list[tuple[int | None, int | None]] = []
    folders: list[str] = []
    for index in range(3):
        config = build_config(raw, share=Share(index, 3))
        ports.append((config.endpoint.msrp.port, config.endpoint.msrp.tls_port))
        # Clients of the relay find it at the ports of the settings.
        assert (config.endpoint.msrp.relay is None) == (index > 0)
        echo = config.applications["echo"]
        assert echo.share == config.share == Share(index, 3)
        assert echo.state_dir is not None
        folders.append(str(echo.state_dir.relative_to(tmp_path)))
        # What is compared at a reload is what the file says.
        assert config.sections.msrp.local_tcp_port == 2855
        traces = config.trace.output.directory.relative_to(tmp_path)
        assert str(traces) == ("traces" if index == 0 else f"traces/worker-{index}")
    assert ports == [(2855, 2856), (2857, 2858), (2859, 2860)]
    assert folders == ["echo", "worker-1/echo", "worker-2/echo"]


def test_a_port_that_the_system_chooses_is_any_for_each() -> None:
    assert [port_of(0, Share(index, 3)) for index in range(3)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("workers = 3", "workers = 3\nbonjour = yes", "bonjour: needs workers to be 1"),
        ("2856", "2859", "an odd number apart"),
        ("2855", "65533", "no port left"),
    ],
)
def test_what_several_workers_cannot_do_is_refused(old: str, new: str, said: str) -> None:
    raw = parse_config(WORKERS.replace(old, new))
    with pytest.raises(ConfigError, match=said):
        check_sections(raw, ServerSections.read(raw))
    alone = parse_config(WORKERS.replace(old, new).replace("workers = 3", "workers = 1"))
    check_sections(alone, ServerSections.read(alone))
