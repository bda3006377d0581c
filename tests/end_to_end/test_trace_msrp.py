"""Traces of MSRP as an operator has them: the real commands, the files, Wireshark's dissector."""

import re

from tests.end_to_end.server import HOST, RunningServer, StartServer
from tests.end_to_end.test_trace import dissect, do, messages, text_file
from tests.end_to_end.wire_client import WireClient

GARDEN = f"garden@{HOST}"


def talk(server: RunningServer, user: str, text: str, room: str = GARDEN) -> WireClient:
    with WireClient(server, user, room=room) as client:
        client.join()
        client.say(text)
        client.leave()
    return client


def test_what_is_said_in_one_room(shared_server: RunningServer) -> None:
    server = shared_server
    printed = do(server, "on", "--room", "garden", "--msrp", "--pcap")
    assert printed.startswith("tracing room:garden (SIP and MSRP) until ")
    talk(server, "bob", "not for the trace", f"cellar@{HOST}")
    alice = talk(server, "alice", "Grüße")
    talk(server, "alice", "x" * 100_000)
    do(server, "off")
    file = text_file(server)
    text = file.read_text(encoding="utf-8")
    assert "bob" not in text
    assert "not for the trace" not in text
    # What the client has sent to its session, and what it was answered, as it was on the wire.
    frames = [octets for octets in messages(text) if octets.startswith(b"MSRP ")]
    (said,) = [octets for octets in frames if "Grüße".encode() in octets]
    transaction = said.split()[1]
    assert said.endswith(b"\r\n-------" + transaction + b"$\r\n")
    answer = b"MSRP " + transaction + b" 200 OK\r\nTo-Path: " + alice.path.encode() + b"\r\n"
    assert [octets for octets in frames if octets.startswith(answer)]
    assert alice.msrp is not None
    port = f"{HOST}:{server.msrp_tcp}"
    assert f" MSRP received tcp {HOST}:{alice.msrp.port} -> {port} {len(said)} bytes\n" in text
    assert f" MSRP sent tcp {port} -> {HOST}:{alice.msrp.port} " in text
    assert re.search(r"\(8\d{4} bytes of a body before the end-line are left out\)", text)

    pcap = file.with_suffix(".pcap")
    packets = dissect(pcap, "msrp.method", "msrp.status.code", "msrp.cnt.flg", only="msrp")
    # The large one is not whole in the readable file.
    assert len(packets) == len(frames) + 1
    assert {method or status for method, status, _ in packets} == {"SEND", "200"}
    assert {flag for *_, flag in packets} == {"$"}
    assert dissect(pcap, "frame.number", only="_ws.malformed") == []
    assert len(dissect(pcap, "sip.Method", only="sip")) == 12


def test_by_the_settings_without_bodies(running_server: StartServer) -> None:
    trace = {"trace_msrp": f"user:alice@{HOST}", "bodies": "no", "pcap": "yes"}
    server = running_server({"Trace": trace})
    talk(server, "bob", "of no interest")
    talk(server, "alice", "of interest")
    server.stop()
    text = text_file(server).read_text(encoding="utf-8")
    assert "interest" not in text
    assert " SIP " not in text
    assert re.search(r"\| Content-Type: message/cpim\n    \|\n    \| -------\w+\$\n", text)
    packets = dissect(
        text_file(server).with_suffix(".pcap"), "msrp.method", "msrp.content.type", only="msrp"
    )
    assert ["SEND", "message/cpim"] in packets
