"""The first packet while the server starts, and a call in each state when it is told to stop."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

from tests.end_to_end.foreign import free_port
from tests.end_to_end.server import HOST, START_TIMEOUT, RunningServer, Settings, StartServer
from tests.end_to_end.wire_client import WireClient, chat_offer
from tests.end_to_end.wire_msrp import MsrpWire
from tests.end_to_end.wire_sip import TIMEOUT, Silence, SipMessage, take_message

RINGING = '''\
"""Only rings."""

import trio

from sylk.application import Application


class Ringing(Application):
    """Never answers."""

    name = "ringing"

    async def handle_invitation(self, invitation):
        await invitation.ring()
        await trio.sleep_forever()
'''

SLOW = '''\
"""Takes a while to start."""

import trio

from sylk.application import Application


class Slow(Application):
    """Makes the start of the server last."""

    name = "slow"

    async def __aenter__(self):
        await trio.sleep(0.2)
        return self
'''

NO_SIGNAL = 0
"""What `RunningServer.stop` sends to a server that was told already to end."""

KNOCKER = "127.0.0.2"
"""Where the first packets come from: not from the address whose port is to stay free."""


def with_application(folder: Path, source: str) -> Settings:
    """Return settings that load an application of the operator's own."""
    folder.mkdir()
    (folder / "own.py").write_text(source, encoding="utf-8")
    return {"Server": {"extra_applications_dir": folder}}


@pytest.fixture
def server(running_server: StartServer, tmp_path: Path) -> RunningServer:
    return running_server(with_application(tmp_path / "applications", RINGING))


# Each state of a call, in which the server is told to stop


def ringing(client: WireClient) -> str:
    client.headers = ("X-Sylk-App: ringing",)
    client.wire.send(client.invitation())
    assert next(m for m in iter(client.wire.receive, None) if m.status != 100).status == 180
    return "refused"


def not_acknowledged(client: WireClient) -> str:
    client.wire.send(client.invitation())
    assert client.await_answer().status == 200
    return "silence"


def without_media(client: WireClient) -> str:
    assert client.invite().status == 200
    return "bye"


def half_connected(client: WireClient) -> str:
    assert client.invite().status == 200
    client.msrp = MsrpWire(HOST, int(client.remote_path.rpartition(":")[2].partition("/")[0]))
    client.msrp.send(client.frame(None)[:-5])
    return "bye"


def standing(client: WireClient) -> str:
    client.join()
    return "bye"


def talking(client: WireClient) -> str:
    """Leave a message half sent."""
    client.join()
    assert client.msrp is not None
    client.msrp.send(client.frame(b"x" * 1000)[:-100])
    return "bye"


def in_a_second_offer(client: WireClient) -> str:
    """Have a re-INVITE answered, and do not acknowledge it."""
    client.join()
    assert client.ask("INVITE", body=chat_offer(client.path)).status == 200
    return "bye"


def ending(client: WireClient) -> str:
    """Be told BYE already, and do not answer it."""
    client.join()
    assert client.msrp is not None
    client.msrp.close()
    client.wire.request("BYE")
    return "again"


def ended(client: WireClient) -> str:
    client.join()
    assert client.bye().status == 200
    return "silence"


STATES: list[Callable[[WireClient], str]] = [
    *(ringing, not_acknowledged, without_media, half_connected, standing, talking),
    *(in_a_second_offer, ending, ended),
]


def check_farewell(client: WireClient, expected: str) -> None:
    """Read what a caller is told at the end."""
    if expected == "refused":
        assert client.wire.final_response("INVITE").status in (480, 503)
    elif expected == "bye":
        client.await_bye()
    else:
        # At most what was said before comes once more.
        try:
            while (message := client.wire.receive(0.01)).status in (0, 200):
                assert message.method in ("BYE", "INVITE")
        except (Silence, EOFError, ConnectionResetError):
            return
        pytest.fail(f"{message.start_line} came")


# Those to whom nothing can be said until their ACK comes take as long as the server gives them.
SHORT_STATES = [state for state in STATES if state not in (not_acknowledged, ending)]


@pytest.mark.parametrize("bring", SHORT_STATES)
def test_the_server_ends_in_time_with_a_call_in_each_state(
    server: RunningServer, bring: Callable[[WireClient], str]
) -> None:
    with WireClient(server, "alice", transport="tcp") as alice:
        expected = bring(alice)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("stopping: ")
        check_farewell(alice, expected)
        server.stop(NO_SIGNAL)


def test_the_server_ends_in_time_with_calls_in_all_states(server: RunningServer) -> None:
    with ExitStack() as stack:
        everybody: list[tuple[WireClient, str]] = []
        for bring in STATES:
            for transport in ("udp", "tcp"):
                user = f"{bring.__name__.replace('_', '-')}-{transport}"
                client = stack.enter_context(WireClient(server, user, transport=transport))
                everybody.append((client, bring(client)))
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("stopping: ")
        for client, expected in everybody:
            check_farewell(client, expected)
        server.stop(NO_SIGNAL)


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "SUBSCRIBE", "REFER", "OPTIONS", "BYE"])
def test_what_comes_while_the_server_stops_is_refused(server: RunningServer, method: str) -> None:
    """A call that does not answer its BYE keeps the server for a short time, and its port open."""
    with WireClient(server, "alice") as alice, WireClient(server, "late") as late:
        alice.join()
        server.process.send_signal(signal.SIGTERM)
        bye = alice.wire.request("BYE")
        answer = late.ask(method, f"Refer-To: <sip:x@{HOST}>", "Event: x")
        # An OPTIONS asks what we can do in general, and a BYE is for a call that never was.
        expected = {"OPTIONS": (200, 503), "BYE": (481, 503)}.get(method, (503,))
        assert answer.status in expected
        if answer.status == 503:
            assert int(answer["Retry-After"]) > 0
        alice.wire.send(bye.answer("200 OK"))
        server.stop(NO_SIGNAL)


def test_nonsense_while_the_server_stops(server: RunningServer) -> None:
    with (
        WireClient(server, "alice") as alice,
        WireClient(server, "mallory") as mallory,
        WireClient(server, "malory", transport="tcp") as streaming,
    ):
        alice.join()
        server.process.send_signal(signal.SIGTERM)
        bye = alice.wire.request("BYE")
        for number in range(100):
            mallory.wire.send(mallory.invitation()[: 7 * number])
            mallory.wire.send(b"\0" * number)
        streaming.wire.send(b"INVITE sip:lobby SIP/2.0\r\n")
        alice.wire.send(bye.answer("200 OK"))
        server.stop(NO_SIGNAL)


# The first packets


class Knocking(threading.Thread):
    """Sends INVITEs to a port again and again, until one is taken."""

    def __init__(self, transport: str, port: int) -> None:
        super().__init__(daemon=True)
        self.transport = transport
        self.port = port
        self.answers: list[SipMessage] = []

    def run(self) -> None:
        deadline = monotonic() + START_TIMEOUT
        for number in count():
            answer = self._knock(number)
            if monotonic() > deadline:
                return
            if answer is None:
                continue
            self.answers.append(answer)
            if answer.status == 405:
                return

    def _knock(self, number: int) -> SipMessage | None:
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as wire:
            wire.bind((KNOCKER, 0))
            wire.settimeout(0.02)
            try:
                wire.connect((HOST, self.port))
                wire.sendall(self._request(number))
                if self.transport == "tcp":
                    wire.settimeout(TIMEOUT)
                taken = take_message(wire.recv(65536))
            except OSError:
                return None
        return None if taken is None else taken[0]

    def _request(self, number: int) -> bytes:
        lines = [
            f"MESSAGE sip:lobby@{HOST} SIP/2.0",
            f"Via: SIP/2.0/{self.transport.upper()} {HOST};branch=z9hG4bKknock{number};rport",
            f"From: <sip:early@{HOST}>;tag={number}",
            f"To: <sip:lobby@{HOST}>",
            f"Call-ID: knock{number}",
            "CSeq: 1 MESSAGE",
            "Content-Length: 0",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.fixture(params=["udp", "tcp"])
def knocking(request: pytest.FixtureRequest) -> Iterator[Knocking]:
    thread = Knocking(request.param, free_port(socket.SOCK_DGRAM, socket.SOCK_STREAM))
    thread.start()
    yield thread
    thread.join()


def test_the_first_packets_while_the_server_starts_are_told_to_wait(
    running_server: StartServer, tmp_path: Path, knocking: Knocking
) -> None:
    """Until every application has started the answer is 503; not one request is lost in a fault."""
    key = f"local_{knocking.transport}_port"
    settings = with_application(tmp_path / "applications", SLOW)
    server = running_server({**settings, "SIP": {key: knocking.port}})
    knocking.join()
    statuses = [answer.status for answer in knocking.answers]
    assert statuses[0] == 503
    assert statuses[-1] == 405
    assert set(statuses) == {503, 405}
    assert all("Retry-After" in answer for answer in knocking.answers if answer.status == 503)
    assert " ERROR " not in server.log
