import pytest

from sylk.errors import RemoteProtocolError
from sylk.sip.capabilities import Capabilities
from sylk.sip.flow import Flow
from sylk.sip.message import Request
from sylk.sip.request_checks import check_content, check_method_and_uri
from sylk.sip.uri import OtherURI
from tests.sip.user_agents import TCP, TLS, UDP, make

CAPABILITIES = Capabilities(
    ["INVITE", "ACK", "CANCEL", "BYE", "MESSAGE"],
    ["Replaces"],
    {"INVITE": ["application/sdp"], "MESSAGE": ["text/*"], "BYE": ["*"]},
    "Sylk-Test",
)


def with_body(method: str, content_type: str | None, *headers: tuple[str, str]) -> Request:
    return make(method, *headers, body=b"body", content_type=content_type)


def refusal_of(request: Request, flow: Flow = UDP) -> tuple[int, dict[str, str]]:
    with pytest.raises(RemoteProtocolError) as refused:
        check(request, flow)
    return refused.value.status, dict(refused.value.headers)


def check(request: Request, flow: Flow = UDP) -> None:
    check_method_and_uri(request, flow, CAPABILITIES)
    check_content(request, CAPABILITIES)


@pytest.mark.parametrize(
    ("method", "status"), [("REGISTER", 405), ("PUBLISH", 405), ("invite", 501), ("X" * 5000, 501)]
)
def test_methods_that_are_not_served(method: str, status: int) -> None:
    allow = {"Allow": "INVITE, ACK, CANCEL, BYE, MESSAGE"}
    assert refusal_of(make(method)) == (status, allow)


def test_what_is_in_a_refusal_is_short_and_on_one_line() -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        check_method_and_uri(make("X" * 5000), UDP, CAPABILITIES)
    assert len(str(refused.value)) < 80


def test_a_scheme_that_is_not_sip() -> None:
    request = make("INVITE")
    request.uri = OtherURI("tel", "+1234")
    assert refusal_of(request) == (416, {})


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_sips_needs_tls(flow: Flow) -> None:
    # RFC 5630 section 5.2
    request = make("INVITE", uri="sips:room@192.0.2.1")
    assert refusal_of(request, flow) == (480, {"Warning": '380 192.0.2.1 "SIPS Not Allowed"'})
    check(request, TLS)


def test_an_ipv6_address_in_a_warning_has_brackets() -> None:
    flow = Flow("udp", ("2001:db8::1", 5060), ("2001:db8::2", 5060))
    _, headers = refusal_of(make("INVITE", uri="sips:room@example.com"), flow)
    assert headers["Warning"] == '380 [2001:db8::1] "SIPS Not Allowed"'


def test_extensions_that_we_do_not_know() -> None:
    check(make("INVITE", ("Require", "rePlaces")))
    request = make("INVITE", ("Require", "replaces, foo"), ("Require", "bar"))
    assert refusal_of(request) == (420, {"Unsupported": "foo, bar"})
    check(make("INVITE", ("Proxy-Require", "foo")))


@pytest.mark.parametrize("method", ["INVITE", "BYE", "CANCEL", "MESSAGE"])
def test_a_replaces_that_makes_no_sense(method: str) -> None:
    # RFC 3891 section 3, RFC 3911 section 4
    named = "call;to-tag=1;from-tag=2"
    if method == "INVITE":
        check(make(method, ("Replaces", named)))
        assert refusal_of(make(method, ("Replaces", named), ("Join", named))) == (400, {})
    else:
        assert refusal_of(make(method, ("Join", named))) == (400, {})


def test_a_long_list_of_extensions_does_not_make_a_long_answer() -> None:
    many = ", ".join(f"foo{number}" for number in range(1000))
    _, headers = refusal_of(make("INVITE", ("Require", many)))
    assert len(headers["Unsupported"].split(", ")) == 16


@pytest.mark.parametrize(
    ("method", "content_type"),
    [
        ("INVITE", "application/sdp"),
        ("INVITE", "APPLICATION / SDP ;charset=x"),
        ("MESSAGE", "text/anything"),
        ("BYE", "application/x"),
        ("ACK", "application/x"),
    ],
)
def test_bodies_that_are_taken(method: str, content_type: str) -> None:
    check(with_body(method, content_type))


@pytest.mark.parametrize(
    ("method", "content_type", "accept"),
    [
        ("INVITE", "text/plain", "application/sdp"),
        ("INVITE", "application/sdp2", "application/sdp"),
        ("INVITE", None, "application/sdp"),
        ("MESSAGE", "textual/plain", "text/*"),
        ("MESSAGE", "application/sdp", "text/*"),
    ],
)
def test_bodies_that_are_not_taken(method: str, content_type: str | None, accept: str) -> None:
    assert refusal_of(with_body(method, content_type)) == (415, {"Accept": accept})


@pytest.mark.parametrize("disposition", ["session ; handling=Optional", "icon;handling=optional"])
@pytest.mark.parametrize("content_type", ["text/plain", "image/gif"])
def test_an_optional_body_that_is_not_understood_is_ignored(
    disposition: str, content_type: str
) -> None:
    # RFC 3261 8.2.3 and 20.11
    request = with_body("INVITE", content_type, ("Content-Disposition", disposition))
    check(request)
    assert request.body == b""
    required = with_body("INVITE", content_type, ("Content-Disposition", "session;handling=x"))
    assert refusal_of(required) == (415, {"Accept": "application/sdp"})


def test_a_body_that_is_not_for_the_session_is_no_offer() -> None:
    # RFC 3959: SDP for early media.
    early = ("Content-Disposition", "Early-Session")
    assert refusal_of(with_body("INVITE", "application/sdp", early)) == (415, {})
    optional = ("Content-Disposition", "early-session; handling=optional")
    request = with_body("INVITE", "application/sdp", optional)
    check(request)
    assert request.body == b""
    for disposition in "Session", "session;handling=required", "session;handling=optional":
        offer = with_body("INVITE", "application/sdp", ("Content-Disposition", disposition))
        check(offer)
        assert offer.body == b"body"
    # What a MESSAGE brings is for showing, however it calls that.
    check(with_body("MESSAGE", "text/plain", ("Content-Disposition", "render")))


@pytest.mark.parametrize("contact", [None, "<tel:+1234>"])
def test_an_invite_that_can_open_no_dialog(contact: str | None) -> None:
    # RFC 3261 8.1.1.8
    assert refusal_of(make("INVITE", contact=contact)) == (400, {})
    check(make("INVITE", contact=contact, to_tag="in-dialog"))
    check(make("MESSAGE", contact=contact))


def test_an_encoded_body_is_not_taken() -> None:
    encoded = with_body("INVITE", "application/sdp", ("Content-Encoding", "identity, gzip"))
    assert refusal_of(encoded) == (415, {"Accept-Encoding": "identity"})
    check(with_body("INVITE", "application/sdp", ("Content-Encoding", "Identity")))
    # There is nothing to decode.
    check(make("INVITE", ("Content-Encoding", "gzip")))


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/plain, application/sdp;level=1"])
def test_a_caller_that_accepts_our_answer(accept: str) -> None:
    check(make("INVITE", ("Accept", accept)))


def test_a_caller_that_does_not_accept_our_answer() -> None:
    # RFC 4475 3.3.15
    for accept in ("text/nobodyKnowsThis", ""):
        request = make("INVITE", ("Accept", accept))
        assert refusal_of(request) == (406, {"Accept": "application/sdp"})
    check(make("MESSAGE", ("Accept", "text/nobodyKnowsThis")))


@pytest.mark.parametrize(
    "header", [("Require", 'a, "b'), ("Accept", 'a, "b'), ("Content-Disposition", 'x;y="')]
)
def test_malformed_header_fields_are_the_senders_fault(header: tuple[str, str]) -> None:
    assert refusal_of(with_body("INVITE", "application/sdp", header)) == (400, {})
