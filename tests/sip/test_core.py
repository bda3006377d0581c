"""The user agent core: which requests reach the layer above, and how the others are answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError
from sylk.sip.address import NameAddr
from sylk.sip.core import (
    IncomingAck,
    IncomingCancel,
    IncomingRequest,
    IncomingResponse,
    Refused,
    RequestFailed,
    UserAgentCore,
)
from sylk.sip.dialog import Dialog, DialogState
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response, make_request
from sylk.sip.parser import MalformedMessage
from sylk.sip.transaction import ClientTransaction
from sylk.sip.uri import SipURI
from tests.sip.user_agents import (
    CONTACT,
    METHODS,
    TCP,
    UDP,
    events_of,
    make,
    make_core,
    over_the_wire,
    read,
    receive,
    receive_one,
    response_of,
    responses_of,
    statuses_of,
)

SENT_BY = ("192.0.2.1", 5060)
CONTACT_HEADER = ("Contact", str(CONTACT))


def answer(core: UserAgentCore, event: IncomingRequest, status: int, now: float = 0.0) -> Response:
    """Answer a request as the layer above does; return what was sent."""
    headers = [CONTACT_HEADER] if status < 300 else []
    response = Response.to_request(event.request, status, headers=headers)
    core.respond(event.transaction, response, now)
    return responses_of(core)[-1]


def establish(core: UserAgentCore, flow: Flow = UDP) -> Dialog:
    """Let Alice join; return the dialog of the server, with tag "mine"."""
    event = receive_one(core, make("INVITE", branch="z9hG4bKfirst"), flow)
    dialog = Dialog.as_uas(event.request, "mine", CONTACT)
    core.add_dialog(dialog)
    response = Response.to_request(event.request, 200, to_tag="mine", headers=[CONTACT_HEADER])
    core.respond(event.transaction, response, 0.0)
    core.messages_to_send()
    return dialog


def in_dialog(method: str, cseq: int, contact: str = "<sip:alice@192.0.2.9>") -> Request:
    branch = f"z9hG4bK{method}{cseq}"
    return make(method, branch=branch, to_tag="mine", cseq=cseq, contact=contact)


def refused(core: UserAgentCore, request: Request, flow: Flow = UDP) -> Response:
    """Give a request that the core has to refuse; return its answer."""
    (event,) = receive(core, request, flow)
    assert isinstance(event, Refused)
    response = response_of(core)
    assert event.status == response.status
    return response


def invite_of_ours() -> Request:
    return make_request(
        "INVITE",
        SipURI("sip", "alice", None, "192.0.2.9"),
        CONTACT.with_tag("mine"),
        NameAddr(SipURI("sip", "alice", None, "example.com")),
        "our-call",
        1,
        headers=[CONTACT_HEADER],
    )


def subscribe_of_ours() -> Request:
    request = invite_of_ours()
    request.method = "SUBSCRIBE"
    request.headers.set("CSeq", "1 SUBSCRIBE")
    return request


def call(core: UserAgentCore, *statuses: int, flow: Flow = UDP) -> ClientTransaction:
    """Send an INVITE and receive these responses to it."""
    transaction = core.send_request(invite_of_ours(), flow, SENT_BY, 0.0)
    for status in statuses:
        headers = [("Contact", "<sip:alice@192.0.2.9>")]
        response = Response.to_request(transaction.request, status, to_tag="b", headers=headers)
        core.receive_message(over_the_wire(response), flow, 0.0)
    return transaction


# INVITE


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_every_invite_gets_100_at_once(flow: Flow) -> None:
    core = make_core()
    event = receive_one(core, make("INVITE", ("Timestamp", "54")), flow)
    trying = response_of(core)
    assert (trying.status, trying.to.tag) == (100, None)
    assert trying.headers.get("Timestamp") == "54"
    assert trying.headers.get("Server") == "Sylk-Test"
    assert event.dialog is None
    assert event.flow == flow


def test_all_responses_have_one_tag() -> None:
    # RFC 3261 8.2.6.2
    core = make_core()
    event = receive_one(core, make("INVITE"))
    core.messages_to_send()
    ringing, busy = answer(core, event, 180), answer(core, event, 486)
    assert ringing.to.tag == busy.to.tag == event.transaction.to_tag


def test_a_2xx_tells_what_we_can_do_and_goes_again_when_asked_to() -> None:
    core = make_core()
    event = receive_one(core, make("INVITE"))
    first = answer(core, event, 200)
    assert first.headers.get("Allow") == ", ".join(METHODS)
    assert first.headers.get("Supported") == "replaces, norefersub"
    core.respond(event.transaction, first, 0.5)
    core.send_stateless(first, event.transaction.flow)
    assert responses_of(core) == [first, first]


def test_retransmissions_never_reach_the_layer_above() -> None:
    core = make_core()
    invite = make("INVITE")
    event = receive_one(core, invite)
    assert receive(core, invite) == []
    assert statuses_of(core) == [100, 100]
    answer(core, event, 486)
    assert receive(core, invite) == []
    assert statuses_of(core) == [486]
    assert receive(core, make("ACK", to_tag=event.transaction.to_tag)) == []
    assert core.messages_to_send() == []


def test_the_ack_of_a_2xx_comes_with_its_dialog() -> None:
    core = make_core()
    dialog = establish(core)
    assert dialog.state is DialogState.CONFIRMED
    for branch in ("z9hG4bKack", "z9hG4bKfirst"):
        (event,) = receive(core, make("ACK", branch=branch, to_tag="mine"))
        assert isinstance(event, IncomingAck)
        assert event.dialog is dialog
    assert core.messages_to_send() == []


def test_other_acks_are_dropped_silently() -> None:
    core = make_core()
    establish(core)
    for ack in (
        make("ACK"),
        make("ACK", to_tag="unknown"),
        make("ACK", to_tag="mine", call_id="unknown"),
        make("ACK", ("Require", "foo"), uri="sips:room@192.0.2.1"),
    ):
        assert receive(core, ack) == []
    assert core.messages_to_send() == []


def test_without_ack_the_failure_of_an_invite_is_reported() -> None:
    core = make_core()
    event = receive_one(core, make("INVITE"))
    answer(core, event, 486)
    core.handle_deadline(32.0)
    assert events_of(core) == [RequestFailed(event.transaction, 408)]
    assert core.next_deadline() is None


# CANCEL


def test_cancel_of_a_pending_invite() -> None:
    core = make_core()
    event = receive_one(core, make("INVITE"))
    core.messages_to_send()
    (cancelled,) = receive(core, make("CANCEL"))
    assert isinstance(cancelled, IncomingCancel)
    assert cancelled.transaction is event.transaction
    ok = response_of(core)
    assert (ok.status, ok.cseq.method) == (200, "CANCEL")
    terminated = answer(core, event, 487)
    # RFC 3261 9.2
    assert terminated.to.tag == ok.to.tag
    # Its retransmission is answered and not told again.
    assert receive(core, make("CANCEL")) == []
    assert statuses_of(core) == [200]


@pytest.mark.parametrize("status", [200, 486])
def test_cancel_after_the_final_response(status: int) -> None:
    core = make_core()
    event = receive_one(core, make("INVITE"))
    tag = answer(core, event, status).to.tag
    assert receive(core, make("CANCEL")) == []
    ok = response_of(core)
    assert (ok.status, ok.to.tag) == (200, tag)


def test_cancel_of_another_method_has_no_effect() -> None:
    core = make_core()
    receive_one(core, make("MESSAGE"))
    assert receive(core, make("CANCEL")) == []
    assert statuses_of(core) == [200]


def test_cancel_of_nothing() -> None:
    assert refused(make_core(), make("CANCEL")).status == 481


# Refusals out of a dialog, in the order of RFC 3261 8.2


@pytest.mark.parametrize("method", ["BYE", "INVITE", "SUBSCRIBE", "OPTIONS", "NOTIFY", "INFO"])
def test_a_to_tag_of_no_dialog(method: str) -> None:
    assert refused(make_core(), make(method, to_tag="unknown")).status == 481


def test_unserved_methods_schemes_and_extensions() -> None:
    core = make_core()
    register = refused(core, make("REGISTER"))
    assert (register.status, register.headers.get("Allow")) == (405, ", ".join(METHODS))
    assert refused(core, make("NEWMETHOD")).status == 501
    bad_extension = refused(core, make("INVITE", ("Require", "foo")))
    assert (bad_extension.status, bad_extension.headers.get("Unsupported")) == (420, "foo")
    assert refused(core, make("INVITE", body=b"x", content_type="text/x")).status == 415
    assert refused(core, make("BYE", uri="sips:room@192.0.2.1")).status == 480


def test_the_first_check_that_fails_gives_the_status() -> None:
    core = make_core()

    def status_of(method: str, uri: str, to_tag: str | None) -> int:
        request = make(
            method, ("Require", "foo"), uri=uri, to_tag=to_tag, body=b"x", content_type="text/x"
        )
        return refused(core, request).status

    assert status_of("REGISTER", "sips:a@b", "unknown") == 405
    assert status_of("INVITE", "sips:a@b", "unknown") == 480
    assert status_of("INVITE", "sip:a@b", "unknown") == 481
    assert status_of("INVITE", "sip:a@b", None) == 420


def test_max_forwards_0_is_fine_for_the_last_hop() -> None:
    request = make("MESSAGE")
    request.headers.set("Max-Forwards", "0")
    receive_one(make_core(), request)


def test_a_refusal_leaves_nothing_behind_and_is_the_same_each_time() -> None:
    core = make_core()
    first = refused(core, make("BYE", to_tag="unknown"))
    again = refused(core, make("BYE", to_tag="unknown"))
    assert first.render() == again.render()
    tagless = refused(core, make("REGISTER"))
    assert tagless.to.tag == refused(core, make("REGISTER")).to.tag
    assert tagless.to.tag != refused(core, make("REGISTER", cseq=2)).to.tag
    assert core.next_deadline() is None


def test_a_merged_request() -> None:
    # RFC 3261 8.2.2.2
    core = make_core()
    event = receive_one(core, make("INVITE", branch="z9hG4bK1"))
    core.messages_to_send()
    assert refused(core, make("INVITE", branch="z9hG4bK2")).status == 482
    # As long as the first is here, not after.
    answer(core, event, 486)
    assert refused(core, make("INVITE", branch="z9hG4bK2")).status == 482
    core.handle_deadline(40.0)
    events_of(core)
    core.messages_to_send()
    receive_one(core, make("INVITE", branch="z9hG4bK2"))


def test_a_request_of_ours_that_comes_back_is_a_loop() -> None:
    core = make_core()
    core.send_request(invite_of_ours(), UDP, SENT_BY, 0.0)
    core.messages_to_send()
    back = make("INVITE", call_id="our-call", from_tag="mine", branch="z9hG4bKproxy")
    assert refused(core, back).status == 482
    # One that has only the Call-ID in common is somebody else's.
    receive_one(core, make("INVITE", call_id="our-call", branch="z9hG4bKother"))


def test_parts_of_a_body_are_read_here() -> None:
    core = make_core()
    kind = "multipart/mixed;boundary=b"
    sdp = b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"
    event = receive_one(core, make("INVITE", body=sdp + b"--b--\r\n", content_type=kind))
    assert event.request.body == b"v=0"
    core.messages_to_send()
    html = b"--b\r\nContent-Type: text/html\r\n\r\n<a>\r\n--b--\r\n"
    other = make("INVITE", call_id="2", branch="z9hG4bK2", body=sdp + html, content_type=kind)
    refusal = refused(core, other)
    assert (refusal.status, refusal.headers.get("Accept")) == (415, "application/sdp")
    optional = ("Content-Disposition", "session;handling=optional")
    third = make(
        "INVITE", optional, call_id="3", branch="z9hG4bK3", body=sdp + html, content_type=kind
    )
    assert receive_one(core, third).request.body == b""


def test_options_is_answered_here() -> None:
    core = make_core()
    assert receive(core, make("OPTIONS"), TCP) == []
    response = response_of(core)
    assert response.status == 200
    assert response.to.tag
    assert response.headers.get("Allow") == ", ".join(METHODS)
    assert response.headers.get("Accept") == "application/sdp, text/*"
    assert response.headers.get("Supported") == "replaces, norefersub"
    assert core.next_deadline() is None


def test_over_the_bound_requests_get_503_without_state() -> None:
    core = make_core(max_transactions=1)
    receive_one(core, make("INVITE", call_id="first", branch="z9hG4bK1"))
    core.messages_to_send()
    for number in range(2, 50):
        request = make("INVITE", call_id="other", branch=f"z9hG4bK{number}")
        overload = refused(core, request)
        assert overload.status == 503
        assert (overload.headers.get("Retry-After") or "").isdigit()
    assert receive(core, make("ACK", call_id="other", branch="z9hG4bK2")) == []
    assert core.messages_to_send() == []
    assert receive(core, make("OPTIONS", branch="z9hG4bK99")) == []
    assert statuses_of(core) == [200]


# Malformed messages


def test_a_malformed_request_is_answered_with_its_status() -> None:
    core = make_core()
    request = make("INVITE")
    request.headers.set("CSeq", "1 BYE")
    response = refused(core, request)
    assert response.status == 400
    assert response.top_via.rport == 5060


def test_a_malformed_ack_or_response_or_noise_is_dropped() -> None:
    core = make_core()
    ack = make("ACK", to_tag="x")
    ack.headers.set("CSeq", "nonsense")
    response = Response.to_request(make("INVITE"), 200)
    response.headers.remove("Call-ID")
    noise: list[Request | Response | MalformedMessage] = [
        *(over_the_wire(ack), over_the_wire(response)),
        *(read(b"GET / HTTP/1.1\r\n\r\n"), read(b"\x16\x03\x01\x00\xff"), read(b"\x00")),
    ]
    for message in noise:
        core.receive_message(message, UDP, 0.0)
        (event,) = events_of(core)
        assert isinstance(event, Refused)
        assert core.messages_to_send() == []


def test_a_response_with_two_vias_is_dropped() -> None:
    core = make_core()
    transaction = call(core)
    response = Response.to_request(transaction.request, 200, to_tag="b")
    response.headers.add("Via", "SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKx")
    core.receive_message(over_the_wire(response), UDP, 0.0)
    assert events_of(core) == []
    assert transaction.is_pending


@given(data=st.binary(max_size=200), cut=st.integers(0, 600), put=st.integers(0, 600))
def test_no_octets_raise_and_no_answer_is_much_longer_than_the_request(
    data: bytes, cut: int, put: int
) -> None:
    core = make_core()
    good = make("INVITE", body=b"v=0\r\n", content_type="application/sdp").render()
    for octets in (data, good[:put] + data + good[put:], good[:cut], good[:cut] + data):
        core.receive_message(read(octets), UDP, 0.0)
        events_of(core)
        answers = [message.render() for message, _ in core.messages_to_send()]
        assert sum(len(octets) for octets in answers) <= len(octets) + 400
        assert len(answers) <= 1


# Dialogs


def test_a_request_in_a_dialog_comes_with_it() -> None:
    core = make_core()
    dialog = establish(core)
    event = receive_one(core, in_dialog("BYE", 2))
    assert event.dialog is dialog
    assert answer(core, event, 200).to.tag == "mine"
    core.remove_dialog(dialog)
    assert receive(core, in_dialog("BYE", 2)) == []
    assert statuses_of(core) == [200]
    assert refused(core, in_dialog("BYE", 3)).status == 481


def test_requests_out_of_order() -> None:
    core = make_core()
    establish(core)
    receive_one(core, in_dialog("INFO", 5))
    core.messages_to_send()
    response = refused(core, in_dialog("BYE", 4))
    assert response.status == 500
    assert (response.headers.get("Retry-After") or "").isdigit()
    receive_one(core, in_dialog("BYE", 7))


def test_a_second_invite_before_the_answer_to_the_first() -> None:
    # RFC 3261 14.2
    core = make_core()
    establish(core)
    first = receive_one(core, in_dialog("INVITE", 2))
    core.messages_to_send()
    response = refused(core, in_dialog("INVITE", 3))
    assert response.status == 500
    assert 0 <= int(response.headers.get("Retry-After") or "-1") <= 10
    # It went through a transaction: its retransmission is absorbed.
    assert receive(core, in_dialog("INVITE", 3)) == []
    assert statuses_of(core) == [500]
    answer(core, first, 200)
    receive_one(core, in_dialog("INVITE", 4))


def test_a_second_invite_before_the_answer_to_the_very_first() -> None:
    core = make_core()
    event = receive_one(core, make("INVITE"))
    core.add_dialog(Dialog.as_uas(event.request, "mine", CONTACT))
    core.messages_to_send()
    assert refused(core, in_dialog("INVITE", 2)).status == 500
    receive_one(core, in_dialog("UPDATE", 3))


def test_two_invites_that_cross() -> None:
    core = make_core()
    dialog = establish(core)
    ours = core.send_request(dialog.make_request("INVITE"), UDP, SENT_BY, 0.0)
    core.messages_to_send()
    assert refused(core, in_dialog("INVITE", 2)).status == 491
    receive_one(core, in_dialog("BYE", 3))
    core.messages_to_send()
    core.receive_message(over_the_wire(Response.to_request(ours.request, 491)), UDP, 0.0)
    events_of(core)
    receive_one(core, in_dialog("INVITE", 4))


def test_a_refusal_that_nobody_acknowledges_is_not_reported() -> None:
    core = make_core()
    dialog = establish(core)
    core.send_request(dialog.make_request("INVITE"), TCP, SENT_BY, 0.0)
    core.messages_to_send()
    assert refused(core, in_dialog("INVITE", 2)).status == 491
    core.transport_failed(TCP, 1.0)
    events_of(core)
    core.handle_deadline(40.0)
    assert events_of(core) == []
    assert core.next_deadline() is None


@pytest.mark.parametrize("status", [200, 488])
def test_a_re_invite_moves_the_peer_when_it_is_accepted(status: int) -> None:
    core = make_core()
    dialog = establish(core)
    event = receive_one(core, in_dialog("INVITE", 2, contact="<sip:alice@new>"))
    core.messages_to_send()
    assert dialog.remote_target.host == "192.0.2.9"
    answer(core, event, status)
    assert dialog.remote_target.host == ("new" if status == 200 else "192.0.2.9")
    assert dialog.state is DialogState.CONFIRMED


def test_a_failure_ends_the_early_dialog() -> None:
    core = make_core()
    event = receive_one(core, make("INVITE"))
    dialog = Dialog.as_uas(event.request, "mine", CONTACT)
    core.add_dialog(dialog)
    core.messages_to_send()
    core.respond(event.transaction, Response.to_request(event.request, 486, to_tag="mine"), 0.0)
    assert dialog.state is DialogState.TERMINATED
    core.messages_to_send()
    assert refused(core, in_dialog("BYE", 2)).status == 481


def test_options_in_a_dialog_is_answered_here() -> None:
    core = make_core()
    dialog = establish(core)
    for _ in range(2):
        assert receive(core, in_dialog("OPTIONS", 2)) == []
        response = response_of(core)
        assert (response.status, response.to.tag) == (200, "mine")
        assert "Allow" in response.headers
    assert dialog.remote_cseq == 2


def test_a_bad_extension_in_a_dialog_is_refused_in_a_transaction() -> None:
    core = make_core()
    establish(core)
    request = in_dialog("INFO", 2)
    request.headers.add("Require", "foo")
    assert refused(core, request).to.tag == "mine"
    assert receive(core, request) == []
    assert statuses_of(core) == [420]


# Requests of ours


def test_a_request_goes_out_with_via_and_user_agent() -> None:
    core = make_core()
    transaction = call(core)
    ((message, flow),) = core.messages_to_send()
    assert message is transaction.request
    assert flow == UDP
    assert str(message.top_via).startswith("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK")
    assert message.top_via.wants_rport
    assert message.headers.get("User-Agent") == "Sylk-Test"
    assert "Allow" in message.headers


def test_responses_are_told_and_confirm_the_dialog() -> None:
    core = make_core()
    transaction = call(core, 100, 180)
    trying, ringing = events_of(core)
    assert isinstance(trying, IncomingResponse)
    assert isinstance(ringing, IncomingResponse)
    assert ringing.transaction is transaction
    dialog = Dialog.as_uac(transaction.request, ringing.response)
    core.add_dialog(dialog)
    headers = [("Contact", "<sip:alice@moved>"), ("Record-Route", "<sip:p;lr>")]
    success = Response.to_request(transaction.request, 200, to_tag="b", headers=headers)
    core.receive_message(over_the_wire(success), UDP, 1.0)
    assert dialog.state is DialogState.CONFIRMED
    assert dialog.remote_target.host == "moved"
    assert dialog.next_hop.host == "p"


def test_the_ack_of_a_2xx_gets_a_branch_of_its_own_and_can_go_again() -> None:
    core = make_core()
    transaction = call(core, 200)
    (event,) = events_of(core)
    assert isinstance(event, IncomingResponse)
    dialog = Dialog.as_uac(transaction.request, event.response)
    core.messages_to_send()
    ack = dialog.make_ack(1)
    core.send_stateless(ack, UDP, ("198.51.100.1", 5080))
    core.send_stateless(ack, UDP)
    first, second = [message.render() for message, _ in core.messages_to_send()]
    assert first == second
    assert len(ack.vias) == 1
    assert ack.top_via.host == "198.51.100.1"
    assert ack.top_via.branch != transaction.request.top_via.branch


def test_a_late_2xx_is_told_only_of_a_known_dialog() -> None:
    # RFC 6026 drops strays; the peer of a dialog that is there wants its ACK.
    core = make_core()
    transaction = call(core, 200)
    (event,) = events_of(core)
    assert isinstance(event, IncomingResponse)
    core.handle_deadline(40.0)
    late = over_the_wire(event.response)
    core.receive_message(late, UDP, 41.0)
    assert events_of(core) == []
    core.add_dialog(Dialog.as_uac(transaction.request, event.response))
    core.receive_message(late, UDP, 42.0)
    (stray,) = events_of(core)
    assert isinstance(stray, IncomingResponse)
    assert stray.transaction is None


def test_cancel_goes_out_and_its_answer_is_not_told() -> None:
    core = make_core()
    transaction = call(core, 180)
    events_of(core)
    core.messages_to_send()
    cancel = core.cancel(transaction, 1.0)
    assert cancel is not None
    core.receive_message(over_the_wire(Response.to_request(cancel.request, 200)), UDP, 1.0)
    assert events_of(core) == []
    unanswered = core.cancel(transaction, 2.0)
    assert unanswered is not None
    terminated = Response.to_request(transaction.request, 487, to_tag="b")
    core.receive_message(over_the_wire(terminated), UDP, 2.0)
    (event,) = events_of(core)
    assert isinstance(event, IncomingResponse)
    core.handle_deadline(100.0)
    assert events_of(core) == []
    assert core.next_deadline() is None


def test_a_request_that_fails() -> None:
    core = make_core()
    timed_out = call(core)
    core.handle_deadline(32.0)
    assert events_of(core) == [RequestFailed(timed_out, 408)]
    lost = call(core, flow=TCP)
    core.transport_failed(TCP, 33.0)
    assert events_of(core) == [RequestFailed(lost, 503)]
    assert core.next_deadline() is None


def test_over_the_bound_a_request_of_ours_fails_at_once() -> None:
    core = make_core(max_transactions=1)
    call(core)
    refused_here = call(core)
    assert events_of(core) == [RequestFailed(refused_here, 503)]


def test_ack_is_not_sent_in_a_transaction() -> None:
    ack = make("ACK")
    with pytest.raises(LocalProtocolError):
        make_core().send_request(ack, UDP, SENT_BY, 0.0)


def test_a_notify_may_overtake_the_response_to_its_subscribe() -> None:
    # RFC 6665 4.4.1
    core = make_core()
    core.send_request(subscribe_of_ours(), UDP, SENT_BY, 0.0)
    core.messages_to_send()
    event = receive_one(core, make("NOTIFY", to_tag="mine", call_id="our-call"))
    assert event.dialog is None
    dialog = Dialog.as_uas(event.request, core.new_tag(), CONTACT)
    assert dialog.local_tag == "mine"
    core.messages_to_send()
    other = make("NOTIFY", branch="z9hG4bK2", to_tag="other", call_id="our-call")
    assert refused(core, other).status == 481


def test_a_lost_connection_is_told_once_to_who_has_not_answered() -> None:
    core = make_core()
    event = receive_one(core, make("INVITE"), TCP)
    core.transport_failed(TCP, 1.0)
    assert events_of(core) == [RequestFailed(event.transaction, 503)]
    answer(core, event, 487, 2.0)
    core.transport_failed(TCP, 3.0)
    assert events_of(core) == []


def test_what_was_looked_up_in_a_request_is_given_up_with_its_transaction() -> None:
    core = make_core()
    incoming = receive_one(core, make("MESSAGE"), TCP)
    headers = incoming.request.headers
    looked_up = list[int]()

    def parse(lines: list[str]) -> None:
        looked_up.append(len(lines))

    headers.parsed("Subject", parse)
    headers.parsed("Subject", parse)
    assert looked_up == [0]
    core.respond(incoming.transaction, Response.to_request(incoming.request, 200), 0.0)
    assert incoming.transaction.is_terminated
    headers.parsed("Subject", parse)
    assert looked_up == [0, 0]


def test_idle_dialogs_have_no_deadline() -> None:
    core = make_core()
    for number in range(100):
        dialog = Dialog.as_uas(make("INVITE", call_id=f"call{number}"), "mine", CONTACT)
        core.add_dialog(dialog)
    assert core.next_deadline() is None


def test_tags_and_branches_differ() -> None:
    core = make_core()
    assert core.new_tag() != core.new_tag()
    first, second = call(core), call(core)
    assert first.request.top_via.branch != second.request.top_via.branch


def test_a_bye_without_a_to_tag_belongs_to_nothing() -> None:
    core = make_core()
    (refused,) = receive(core, make("BYE"))
    assert isinstance(refused, Refused)
    assert statuses_of(core) == [481]
