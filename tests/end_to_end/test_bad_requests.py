"""Requests that can be read and are wrong, or lie about themselves: each gets its status.

Each test runs beside a chat in which every message must arrive in order, see `undisturbed`.
"""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.server import HOST, RunningServer, StartServer, started
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient, chat_offer, wrap
from tests.end_to_end.wire_msrp import MsrpWire, render_frame
from tests.end_to_end.wire_sip import SipWire

MESSAGE_LIMIT = 1024 * 1024


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("requests") / "server"
    with started(
        folder, {"MSRP": {"max_message_size": MESSAGE_LIMIT, "max_stream_size": MESSAGE_LIMIT}}
    ) as server:
        yield server


@pytest.fixture
def server(module_server: RunningServer) -> Iterator[RunningServer]:
    with undisturbed_chat(module_server):
        yield module_server


@pytest.fixture
def mallory(server: RunningServer) -> Iterator[WireClient]:
    with WireClient(server, "mallory") as client:
        yield client


def flood(wire: SipWire | MsrpWire, data: bytes) -> None:
    """Send the same again and again, until the server has closed the connection."""
    for _ in range(10_000):
        try:
            wire.send(data)
        except (BrokenPipeError, ConnectionResetError):
            return
    pytest.fail(f"the server took {10_000 * len(data)} bytes")


# SIP: what it says about its own length


def with_length(request: bytes, *values: str) -> bytes:
    """Return a request with other Content-Length header fields."""
    lines = "".join(f"Content-Length: {value}\r\n" for value in values).encode()
    changed, count = re.subn(rb"Content-Length: \d+\r\n", lines, request)
    assert count == 1
    return changed


BAD_LENGTHS = [("-1",), ("x",), ("1" * 30,), ("10", "20"), ("",), ("0x10",), ("70000",)]


@pytest.mark.parametrize("values", BAD_LENGTHS)
def test_a_length_that_cannot_be_ends_a_sip_connection(
    server: RunningServer, values: tuple[str, ...]
) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        mallory.wire.send(with_length(mallory.invitation(), *values))
        assert mallory.wire.receive().status in (400, 413, 513)
        assert mallory.wire.rest() == b""


def test_no_length_ends_a_sip_connection(server: RunningServer) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        mallory.wire.send(with_length(mallory.invitation()))
        assert mallory.wire.receive().status == 400
        assert mallory.wire.rest() == b""


@pytest.mark.parametrize("values", [*BAD_LENGTHS, ("2000",)])
def test_a_length_that_cannot_be_is_refused_over_udp(
    mallory: WireClient, values: tuple[str, ...]
) -> None:
    mallory.wire.send(with_length(mallory.invitation(), *values))
    assert mallory.wire.receive().status in (400, 413, 513)


def test_a_length_that_is_too_short_leaves_no_sip_behind_it(server: RunningServer) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        # The first ten octets of the SDP are a body; the rest is no message.
        mallory.wire.send(with_length(mallory.invitation(), "10"))
        # Whether the refusal of the first part goes out before the connection is closed is open.
        assert not re.search(rb"^SIP/2.0 2", mallory.wire.rest(), re.MULTILINE)


def test_a_length_that_is_too_long_waits_for_more(server: RunningServer) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        offer = chat_offer(mallory.path)
        mallory.wire.send(with_length(mallory.request("INVITE", body=offer), str(len(offer) + 2)))
        mallory.wire.send(b"\r\n")
        assert mallory.await_answer().status == 200
        mallory.wire.send(mallory.request("ACK"))
        assert mallory.bye().status == 200


# SIP: header fields


@pytest.mark.parametrize("line", [b"X: y\r\n", b"Via: SIP/2.0/TCP 127.0.0.1\r\n", b"A" * 1000])
def test_headers_without_end_close_a_sip_connection(server: RunningServer, line: bytes) -> None:
    wire = SipWire(server, "tcp")
    wire.send(b"OPTIONS sip:lobby@127.0.0.1 SIP/2.0\r\n")
    flood(wire, line * 100)
    wire.close()
    server.wait_for_log(rf"{HOST}:{wire.port}\b")


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (rb"CSeq: \d+ INVITE", b"CSeq: 99999999999999999999 INVITE"),
        (rb"CSeq: \d+ INVITE", b"CSeq: 1 BYE"),
        (rb"CSeq: \d+ INVITE", b"CSeq: -"),
        (rb"(From: [^\r]*\r\n)", rb"\1\1"),
        (rb"From: [^\r]*", b'From: "unclosed <sip:mallory@127.0.0.1>;tag=1'),
        (rb"To: [^\r]*", b"To: <sip:lobby@[::1>"),
        (rb"Call-ID: [^\r]*\r\n", b""),
        (rb"Contact: [^\r]*", b"Contact: <>"),
        (rb"Max-Forwards: 70", b"Max-Forwards: many"),
        (rb"Content-Type: [^\r]*\r\n", b""),
        (rb"INVITE sip:lobby@127.0.0.1 SIP", b"INVITE sip:lobby@%zz:port SIP"),
        (rb"INVITE sip:lobby@127.0.0.1 SIP", b"INVITE <sip:lobby@127.0.0.1> SIP"),
    ],
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_malformed_header_is_refused(
    server: RunningServer, transport: str, pattern: bytes, replacement: bytes
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        invite, count = re.subn(pattern, replacement, mallory.invitation(), count=1)
        assert count == 1
        mallory.wire.send(invite)
        assert mallory.wire.receive().status == 400
        # What is well-formed is still served, over the same connection.
        assert mallory.ask("OPTIONS").status == 200


def test_too_many_hops_and_versions_have_their_own_status(mallory: WireClient) -> None:
    mallory.wire.send(mallory.request("OPTIONS").replace(b" SIP/2.0\r\n", b" SIP/7.0\r\n", 1))
    assert mallory.wire.receive().status == 505
    mallory.wire.send(mallory.request("OPTIONS").replace(b"sip:lobby", b"tel:lobby", 1))
    assert mallory.wire.receive().status == 416


# SDP


def offer_with(pattern: str, replacement: str) -> bytes:
    """Return a good offer in which one thing is wrong."""
    path = f"msrp://{HOST}:2855/{secrets.token_hex(8)};tcp"
    offer, count = re.subn(pattern, replacement, chat_offer(path).decode(), count=1)
    assert count == 1
    return offer.encode()


WRONG_OFFERS = {
    "no media": r"m=(.|\r|\n)*$|",
    "other media": "m=message|m=audio",
    "tls": "TCP/MSRP|TCP/TLS/MSRP",
    "port 0": "message 2855|message 0",
    "no path": "a=path:[^\r]*\r\n|",
    "empty path": "a=path:[^\r]*|a=path:",
    "http path": "a=path:[^\r]*|a=path:http://127.0.0.1/x",
    "no session": "a=path:[^\r]*|a=path:msrp://127.0.0.1:2855;tcp",
    "port of a path": "a=path:[^\r]*|a=path:msrp://127.0.0.1:99999/x;tcp",
    "udp path": ";tcp|;udp",
    "no types": "a=accept-types[^\r]*\r\n|",
    "setup": "setup:active|setup:sideways",
    "file": 'a=setup|a=file-selector:name:"x" size:1\r\na=setup',
    "long format list": r"MSRP \*|MSRP" + " 1" * 10_000,
}


@pytest.mark.parametrize("wrong", WRONG_OFFERS.values(), ids=WRONG_OFFERS.keys())
def test_an_offer_without_usable_media_gets_488_and_why(server: RunningServer, wrong: str) -> None:
    pattern, _, replacement = wrong.rpartition("|")
    with WireClient(server, "mallory", transport="tcp") as mallory:
        answer = mallory.ask("INVITE", body=offer_with(pattern, replacement))
        assert answer.status == 488
        assert re.fullmatch(r'3\d\d \S+ ".+"', answer["Warning"])


@pytest.mark.parametrize(
    "body", [b"\0", b"v=0", b"hello", b"v=1\r\n", b"v=0\r\no=- x y IN IP4 z\r\n", b"=" * 1000]
)
def test_a_body_that_is_no_sdp_is_refused(mallory: WireClient, body: bytes) -> None:
    assert mallory.ask("INVITE", body=body).status in (400, 488)


def test_the_second_of_two_media_lines_is_taken_when_the_first_is_no_use(
    mallory: WireClient,
) -> None:
    offer = chat_offer(mallory.path).replace(b"m=message", b"m=audio 3000 RTP/AVP 0\r\nm=message")
    mallory.wire.send(mallory.request("INVITE", body=offer))
    answer = mallory.await_answer()
    assert answer.status == 200
    media = re.findall(rb"^m=(\S+) (\d+)", answer.body, re.MULTILINE)
    assert media[0] == (b"audio", b"0")
    assert media[1][0] == b"message"
    mallory.wire.send(mallory.request("ACK"))
    assert mallory.bye().status == 200


# MSRP


def test_wrong_paths_are_refused(mallory: WireClient) -> None:
    mallory.join()
    assert mallory.msrp is not None
    good, own = mallory.remote_path, mallory.path
    authority = good.rpartition("/")[0]
    for to_path, from_path, status in [
        (f"{authority}/nobody;tcp", own, 481),
        (good, f"msrp://{HOST}:2855/somebody;tcp", 481),
        (good.upper(), own, 481),
        ("http://nowhere", own, 400),
        (good, own, 200),
    ]:
        mallory.msrp.send(render_frame("SEND", to_path, from_path, ["Message-ID: 1"]))
        while not (frame := mallory.msrp.receive()).status:
            pass
        assert frame.status == status, (to_path, from_path)
    mallory.leave()


def test_a_session_is_not_taken_over_by_a_second_connection(mallory: WireClient) -> None:
    mallory.join()
    second = MsrpWire(HOST, int(mallory.remote_path.rpartition(":")[2].partition("/")[0]))
    second.send(mallory.frame(None))
    assert second.receive().status == 506
    second.close()
    mallory.say("it is still mine")
    mallory.leave()


@pytest.mark.parametrize(
    ("byte_range", "statuses"),
    [
        ("1-5/5", {200}),  # COMPAT: deployed clients count characters, not bytes.
        ("1-*/*", {200}),
        ("1-999999/999999", {200, 400}),
        ("5-2/1", {400}),
        ("0-0/0", {400}),
        ("1-9223372036854775808/9223372036854775808", {200, 400, 413}),
        ("9223372036854775808-*/*", {400, 413}),
        ("-", {400}),
        ("x-y/z", {400}),
        ("1" * 10_000, {400}),
    ],
)
def test_a_byte_range_that_lies_gets_an_answer(
    mallory: WireClient, byte_range: str, statuses: set[int]
) -> None:
    mallory.join()
    assert mallory.msrp is not None
    headers = [
        f"Message-ID: {secrets.token_hex(8)}",
        f"Byte-Range: {byte_range}",
        "Content-Type: message/cpim",
    ]
    # It goes to mallory alone, so that the chat of the others does not hear it.
    body = wrap(mallory.address, mallory.address, "whatever")
    mallory.msrp.send(render_frame("SEND", mallory.remote_path, mallory.path, headers, body))
    while not (frame := mallory.msrp.receive()).status:
        pass
    assert frame.status in statuses
    mallory.leave()


def test_a_message_without_end_is_refused_when_it_is_too_large(mallory: WireClient) -> None:
    mallory.join()
    assert mallory.msrp is not None
    headers = ["Message-ID: endless", "Byte-Range: 1-*/*", "Content-Type: message/cpim"]
    frame = render_frame("SEND", mallory.remote_path, mallory.path, headers, b"", "endless")
    mallory.msrp.send(frame.partition(b"\r\n-------")[0])
    mallory.msrp.send(b"From: <sip:mallory@127.0.0.1>\r\n\r\nContent-Type: text/plain\r\n\r\n")
    piece = b"x" * (MESSAGE_LIMIT // 4)
    try:
        for _ in range(100):
            mallory.msrp.send(piece)
    except (BrokenPipeError, ConnectionResetError):
        return
    while not (answer := mallory.msrp.receive()).status:
        pass
    assert answer.status == 413
    mallory.msrp.send(b"\r\n-------endless$\r\n")
    mallory.say_nothing()
    mallory.leave()


def test_messages_that_are_begun_and_never_finished_take_no_room(mallory: WireClient) -> None:
    mallory.join()
    assert mallory.msrp is not None
    for number in range(2000):
        headers = [
            f"Message-ID: begun{number}",
            "Byte-Range: 1-*/*",
            "Failure-Report: no",
            "Content-Type: message/cpim",
        ]
        mallory.msrp.send(
            render_frame(
                *("SEND", mallory.remote_path, mallory.path, headers, bytes(50_000)), flag="+"
            )
        )
    mallory.say_nothing()
    mallory.leave()


@pytest.mark.parametrize("line", ["X-Header: x\r\n", "x" * 1000])
def test_headers_without_end_close_an_msrp_connection(server: RunningServer, line: str) -> None:
    wire = MsrpWire(HOST, server.msrp_tcp)
    wire.send(b"MSRP abcd1234 SEND\r\n")
    flood(wire, line.encode() * 100)
    wire.close()
    server.wait_for_log(rf"{HOST}:{wire.port}\b")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no cpim at all",
        b"From: <sip:mallory@127.0.0.1>\r\nTo: <sip:\r\n\r\nContent-Type: text/plain\r\n\r\nx",
        wrap("mallory@127.0.0.1", "lobby@127.0.0.1", "x")[:-1] + b"\xff\xfe",
        wrap("alice@127.0.0.1", "lobby@127.0.0.1", "I am Alice"),
        wrap("mallory@127.0.0.1", "nobody@127.0.0.1", "a whisper to nobody"),
    ],
)
def test_what_is_no_message_for_the_room_is_refused_aloud(mallory: WireClient, body: bytes) -> None:
    mallory.join()
    assert mallory.msrp is not None
    frame = mallory.frame(body)
    mallory.msrp.send(frame)
    identifier = frame.split()[1].decode()
    refusal = 0
    while not refusal:
        answer = mallory.msrp.receive()
        if answer.transaction_id == identifier and answer.status != 200:
            refusal = answer.status
        elif answer.what == "REPORT":
            refusal = int(answer.headers["Status"].split()[1])
    assert 400 <= refusal < 500
    mallory.leave()


def test_half_a_call_that_is_never_finished_ends_by_itself(running_server: StartServer) -> None:
    server = running_server({"MSRP": {"establish_timeout": 1}})
    with undisturbed_chat(server):
        mallories = [WireClient(server, f"mallory{number}") for number in range(20)]
        for mallory in mallories:
            assert mallory.invite().status == 200
        for mallory in mallories:
            mallory.await_bye()
            mallory.close()
