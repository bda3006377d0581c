"""Ten people chat on while others in their room talk without pause, read nothing, or all leave.

The rest is as in test_floods; each kind has a server of its own, as it may take a while until those
who do not read are let go.
"""

import pytest

from benchmarks.flood_wire import Ports
from benchmarks.flooders import Flood, Flooded, flood
from benchmarks.room_of_ten import Heard, Speak, chat, echo
from benchmarks.workers import Ready, Worker
from tests.end_to_end.hostile import is_well
from tests.end_to_end.server import HOST, StartServer
from tests.end_to_end.test_hostile_floods import wait_for_descriptors

ROOM = f"sip:ten@{HOST}"
RATE = 50.0
SECONDS = 1.0
MAX_GROWTH = 128 * 1024 * 1024
"""Bytes, of which a hundred who read nothing may take half a megabyte each."""


@pytest.mark.parametrize(
    ("name", "message_rate", "outbox_limit"),
    [
        ("one talks without pause", 100, "4M"),
        ("one talks, message_rate 0", 0, "4M"),
        ("a hundred never read", 100, "512k"),
        ("three hundred leave", 100, "4M"),
        ("three hundred vanish", 100, "4M"),
    ],
)
def test_ten_people_chat_on_whatever_others_of_the_room_do(
    running_server: StartServer, name: str, message_rate: int, outbox_limit: str
) -> None:
    server = running_server(
        {
            "Conference": {"message_rate": message_rate, "history": "no"},
            "MSRP": {"outbox_limit": outbox_limit},
        }
    )
    ports = Ports(server.sip_udp, server.sip_tcp, server.msrp_tcp, 0, ROOM)
    with Worker(echo) as bare, Worker(chat, server.sip_tcp, ROOM, bare.expect(int)) as ten:
        ten.expect(Ready)
        before, descriptors = server.rss, server.open_files
        with Worker(flood, name, ports) as others:
            others.expect(Ready)
            ten.tell(Speak(RATE))
            assert others.ask(Flood(SECONDS), Flooded).count
        # Whoever has missed a message, or heard one twice or too early, is told instead of this.
        assert ten.ask(Ready(), Heard).chat.seconds
        # Who talks without pause is read to his end at his rate, which takes long: he may stay.
        wait_for_descriptors(server, descriptors + (name == "one talks without pause"))
        assert server.rss - before < MAX_GROWTH
    assert is_well(server)
    errors = [line for line in server.entries if " ERROR " in line or " CRITICAL " in line]
    assert not errors
