"""Header fields that are too long, too many, there twice, or hidden from other readers.

Each test runs beside a chat in which every message must arrive in order, see `undisturbed`.
"""

from collections.abc import Iterator

import pytest

from tests.end_to_end.hostile import (
    NO_ANSWER,
    LinesAbout,
    Spoil,
    changed,
    is_well,
    status_of,
    with_fields,
)
from tests.end_to_end.server import HOST, RunningServer
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient, chat_offer
from tests.end_to_end.wire_sip import SipWire

LINE_LIMIT = 8192
"""Octets that a header field may have (sylk.sip.head)."""
FIELD_LIMIT = 256
"""Header fields that a message may have (sylk.sip.head)."""

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture
def server(shared_server: RunningServer) -> Iterator[RunningServer]:
    with undisturbed_chat(shared_server):
        yield shared_server


def check_refused(
    server: RunningServer, transport: str, spoil: Spoil, statuses: set[int], method: str = "OPTIONS"
) -> None:
    """Send a spoiled request: it must be refused, with one line in the log, and nobody be hurt."""
    with WireClient(server, "mallory", transport=transport) as mallory:
        lines = LinesAbout(server, mallory.wire.port, mallory.call_id)
        body = chat_offer(mallory.path) if method == "INVITE" else b""
        assert status_of(mallory, spoil(mallory.request(method, body=body))) in statuses
        lines.wait_for_one()
    assert is_well(server)


# Too long

LONG = "x" * (LINE_LIMIT + 1)
TOO_LONG = {
    "cseq number": (changed(r"CSeq: \d+", f"CSeq: {'9' * 9000}"), {513}),
    "cseq leading zeros": (changed(r"CSeq: \d+", f"CSeq: {'0' * 9000}1"), {513}),
    "cseq within the line": (changed(r"CSeq: \d+", f"CSeq: {'9' * 8000}"), {400}),
    "cseq method": (changed(r"CSeq: (\d+) \w+", rf"CSeq: \1 {'X' * 8000}"), {400}),
    "from tag": (changed("(From: .*;tag=)", rf"\g<1>{LONG}"), {513}),
    "to tag": (changed("(To: .*>)", rf"\g<1>;tag={LONG}"), {513}),
    "branch": (changed("branch=z9hG4bK", f"branch=z9hG4bK{LONG}"), {NO_ANSWER}),
    "request uri": (changed("sip:lobby@", f"sip:{LONG}@"), {414}),
    "request uri parameter": (changed(" SIP/2.0\r\n", f";a={LONG} SIP/2.0\r\n"), {414}),
    "uri in from": (changed("From: <sip:", f"From: <sip:{LONG}"), {513}),
    "uri in contact": (changed("Contact: <sip:", f"Contact: <sip:{LONG}"), {513}),
    "display name": (changed("From: ", f'From: "{LONG}" '), {513}),
    "display name of backslashes": (changed("From: ", 'From: "' + "\\\\" * 9000 + '" '), {513}),
    "call-id": (changed("Call-ID: ", f"Call-ID: {LONG}"), {513}),
    "method": (changed("OPTIONS", "X" * 9000), {400, 414, NO_ANSWER}),
    "unknown": (with_fields(f"X-Long: {LONG}"), {513}),
    "folded": (with_fields("X-Long: " + "y\r\n " * 5000 + "y"), {513}),
}


@both_transports
@pytest.mark.parametrize(("spoil", "statuses"), TOO_LONG.values(), ids=TOO_LONG.keys())
def test_what_is_over_long_is_refused(
    server: RunningServer, transport: str, spoil: Spoil, statuses: set[int]
) -> None:
    if transport == "tcp":
        statuses = statuses | {NO_ANSWER}
    check_refused(server, transport, spoil, statuses)


LONG_AND_LEGAL = "x" * 5000
JUST_LONG = {
    "from tag": changed("(From: .*;tag=)", rf"\g<1>{LONG_AND_LEGAL}"),
    "branch": changed("branch=z9hG4bK", f"branch=z9hG4bK{LONG_AND_LEGAL}"),
    "display name": changed("From: ", f'From: "{LONG_AND_LEGAL}" '),
    "call-id": changed("Call-ID: ", f"Call-ID: {LONG_AND_LEGAL}"),
    "request uri": changed("OPTIONS sip:lobby@", f"OPTIONS sip:{LONG_AND_LEGAL}@"),
}


@both_transports
@pytest.mark.parametrize("spoil", JUST_LONG.values(), ids=JUST_LONG.keys())
def test_what_is_long_but_within_bounds_is_served(
    server: RunningServer, transport: str, spoil: Spoil
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        mallory.wire.send(spoil(mallory.request("OPTIONS")))
        assert mallory.wire.response("OPTIONS").status == 200


def test_an_over_long_name_is_no_name_in_a_room(server: RunningServer) -> None:
    """What others are told of a participant has bounds, also where his own request is taken."""
    with WireClient(server, "mallory", transport="tcp", room=f"named@{HOST}") as mallory:
        spoil = changed("From: ", f'From: "{"n" * 7000}" ')
        mallory.wire.send(spoil(mallory.invitation()))
        answer = mallory.await_answer()
        if answer.status == 200:
            mallory.wire.send(spoil(mallory.request("ACK")))
            mallory.connect()
            mallory.wire.send(spoil(mallory.request("BYE")))
            assert mallory.wire.final_response("BYE").status == 200
        else:
            assert 400 <= answer.status < 500


# Too many

NAMES = {
    "accept": "Accept: application/sdp",
    "via": f"Via: SIP/2.0/UDP {HOST}:9;branch=z9hG4bKx",
    "contact": f"Contact: <sip:mallory@{HOST}>",
    "unknown": "X-Unknown: y",
    "route": f"Route: <sip:{HOST};lr>",
    "record-route": f"Record-Route: <sip:{HOST};lr>",
    "supported": "Supported: x",
    "authorization": 'Authorization: Digest username="x"',
}


@both_transports
@pytest.mark.parametrize("field", NAMES.values(), ids=NAMES.keys())
def test_hundreds_of_fields_are_refused(server: RunningServer, transport: str, field: str) -> None:
    statuses = {513, NO_ANSWER} if transport == "tcp" else {513}

    def spoil(request: bytes) -> bytes:
        return request.removesuffix(b"\r\n") + f"{field}\r\n".encode() * FIELD_LIMIT + b"\r\n"

    check_refused(server, transport, spoil, statuses)


@both_transports
@pytest.mark.parametrize("field", NAMES.values(), ids=NAMES.keys())
def test_two_hundred_fields_make_nobody_wait(
    server: RunningServer, transport: str, field: str
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        head, _, rest = mallory.invitation().partition(b"Max-Forwards")
        lines = f"{field}\r\n" * (FIELD_LIMIT - 56)
        mallory.wire.send(head + lines.encode() + b"Max-Forwards" + rest)
        answer = mallory.await_answer()
        mallory.wire.send(mallory.request("ACK"))
        assert answer.status in (200, 400)
        if answer.status == 200:
            mallory.bye()


@pytest.mark.parametrize(
    "field",
    [
        "Accept: " + "a/b," * 2000,
        "Contact: " + "<sip:a@b>," * 800,
        "Supported: " + "a," * 4000,
        "Require: " + "a," * 4000,
        "Via: " + "SIP/2.0/UDP h;branch=z9hG4bK1," * 270,
    ],
    ids=lambda field: field.partition(":")[0],
)
def test_a_line_with_thousands_of_values_makes_nobody_wait(
    server: RunningServer, field: str
) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        head, _, rest = mallory.invitation().partition(b"Max-Forwards")
        mallory.wire.send(head + f"{field}\r\n".encode() + b"Max-Forwards" + rest)
        assert mallory.await_answer().status in (200, 400, 406, 420)


# Twice

TWICE = {
    "from": with_fields(f"From: <sip:other@{HOST}>;tag=other"),
    "compact from": with_fields(f"f: <sip:other@{HOST}>;tag=other"),
    "to": with_fields(f"To: <sip:other@{HOST}>"),
    "compact to": with_fields(f"t: <sip:other@{HOST}>"),
    "call-id": with_fields("Call-ID: other"),
    "compact call-id": with_fields("i: other"),
    "cseq": with_fields("CSeq: 77 OPTIONS"),
    "cseq in lower case": with_fields("cseq: 77 OPTIONS"),
    "cseq with space": with_fields("CSeq : 77 OPTIONS"),
    "max-forwards": with_fields("Max-Forwards: 9"),
    "content-length": with_fields("Content-Length: 7"),
    "compact content-length": with_fields("l: 0"),
    "content-type": with_fields("c: text/plain", "Content-Type: application/sdp"),
    "to tag": changed("(To: [^\r]*)", r"\1;tag=a;tag=b"),
    "from tag": changed("(From: [^\r]*)", r"\1;tag=a"),
    "branch": changed(";rport", ";rport;branch=z9hG4bKother"),
}


@both_transports
@pytest.mark.parametrize("spoil", TWICE.values(), ids=TWICE.keys())
def test_what_is_there_twice_is_refused(
    server: RunningServer, transport: str, spoil: Spoil
) -> None:
    check_refused(server, transport, spoil, {400})


# What another reader would read in another way

HIDDEN = {
    "bare lf": changed("Max-Forwards: 70\r\n", "Max-Forwards: 70\nX-Hidden: y\r\n"),
    "bare lf at the end": changed("\r\nCSeq", "\nCSeq"),
    "bare cr": changed("Max-Forwards: 70\r\n", "Max-Forwards: 70\rX-Hidden: y\r\n"),
    "nul": changed("Max-Forwards: 70", "Max-Forwards: 70\0"),
    "nul in a name": changed("From: ", 'From: "a\0b" '),
    "nul in a header name": changed("Max-Forwards", "Max-Forwards\0"),
    "white space only": changed("Max-Forwards: 70\r\n", "Max-Forwards: 70\r\n \t \r\n"),
    "white space before the end": changed("\r\n\r\n", "\r\n  \r\n\r\n"),
    "no name": changed("Max-Forwards: 70", ": 70"),
    "no colon": changed("Max-Forwards: 70", "Max-Forwards 70"),
    "space in a name": changed("Max-Forwards", "Max Forwards"),
    "begins with space": changed("OPTIONS sip", " OPTIONS sip"),
    "folded request line": changed(" SIP/2.0\r\n", "\r\n SIP/2.0\r\n"),
    "two spaces": changed("OPTIONS sip", "OPTIONS  sip"),
    "tabs": changed("OPTIONS sip", "OPTIONS\tsip"),
}


@both_transports
@pytest.mark.parametrize("spoil", HIDDEN.values(), ids=HIDDEN.keys())
def test_what_two_readers_could_understand_differently_is_refused(
    server: RunningServer, transport: str, spoil: Spoil
) -> None:
    """What has no method is not even answered; over TCP the connection may be closed."""
    check_refused(server, transport, spoil, {400, NO_ANSWER})


READ_ALL_THE_SAME = {
    "space before the colon": changed("Call-ID:", "Call-ID \t :"),
    "folded": changed("(Call-ID:)", "\\1\r\n \r\n".replace(" \r\n", "   ")),
    "folded with tab": changed("From: ", "From:\r\n\t"),
    "no space": changed("From: ", "From:"),
    "other case": changed("Call-ID:", "cALL-id:"),
    "compact": changed("Call-ID:", "i:"),
}


@both_transports
@pytest.mark.parametrize("spoil", READ_ALL_THE_SAME.values(), ids=READ_ALL_THE_SAME.keys())
def test_odd_white_space_that_is_legal_means_the_same(
    server: RunningServer, transport: str, spoil: Spoil
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        mallory.wire.send(spoil(mallory.request("OPTIONS")))
        answer = mallory.wire.response("OPTIONS")
        assert answer.status == 200
        assert answer["Call-ID"] == mallory.call_id


@pytest.mark.parametrize(
    "length", ["Content-Length : {}", "Content-Length\t: {}", "Content-Length:\r\n {}", "l:{}"]
)
def test_a_length_is_found_however_it_is_written(server: RunningServer, length: str) -> None:
    """CVE-2020-28361: what one reader overlooks lets a second request ride behind the first."""
    with WireClient(server, "mallory", transport="tcp") as mallory:
        hidden = mallory.request("OPTIONS").replace(b"tag=", b"tag=smuggled", 1)
        carrier = mallory.request("OPTIONS", body=hidden, content_type="text/plain")
        spoil = changed(r"Content-Length: (\d+)(\r\n\r\nOPTIONS)", length.format(r"\1") + r"\2")
        mallory.wire.send(spoil(carrier) + mallory.request("OPTIONS"))
        answers = [mallory.wire.response("OPTIONS") for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        assert not any("smuggled" in answer["From"] for answer in answers)
        assert [answer["CSeq"].split()[0] for answer in answers] == ["2", "3"]


def test_a_request_behind_a_refused_one_is_not_carried_out(server: RunningServer) -> None:
    """A connection whose framing was lost says no more, whatever follows in the same segment."""
    with WireClient(server, "mallory", transport="tcp") as mallory:
        spoiled = HIDDEN["bare lf"](mallory.request("OPTIONS"))
        mallory.wire.send(spoiled + mallory.request("OPTIONS"))
        assert b"SIP/2.0 200" not in mallory.wire.rest()


@pytest.mark.parametrize("blank", [b" ", b"\t", b" \r\n", b"\r\n \r\n", b" \r\n\r\n"])
def test_white_space_alone_is_not_answered(server: RunningServer, blank: bytes) -> None:
    with WireClient(server, "mallory") as mallory:
        mallory.wire.send(blank)
        mallory.wire.send(mallory.request("OPTIONS"))
        assert mallory.wire.receive().status == 200
    wire = SipWire(server, "tcp")
    wire.send(blank)
    wire.shut_down()
    assert wire.rest() in (b"", b"\r\n")
    wire.close()
