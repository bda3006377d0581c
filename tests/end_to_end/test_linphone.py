"""A user agent that is not ours, and knows no MSRP, meets the server: Linphone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.linphone import linphone
from tests.end_to_end.passwords import set_password
from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.tls_setup import Sections, tls_port, with_tls

TAKER = '''\
"""Takes page messages, and answers them."""

from contextlib import suppress

from sylk.application import Application
from sylk.errors import SylkError
from sylk.session.requests import PageMessage


class Taker(Application):
    """Thanks for what it is told."""

    name = "taker"

    async def handle_message(self, message: PageMessage) -> None:
        """Take it."""
        await message.accept()
        text = message.content.decode()
        self.logger.info("%s says %s", message.sender.uri, text)
        # He may be gone already.
        with suppress(SylkError):
            await self.user_agent.send_message(
                message.sender,
                local=message.recipient,
                content=f"Thanks for {text!r}".encode(),
                answers=message,
            )
'''

all_transports = pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])


def with_taker(folder: Path) -> Sections:
    applications = folder / "applications"
    applications.mkdir()
    (applications / "taker.py").write_text(TAKER, encoding="utf-8")
    settings = with_tls(folder / "spool")
    settings["Server"] |= {
        "extra_applications_dir": applications,
        "application_map": "taker:taker",
    }
    return settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("linphone")
    with started(folder / "server", with_taker(folder)) as running:
        yield running


def address(server: RunningServer, transport: str) -> str:
    ports = {"udp": server.sip_udp, "tcp": server.sip_tcp, "tls": tls_port(server, "SIP")}
    return f"sip:{HOST}:{ports[transport]};transport={transport}"


@all_transports
def test_its_messages_arrive_and_its_audio_call_is_refused(
    server: RunningServer, tmp_path: Path, transport: str
) -> None:
    with linphone(tmp_path, address(server, transport)) as agent:
        agent.type(f"chat sip:taker@{HOST} hello over {transport}")
        server.wait_for_log(f"taker .*sip:alice@{HOST} says hello over {transport}")
        agent.wait_for(f"Thanks for 'hello over {transport}'")
        agent.type(f"call sip:lobby@{HOST}")
        agent.wait_for(r"Call 1 with \S+ error")
        agent.type(f"chat sip:taker@{HOST} still here over {transport}")
        server.wait_for_log(f"sip:alice@{HOST} says still here over {transport}")
        assert "SIP/2.0 488 Not Acceptable Here" in agent.log


def test_it_cannot_register_and_goes_on(server: RunningServer, tmp_path: Path) -> None:
    with linphone(tmp_path, address(server, "udp"), registers=True) as agent:
        server.wait_for_log("405: method 'REGISTER' is not served")
        agent.type(f"chat sip:taker@{HOST} not registered")
        server.wait_for_log(f"sip:alice@{HOST} says not registered")
        agent.type("status register")
        agent.wait_for("registered=-1")


@pytest.mark.parametrize(("algorithms", "transport"), [("SHA-256, MD5", "tcp"), ("MD5", "udp")])
def test_its_password_is_checked(tmp_path: Path, algorithms: str, transport: str) -> None:
    settings = with_taker(tmp_path)
    settings["SIP"] |= {
        "authenticate": "yes",
        "realm": HOST,
        "trusted_peers": "none",
        "digest_algorithms": algorithms,
    }
    with started(tmp_path / "server", settings) as server:
        set_password(server, f"alice@{HOST}", "secret")
        with linphone(tmp_path / "right", address(server, transport), password="secret") as agent:
            agent.type(f"chat sip:taker@{HOST} I am alice")
            server.wait_for_log(f"sip:alice@{HOST} says I am alice")
        best = algorithms.partition(",")[0]
        assert f'algorithm={best}, username="alice"' in agent.log
        with linphone(tmp_path / "wrong", address(server, transport), password="guess") as agent:
            agent.type(f"chat sip:taker@{HOST} I am alice too")
            server.wait_for_log("wrong credentials of 'alice'")
    assert "alice too" not in server.log
