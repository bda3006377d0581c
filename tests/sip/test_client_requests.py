from sylk.sip.checks import check_message
from sylk.sip.client_requests import make_ack, make_cancel
from sylk.sip.message import Response
from sylk.sip.reason_header import Reason, reason_headers, reasons_of
from tests.sip.user_agents import make, over_the_wire


def test_the_ack_of_a_failure_repeats_the_hop_of_the_invite() -> None:
    # RFC 3261 17.1.1.3, with its own example.
    invite = make(
        "INVITE",
        ("Route", "<sip:p1;lr>, <sip:p2;lr>"),
        ("Route", "<sip:p3;lr>"),
        ("Require", "100rel"),
        cseq=986759,
        body=b"v=0\r\n",
        content_type="application/sdp",
    )
    ack = make_ack(invite, Response.to_request(invite, 486, to_tag="99sa0xk"))
    assert (ack.method, ack.uri) == ("ACK", invite.uri)
    assert ack.vias == [invite.top_via]
    assert ack.to.tag == "99sa0xk"
    assert ack.from_ == invite.from_
    assert ack.call_id == invite.call_id
    assert (ack.cseq.number, ack.cseq.method) == (986759, "ACK")
    assert [str(route.uri) for route in ack.routes] == ["sip:p1;lr", "sip:p2;lr", "sip:p3;lr"]
    assert ack.max_forwards == 70
    assert "Require" not in ack.headers
    assert ack.body == b""
    check_message(over_the_wire(ack))


def test_the_cancel_repeats_the_hop_of_the_invite() -> None:
    # RFC 3261 9.1.
    invite = make("INVITE", ("Route", "<sip:p1;lr>"), ("Require", "100rel"), cseq=7)
    cancel = make_cancel(invite)
    assert (cancel.method, cancel.uri) == ("CANCEL", invite.uri)
    assert cancel.vias == [invite.top_via]
    assert (cancel.to, cancel.from_) == (invite.to, invite.from_)
    assert (cancel.cseq.number, cancel.cseq.method) == (7, "CANCEL")
    assert cancel.headers.lines("Route") == ["<sip:p1;lr>"]
    assert "Require" not in cancel.headers
    check_message(over_the_wire(cancel))


def test_the_cancel_may_say_why() -> None:
    # RFC 3326 section 2.
    cancel = make_cancel(make("INVITE"), reason_headers(200, "Call completed elsewhere"))
    (reason,) = reasons_of(over_the_wire(cancel))
    assert reason == Reason("SIP", 200, "Call completed elsewhere")


def test_only_the_top_via_goes_along() -> None:
    invite = make("INVITE", ("Via", "SIP/2.0/UDP other.example.com;branch=z9hG4bKother"))
    assert len(invite.vias) == 2
    assert len(make_cancel(invite).vias) == 1
