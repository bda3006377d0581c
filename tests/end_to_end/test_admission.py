"""Limits for each source, with the real command and sources that differ: 127.0.0.2 and so on.

The chat of two others goes on beside each flood. Most limits are set low here; the last tests show
that the usual ones hurt nobody who is honest.
"""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic

import pytest

from tests.end_to_end.passwords import set_password
from tests.end_to_end.server import HOST, RunningServer, StartServer
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_sip import TIMEOUT, Silence, SipWire

FLOODER, NEIGHBOUR = "127.0.0.2", "127.0.0.3"
RATE = 10
BURST = 50
CONNECTIONS = 5
SPARING = {
    # The two who chat sit at HOST, and a call takes more than the few requests of a second.
    "unlimited_peers": HOST,
    "max_request_rate": RATE,
    "max_connections_per_source": CONNECTIONS,
}


@pytest.fixture
def server(running_server: StartServer) -> Iterator[RunningServer]:
    running = running_server({"SIP": SPARING, "MSRP": {"max_connections_per_source": CONNECTIONS}})
    with undisturbed_chat(running):
        yield running


def requests_of(client: WireClient, method: str, count: int) -> list[bytes]:
    """Return requests that belong together in nothing: each has a Call-ID of its own."""
    old = f"Call-ID: {client.call_id}".encode()
    return [
        client.request(method).replace(old, b"Call-ID: %d-%b" % (number, client.call_id.encode()))
        for number in range(count)
    ]


def answers_of(client: WireClient) -> list[int]:
    """Return the statuses of all answers, until it has been still for a second."""
    statuses: list[int] = []
    try:
        while True:
            message = client.wire.receive(1.0)
            if message.status == 503:
                assert int(message["Retry-After"]) >= 1
            statuses.append(message.status)
    except Silence:
        return statuses


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE"])
def test_a_source_that_goes_on_gets_503_and_then_nothing(
    method: str, transport: str, server: RunningServer
) -> None:
    with (
        WireClient(server, "mallory", transport=transport, source=FLOODER) as mallory,
        WireClient(server, "carol", source=NEIGHBOUR) as carol,
    ):
        began = monotonic()
        for request in requests_of(mallory, method, 200):
            mallory.wire.send(request)
        statuses = answers_of(mallory)
        passed = monotonic() - began
        refused = statuses.count(503)
        served = len(statuses) - refused
        assert BURST <= served <= BURST + RATE * passed + 1
        # A tenth of that are told why.
        assert 1 <= refused <= (BURST + RATE * passed) / 10 + 1
        # The neighbour is served as ever.
        assert carol.ask("OPTIONS").status == 200
    lines = [line for line in server.log_lines if "get no answer" in line]
    assert len(lines) == 1
    assert f"requests from {FLOODER} " in lines[0]


def test_a_source_that_comes_to_rest_is_served_again(server: RunningServer) -> None:
    with WireClient(server, "mallory", source=FLOODER) as mallory:
        for request in requests_of(mallory, "OPTIONS", 200):
            mallory.wire.send(request)
        answers_of(mallory)
        # By now it has been still for a second.
        assert mallory.ask("OPTIONS").status == 200


def test_inside_a_dialog_nobody_is_limited(server: RunningServer) -> None:
    with WireClient(server, "carol", source=NEIGHBOUR) as carol:
        carol.join()
        for _ in range(3 * BURST):
            assert carol.ask("OPTIONS").status == 200
        carol.leave()


@pytest.mark.parametrize("protocol", ["SIP", "MSRP"])
def test_one_source_cannot_take_all_connections(protocol: str, server: RunningServer) -> None:
    port = server.sip_tcp if protocol == "SIP" else server.msrp_tcp

    def connected(source: str) -> socket.socket:
        return socket.create_connection((HOST, port), TIMEOUT, (source, 0))

    with ExitStack() as stack:
        wires = [stack.enter_context(connected(FLOODER)) for _ in range(3 * CONNECTIONS)]
        closed = [wire for wire in wires[CONNECTIONS:] if is_closed(wire)]
        assert len(closed) == 2 * CONNECTIONS
        with connected(NEIGHBOUR) as neighbour:
            assert not is_closed(neighbour, 0.2)
        assert not any(is_closed(wire, 0.05) for wire in wires[:CONNECTIONS])
    line = server.wait_for_log(rf"connections from {FLOODER} to port {port} are closed at once")
    assert "it has 5, which is max_connections_per_source" in line
    assert len([one for one in server.log_lines if "are closed at once" in one]) == 1


def is_closed(wire: socket.socket, patience: float = TIMEOUT) -> bool:
    wire.settimeout(patience)
    try:
        return wire.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


# Guessing


def test_a_guesser_is_slowed_down_and_others_are_not(running_server: StartServer) -> None:
    settings = {"authenticate": "yes", "realm": HOST, "local_ip": HOST, "max_wrong_passwords": 3}
    server = running_server({"SIP": {**settings, "unlimited_peers": "none"}})
    set_password(server, f"alice@{HOST}", "secret")
    with WireClient(server, "alice", source=FLOODER) as mallory:
        statuses = [mallory.ask("MESSAGE", guess(mallory)).status for _ in range(6)]
        # The first three are looked at; one more may be, every 20 seconds.
        assert statuses[:3] == [401] * 3
        assert statuses[4:] == [503] * 2
        refusal = mallory.ask("MESSAGE", guess(mallory))
        assert 1 <= int(refusal["Retry-After"]) <= 20
    with WireClient(server, "alice", source=NEIGHBOUR) as carol:
        assert carol.ask("MESSAGE", guess(carol)).status == 401
    server.wait_for_log(r"with 503: too many wrong passwords")


def guess(client: WireClient) -> str:
    """Return a wrong answer to the challenge that this client gets."""
    challenge = client.ask("MESSAGE")["WWW-Authenticate"]
    found = re.search(r'nonce="([^"]+)"', challenge)
    assert found is not None
    return (
        f'Authorization: Digest username="alice", realm="{HOST}", nonce="{found[1]}", '
        f'uri="sip:lobby@{HOST}", response="{"0" * 32}", algorithm=MD5, cnonce="c", qop=auth, '
        "nc=00000001"
    )


# The usual limits


def test_a_lan_behind_one_address_is_hurt_by_no_usual_limit(running_server: StartServer) -> None:
    """Two hundred people come back at once, each with a TCP connection and some requests."""
    server = running_server({"SIP": {"unlimited_peers": "none"}})
    with ExitStack() as stack:
        wires: list[SipWire] = []
        for _ in range(200):
            client = stack.enter_context(
                WireClient(server, "carol", transport="tcp", source=NEIGHBOUR)
            )
            wires.append(client.wire)
            client.wire.send(client.request("OPTIONS") + client.request("OPTIONS"))
        for wire in wires:
            assert [wire.receive().status, wire.receive().status] == [200, 200]
    assert "are closed at once" not in server.log
