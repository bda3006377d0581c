"""Subscriptions through a proxy that is not ours, between baresip on UDP and the server on TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.baresip import baresip
from tests.end_to_end.kamailio import REALM, Kamailio, password_of, proxying
from tests.end_to_end.presence_applications import write_presence_applications
from tests.end_to_end.server import HOST, started
from tests.end_to_end.tls_setup import tls_port, with_tls
from tests.end_to_end.wire_client import WireClient


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    with proxying(tmp_path_factory.mktemp("kamailio")) as running:
        yield running


def test_it_is_told_through_the_proxy(proxy: Kamailio, tmp_path: Path) -> None:
    write_presence_applications(tmp_path / "applications")
    settings = with_tls(tmp_path / "spool")
    settings["Server"] |= {
        "extra_applications_dir": tmp_path / "applications",
        "default_application": "present",
    }
    with started(tmp_path / "server", settings) as server:
        contact = f"sip:present@{HOST}:{tls_port(server, 'SIP')};transport=tls"
        login = f";auth_user=alice;auth_pass={password_of('alice')}"
        parameters = f'{login};outbound="{proxy.uri}"'
        with baresip(
            tmp_path / "baresip", f"sip:alice@{REALM}", parameters=parameters, contacts=[contact]
        ) as agent:
            agent.wait_for("<basic>open</basic>")
        server.wait_for_log(f"sip:alice@{REALM} is told no more: unsubscribed")
        assert "Subscription-State: terminated;reason=timeout" in agent.messages("NOTIFY")[-1]
    assert proxy.log.count("routes NOTIFY of a dialog from tls to <sip:alice") == 2
    assert proxy.log.count("routes SUBSCRIBE of a dialog from udp to <sip:present") == 1


def test_we_are_told_through_our_outbound_proxy(proxy: Kamailio, tmp_path: Path) -> None:
    write_presence_applications(tmp_path / "applications")
    settings = with_tls(tmp_path / "spool")
    settings["Server"] |= {
        "extra_applications_dir": tmp_path / "applications",
        "default_application": "watcher",
    }
    settings["SIP"]["outbound_proxy"] = f"sip:{HOST}:{proxy.tls};transport=tls"
    with (
        started(tmp_path / "server", settings) as server,
        baresip(tmp_path / "baresip", f"sip:alice@{HOST}") as agent,
        WireClient(server, "bob", room=f"watcher@{HOST}") as bob,
    ):
        target = f"sip:alice@{HOST}:{agent.port};transport=udp"
        assert bob.ask("MESSAGE", body=target.encode()).status == 200
        server.wait_for_log(f"{target} is not there")
        agent.type("/presence_online")
        server.wait_for_log(f"{target} is there")
        agent.wait_for("Subscription-State: terminated")
        proxy.wait_for("routes NOTIFY of a dialog from udp")
        proxy.wait_for("routes SUBSCRIBE of a dialog from tls")
