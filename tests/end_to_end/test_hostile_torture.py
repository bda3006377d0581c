"""The torture messages of RFC 4475 and RFC 5118, to a server that runs, over UDP and TCP.

The manifest beside each corpus says which statuses are right. Each test runs beside a chat in which
every message must arrive in order, see `undisturbed`.
"""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.corpora import corpus
from tests.end_to_end.hostile import is_well
from tests.end_to_end.server import HOST, RunningServer, StartServer
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_sip import TIMEOUT, take_message

# Addresses of loopback where nobody else listens: an answer goes to the port that Via names. Each
# message has one of its own, as the answer to an INVITE that is never acknowledged comes again.
SOURCES = (f"127.44.75.{number}" for number in range(1, 255))

# What a chat server says where the manifest leaves it open: calls that are for audio alone, or that
# claim a dialog.
OPEN = {"wsinv": {481}, "esc01": {488}, "longreq": {488}, "inv2543": {488}}
# No Via, or no request line: nobody could make anything of an answer.
UNANSWERABLE = {"test"}
# On a stream it is unfinished, for it has no empty line.
ENDLESS = {"baddn"}
# Without a Content-Length, with two of them, or with one that is too short a stream has lost its
# frame, and may be closed before there is an answer.
ENDS_A_STREAM = {"inv2543", "ncl", "mcl01", "mult-ip-in-sdp", "ipv4-mapped-ipv6"}


@dataclass
class Torture:
    """One message and its verdict."""

    name: str
    data: bytes
    statuses: set[int]
    is_response: bool
    is_cut: bool
    """Whether the body is shorter than its length, so that a stream waits for the rest."""


def tortures(folder: str) -> list[Torture]:
    """Return the messages of a corpus; skips the calling test when it is not there."""
    root = corpus(folder)
    text = (root / "manifest.json").read_text(encoding="utf-8")
    found: list[Torture] = []
    for number, entry in enumerate(cast(list[dict[str, object]], json.loads(text))):
        name = str(entry["name"])
        data = (root / str(entry["file"])).read_bytes()
        # RFC 5118 gives all of its messages one branch and one Call-ID: they would be taken for
        # one another's retransmissions.
        data = data.replace(b"z9hG4bKas3-111", f"z9hG4bKas3-{number:03}".encode())
        data = data.replace(b"z9hG4bKbh19", f"z9hG4bKbh{number:02}".encode())
        data = data.replace(b"9559905523997077@", f"95599055239970{number:02}@".encode())
        listed = set(cast(list[int], entry["acceptable_status"])) | OPEN.get(name, set())
        # An INVITE that is right asks for audio.
        if data.startswith(b"INVITE ") and (not listed or listed & {200, 404}):
            listed.add(488)
        declared, body = _declared_length(entry), cast(int, entry["octets_after_blank_line"])
        is_cut = declared is not None and declared > body
        if is_cut:
            listed = {400}
        is_response = data.startswith(b"SIP/2.0 ")
        found.append(Torture(name, data, listed, is_response, is_cut or name in ENDLESS))
    return found


def _declared_length(entry: dict[str, object]) -> int | None:
    """Return the first Content-Length of a message, None where it has none."""
    declared = entry["declared_content_length"]
    if isinstance(declared, list):
        lengths = cast(list[str], declared)
        return int(lengths[0]) if lengths else None
    return cast(int | None, declared)


def is_silent(torture: Torture) -> bool:
    return torture.is_response or torture.name in UNANSWERABLE


def statuses_before(wire: socket.socket, call_id: str, count: int) -> list[int]:
    """Return the final statuses that come until the request of `call_id`, sent last, is answered.

    There must be `count` of them, which may come later than that answer.
    """
    statuses: list[int] = []
    data, is_last = b"", False
    while not is_last or len(statuses) < count:
        if not (piece := wire.recv(65536)):
            break
        data += piece
        while (taken := take_message(data)) is not None:
            message, data = taken
            if "Call-ID" in message and message["Call-ID"] == call_id:
                is_last = True
            elif message.status >= 200:
                statuses.append(message.status)
    return statuses


def statuses_by_udp(server: RunningServer, torture: Torture) -> list[int]:
    """Return the final statuses that a datagram gets."""
    match = re.search(rb"(?im)^v(?:ia)?\s*:[^\r\n;]*?[^\s:\]]:(\d+)", torture.data)
    source, port = next(SOURCES), int(match[1]) if match else 5060
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire,
        WireClient(server, "witness") as witness,
    ):
        wire.bind((source, port))
        wire.settimeout(TIMEOUT)
        wire.connect((HOST, server.sip_udp))
        own = f"{witness.wire.host}:{witness.wire.port}".encode()
        wire.send(torture.data)
        wire.send(witness.request("OPTIONS").replace(own, f"{source}:{port}".encode()))
        return statuses_before(wire, witness.call_id, 0 if is_silent(torture) else 1)


def statuses_by_tcp(server: RunningServer, torture: Torture) -> list[int]:
    """Return the final statuses that a message gets in a connection of its own."""
    is_quiet = is_silent(torture) or torture.is_cut
    with (
        socket.create_connection((HOST, server.sip_tcp), TIMEOUT) as wire,
        WireClient(server, "witness", transport="tcp") as witness,
    ):
        wire.sendall(torture.data)
        if torture.is_cut:
            wire.shutdown(socket.SHUT_WR)
        else:
            wire.sendall(witness.request("OPTIONS"))
        return statuses_before(wire, witness.call_id, 0 if is_quiet else 1)


# A server for each transport: to another one each message would be a retransmission.


@pytest.fixture
def udp_server(shared_server: RunningServer) -> Iterator[RunningServer]:
    with undisturbed_chat(shared_server):
        yield shared_server


@pytest.fixture
def tcp_server(running_server: StartServer) -> Iterator[RunningServer]:
    server = running_server()
    with undisturbed_chat(server):
        yield server


@pytest.mark.parametrize("folder", ["rfc4475", "rfc5118"])
def test_each_datagram_gets_the_status_of_its_verdict(
    udp_server: RunningServer, folder: str
) -> None:
    for torture in tortures(folder):
        statuses = statuses_by_udp(udp_server, torture)
        if is_silent(torture):
            assert not statuses, torture.name
        else:
            assert len(statuses) == 1, (torture.name, statuses)
            assert statuses[0] in torture.statuses, (torture.name, statuses)
    assert is_well(udp_server)


@pytest.mark.parametrize("folder", ["rfc4475", "rfc5118"])
def test_each_message_on_a_stream_gets_the_status_of_its_verdict(
    tcp_server: RunningServer, folder: str
) -> None:
    for torture in tortures(folder):
        statuses = statuses_by_tcp(tcp_server, torture)
        if is_silent(torture) or torture.is_cut:
            assert not statuses, torture.name
        elif torture.name in ENDS_A_STREAM:
            assert set(statuses) <= torture.statuses | {400}, torture.name
        elif torture.name == "dblreq":
            # Two messages: behind the REGISTER comes an INVITE that has its own length.
            assert statuses
            assert set(statuses) <= torture.statuses | {400, 488}, statuses
        else:
            assert len(statuses) == 1, (torture.name, statuses)
            assert statuses[0] in torture.statuses, (torture.name, statuses)
    assert is_well(tcp_server)


@pytest.mark.parametrize("folder", ["rfc4475", "rfc5118"])
def test_all_of_them_in_one_connection_hurt_nobody(tcp_server: RunningServer, folder: str) -> None:
    """Whatever follows what: in the end somebody new gets in."""
    for torture in tortures(folder):
        with socket.create_connection((HOST, tcp_server.sip_tcp), TIMEOUT) as wire:
            for other in tortures(folder)[:10]:
                try:
                    wire.sendall(other.data + torture.data)
                except (BrokenPipeError, ConnectionResetError):
                    break
    assert is_well(tcp_server)


def test_every_message_of_the_corpora_is_sent() -> None:
    """A file that no manifest names would not be tested."""
    for folder in ("rfc4475", "rfc5118"):
        root: Path = corpus(folder)
        named = {torture.name for torture in tortures(folder)}
        stems = {path.stem for path in root.glob("*.dat")}
        assert stems == named
