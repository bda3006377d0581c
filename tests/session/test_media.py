"""The media side of calls: paths that can be reached, and protocols that can be carried."""

from sylk.sip.flow import Flow
from tests.peers import HOST, msrp_port, running_endpoint

FLOW = Flow("udp", (HOST, 5060), (HOST, 5070))


async def test_a_session_has_a_path_of_its_own_at_the_address_that_the_peer_reached() -> None:
    async with running_endpoint() as endpoint:
        one, _ = endpoint.media.open_session(FLOW, ("*",), secure=False)
        other, _ = endpoint.media.open_session(FLOW, ("*",), secure=False)
        (uri,) = one.local_path
        assert (uri.host, uri.port, uri.secure) == (HOST, msrp_port(endpoint), False)
        assert one.session_id != other.session_id


async def test_without_a_certificate_there_is_no_tls_to_offer() -> None:
    async with running_endpoint() as endpoint:
        assert endpoint.media.protocols == ("TCP/MSRP",)
        assert not endpoint.media.offers_tls
