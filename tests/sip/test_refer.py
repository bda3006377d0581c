"""Tests of sylk.sip.refer: what a REFER asks for, in the forms of RFCs and of deployed clients."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.message import Request
from sylk.sip.parser import MalformedMessage, parse_message
from sylk.sip.refer import MAX_EMBEDDED_HEADERS, Refer, parse_refer
from sylk.sip.uri import OtherURI, SipURI
from tests.corpora import corpus
from tests.sip.user_agents import make


def refer(value: str, *headers: tuple[str, str]) -> Refer:
    return parse_refer(make("REFER", ("Refer-To", value), *headers))


@pytest.mark.parametrize(
    ("value", "target", "method"),
    [
        ("sip:alice@atlanta.example.com", "sip:alice@atlanta.example.com", "INVITE"),
        ("<sip:bob@example.com>;method=BYE", "sip:bob@example.com", "BYE"),
        ("<sip:bob@example.com;method=BYE>", "sip:bob@example.com", "BYE"),
        ("sip:bob@example.com;method=BYE", "sip:bob@example.com", "BYE"),
        ("<sip:bob@example.com;method=bye>;Method=BYE", "sip:bob@example.com", "BYE"),
        (
            "<sip:carol@cleveland.example.org;method=SUBSCRIBE>",
            "sip:carol@cleveland.example.org",
            "SUBSCRIBE",
        ),
        (
            '"Bob, B." <sips:bob@[2001:db8::1]:5062;gr=x;lr>',
            "sips:bob@[2001:db8::1]:5062;gr=x;lr",
            "INVITE",
        ),
        ("bob@example.com", "sip:bob@example.com", "INVITE"),
        ("<bob@example.com:5080>;method=INVITE", "sip:bob@example.com:5080", "INVITE"),
        ("  <bob@example.com;method=BYE>", "sip:bob@example.com", "BYE"),
        ("http://www.ietf.org", "http://www.ietf.org", "INVITE"),
        ("<tel:+15551234;phone-context=x>", "tel:+15551234;phone-context=x", "INVITE"),
        ("<sip:bob@example.com?Subject=hi>", "sip:bob@example.com", "INVITE"),
    ],
)
def test_targets(value: str, target: str, method: str) -> None:
    found = refer(value)
    assert (str(found.target), found.method) == (target, method)
    assert found.wants_subscription
    assert found.replaces is None
    assert found.referred_by is None


def test_the_target_is_fit_for_a_request_line() -> None:
    target = refer("<sip:bob@example.com;transport=tcp;method=INVITE?Subject=x&body=y>").target
    assert target == SipURI(
        "sip", "bob", None, "example.com", params={"transport": "tcp"}, headers=()
    )
    assert isinstance(refer("<mailto:bob@example.com>").target, OtherURI)


def test_replaces_is_handed_on() -> None:
    value = (
        "<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345"
        "%3Bfrom-tag%3D5FFE-3994>"
    )
    assert refer(value).replaces == "12345@192.168.118.3;to-tag=12345;from-tag=5FFE-3994"


def test_in_whose_name() -> None:
    found = refer("sip:bob@example.com", ("b", '"Al" <sip:al@example.com>;cid=x'))
    assert found.referred_by is not None
    assert str(found.referred_by.uri) == "sip:al@example.com"


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ([("Refer-Sub", "true")], True),
        ([("Refer-Sub", "false")], False),
        ([("Refer-Sub", "FALSE ; x=y")], False),
        ([("Refer-Sub", "maybe")], True),
        ([("Supported", "norefersub, nosub")], True),
        ([("Require", "norefersub")], True),
        ([("Require", "norefersub, NoSub")], False),
        ([("Require", "explicitsub")], False),
    ],
)
def test_who_wants_to_hear_of_it(headers: list[tuple[str, str]], wanted: bool) -> None:
    assert refer("sip:bob@example.com", *headers).wants_subscription is wanted


@pytest.mark.parametrize(
    "value",
    [
        "",
        "<>",
        "bob",
        "<sip:>",
        "<sip:bob@example.com",
        '"Bob <sip:bob@example.com>',
        "<sip:bob@example.com>, <sip:carol@example.com>",
        "sip:bob@example.com?Replaces=x",
        "<sip:bob@example.com;method=BYE>;method=INVITE",
        "<sip:bob@example.com;method=>",
        "<sip:bob@example.com>;method",
        '<sip:bob@example.com>;method="BYE BYE"',
        "<sip:bob@example.com>;method=" + "X" * 33,
        "<sip:bob@example.com?Replaces=a&replaces=b>",
        "<sip:bob@example.com?Replaces=>",
        "<sip:bob@example.com?Replaces=a%0D%0AVia:%20x>",
        "<sip:bob@example.com?a%20b=c>",
        "<sip:bob@example.com?" + "&".join(["x=y"] * (MAX_EMBEDDED_HEADERS + 1)) + ">",
        "<sip:bob@example.com?Subject=" + "x" * 4096 + ">",
        "<sip:bob@[::1>",
        "@example.com",
    ],
)
def test_what_cannot_be_read_is_refused(value: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        refer(value)
    assert caught.value.status == 400


def test_one_refer_to_is_needed() -> None:
    both = [("Refer-To", "sip:bob@example.com"), ("r", "sip:carol@example.com")]
    for headers in ([], both):
        with pytest.raises(RemoteProtocolError) as caught:
            parse_refer(make("REFER", *headers))
        assert caught.value.status == 400


def test_a_bad_referred_by() -> None:
    with pytest.raises(RemoteProtocolError):
        refer("sip:bob@example.com", ("Referred-By", "nobody"))


@given(st.text('<>;=?&@:%"\\ \t,sipmethodBYE0[]', max_size=60))
def test_any_text_is_read_or_refused(value: str) -> None:
    request = Request("REFER", SipURI("sip", None, None, "example.com"))
    request.headers.add("Refer-To", value)
    try:
        found = parse_refer(request)
    except RemoteProtocolError as error:
        status = error.status
    else:
        status = 400
        assert found.method == found.method.upper() != ""
    assert status == 400


def test_refers_of_deployed_servers_and_of_the_rfcs() -> None:
    methods: list[str] = []
    for path in sorted((corpus("traces") / "sylkserver").glob("*refer*.txt")):
        for part in path.read_text(encoding="utf-8", errors="replace").split("\n==== ")[1:]:
            text = part.partition("\n")[2].partition("\n\n")[0]
            if text.startswith("REFER "):
                data = (text.replace("\n", "\r\n") + "\r\n\r\n").encode()
                try:
                    message = parse_message(data)
                except MalformedMessage:
                    raise AssertionError(text) from None
                assert isinstance(message, Request)
                methods.append(parse_refer(message).method)
    assert {"INVITE", "BYE"} <= set(methods)
