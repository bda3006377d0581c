import pytest

from sylk.sip.flow import Flow


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
