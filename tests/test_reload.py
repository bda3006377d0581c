"""The settings file, read again: what is taken up, what waits for a restart, what is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sylk.application import Application
from sylk.config import parse_config
from sylk.errors import ConfigError
from sylk.reload import Reload, plan_reload
from sylk.server_config import ServerConfig
from sylk.settings import AddressSettings, setting
from tests.peers import server_config


@dataclass(frozen=True, kw_only=True)
class RoomSettings:
    title: str = setting("", "What the room is called.", restart=False)
    size: int = setting(10, "How many there may be.", restart=False)


@dataclass(frozen=True, kw_only=True)
class HouseSettings(RoomSettings):
    rooms: int = setting(5, "How many rooms there are.")


class House(Application):
    name = "house"
    settings_class = HouseSettings
    address_settings_class = RoomSettings


SERVER = "[Server]\ndefault_application = house\n"
ROOM = "[lobby@example.com]\n"


def running(text: str = "", **addresses: RoomSettings) -> ServerConfig:
    """Return what a server was made of whose file said what `text` says of the server."""
    raw = parse_config(text)
    sections = {
        name: {key: value.text for key, value in section.values.items()}
        for name, section in raw.sections.items()
    }
    config = server_config(sections)
    house = House(HouseSettings())
    own: Mapping[str, RoomSettings] = {f"{user}@b": one for user, one in addresses.items()}
    house.address_settings = AddressSettings(RoomSettings(), own)
    return replace(config, applications={**config.applications, "house": house})


def reload(text: str, config: ServerConfig) -> Reload:
    # What the tests set of themselves stands in every file.
    loopback = "local_ip = 127.0.0.1\nlocal_tcp_port = 0\nlocal_tls_port = none\n"
    base = {
        "SIP": f"{loopback}local_udp_port = 0\n",
        "MSRP": loopback,
        "Conference": "history = no\n",
    }
    for name, lines in base.items():
        head = f"[{name}]\n"
        text = text if head in text else text + head
        text = text.replace(head, head + lines)
    return plan_reload(parse_config(text, "sylk.ini"), config)


def test_a_file_that_says_the_same_changes_nothing() -> None:
    plan = reload("", running())
    assert (plan.changed, plan.waiting) == ([], [])


def test_what_can_change_at_once_does_and_the_rest_waits() -> None:
    config = running()
    plan = reload(
        "[Server]\nlog_level = error\nspool_dir = elsewhere\n"
        "[SIP]\nmax_sessions = 7\ntrusted_peers = none\nmax_headers = 100\n"
        "[TLS]\nca_file = ca.pem\n[Trace]\npcap = yes\n[Relay]\nmax_clients = 5\n"
        "[House]\nsize = 3\nrooms = 9\n",
        config,
    )
    assert sorted(plan.changed) == [
        "[House] size",
        "[SIP] max_sessions",
        "[SIP] trusted_peers",
        "[Server] log_level",
    ]
    assert sorted(plan.waiting) == [
        "[House] rooms",
        "[Relay] max_clients",
        "[SIP] max_headers",
        "[Server] spool_dir",
        "[TLS] ca_file",
        "[Trace] pcap",
    ]
    assert plan.sections.server == replace(config.sections.server, log_level="error")
    assert plan.sections.sip.max_headers == config.sections.sip.max_headers
    assert plan.sections.tls == config.sections.tls
    assert plan.admission.max_sessions == 7
    assert not plan.admission.trusted_peers.allows("192.0.2.1")
    assert plan.applications["house"][0] == HouseSettings(size=3)


def test_planning_changes_nothing_of_what_runs() -> None:
    config = running()
    before = (config.sections, config.routing, config.admission, config.applications["house"])
    reload("[SIP]\nmax_sessions = 7\n[House]\nsize = 3\n", config)
    assert before == (
        config.sections,
        config.routing,
        config.admission,
        config.applications["house"],
    )
    assert config.applications["house"].settings == HouseSettings()


def test_sections_of_addresses_come_change_and_go() -> None:
    config = running(a=RoomSettings(title="A"), b=RoomSettings(title="B"))
    plan = reload(f"{SERVER}[a@b]\ntitle = Z\n[c@b]\nsize = 2\n[d@b]\n", config)
    assert plan.changed == ["[Server] default_application", "[a@b]", "[b@b]", "[c@b]"]
    rooms = plan.applications["house"][1]
    assert rooms.own == {
        "a@b": RoomSettings(title="Z"),
        "c@b": RoomSettings(size=2),
        "d@b": RoomSettings(),
    }


def test_what_an_address_inherits_is_what_is_in_force() -> None:
    plan = reload(f"{SERVER}[House]\nsize = 4\n[a@b]\ntitle = A\n", running())
    settings, rooms = plan.applications["house"]
    assert settings.size == 4
    assert rooms.default == RoomSettings(size=4)
    assert rooms.of("a@b") == RoomSettings(title="A", size=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[SIP]\nmax_sesions = 7\n", "[SIP] max_sesions: there is no such setting"),
        ("[Relay]\nenabled = yes\n", "[Relay] enabled: needs local_tls_port"),
        ("[SIP]\nmin_session_expires = 1801\n", "[SIP] session_expires: must be 0, or"),
        ("[Trace]\ntrace_sip = nonsense\n", "[Trace] trace_sip: must be"),
        ("[Server]\ndefault_application = nobody\n", "[Server] default_application: there is no"),
        (f"{SERVER}{ROOM}size = many\n", "[lobby@example.com] size: must be a whole number"),
        ("[echo@example.com]\n", "[echo@example.com]: belongs to the application 'echo'"),
        ("[Hose]\n", "[Hose]: there is no such section; did you mean House?"),
        ("nonsense\n", "'nonsense' is neither [section] nor key = value"),
    ],
)
def test_the_file_is_checked_as_a_whole(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        reload(text, running())
    assert message in str(caught.value)
    assert str(caught.value).startswith("sylk.ini")


def test_requests_go_another_way() -> None:
    plan = reload("[Server]\napplication_map = b.example:house\n", running())
    assert plan.routing.choose("anybody", "b.example") == "house"
    assert plan.routing.choose("echo", "a.example") == "conference"
    assert plan.changed == ["[Server] application_map"]


def test_what_is_disabled_or_enabled_waits_for_the_restart() -> None:
    plan = reload("[Server]\ndisabled_applications = echo\n", running())
    assert plan.waiting == ["[Server] disabled_applications"]
    assert plan.routing.choose("echo", "a.example") == "echo"
    without_echo = running("[Server]\ndisabled_applications = echo\n")
    assert "echo" not in without_echo.applications
    plan = reload("[Echo]\nx = 1\n[echo@b]\n", without_echo)
    assert plan.waiting == ["[Server] disabled_applications"]


def test_counts_of_wrong_passwords_live_on_unless_their_settings_change(tmp_path: Path) -> None:
    file = f"[Server]\nspool_dir = {tmp_path}\n[SIP]\nauthenticate = yes\n"
    config = running(file)
    assert config.admission.authenticator is not None
    plan = reload(f"{file}max_request_rate = 9\n", config)
    assert plan.admission.authenticator is config.admission.authenticator
    assert plan.admission.max_request_rate == 9
    plan = reload(f"{file}nonce_lifetime = 60\n", config)
    assert plan.admission.authenticator not in (None, config.admission.authenticator)
    off = reload(f"[Server]\nspool_dir = {tmp_path}\n", config)
    assert off.admission.authenticator is None
