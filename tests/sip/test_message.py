import pytest

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.address import NameAddr
from sylk.sip.cseq import CSeq
from sylk.sip.headers import Headers
from sylk.sip.message import MAX_VALUES, REASONS, Message, Request, Response, make_request
from sylk.sip.uri import OtherURI, SipURI
from sylk.sip.via import Via

ALICE = SipURI("sip", "alice", None, "example.com")
ROOM = SipURI("sip", "room", None, "example.com")


def invite(*extra: tuple[str, str], body: bytes = b"") -> Request:
    return make_request(
        "INVITE", ROOM, NameAddr(ALICE, "Alice", {"tag": "a"}), NameAddr(ROOM), "call@a", 7,
        headers=extra, body=body, content_type="application/sdp" if body else None,
    )  # fmt: skip


def with_headers(*items: tuple[str, str]) -> Request:
    return Request("INVITE", ROOM, Headers(items))


def test_make_request_writes_what_is_mandatory() -> None:
    request = invite(("Contact", "<sip:alice@192.0.2.1>"), body=b"v=0\r\n")
    assert request.render() == (
        b"INVITE sip:room@example.com SIP/2.0\r\n"
        b"Max-Forwards: 70\r\n"
        b'From: "Alice" <sip:alice@example.com>;tag=a\r\n'
        b"To: <sip:room@example.com>\r\n"
        b"Call-ID: call@a\r\n"
        b"CSeq: 7 INVITE\r\n"
        b"Contact: <sip:alice@192.0.2.1>\r\n"
        b"Content-Type: application/sdp\r\n"
        b"Content-Length: 5\r\n"
        b"\r\n"
        b"v=0\r\n"
    )


def test_typed_access() -> None:
    request = invite(
        ("Via", "SIP/2.0/TCP a;branch=1, SIP/2.0/UDP b"),
        ("v", "SIP/2.0/TLS c"),
        ("Contact", '"x, y" <sip:1@a>, <sip:2@a>'),
        ("Route", "<sip:r1;lr>, <sip:r2;lr>"),
        ("Route", "<sip:r3;lr>"),
        ("Record-Route", "<sip:rr;lr>"),
        ("Supported", "Timer, 100rel"),
        ("Require", "Replaces"),
        ("Event", "Conference;id=7"),
        ("Expires", "0060"),
    )
    assert request.from_ == NameAddr(ALICE, "Alice", {"tag": "a"})
    assert request.to == NameAddr(ROOM)
    assert request.call_id == "call@a"
    assert request.cseq == CSeq(7, "INVITE")
    assert [via.host for via in request.vias] == ["a", "b", "c"]
    assert request.top_via.branch == "1"
    assert [str(contact) for contact in request.contacts] == ['"x, y" <sip:1@a>', "<sip:2@a>"]
    assert request.contact == request.contacts[0]
    assert [str(route) for route in request.routes] == [
        "<sip:r1;lr>",
        "<sip:r2;lr>",
        "<sip:r3;lr>",
    ]
    assert [str(route) for route in request.record_routes] == ["<sip:rr;lr>"]
    assert request.supported == ["timer", "100rel"]
    assert request.require == ["replaces"]
    assert request.event == "conference"
    assert request.expires == 60
    assert request.max_forwards == 70
    assert request.content_type is None


def test_what_is_optional_may_be_missing() -> None:
    message = with_headers(("Contact", "*"))
    assert message.contacts == []
    assert message.contact is None
    assert message.routes == message.record_routes == message.require == message.supported == []
    assert message.expires is None
    assert message.max_forwards is None
    assert message.event is None
    assert with_headers(("Event", "")).event is None


@pytest.mark.parametrize("name", ["from_", "to", "call_id", "cseq", "vias", "top_via"])
def test_what_is_mandatory_may_not(name: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        getattr(with_headers(), name)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("attribute", "field", "value"),
    [
        ("from_", "From", '"x'),
        ("to", "To", ""),
        ("call_id", "Call-ID", ""),
        ("call_id", "Call-ID", "a b"),
        ("call_id", "Call-ID", "a\tb"),
        ("cseq", "CSeq", "4294967296 INVITE"),
        ("top_via", "Via", "SIP/2.0/UDP a,,"),
        ("top_via", "Via", ""),
        ("contacts", "Contact", '<sip:a@b>, "'),
        ("contacts", "Contact", "*, <sip:a@b>"),
        ("routes", "Route", "<sip:a"),
        ("record_routes", "Record-Route", "x"),
        ("supported", "Supported", 'a, "'),
        ("expires", "Expires", "soon"),
        ("expires", "Expires", "-1"),
        ("expires", "Expires", "²"),
        ("max_forwards", "Max-Forwards", "256"),
        ("max_forwards", "Max-Forwards", "x"),
    ],
)
def test_malformed_values(attribute: str, field: str, value: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        getattr(with_headers((field, value)), attribute)
    assert caught.value.status == 400


@pytest.mark.parametrize("value", ["4294967296", "9" * 5000])
def test_expires_is_capped(value: str) -> None:
    assert with_headers(("Expires", value)).expires == 2**32 - 1
    assert with_headers(("Expires", "0" * 5000)).expires == 0


LISTS = {
    "vias": ("Via", "SIP/2.0/UDP h"),
    "contacts": ("Contact", "<sip:h>"),
    "routes": ("Route", "<sip:h;lr>"),
    "record_routes": ("Record-Route", "<sip:h;lr>"),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("per_line", [1, 2, MAX_VALUES])
def test_the_number_of_values_is_bounded(name: str, per_line: int) -> None:
    field, value = LISTS[name]
    line = (field, ", ".join([value] * per_line))
    most = Request("INVITE", SipURI("sip", None, None, "h"), Headers([line] * (128 // per_line)))
    assert len(getattr(most, name)) == MAX_VALUES == 128
    most.headers.add(field, value)
    with pytest.raises(RemoteProtocolError, match="too many") as refusal:
        getattr(most, name)
    assert refusal.value.status == 400


def test_lists_can_be_changed_without_harm() -> None:
    request = with_headers(("Via", "SIP/2.0/TCP a"), ("Contact", "<sip:a@b>"))
    request.vias.clear()
    request.contacts.clear()
    assert len(request.vias) == len(request.contacts) == 1


def test_via_is_a_stack() -> None:
    request = with_headers(("Via", "SIP/2.0/TCP a , SIP/2.0/UDP b"), ("Via", "SIP/2.0/UDP c"))
    request.push_via(Via("TLS", "top"))
    assert [via.host for via in request.vias] == ["top", "a", "b", "c"]
    request.pop_via()
    request.replace_top_via(Via("TCP", "x", 5))
    assert request.headers.lines("Via") == ["SIP/2.0/TCP x:5", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]
    for left in (["b", "c"], ["c"]):
        request.pop_via()
        assert [via.host for via in request.vias] == left


def test_content_length_stays_in_place_and_is_right() -> None:
    message = Request("A", ROOM, Headers([("l", "99"), ("X", "1"), ("l", "5")]), b"abc")
    assert message.render() == (
        b"A sip:room@example.com SIP/2.0\r\nContent-Length: 3\r\nSession-Expires: 1\r\n\r\nabc"
    )


def test_octets_that_are_no_utf8_come_out_as_they_came_in() -> None:
    value = b"\xff\xc3\xa9".decode("utf-8", "surrogateescape")
    assert b"Subject: \xff\xc3\xa9\r\n" in with_headers(("Subject", value)).render()


def test_no_line_break_in_the_first_line() -> None:
    with pytest.raises(LocalProtocolError):
        Response(200, "OK\r\nVia: x").render()
    with pytest.raises(LocalProtocolError):
        Request("A", OtherURI("x", "\n")).render()
    with pytest.raises(LocalProtocolError):
        make_request("A B", ROOM, NameAddr(ROOM), NameAddr(ROOM), "x", 1)
    with pytest.raises(NotImplementedError):
        Message().start_line()


def test_response_repeats_what_it_must() -> None:
    request = invite(
        ("Via", "SIP/2.0/TCP a;branch=1, SIP/2.0/UDP b"),
        ("Via", "SIP/2.0/TLS c"),
        ("Record-Route", "<sip:rr;lr>"),
        ("Timestamp", "54"),
    )
    response = Response.to_request(
        request, 200, to_tag="t", headers=[("Server", "x")], body=b"hi", content_type="text/plain"
    )
    assert response.render() == (
        b"SIP/2.0 200 OK\r\n"
        b"Via: SIP/2.0/TCP a;branch=1, SIP/2.0/UDP b\r\n"
        b"Via: SIP/2.0/TLS c\r\n"
        b"Record-Route: <sip:rr;lr>\r\n"
        b'From: "Alice" <sip:alice@example.com>;tag=a\r\n'
        b"To: <sip:room@example.com>;tag=t\r\n"
        b"Call-ID: call@a\r\n"
        b"CSeq: 7 INVITE\r\n"
        b"Server: x\r\n"
        b"Content-Type: text/plain\r\n"
        b"Content-Length: 2\r\n"
        b"\r\n"
        b"hi"
    )


def test_timestamp_goes_into_100_and_record_route_where_a_dialog_begins() -> None:
    request = invite(("Record-Route", "<sip:rr;lr>"), ("Timestamp", "54"))
    trying = Response.to_request(request, 100)
    assert trying.headers.get("Timestamp") == "54"
    assert "Record-Route" not in trying.headers
    assert "Record-Route" in Response.to_request(request, 180).headers
    assert "Record-Route" not in Response.to_request(request, 404).headers
    request.method = "MESSAGE"
    assert "Record-Route" not in Response.to_request(request, 200).headers


def test_reason() -> None:
    assert Response.to_request(invite(), 486).reason == REASONS[486]
    assert Response.to_request(invite(), 486, "No").start_line() == "SIP/2.0 486 No"
    assert Response.to_request(invite(), 499).reason == ""


def test_a_tag_that_is_there_stays() -> None:
    request = invite()
    request.headers.set("To", "<sip:room@example.com>;tag=old")
    assert Response.to_request(request, 200, to_tag="new").to.tag == "old"


def test_a_broken_request_can_be_answered() -> None:
    request = with_headers(("To", '"broken'), ("From", "x"), ("From", "y"), ("CSeq", "z"))
    answer = Response.to_request(request, 400, to_tag="t")
    assert list(answer.headers) == [("From", "x"), ("To", '"broken'), ("CSeq", "z")]
    assert list(Response.to_request(with_headers(), 400, to_tag="t").headers) == []


def test_text_without_octets_cannot_be_rendered() -> None:
    request = Request(
        "OPTIONS", SipURI("sip", "a", None, "b.example"), Headers([("Subject", "\ud800")])
    )
    with pytest.raises(LocalProtocolError):
        request.render()
