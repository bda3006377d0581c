import pytest

from sylk.sip.flow import Flow, show_address


@pytest.mark.parametrize(
    ("transport", "reliable", "secure"),
    [("udp", False, False), ("tcp", True, False), ("tls", True, True)],
)
def test_a_transport_is_reliable_and_secure_or_not(
    transport: str, reliable: bool, secure: bool
) -> None:
    flow = Flow(transport, ("192.0.2.1", 5060), ("192.0.2.2", 5060))
    assert flow.reliable is reliable
    assert flow.secure is secure


def test_two_connections_with_the_same_addresses_are_two_flows() -> None:
    addresses = ("192.0.2.1", 5060), ("192.0.2.2", 40000)
    assert Flow("tcp", *addresses, 1) != Flow("tcp", *addresses, 2)
    assert {Flow("tcp", *addresses, 1): "x"}[Flow("tcp", *addresses, 1)] == "x"


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    assert show_address(("192.0.2.1", 5060)) == "192.0.2.1:5060"
    assert show_address(("2001:db8::1", 5060)) == "[2001:db8::1]:5060"
