"""Which transport, host and port a request goes to."""

import pytest

from sylk.errors import RemoteProtocolError
from sylk.session.way import address_of, came_through_nat, keeps_flow, transport_of
from sylk.sip.address import NameAddr
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response, make_request
from sylk.sip.uri import OtherURI, SipURI, parse_uri

CLIENT = ("192.0.2.1", 5070)


@pytest.mark.parametrize(
    ("uri", "transport"),
    [
        ("sip:a@h", "udp"),
        ("sip:a@h;transport=TCP", "tcp"),
        ("sips:a@h;transport=tcp", "tls"),
    ],
)
def test_the_uri_names_the_transport(uri: str, transport: str) -> None:
    assert transport_of(SipURI.parse(uri)) == transport


def test_a_uri_that_leaves_the_transport_open_takes_the_default() -> None:
    assert transport_of(SipURI.parse("sip:a@h"), "tcp") == "tcp"


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sip:a@h", ("h", 5060)),
        ("sips:a@h", ("h", 5061)),
        ("sip:a@h:5070", ("h", 5070)),
        ("sip:a@h:5070;maddr=192.0.2.9", ("192.0.2.9", 5070)),
        ("sip:a@[2001:db8::1]", ("2001:db8::1", 5060)),
    ],
)
def test_the_uri_names_the_address(uri: str, address: tuple[str, int]) -> None:
    assert address_of(SipURI.parse(uri)) == address


def test_nothing_can_be_sent_to_another_scheme() -> None:
    uri = parse_uri("tel:+31201234567")
    assert isinstance(uri, OtherURI)
    with pytest.raises(RemoteProtocolError) as caught:
        address_of(uri)
    assert caught.value.status == 416


def invite(via: str, record_route: str = "") -> Request:
    headers = [
        ("Via", f"SIP/2.0/UDP {via};branch=z9hG4bK1"),
        ("Contact", "<sip:a@192.0.2.1:5070>"),
    ]
    if record_route:
        headers.append(("Record-Route", record_route))
    return make_request(
        "INVITE",
        SipURI.parse("sip:b@example.com"),
        NameAddr.parse("<sip:a@example.com>;tag=1"),
        NameAddr.parse("<sip:b@example.com>"),
        "call",
        1,
        headers=headers,
    )


def dialog_of(request: Request) -> Dialog:
    return Dialog.as_uas(request, "2", NameAddr.parse("<sip:b@192.0.2.9>"))


@pytest.mark.parametrize(
    ("via", "remote", "expected"),
    [
        ("192.0.2.1:5070", CLIENT, False),
        ("192.0.2.1", ("192.0.2.1", 5060), False),
        ("10.0.0.1:5070", CLIENT, True),
        ("192.0.2.1:5060", CLIENT, True),
        ("[2001:db8:0::1]:5070", ("2001:db8::1", 5070), False),
        ("[2001:DB8::1]:5070", ("2001:db8::1", 5070), False),
        ("[2001:db8::2]:5070", ("2001:db8::1", 5070), True),
        ("phone.example:5070", CLIENT, True),
    ],
)
def test_a_via_that_names_another_place_tells_of_a_nat(
    via: str, remote: tuple[str, int], expected: bool
) -> None:
    assert came_through_nat(invite(via), Flow("udp", CLIENT, remote)) is expected


NEAR, FAR = "192.0.2.1:5070", "10.0.0.1:5070"
PROXY = "<sip:192.0.2.1;lr>"
OTHER_PROXY = "<sip:192.0.2.7;lr>"


@pytest.mark.parametrize(
    ("transport", "via", "record_route", "alive", "expected"),
    [
        ("udp", NEAR, "", True, False),  # the Contact is believed
        ("udp", FAR, "", True, True),  # behind a NAT
        ("udp", FAR, PROXY, True, False),  # the proxy is no client behind a NAT
        ("tcp", NEAR, "", True, True),
        ("tcp", NEAR, "", False, False),  # the connection is gone
        ("tcp", NEAR, PROXY, True, True),
        ("tcp", NEAR, OTHER_PROXY, True, False),
    ],
)
def test_a_flow_is_kept_where_it_leads_to_the_peer(
    transport: str, via: str, record_route: str, alive: bool, expected: bool
) -> None:
    request = invite(via, record_route)
    flow = Flow(transport, ("192.0.2.9", 5060), CLIENT)
    assert keeps_flow(dialog_of(request), request, flow, alive) is expected


@pytest.mark.parametrize(
    ("contact", "remote", "expected"),
    [
        ("sip:b@198.41.0.4", ("8.8.8.8", 5060), False),  # the Contact is believed
        ("sip:b@host.example", ("8.8.8.8", 5060), False),
        ("sip:b@10.0.0.1", ("8.8.8.8", 5060), True),  # only its own network knows it
        ("sip:b@10.0.0.1", ("10.0.0.9", 5060), False),  # which is ours as well
        ("sip:b@[fd00::1]", ("2606:4700::1", 5060), True),
    ],
)
def test_whom_we_called_is_believed_but_for_a_private_contact(
    contact: str, remote: tuple[str, int], expected: bool
) -> None:
    request = invite("192.0.2.9")
    answer = Response.to_request(request, 200, to_tag="2", headers=[("Contact", f"<{contact}>")])
    flow = Flow("udp", ("192.0.2.9", 5060), remote)
    assert keeps_flow(Dialog.as_uac(request, answer), request, flow, True) is expected
