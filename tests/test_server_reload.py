"""A server that reads its settings again: who was there stays, what begins now is under the new."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sylk.application import Application, NoSettings
from sylk.config import parse_config
from sylk.errors import ConfigError
from sylk.server import Server
from sylk.session import PageMessage
from sylk.settings import AddressSettings, setting
from tests.peers import DOMAIN, HOST, Caller, running_server


@dataclass(frozen=True, kw_only=True)
class PostSettings:
    status: int = setting(200, "What a message is answered with.", restart=False)


class Post(Application):
    """Answers messages with the status that is set for their address."""

    name = "post"
    settings_class = PostSettings
    address_settings_class = PostSettings

    async def handle_message(self, message: PageMessage) -> None:
        settings: PostSettings = self.address_settings.of(message.request_uri.address)
        if settings.status == 200:
            await message.accept()
        else:
            await message.reject(settings.status)


class Stubborn(Application):
    name = "stubborn"

    def reconfigure(self, settings: Any, address_settings: AddressSettings[Any]) -> None:
        raise RuntimeError("I stay as I am")


def reload(server: Server, text: str = "") -> None:
    loopback = f"local_ip = {HOST}\nlocal_tcp_port = 0\nlocal_tls_port = none\n"
    sip = f"[SIP]\n{loopback}local_udp_port = 0\n"
    msrp = f"[MSRP]\n{loopback}"
    text = text.replace("[SIP]\n", sip) if "[SIP]\n" in text else text + sip
    default = "[Server]\ndefault_application = post\n"
    server.reload(parse_config(f"{default}application_map =\n{text}{msrp}", "sylk.ini"))


async def statuses(server: Server, users: Sequence[str]) -> list[int]:
    found: list[int] = []
    for user in users:
        async with Caller(server, room=f"{user}@{DOMAIN}") as caller:
            found.append((await caller.ask("MESSAGE")).status)
    return found


async def test_an_address_follows_the_file() -> None:
    async with running_server(application=Post(PostSettings())) as server:
        users = ["lobby", "garden"]
        assert await statuses(server, users) == [200, 200]
        reload(server, f"[lobby@{DOMAIN}]\nstatus = 603\n")
        assert await statuses(server, users) == [603, 200]
        reload(server, f"[Post]\nstatus = 480\n[garden@{DOMAIN}]\nstatus = 200\n")
        assert await statuses(server, users) == [480, 200]
        reload(server)
        assert await statuses(server, users) == [200, 200]


async def test_an_error_leaves_everything_as_it_was() -> None:
    async with running_server(application=Post(PostSettings())) as server:
        reload(server, "[Post]\nstatus = 480\n")
        before = server.config.sections
        with pytest.raises(ConfigError, match=r"sylk\.ini:\d+: \[Post\] status: must be a whole"):
            reload(server, "[SIP]\nmax_sessions = 1\n[Post]\nstatus = good\n")
        assert server.config.sections is before
        assert await statuses(server, ["lobby"]) == [480]


async def test_who_may_come_in_changes_and_who_is_in_stays() -> None:
    async with running_server() as server, Caller(server) as alice:
        await alice.join()
        text = "[Server]\n[SIP]\n{loopback}trusted_peers = 192.0.2.1\n[MSRP]\n{loopback}"
        loopback = f"local_ip = {HOST}\nlocal_tcp_port = 0\nlocal_tls_port = none\n"
        server.reload(parse_config(text.format(loopback=loopback)))
        async with Caller(server) as bob:
            assert (await bob.invite()).status == 403
        assert server.endpoint.call_count == 1
        assert (await alice.ask("INFO")).status == 405, "her dialog is there"
        for port in (server.config.endpoint.sip, server.config.endpoint.msrp):
            assert port.connections.is_exempt("192.0.2.1")


async def test_the_fault_of_one_application_keeps_no_other_from_its_settings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running_server(application=Post(PostSettings())) as server:
        applications = {"stubborn": Stubborn(NoSettings()), **server.config.applications}
        server.config = replace(server.config, applications=applications)
        reload(server, "[Post]\nstatus = 480\n")
        assert await statuses(server, ["lobby"]) == [480]
    assert "stubborn has failed to take its new settings" in caplog.text


async def test_the_log_names_what_is_taken_up_and_what_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with running_server(application=Post(PostSettings())) as server:
        reload(server)
        caplog.clear()
        reload(server, "[Post]\nstatus = 480\n[SIP]\nmax_sessions = 7\nmax_headers = 99\n")
        assert [record.getMessage() for record in caplog.records] == [
            "settings read again; taken up: [SIP] max_sessions, [Post] status",
            "a restart is needed to take up [SIP] max_headers",
        ]
        caplog.clear()
        reload(server, "[Post]\nstatus = 480\n[SIP]\nmax_sessions = 7\n")
        (record,) = caplog.records
        assert record.getMessage() == "settings read again; taken up: nothing"
