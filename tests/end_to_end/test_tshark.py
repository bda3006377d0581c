"""Wireshark reads a chat of three: every packet is what it should be, and none is malformed."""

from collections import Counter

import pytest

from tests.end_to_end.server import RunningServer
from tests.end_to_end.tshark import UNKNOWN, Capture, Packet, capturing
from tests.end_to_end.wire_client import WireClient

LONG = "0123456789" * 1000
TEXTS = ["plain words", "Grüße, Здравствуйте, 你好, 😀", LONG, "the end"]


@pytest.fixture(scope="module")
def capture(shared_server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """Record a chat in lockstep, so that no two frames share a segment."""
    server = shared_server
    with (
        capturing(server, tmp_path_factory.mktemp("capture") / "chat.pcapng") as capture,
        WireClient(server, "alice", transport="udp") as alice,
        WireClient(server, "bob", transport="tcp") as bob,
        WireClient(server, "carol", transport="tcp") as carol,
    ):
        people = [alice, bob, carol]
        for number, newcomer in enumerate(people):
            newcomer.join()
            assert newcomer.hear_all().text.startswith("Welcome!")
            for other in people[:number]:
                assert "has joined" in other.hear_all().text
        for number, text in enumerate(TEXTS):
            speaker = people[number % 3]
            speaker.say(text)
            assert all(one.hear_text() == text for one in people if one is not speaker)
        bob.say("just for you", to=carol.address)
        assert carol.hear_text() == "just for you"
        carol.say("and back", to=bob.address)
        assert bob.hear_text() == "and back"
        while people:
            people.pop(0).leave()
            for other in people:
                assert "has left" in other.hear_all().text
    return capture


def count(packets: list[Packet], *fields: str) -> Counter[tuple[str, ...]]:
    """Count packets by the first value of each of these fields."""
    return Counter(
        tuple(packet[field][0] if packet[field] else "" for field in fields) for packet in packets
    )


def test_the_dissectors_see_every_message_and_no_fault(capture: Capture) -> None:
    wrong = capture.dissect(
        "_ws.malformed or _ws.expert.severity >= 8388608",  # from "error" on
        *("frame.number", "_ws.col.Protocol", "_ws.expert.message"),
    )
    assert wrong == []

    requests = capture.dissect("sip.Method and sip.resend == 0", "sip.Method", "_ws.col.Protocol")
    assert count(requests, "sip.Method", "_ws.col.Protocol") == {
        ("INVITE", "SIP/SDP"): 3,
        ("ACK", "SIP"): 3,
        ("BYE", "SIP"): 3,
    }
    responses = capture.dissect(
        "sip.Status-Code and sip.resend == 0", "sip.Status-Code", "sip.CSeq.method"
    )
    assert count(responses, "sip.Status-Code", "sip.CSeq.method") == {
        ("100", "INVITE"): 3,
        ("200", "INVITE"): 3,
        ("200", "BYE"): 3,
    }

    binds, welcomes, notices = 3, 3, (1 + 2) + (2 + 1)
    said, whispers = len(TEXTS), 2
    port = capture.server.msrp_tcp
    received = capture.dissect(f"msrp.method and tcp.dstport == {port}", "msrp.method")
    assert count(received, "msrp.method") == {("SEND",): binds + said + whispers}
    sent = capture.dissect(f"msrp.method and tcp.srcport == {port}", "msrp.method")
    assert count(sent, "msrp.method") == {("SEND",): welcomes + notices + 2 * said + whispers}
    answers = capture.dissect(f"msrp.status.code and tcp.srcport == {port}", "msrp.status.code")
    assert count(answers, "msrp.status.code") == {("200",): binds + said + whispers}

    # Nothing went over these ports that the dissectors did not take for SIP or MSRP.
    data = capture.dissect(UNKNOWN, "frame.number")
    assert data == []


def test_the_dissectors_find_each_frame_whole(capture: Capture) -> None:
    frames = capture.dissect(
        "msrp", "msrp.transaction.id", "msrp.cnt.flg", "msrp.from.path", "msrp.to.path"
    )
    assert frames
    for frame in frames:
        # The transaction stands in the first line and again in the end-line.
        assert len(frame["msrp.transaction.id"]) == 2
        assert len(set(frame["msrp.transaction.id"])) == 1
        assert frame["msrp.cnt.flg"] == ["$"]
        assert len(frame["msrp.from.path"]) == len(frame["msrp.to.path"]) == 1
