import pytest

from sylk.errors import RemoteProtocolError
from sylk.sip.flow import Flow
from sylk.sip.message import Request
from sylk.sip.response_routing import reply_flow, stamp_source
from tests.sip.user_agents import TCP, UDP, make


def with_via(via: str) -> Request:
    request = make("OPTIONS")
    request.headers.set("Via", via)
    return request


def from_port(port: int) -> Flow:
    return Flow("udp", UDP.local, (UDP.remote[0], port))


@pytest.mark.parametrize(
    ("via", "stamped"),
    [
        # RFC 3581 section 4: both, even when they say what sent-by says.
        ("192.0.2.9:5060;rport;branch=x", {"rport": "7777", "received": "192.0.2.9"}),
        ("10.0.0.1;branch=x;rport", {"rport": "7777", "received": "192.0.2.9"}),
        # RFC 3261 18.2.1: only when sent-by is a name or another address.
        ("client.example.com;branch=x", {"received": "192.0.2.9"}),
        ("10.0.0.1;branch=x", {"received": "192.0.2.9"}),
        ("192.0.2.9;branch=x", {}),
    ],
)
def test_the_top_via_gets_the_source(via: str, stamped: dict[str, str]) -> None:
    request = with_via(f"SIP/2.0/UDP {via}")
    request.headers.add("Via", "SIP/2.0/UDP below;rport;branch=y")
    stamp_source(request, from_port(7777))
    params = request.top_via.params
    assert {name: params[name] for name in ("rport", "received") if name in params} == stamped
    assert request.top_via.branch == "x"
    assert request.vias[1].params == {"rport": None, "branch": "y"}


def test_an_ipv6_address_may_be_written_in_two_ways() -> None:
    request = with_via("SIP/2.0/UDP [2001:db8:0::1];branch=x")
    flow = Flow("udp", ("2001:db8::2", 5060), ("2001:db8::1", 5060))
    stamp_source(request, flow)
    assert request.top_via.received is None


@pytest.mark.parametrize(
    ("via", "port"),
    [
        ("10.0.0.1:5070;rport", 7777),  # RFC 3581
        ("192.0.2.9:5070", 5070),  # RFC 3261 18.2.2
        ("192.0.2.9", 5060),
        ("client.example.com:5070", 5070),
        ("10.0.0.1:5070", 7777),  # a NAT is in between
        ("192.0.2.9:5070;maddr=203.0.113.1", 5070),  # maddr is not followed
    ],
)
def test_where_responses_go_over_udp(via: str, port: int) -> None:
    flow = reply_flow(with_via(f"SIP/2.0/UDP {via};branch=x"), from_port(7777))
    assert flow == from_port(port)


def test_responses_stay_on_a_connection() -> None:
    assert reply_flow(with_via("SIP/2.0/TCP 10.0.0.1:5070;branch=x"), TCP) is TCP


def test_a_malformed_via_is_the_senders_fault() -> None:
    request = with_via("SIP/2.0/UDP")
    with pytest.raises(RemoteProtocolError):
        stamp_source(request, UDP)
    with pytest.raises(RemoteProtocolError):
        reply_flow(request, UDP)
