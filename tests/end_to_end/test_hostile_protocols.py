"""What belongs to another protocol, on each port: it is not answered, and nobody notices.

A browser that was tricked into posting a SIP message gets no further than its first line. Each test
runs beside a chat in which every message must arrive in order, see `undisturbed`.
"""

import random
import re
import secrets
import socket
import ssl
import struct
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.end_to_end.hostile import LinesAbout, is_well
from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.tls_setup import tls_port, with_tls
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_msrp import render_frame
from tests.end_to_end.wire_sip import TIMEOUT

RANDOM = random.Random(3261)
SIP = (
    f"OPTIONS sip:lobby@{HOST} SIP/2.0\r\nVia: SIP/2.0/TCP {HOST};branch=z9hG4bKsmuggled\r\n"
    f"From: <sip:a@{HOST}>;tag=1\r\nTo: <sip:lobby@{HOST}>\r\nCall-ID: smuggled\r\n"
    "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
MSRP_PATH = f"msrp://{HOST}:2855/smuggled;tcp"
MSRP = render_frame("SEND", MSRP_PATH, MSRP_PATH, ["Message-ID: 1"])


def http(method: str, body: str, *fields: str) -> bytes:
    lines = [f"{method} / HTTP/1.1", f"Host: {HOST}", *fields, f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()


def client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(
        incoming, outgoing, server_hostname="localhost"
    )
    with pytest.raises(ssl.SSLWantReadError):
        side.do_handshake()
    return outgoing.read()


BROWSER = ["Content-Type: text/plain", "Origin: http://evil.example"]
WEB_SOCKET = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Protocol: sip"]
STUN = struct.pack(">HHI12s", 1, 0, 0x2112A442, bytes(12))
RTP = struct.pack(">BBHII", 0x80, 0, 1, 160, 0x1234) + bytes(160)
FOREIGN = {
    "http get": http("GET", ""),
    "http post with sip in it": http("POST", SIP, *BROWSER),
    "http post with msrp in it": http("POST", MSRP.decode(), *BROWSER),
    "http put of thousands of lines": http("PUT", SIP * 100, *BROWSER),
    "web socket": http("GET", "", *WEB_SOCKET),
    "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http answer": b"HTTP/1.1 200 OK\r\n\r\n" + SIP.encode(),
    "proxy": f"CONNECT {HOST}:5060 HTTP/1.1\r\n\r\n{SIP}".encode(),
    "proxy protocol": f"PROXY TCP4 {HOST} {HOST} 1 2\r\n{SIP}".encode(),
    "tls hello": client_hello(),
    "old tls hello": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(64),
    "rtp": RTP,
    "rtcp": struct.pack(">BBHI", 0x80, 200, 6, 0x1234) + bytes(20),
    "stun": STUN,
    "framed stun": struct.pack(">H", len(STUN)) + STUN,
    "turn": struct.pack(">HHI12s", 3, 8, 0x2112A442, bytes(12)) + bytes(8),
    "dns": struct.pack(">6H", 0x1234, 0x100, 1, 0, 0, 0) + b"\x07version\x04bind\0\0\x10\0\x03",
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "smtp": b"EHLO evil.example\r\n",
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "h.323": b"\x03\x00\x00\x10\x08\x02\x00\x01\x05\x04\x03\x88\x93\xa5\x7e\x00",
    "iax": b"\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x06\x1e",
    "random": RANDOM.randbytes(3000),
    "more random": RANDOM.randbytes(60_000),
    "nul": bytes(3000),
    "line ends": b"\r\n" * 1000 + b"x\r\n\r\n",
}
LOOKS_OF = {"sip": re.compile(rb"SIP/2\.0 [12]"), "msrp": re.compile(rb"MSRP \S+ 200")}
STREAMS = ["sip tcp", "msrp tcp", "sip tls", "msrp tls"]


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("foreign")
    with started(folder / "server", with_tls(folder / "spool")) as server:
        yield server


@pytest.fixture
def server(tls_server: RunningServer) -> Iterator[RunningServer]:
    with undisturbed_chat(tls_server):
        yield tls_server


def port_of(server: RunningServer, name: str) -> int:
    protocol, transport = name.upper().split()
    if transport == "TLS":
        return tls_port(server, protocol)
    return server.sip_tcp if protocol == "SIP" else server.msrp_tcp


def everything_from(wire: socket.socket) -> bytes:
    """Return what comes until the other side closes the connection; it must not go on."""
    data = b""
    try:
        while piece := wire.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def no_success_in(data: bytes) -> bool:
    return not any(pattern.search(data) for pattern in LOOKS_OF.values())


@pytest.mark.parametrize("port", STREAMS)
@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN.keys())
def test_another_protocol_ends_a_connection(
    server: RunningServer, port: str, foreign: bytes
) -> None:
    with socket.create_connection((HOST, port_of(server, port)), TIMEOUT) as wire:
        lines = LinesAbout(server, wire.getsockname()[1])
        try:
            wire.sendall(foreign)
            if port.endswith("tls"):
                # A handshake that began in earnest waits; it is over when the client gives up.
                wire.shutdown(socket.SHUT_WR)
        except OSError:
            # It was cut off before it had said all that.
            pass
        answer = everything_from(wire)
    assert no_success_in(answer)
    assert b"smuggled" not in answer
    assert lines.count <= 1


@pytest.mark.parametrize(("protocol", "name"), list(product(["sip", "msrp"], FOREIGN)))
def test_another_protocol_inside_tls_ends_a_connection(
    server: RunningServer, protocol: str, name: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection((HOST, tls_port(server, protocol.upper())), TIMEOUT)
    with context.wrap_socket(plain, suppress_ragged_eofs=True) as wire:
        lines = LinesAbout(server, wire.getsockname()[1])
        try:
            wire.sendall(FOREIGN[name])
            answer = everything_from(wire)
        except (ssl.SSLError, ConnectionError):
            # It was cut off before it had said all that.
            answer = b""
    assert no_success_in(answer)
    assert lines.count <= 1


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN.keys())
def test_another_protocol_in_a_datagram_is_not_answered(
    server: RunningServer, foreign: bytes
) -> None:
    with WireClient(server, "mallory") as mallory:
        lines = LinesAbout(server, mallory.wire.port)
        mallory.wire.send(foreign)
        mallory.wire.send(mallory.request("OPTIONS"))
        answer = mallory.wire.receive()
        assert (answer.status, answer["Call-ID"]) == (200, mallory.call_id)
        assert lines.count <= 1


@pytest.mark.parametrize("port", ["sip tcp", "msrp tcp"])
def test_a_browser_is_cut_off_at_its_first_line(server: RunningServer, port: str) -> None:
    """Whatever it posts afterwards is not read: the connection is closed before it is sent."""
    with socket.create_connection((HOST, port_of(server, port)), TIMEOUT) as wire:
        wire.sendall(b"POST / HTTP/1.1\r\n")
        assert everything_from(wire) == b""


def test_a_browser_cannot_hide_a_call_in_a_form(server: RunningServer) -> None:
    """No INVITE in the body of a POST opens a room, however the body begins."""
    room = f"hidden{secrets.token_hex(4)}@{HOST}"
    with WireClient(server, "mallory", transport="tcp", room=room) as mallory:
        invite = mallory.invitation().decode()
        for lead in ("", "\r\n\r\n", "x=", "\r\n--b\r\n\r\n"):
            mallory_port = port_of(server, "sip tcp")
            with socket.create_connection((HOST, mallory_port), TIMEOUT) as wire:
                wire.sendall(http("POST", lead + invite, *BROWSER))
                assert everything_from(wire) == b""
    assert is_well(server)
    assert room not in server.log


def test_each_protocol_on_the_tls_port_of_the_other(server: RunningServer) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for protocol, data in (("SIP", MSRP), ("MSRP", SIP.encode())):
        plain = socket.create_connection((HOST, tls_port(server, protocol)), TIMEOUT)
        with context.wrap_socket(plain) as wire:
            wire.sendall(data)
            assert everything_from(wire) == b""


@pytest.mark.parametrize("name", ["stun", "turn", "nul"])
def test_keep_alives_on_the_udp_port_leave_no_line(server: RunningServer, name: str) -> None:
    """RFC 5626: STUN on the port of SIP is answered or ignored, and never taken for SIP."""
    with WireClient(server, "mallory") as mallory:
        lines = LinesAbout(server, mallory.wire.port)
        for _ in range(50):
            mallory.wire.send(FOREIGN[name])
        # This is refused with a line; there is no other.
        assert mallory.ask("REGISTER").status == 405
        lines.wait_for_one()
