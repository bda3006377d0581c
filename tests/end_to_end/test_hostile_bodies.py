"""Bodies that lie about themselves, and the header fields that say what a body is.

Each test runs beside a chat in which every message must arrive in order, see `undisturbed`.
"""

import re
from collections.abc import Iterator

import pytest

from tests.end_to_end.hostile import LinesAbout, changed, is_well, status_of
from tests.end_to_end.server import HOST, RunningServer
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient, chat_offer
from tests.end_to_end.wire_sip import SipMessage

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture
def server(shared_server: RunningServer) -> Iterator[RunningServer]:
    with undisturbed_chat(shared_server):
        yield shared_server


def invite(client: WireClient, offer: bytes, *headers: str) -> SipMessage:
    """Send an INVITE with a body, acknowledge what comes, and return it."""
    client.wire.send(client.request("INVITE", *headers, body=offer))
    final = client.await_answer()
    client.wire.send(client.request("ACK"))
    return final


# How long the body is

CONTRADICTIONS = {
    "negative": ["Content-Length: -1"],
    "huge": ["Content-Length: 9223372036854775807"],
    "beyond 64 bits": ["Content-Length: 18446744073709551616"],
    "doubled": ["Content-Length: {}", "Content-Length: {}"],
    "compact and long": ["l: {}", "Content-Length: {}"],
    "contradictory": ["Content-Length: 1", "l: {}"],
    "a list": ["Content-Length: {}, {}"],
    "with a sign": ["Content-Length: +{}"],
    "with a fraction": ["Content-Length: {}.0"],
    "other digits": ["Content-Length: \u0661"],
    "empty": ["Content-Length:"],
}


@both_transports
@pytest.mark.parametrize("fields", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_length_that_can_be_read_in_two_ways_is_refused(
    server: RunningServer, transport: str, fields: list[str]
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        offer = chat_offer(mallory.path)
        request = mallory.request("INVITE", body=offer)
        logged = LinesAbout(server, mallory.wire.port)
        lines = "\r\n".join(field.replace("{}", str(len(offer))) for field in fields).encode()
        spoiled = re.sub(rb"Content-Length: \d+", lines, request)
        assert status_of(mallory, spoiled) in (400, 413)
        if transport == "tcp":
            assert mallory.wire.rest() == b""
        logged.wait_for_one()


def test_a_body_that_is_longer_than_a_message_may_be_is_refused(server: RunningServer) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        mallory.wire.send(mallory.request("INVITE", body=b"v" * 70_000))
        assert mallory.wire.receive().status == 413
        assert mallory.wire.rest() == b""


def test_a_datagram_without_a_length_has_the_body_that_is_in_it(server: RunningServer) -> None:
    """RFC 3261 section 18.3: over UDP the body goes to the end of the datagram."""
    with WireClient(server, "mallory") as mallory:
        request = mallory.request("INVITE", body=chat_offer(mallory.path))
        mallory.wire.send(re.sub(rb"Content-Length: \d+\r\n", b"", request))
        assert mallory.await_answer().status == 200
        mallory.wire.send(mallory.request("ACK"))
        assert mallory.bye().status == 200


# SDP

TOLERATED = {
    "empty attribute": ("a=setup", "a=\r\na=setup"),
    "attribute without a name": ("a=setup", "a=:x\r\na=setup"),
    "unknown line": ("t=0 0", "t=0 0\r\ny=what"),
    "version of 64 bits": ("o=- 1 1 ", "o=- 1 18446744073709551615 "),
    "session of 64 bits": ("o=- 1 1 ", "o=- 18446744073709551615 1 "),
}


@both_transports
@pytest.mark.parametrize(("pattern", "by"), TOLERATED.values(), ids=TOLERATED.keys())
def test_an_offer_that_is_only_odd_is_taken_or_refused(
    server: RunningServer, transport: str, pattern: str, by: str
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        final = invite(mallory, changed(pattern, by)(chat_offer(mallory.path)))
        assert final.status in (200, 400, 488)
        if final.status == 200:
            mallory.connect()
            mallory.say_nothing()
            assert mallory.bye().status == 200


WRONG = {
    "version that overflows": ("o=- 1 1 ", f"o=- 1 {'9' * 4000} "),
    "session that overflows": ("o=- 1 1 ", f"o=- {'9' * 4000} 1 "),
    "negative version": ("o=- 1 1 ", "o=- 1 -1 "),
    "short origin": ("o=- 1 1 IN IP4 ", "o=- 1 "),
    "no version": ("v=0\r\n", ""),
    "port that overflows": ("m=message 2855", "m=message 99999999999999999999"),
    "negative port": ("m=message 2855", "m=message -1"),
    "no format": (r"TCP/MSRP \*", "TCP/MSRP"),
    "bad path": ("a=path:msrp", "a=path:\x01msrp"),
    "path of thousands": ("a=path:", "a=path:" + "msrp://h:1/x;tcp " * 2000),
    "two paths": ("a=setup", f"a=path:msrp://{HOST}:1/x;tcp\r\na=setup"),
    "empty accept-types": ("a=accept-types:[^\r]*", "a=accept-types:"),
    "no line ends": ("\r\n", ""),
    "nul": ("s=-", "s=\0"),
    "not utf-8": ("s=-", "s=\xff\xfe"),
    "media of thousands": ("$", "m=audio 9 RTP/AVP 0\r\n" * 2000),
    "attributes of thousands": ("$", "a=x\r\n" * 10_000),
}


@pytest.mark.parametrize(("pattern", "by"), WRONG.values(), ids=WRONG.keys())
def test_an_offer_that_is_wrong_hurts_nobody(server: RunningServer, pattern: str, by: str) -> None:
    """Refused, or taken where the flaw does not matter; then the call can be ended."""
    with WireClient(server, "mallory", transport="tcp") as mallory:
        final = invite(mallory, changed(pattern, by)(chat_offer(mallory.path)))
        assert final.status in (200, 400, 413, 488)
        if final.status == 200:
            assert mallory.bye().status == 200
    assert is_well(server)


@both_transports
def test_of_two_chats_in_one_offer_one_is_taken(server: RunningServer, transport: str) -> None:
    """RFC 3264 section 6: both are answered, in their order, one of them with port 0."""
    with WireClient(server, "mallory", transport=transport) as mallory:
        offer = chat_offer(mallory.path)
        final = invite(mallory, offer + offer[offer.index(b"m=message") :])
        assert final.status == 200
        ports = [int(port) for port in re.findall(rb"^m=message (\d+)", final.body, re.MULTILINE)]
        assert len(ports) == 2
        assert [bool(port) for port in ports] == [True, False]
        mallory.connect()
        assert mallory.bye().status == 200


@both_transports
def test_an_offer_of_no_octets_is_an_invite_without_offer(
    server: RunningServer, transport: str
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        final = invite(mallory, b"", "Content-Type: application/sdp")
        assert final.status == 200
        assert final["Content-Type"] == "application/sdp"
        # The ACK brought no answer, so that there is nothing to talk over (RFC 3261 13.2.1).
        mallory.await_bye()


@pytest.mark.parametrize("version", ["0", "9" * 4000, "18446744073709551616", "-1", "x"])
def test_a_call_outlives_a_second_offer_with_a_version_that_cannot_be(
    server: RunningServer, version: str
) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        mallory.join()
        again = chat_offer(mallory.path).replace(b"o=- 1 1 ", f"o=- 1 {version} ".encode())
        mallory.wire.send(mallory.request("INVITE", body=again))
        assert mallory.wire.final_response("INVITE").status in (200, 400, 488)
        mallory.wire.send(mallory.request("ACK"))
        mallory.say("it still goes on")
        mallory.leave()


# What kind of body it is

SDP = b"--b\r\nContent-Type: application/sdp\r\n\r\n"
PARTS = {
    "no boundary": ("multipart/mixed", b"--b\r\n\r\n--b--\r\n"),
    "empty boundary": ('multipart/mixed;boundary=""', b"----\r\n"),
    "boundary that is not there": ("multipart/mixed;boundary=c", SDP + b"v=0\r\n--b--\r\n"),
    "boundary of thousands": (f"multipart/mixed;boundary={'b' * 5000}", SDP),
    "nested": ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: multipart/mixed\r\n" * 500),
    "thousands of parts": ("multipart/mixed;boundary=b", b"--b\r\n\r\n" * 5000),
    "session twice": ("multipart/mixed;boundary=b", SDP + b"\r\n" + SDP + b"\r\n--b--\r\n"),
    "part that must be understood": (
        "multipart/mixed;boundary=b",
        b"--b\r\nContent-Type: text/html\r\n\r\n<a>\r\n--b--\r\n",
    ),
    "list that is none": (
        "multipart/mixed;boundary=b",
        b"--b\r\nContent-Type: application/resource-lists+xml\r\n"
        b"Content-Disposition: recipient-list\r\n\r\n<resource-lists\r\n--b--\r\n",
    ),
    "resource list": ("application/resource-lists+xml", b"<resource-lists"),
    "resource list with entities": (
        "application/resource-lists+xml",
        b'<!DOCTYPE a [<!ENTITY b "cc">]><resource-lists>&b;</resource-lists>',
    ),
}


@both_transports
@pytest.mark.parametrize(("kind", "body"), PARTS.values(), ids=PARTS.keys())
def test_malformed_parts_and_lists_are_refused(
    server: RunningServer, transport: str, kind: str, body: bytes
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        mallory.wire.send(mallory.request("INVITE", body=body, content_type=kind))
        answer = mallory.wire.final_response("INVITE")
        assert answer.status in (400, 415)
        if answer.status == 415:
            assert "application/sdp" in answer["Accept"]
        mallory.wire.send(mallory.request("ACK"))
        assert mallory.ask("OPTIONS").status == 200


@both_transports
def test_a_body_that_is_never_closed_is_read_to_its_end(
    server: RunningServer, transport: str
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        kind, body = "multipart/mixed;boundary=b", SDP + b"v=0\r\n"
        mallory.wire.send(mallory.request("INVITE", body=body, content_type=kind))
        assert mallory.wire.final_response("INVITE").status == 488
        mallory.wire.send(mallory.request("ACK"))


@both_transports
def test_a_list_of_recipients_has_no_meaning_in_a_call_that_stands(
    server: RunningServer, transport: str
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        mallory.join()
        require = "Require: recipient-list-invite"
        body = chat_offer(mallory.path)
        mallory.wire.send(mallory.request("INVITE", require, body=body))
        answer = mallory.wire.final_response("INVITE")
        assert answer.status == 420
        assert answer["Unsupported"] == "recipient-list-invite"
        mallory.wire.send(mallory.request("ACK"))
        mallory.say("it still goes on")
        mallory.leave()


KINDS = ["", "application", "/", "application/", "/sdp", "application/sdp/x", "\xff/\xff", ";"]


@pytest.mark.parametrize("kind", [*KINDS, "x" * 5000, '"application/sdp"'])
def test_a_type_that_is_none_is_refused(server: RunningServer, kind: str) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        spoil = changed("Content-Type: [^\r]*", f"Content-Type: {kind}")
        assert status_of(mallory, spoil(mallory.invitation())) in (400, 415)


METHODS = ["INVITE", "MESSAGE", "SUBSCRIBE", "REFER"]


@both_transports
@pytest.mark.parametrize("method", METHODS)
def test_a_body_without_a_type_is_refused(
    server: RunningServer, transport: str, method: str
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        request = mallory.request(method, "Event: x", f"Refer-To: <sip:x@{HOST}>", body=b"hello")
        assert status_of(mallory, changed("Content-Type: [^\r]*\r\n", "")(request)) == 400


# Event, Refer-To and Contact


@both_transports
@pytest.mark.parametrize("event", [None, "", ";", ";id=1", "a b", '"x"', "x;id=1;id=2", "\xff"])
def test_a_subscribe_without_a_usable_event_gets_489(
    server: RunningServer, transport: str, event: str | None
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        fields = [] if event is None else [f"Event: {event}"]
        mallory.wire.send(mallory.request("SUBSCRIBE", *fields, "Expires: 3600"))
        assert mallory.wire.final_response("SUBSCRIBE").status in (400, 489)


REFER_TO = {
    "none": [],
    "two": [f"Refer-To: <sip:a@{HOST}>", f"Refer-To: <sip:b@{HOST}>"],
    "two in a line": [f"Refer-To: <sip:a@{HOST}>, <sip:b@{HOST}>"],
    "empty": ["Refer-To:"],
    "a web page": ["Refer-To: <http://127.0.0.1/>"],
    "a telephone": ["Refer-To: <tel:+1>"],
    "the room itself": [f"Refer-To: <sip:lobby@{HOST}>"],
    "the factory": [f"Refer-To: <sip:conference-factory@{HOST}>"],
    "smuggled fields": [f"Refer-To: <sip:a@{HOST}?Via=x%0d%0aEvil:%20y>"],
    "unclosed": [f"Refer-To: <sip:a@{HOST}"],
}


@both_transports
@pytest.mark.parametrize("fields", REFER_TO.values(), ids=REFER_TO.keys())
def test_a_refer_that_makes_no_sense_is_refused(
    server: RunningServer, transport: str, fields: list[str]
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        assert 400 <= mallory.ask("REFER", *fields).status < 500


@both_transports
@pytest.mark.parametrize(
    "contact",
    [
        '"mallory <sip:mallory@127.0.0.1>',
        'mal"lory <sip:mallory@127.0.0.1>',
        '<sip:mallory@127.0.0.1>"',
        '<sip:mal"lory@127.0.0.1>',
        '<sip:mallory@127.0.0.1>;q="0.5',
        '"mallory\\" <sip:mallory@127.0.0.1>',
        '"a" "b" <sip:mallory@127.0.0.1>',
        "<sip:mallory@127.0.0.1",
        "<sip:mallory@127.0.0.1>>",
        "*",
        ",",
    ],
)
def test_a_contact_with_a_stray_quote_or_bracket_is_refused(
    server: RunningServer, transport: str, contact: str
) -> None:
    with WireClient(server, "mallory", transport=transport) as mallory:
        invitation = mallory.invitation().replace(
            mallory.wire.contact("mallory").encode(), f"Contact: {contact}".encode()
        )
        assert status_of(mallory, invitation) == 400
