"""A user agent that is not ours, and knows no MSRP, meets the server: baresip."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.end_to_end.baresip import Baresip, baresip
from tests.end_to_end.chat_client import scripted
from tests.end_to_end.passwords import set_password
from tests.end_to_end.presence_applications import write_presence_applications
from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.tls_setup import tls_port, with_tls
from tests.end_to_end.wire_client import WireClient

PASSWORD = "open-sesame"

all_transports = pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presence") / "applications"
    write_presence_applications(folder)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, applications: Path) -> Iterator[RunningServer]:
    """Run one server, in which somebody's presence can be asked for."""
    folder = tmp_path_factory.mktemp("baresip")
    settings = with_tls(folder / "spool")
    settings["Server"] |= {
        "extra_applications_dir": applications,
        "application_map": "present:present, watcher:watcher",
    }
    with started(folder / "server", settings) as running:
        yield running


def address(server: RunningServer, user: str, transport: str) -> str:
    ports = {"udp": server.sip_udp, "tcp": server.sip_tcp, "tls": tls_port(server, "SIP")}
    return f"sip:{user}@{HOST}:{ports[transport]};transport={transport}"


@all_transports
def test_it_pings_and_its_audio_call_is_refused(
    server: RunningServer, tmp_path: Path, transport: str
) -> None:
    room = address(server, "lobby", transport)
    with baresip(tmp_path, f"sip:alice@{HOST}") as agent:
        agent.type(f"/options {room}")
        agent.wait_for("----- OPTIONS of .*\nSIP/2.0 200 OK")
        agent.type(f"/dial {room}")
        agent.wait_for("session closed: 488 Not Acceptable Here")
        (refusal,) = agent.messages("SIP/2.0 488")
        assert 'Warning: 304 sylk "media type audio is not carried here"' in refusal


@all_transports
def test_it_hears_that_somebody_is_there_and_then_not(
    server: RunningServer, tmp_path: Path, transport: str
) -> None:
    contact = address(server, "present", transport)
    with (
        baresip(tmp_path, f"sip:{transport}@{HOST}", contacts=[contact]) as agent,
        WireClient(server, "bob", room=f"present@{HOST}") as bob,
    ):
        agent.wait_for("<basic>open</basic>")
        agent.type("/contacts")
        agent.wait_for("> +Online Contact 0 ")
        assert bob.ask("MESSAGE", body=b"closed").status == 200
        agent.wait_for("<basic>closed</basic>")
        agent.type("/contacts")
        agent.wait_for("> +Offline Contact 0 ")
        assert bob.ask("MESSAGE", body=b"open").status == 200
    server.wait_for_log(f"sip:{transport}@{HOST} is told no more: unsubscribed")
    assert "Subscription-State: terminated;reason=timeout" in agent.messages("NOTIFY")[-1]


def test_it_sees_whether_a_room_is_open_and_that_it_takes_no_page_message(
    server: RunningServer, tmp_path: Path
) -> None:
    contact = address(server, "lobby", "udp")
    with baresip(tmp_path, f"sip:alice@{HOST}", contacts=[contact]) as agent:
        agent.wait_for("<basic>closed</basic>")
        with WireClient(server, "bob") as bob:
            bob.join()
            agent.wait_for("<basic>open</basic>")
            bob.leave()
        agent.wait_for("(?s)<basic>open</basic>.*<basic>closed</basic>")
        assert len(agent.presences()) == 3
        agent.type("/message hello")
        agent.wait_for("\n 405 Method Not Allowed")
        (refusal,) = agent.messages("SIP/2.0 405")
        allowed = refusal.partition("\nAllow: ")[2].partition("\n")[0]
        assert allowed.startswith("INVITE, ")
        assert "MESSAGE" not in allowed


def test_its_page_message_arrives(server: RunningServer, tmp_path: Path) -> None:
    contact = address(server, "present", "udp")
    with baresip(tmp_path, f"sip:alice@{HOST}", contacts=[contact]) as agent:
        agent.wait_for("<basic>open</basic>")
        agent.type("/message closed")
        agent.wait_for("<basic>closed</basic>")
        agent.type("/message open")
        agent.wait_for("(?s)<basic>closed</basic>.*<basic>open</basic>")
        agent.wait_for('"open it is"')


@all_transports
def test_its_presence_is_asked_for(server: RunningServer, tmp_path: Path, transport: str) -> None:
    with (
        baresip(tmp_path, f"sip:alice@{HOST}") as agent,
        WireClient(server, "bob", room=f"watcher@{HOST}") as bob,
    ):
        port = agent.port + (transport == "tls")
        target = f"sip:alice@{HOST}:{port};transport={transport}"
        assert bob.ask("MESSAGE", body=target.encode()).status == 200
        server.wait_for_log(f"{target} is not there")
        agent.type("/presence_online")
        server.wait_for_log(f"{target} is there")
        # We unsubscribe, and it says goodbye.
        agent.wait_for("Subscription-State: terminated")


def test_its_password_is_checked(tmp_path: Path, applications: Path) -> None:
    settings: dict[str, dict[str, object]] = {
        "Server": {"extra_applications_dir": applications, "default_application": "present"},
        "SIP": {
            "authenticate": "yes",
            "realm": HOST,
            "trusted_peers": "none",
            # Its library up to version 1.1 does not look beyond a challenge that it cannot answer.
            "digest_algorithms": "MD5",
        },
    }
    with started(tmp_path / "server", settings) as server:
        set_password(server, f"alice@{HOST}", PASSWORD)
        contacts = [f"sip:present@{HOST}:{server.sip_udp}"]

        def subscribing(password: str) -> AbstractContextManager[Baresip]:
            account = f"sip:alice@{HOST}"
            parameters = f";auth_pass={password}"
            return baresip(tmp_path / password, account, parameters=parameters, contacts=contacts)

        with subscribing(PASSWORD) as agent:
            agent.wait_for("<basic>open</basic>")
        assert len(agent.messages("SIP/2.0 401")) == 1
        with subscribing("a-guess") as agent:
            agent.wait_for("presence: subscriber closed .*: 401 Unauthorized")
        assert "<basic>" not in agent.printed


def test_called_for_a_chat_it_refuses_and_the_caller_is_told(tmp_path: Path) -> None:
    with baresip(tmp_path, f"sip:alice@{HOST}") as agent:
        with scripted(f"sip:alice@{HOST}:{agent.port}", "--transport", "udp") as chat:
            assert chat.wait() == 1
            assert "the server answered 488 Not Acceptable Here" in chat.errors.text
        agent.wait_for(r"INVITE sip:(?s:.*)\nACK sip:alice@")
