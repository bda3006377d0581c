"""The media side of calls: paths that can be reached, and protocols that can be carried."""

from sylk.call.relay_digest import RelayPassword
from sylk.msrp.uri import MsrpURI
from sylk.net.relay_path import RelayAccount, RelayPath
from sylk.net.standing_path import StandingPath
from sylk.session.media import MediaSessions
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


async def test_an_offer_by_way_of_a_relay_tells_where_the_relay_is() -> None:
    own = MsrpURI(True, None, HOST, 9, "own")
    relay = MsrpURI.parse("msrps://relay.example.com:2856/path;tcp")
    async with running_endpoint() as endpoint:
        account = RelayAccount(relay, RelayPassword("alice", "secret", lambda: "c"))
        path = RelayPath(account, own, endpoint.clock)
        path.path = (relay, own)
        session, negotiation = endpoint.media.open_session(FLOW, ("*",), secure=False, via=path)
        assert session.local_path == (relay, own)
        offer = negotiation.make_offer().decode()
        # For a relay there is no CEMA, and the certificate is its own (RFC 6714 section 4.1).
        assert "m=message 2856 TCP/TLS/MSRP *\r\nc=IN IP4 relay.example.com\r\n" in offer
        assert f"a=path:{relay} {own}\r\n" in offer
        assert "a=setup:actpass\r\n" in offer
        assert "cema" not in offer
        assert "fingerprint" not in offer


async def test_calls_that_fit_a_standing_path_go_over_it() -> None:
    relay = MsrpURI.parse("msrps://relay.example.com:2856/path;tcp")
    async with running_endpoint() as endpoint:
        account = RelayAccount(relay, RelayPassword("alice", "secret", lambda: "c"))
        standing = StandingPath(endpoint.msrp, account)
        media = MediaSessions(endpoint.msrp, "Phone", standing=standing)
        assert not media.offers_tls
        session, _ = media.open_session(FLOW, ("*",), secure=True)
        assert len(session.local_path) == 1
        standing.relays = (relay,)
        assert media.offers_tls
        one, _ = media.open_session(FLOW, ("*",), secure=True)
        two, negotiation = media.open_session(FLOW, ("*",), secure=True)
        assert one.local_path[:-1] == two.local_path[:-1] == (relay,)
        assert one.session_id != two.session_id
        assert "m=message 2856 TCP/TLS/MSRP *\r\n" in negotiation.make_offer().decode()
        # SDP in clear must lead there in clear.
        clear, _ = media.open_session(FLOW, ("*",), secure=False)
        assert len(clear.local_path) == 1
