from sylk.sip.address import NameAddr
from sylk.sip.asserted_identity import Identity
from sylk.sip.core import IncomingRequest
from tests.sip.user_agents import UDP, make, make_core, receive_one


def test_from_tells_who_it_is_until_somebody_knows_better() -> None:
    incoming = receive_one(make_core(), make("INVITE"))
    assert (incoming.identity, incoming.source) == (None, "")
    assert incoming.sender == incoming.request.from_
    cara = NameAddr.parse("<sip:cara@example.com>")
    known = IncomingRequest(
        incoming.transaction, incoming.request, UDP, None, Identity(cara, "192.0.2.9")
    )
    assert (known.sender, known.source) == (cara, "192.0.2.9")
