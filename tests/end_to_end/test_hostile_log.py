"""Noise at the SIP port does not fill the log, nor hide in it who sent it."""

import re

from tests.end_to_end.hostile import is_well
from tests.end_to_end.server import HOST, StartServer
from tests.end_to_end.wire_client import WireClient

LINES = 20
BURSTS, AT_ONCE = 40, 25
RTP = bytes([0x80, 0x00, 0x12, 0x34]) + bytes(168)


def test_a_stray_media_stream_is_dropped_in_silence(running_server: StartServer) -> None:
    server = running_server()
    with WireClient(server, "phone") as phone:
        before = len(server.entries)
        for _ in range(AT_ONCE):
            phone.wire.send(RTP)
        assert phone.ask("OPTIONS").status == 200
    assert len(server.entries) == before
    assert is_well(server)


def test_a_flood_of_noise_is_some_lines_and_a_count(running_server: StartServer) -> None:
    server = running_server({"SIP": {"max_refusal_lines": LINES}})
    with WireClient(server, "mallory") as mallory:
        for _ in range(BURSTS):
            for _ in range(AT_ONCE):
                mallory.wire.send(b"nonsense")
            # What was sent has been read when this is answered.
            assert mallory.ask("OPTIONS").status == 200
    refused = [line for line in server.entries if f" refused from {HOST}:" in line]
    # The bucket is filled again while the test runs, by one line in three seconds.
    assert LINES <= len(refused) <= 2 * LINES
    # Somebody else tells of the rest.
    with WireClient(server, "bob", source="127.0.0.2") as bob:
        bob.wire.send(b"more nonsense")
        server.wait_for_log(r" refused from 127\.0\.0\.2:")
    counts = re.findall(r"  (\d+) refusals more are not shown", server.log)
    refused = [line for line in server.entries if f" refused from {HOST}:" in line]
    assert len(refused) + sum(map(int, counts)) == BURSTS * AT_ONCE


def test_a_long_method_hides_nobody(running_server: StartServer) -> None:
    server = running_server()
    with WireClient(server, "mallory", transport="tcp") as mallory:
        request = mallory.request("OPTIONS").replace(b"OPTIONS", b"X" * 6000)
        mallory.wire.send(request)
        line = server.wait_for_log(r"refused X{32}…")
        assert f"({HOST}:{mallory.wire.port})" in line
        assert "with 501" in line
