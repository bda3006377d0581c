"""What comes in is no SIP, no MSRP, or not all of it; the chat of two others goes on.

Each test runs beside a chat in which every message must arrive in order, see `undisturbed`.
"""

import random
import re
from collections.abc import Iterator

import pytest

from tests.end_to_end.server import HOST, RunningServer
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient, wrap
from tests.end_to_end.wire_msrp import Frame, MsrpWire
from tests.end_to_end.wire_sip import SipWire

TLS_HELLO = bytes.fromhex(
    "16030100d2010000ce0303e1bd0d3c3e6c7e4b0c4b8a3b6f8c1d2e3f405162738495a6b7c8d9eafb0c1d2e20"
)
HTTP = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nabc"
NOISE = {
    "random": random.Random(4975).randbytes(60_000),
    "zeros": bytes(5000),
    "high": b"\xff" * 5000,
    "http": HTTP,
    "tls": TLS_HELLO,
    "line": b"\x00" + b"A" * 60_000,
}
any_noise = pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE.keys())


@pytest.fixture
def server(shared_server: RunningServer) -> Iterator[RunningServer]:
    with undisturbed_chat(shared_server):
        yield shared_server


def entries_about(server: RunningServer, port: int) -> list[str]:
    """Return the log entries that name a port of ours."""
    return [line for line in server.entries if re.search(rf"{HOST}:{port}\b", line)]


# No SIP, no MSRP


@any_noise
def test_noise_closes_a_sip_connection(server: RunningServer, noise: bytes) -> None:
    wire = SipWire(server, "tcp")
    wire.send(noise)
    assert wire.rest() == b""
    wire.close()
    server.wait_for_log(rf"{HOST}:{wire.port}\b")
    assert len(entries_about(server, wire.port)) == 1


@any_noise
def test_noise_closes_an_msrp_connection(server: RunningServer, noise: bytes) -> None:
    wire = MsrpWire(HOST, server.msrp_tcp)
    wire.send(noise)
    assert wire.rest() == b""
    wire.close()
    server.wait_for_log(rf"{HOST}:{wire.port}\b")
    assert len(entries_about(server, wire.port)) == 1


@any_noise
def test_noise_on_the_udp_port_is_not_answered(server: RunningServer, noise: bytes) -> None:
    with WireClient(server, "mallory") as mallory:
        mallory.wire.send(noise)
        # The first thing that comes back is the answer to what follows.
        mallory.wire.send(mallory.request("OPTIONS"))
        answer = mallory.wire.receive()
        assert (answer.status, answer.method) == (200, "OPTIONS")
        assert len(entries_about(server, mallory.wire.port)) <= 1


def test_each_protocol_on_the_port_of_the_other(server: RunningServer) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        invite = mallory.invitation()
        msrp = MsrpWire(HOST, server.msrp_tcp)
        msrp.send(invite)
        assert msrp.rest() == b""
        msrp.close()
        mallory.remote_path = f"msrp://{HOST}:{server.msrp_tcp}/nothing;tcp"
        mallory.wire.send(mallory.frame(None))
        assert mallory.wire.rest() == b""


# Cut at every byte


def test_an_invite_that_is_cut_anywhere(server: RunningServer) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        whole = mallory.invitation()
        for cut in range(len(whole)):
            wire = SipWire(server, "tcp")
            wire.send(whole[:cut])
            wire.shut_down()
            assert wire.rest() == b"", cut
            wire.close()
            assert len(entries_about(server, wire.port)) <= 1
        # The whole of it is still welcome.
        mallory.wire.send(whole)
        assert mallory.await_answer().status == 200
        mallory.wire.send(mallory.request("ACK"))
        assert mallory.bye().status == 200


def test_an_invite_that_is_cut_anywhere_in_a_datagram(server: RunningServer) -> None:
    with WireClient(server, "mallory") as mallory:
        whole = mallory.invitation()
        refusals = 0
        for cut in range(len(whole)):
            mallory.wire.send(whole[:cut])
            mallory.wire.send(mallory.request("OPTIONS"))
            while (message := mallory.wire.receive()).status != 200:
                assert message.status == 400
                # Nobody could tell what an answer without Via is for.
                assert message["Via"]
                refusals += 1
        assert refusals > len(whole) // 2


def test_an_invite_that_comes_in_two_pieces(server: RunningServer) -> None:
    """Whole, however it is cut: the calls of all cuts are answered like one."""
    with WireClient(server, "mallory", transport="tcp") as mallory:
        length = len(mallory.request("OPTIONS"))
        for cut in range(length):
            options = mallory.request("OPTIONS")
            mallory.wire.send(options[:cut])
            mallory.wire.send(options[cut:])
            assert mallory.wire.response("OPTIONS").status == 200


def test_an_msrp_stream_that_is_cut_anywhere(server: RunningServer) -> None:
    bind_length = 0
    length = 1
    cut = 0
    while cut < length:
        with WireClient(server, "mallory") as mallory:
            assert mallory.invite().status == 200
            bind = mallory.frame(None)
            bind_length = len(bind)
            whole = bind + mallory.frame(wrap(mallory.address, mallory.room, "cut"))
            length = len(whole)
            mallory.msrp = MsrpWire(HOST, server.msrp_tcp)
            mallory.msrp.send(whole[:cut])
            mallory.msrp.close()
            if cut < bind_length:
                assert mallory.bye().status == 200
            else:
                # It was bound, and has lost its only media.
                mallory.await_bye()
        # In the second frame every seventh byte will do: each cut is a call of its own.
        cut += 1 if cut < 8 or cut >= length - 40 else 7


def test_an_msrp_stream_that_comes_in_two_pieces(server: RunningServer) -> None:
    with WireClient(server, "mallory") as mallory:
        mallory.join()
        assert mallory.msrp is not None
        length = len(mallory.frame(None))
        for cut in range(length):
            frame = mallory.frame(None)
            mallory.msrp.send(frame[:cut])
            mallory.msrp.send(frame[cut:])
        identifiers = {f.transaction_id for f in answers(mallory, length)}
        assert len(identifiers) == length
        mallory.leave()


def answers(client: WireClient, count: int) -> list[Frame]:
    """Return the next responses, and drop what else comes."""
    assert client.msrp is not None
    found: list[Frame] = []
    while len(found) < count:
        frame = client.msrp.receive()
        if frame.status:
            found.append(frame)
    return found
