"""Wireshark reads every kind of MSRP exchange, and complains about none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.test_hostile_msrp import body_of, chunk
from tests.end_to_end.test_tshark import count
from tests.end_to_end.tshark import UNKNOWN, Capture, capturing
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_msrp import Frame, render_frame

DEN = f"den@{HOST}"
INTERVAL = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("exchanges") / "server"
    with started(folder, {"MSRP": {"keepalive_interval": INTERVAL}}) as server:
        yield server


def ask(client: WireClient, frame: bytes) -> list[Frame]:
    """Send a frame; return its answer, and what came before that."""
    assert client.msrp is not None
    client.msrp.send(frame)
    frames = [client.msrp.receive()]
    while not frames[-1].status:
        frames.append(client.msrp.receive())
    return frames


def next_frame(client: WireClient, what: str) -> Frame:
    assert client.msrp is not None
    while (frame := client.msrp.receive()).what != what:
        pass
    return frame


@pytest.fixture(scope="module")
def capture(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    with (
        capturing(server, tmp_path_factory.mktemp("capture") / "msrp.pcapng") as capture,
        WireClient(server, "alice", room=DEN) as alice,
        WireClient(server, "bob", room=DEN) as bob,
    ):
        alice.join()
        assert alice.hear_all().text.startswith("Welcome!")
        bob.join()
        assert bob.hear_all().text.startswith("Welcome!")
        assert "has joined" in alice.hear_all().text
        body = body_of(alice, "in two chunks")
        size = len(body)
        # Chunked, with another message between its chunks.
        ask(alice, chunk(alice, "two", f"1-*/{size}", body[:9], "+"))
        alice.say("between them")
        assert bob.hear_text() == "between them"
        ask(alice, chunk(alice, "two", f"10-*/{size}", body[9:]))
        assert bob.hear_text() == "in two chunks"
        # Given up.
        ask(alice, chunk(alice, "given-up", f"1-*/{size}", body[:9], "+"))
        ask(alice, chunk(alice, "given-up", f"10-*/{size}", body[9:12], "#"))
        # A success report of the server, and a failure report of a client.
        wished = chunk(alice, "wished", f"1-{size}/{size}", body)
        ask(alice, wished.replace(b"Content-Type", b"Success-Report: yes\r\nContent-Type", 1))
        report = next_frame(alice, "REPORT")
        assert report.headers["Status"] == "000 200 OK"
        heard = bob.hear()
        assert heard.text == "in two chunks"
        lines = [
            f"Message-ID: {heard.frame.headers['Message-ID']}",
            "Byte-Range: 1-10/10",
            "Status: 000 413 Message too large",
        ]
        assert bob.msrp is not None
        bob.msrp.send(render_frame("REPORT", bob.remote_path, bob.path, lines))
        # A nickname, whatever the room thinks of it.
        name = ['Use-Nickname: "Alice in Wonderland"']
        ask(alice, render_frame("NICKNAME", alice.remote_path, alice.path, name))
        # The server asks who is silent.
        keep_alive = next_frame(bob, "SEND")
        assert not keep_alive.body
        ways = keep_alive.headers["From-Path"], keep_alive.headers["To-Path"]
        bob.msrp.send(render_frame("200 OK", *ways, transaction_id=keep_alive.transaction_id))
        bob.leave()
        alice.leave()
    return capture


def test_every_exchange_is_dissected_without_complaint(capture: Capture) -> None:
    wrong = capture.dissect(
        "_ws.malformed or (msrp and _ws.expert.severity >= 6291456)",  # from "warning" on
        *("frame.number", "_ws.col.Protocol", "_ws.expert.message"),
    )
    assert wrong == []
    assert capture.dissect(UNKNOWN, "frame.number") == []


def test_every_kind_is_seen_for_what_it_is(capture: Capture) -> None:
    port = capture.server.msrp_tcp
    received = capture.dissect(
        f"msrp.method and tcp.dstport == {port}", "msrp.method", "msrp.cnt.flg"
    )
    binds = 2
    assert count(received, "msrp.method", "msrp.cnt.flg") == {
        ("SEND", "+"): 2,
        ("SEND", "#"): 1,
        ("SEND", "$"): binds + 3,
        ("REPORT", "$"): 1,
        ("NICKNAME", "$"): 1,
    }
    # The report of the server shares a segment with the answer before it: the dissector of MSRP
    # takes the first frame of a segment alone.
    reports = capture.dissect('msrp.method == "REPORT"', "msrp.status", "msrp.byte.range")
    assert [packet["msrp.status"] for packet in reports] == [
        ["000 413 Message too large"],
        # What the sender is told of it.
        ["000 413 bob@127.0.0.1: Message too large"],
    ]
    keep_alives = f"msrp.method and tcp.srcport == {port} and not msrp.content.type"
    assert capture.dissect(keep_alives, "frame.number")
    chunks = capture.dissect('msrp.messageid == "two"', "msrp.byte.range", "msrp.cnt.flg")
    assert [packet["msrp.cnt.flg"] for packet in chunks] == [["+"], ["$"]]
    assert chunks[1]["msrp.byte.range"][0].startswith("10-*/")
