"""A room of ten chats on while strangers flood the server: every message comes, in its order.

How long the messages take is measured by `python -m benchmarks floods`, with the same floods.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.flood_wire import Ports
from benchmarks.flooders import CONNECTIONS, Flood, Flooded, flood
from benchmarks.memory import allow_files
from benchmarks.room_of_ten import Heard, Speak, chat, echo
from benchmarks.workers import Ready, Worker
from tests.end_to_end.hostile import is_well
from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.test_hostile_floods import count_descriptors, wait_for_descriptors
from tests.end_to_end.tls_setup import tls_port, with_tls

ROOM = f"sip:ten@{HOST}"
RATE = 50.0
SECONDS = 0.7
MAX_GROWTH = 160 * 1024 * 1024
"""Bytes for all floods together; two thousand TLS connections take 100 MB while they stand."""

STRANGERS = [
    "connections, silent",
    "connections, half a header",
    "connections, noise",
    "TLS handshakes that stop",
    "INVITE, UDP, 256 sources",
    "INVITE, TCP, one source",
    "INVITE, TCP, 256 sources",
    "REGISTER, UDP, 256 sources",
    "garbage, UDP",
    "responses to nothing, UDP",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("floods")
    allow_files(2 * CONNECTIONS)
    settings = with_tls(folder / "spool")
    # The limits of a source hold for strangers alone.
    settings["SIP"]["unlimited_peers"] = HOST
    settings["SIP"]["max_refusal_lines"] = 10
    with started(folder / "server", settings) as running:
        before = running.rss
        yield running
        assert running.rss - before < MAX_GROWTH


@pytest.fixture(scope="module")
def ten(server: RunningServer) -> Iterator[Worker]:
    with Worker(echo) as bare, Worker(chat, server.sip_tcp, ROOM, bare.expect(int)) as room:
        room.expect(Ready)
        yield room


@pytest.mark.parametrize("name", STRANGERS)
def test_ten_people_chat_on_while_strangers_flood(
    server: RunningServer, ten: Worker, name: str
) -> None:
    descriptors = count_descriptors(server)
    lines = len(server.log_lines)
    ports = Ports(
        *(server.sip_udp, server.sip_tcp, server.msrp_tcp), tls_port(server, "MSRP"), ROOM
    )
    with Worker(flood, name, ports) as strangers:
        strangers.expect(Ready)
        ten.tell(Speak(RATE))
        assert strangers.ask(Flood(SECONDS), Flooded).count
    # What was held open ends now. Whoever has missed a message, or heard one twice or too early,
    # is told instead of this.
    assert ten.ask(Ready(), Heard).chat.seconds
    wait_for_descriptors(server, descriptors)
    assert is_well(server)
    new = server.entries[lines:]
    assert not [line for line in new if " ERROR " in line or " CRITICAL " in line]
