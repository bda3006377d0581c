"""The transaction layer by itself: what is sent, told and kept, and exactly when."""

import pytest

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.flow import Flow
from sylk.sip.layer_events import (
    AckReceived,
    LayerEvent,
    ResponseReceived,
    TransactionEnded,
    TransactionFailed,
    UnmatchedRequest,
    UnmatchedResponse,
)
from sylk.sip.message import Message, Request, Response
from sylk.sip.transaction import ServerTransaction
from sylk.sip.transaction_bounds import MAX_OCTETS, TransactionBounds
from sylk.sip.transaction_layer import TransactionLayer
from sylk.sip.transaction_tables import State
from tests.sip.user_agents import TCP, UDP, make, over_the_wire, tokens

SENT_BY = ("192.0.2.1", 5060)


def make_layer(max_transactions: int = 100, max_octets: int = MAX_OCTETS) -> TransactionLayer:
    branches = tokens("z9hG4bK")
    bounds = TransactionBounds(max_transactions, max_octets)
    return TransactionLayer(make_branch=branches, bounds=bounds)


def events_of(layer: TransactionLayer) -> list[LayerEvent]:
    events: list[LayerEvent] = []
    while (event := layer.next_event()) is not None:
        events.append(event)
    return events


def sent_by(layer: TransactionLayer) -> list[Message]:
    return [message for message, _ in layer.messages_to_send()]


def client_request(method: str) -> Request:
    request = make(method)
    request.pop_via()
    return request


def serve(
    layer: TransactionLayer, request: Request, flow: Flow = UDP, now: float = 0.0
) -> ServerTransaction:
    layer.receive_message(over_the_wire(request), flow, now)
    (event,) = events_of(layer)
    assert isinstance(event, UnmatchedRequest)
    return layer.accept_request(event, "mine", now)


def assert_nothing_left(layer: TransactionLayer) -> None:
    assert len(layer) == 0
    assert layer.next_deadline() is None
    assert layer.is_empty


def times_sent(layer: TransactionLayer, until: float) -> list[float]:
    """Let the clock run from deadline to deadline; return when something was sent."""
    times: list[float] = []
    while (when := layer.next_deadline()) is not None and when <= until:
        layer.handle_deadline(when)
        times += [when] * len(sent_by(layer))
    return times


# Clients


def test_invite_is_sent_again_with_doubling_intervals_and_fails_after_timer_b() -> None:
    layer = make_layer()
    transaction = layer.send_request(client_request("INVITE"), UDP, SENT_BY, 0.0)
    (first,) = sent_by(layer)
    assert first is transaction.request
    assert transaction.request.top_via.params == {"branch": "z9hG4bK1", "rport": None}
    assert times_sent(layer, 1000.0) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert events_of(layer) == [TransactionFailed(transaction, 408), TransactionEnded(transaction)]
    assert_nothing_left(layer)


def test_timer_b_fires_at_32_seconds() -> None:
    layer = make_layer()
    layer.send_request(client_request("INVITE"), TCP, SENT_BY, 100.0)
    assert layer.next_deadline() == 132.0
    layer.handle_deadline(131.9)
    assert not events_of(layer)
    layer.handle_deadline(132.0)
    assert events_of(layer)


def test_other_requests_are_sent_again_up_to_t2_and_fail_after_timer_f() -> None:
    layer = make_layer()
    transaction = layer.send_request(client_request("BYE"), UDP, SENT_BY, 0.0)
    sent_by(layer)
    assert times_sent(layer, 1000.0) == [
        *(0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5),
    ]
    assert events_of(layer)[0] == TransactionFailed(transaction, 408)
    assert_nothing_left(layer)


def test_after_a_provisional_response_only_others_are_sent_again_every_t2() -> None:
    layer = make_layer()
    invite = layer.send_request(client_request("INVITE"), UDP, SENT_BY, 0.0)
    layer.receive_message(Response.to_request(invite.request, 180, to_tag="b"), UDP, 0.25)
    assert layer.next_deadline() is None

    bye = layer.send_request(client_request("BYE"), UDP, SENT_BY, 0.0)
    layer.receive_message(Response.to_request(bye.request, 100), UDP, 0.25)
    sent_by(layer)
    # Timer E as it runs, then T2 each time.
    assert times_sent(layer, 20.0) == [0.5, 4.5, 8.5, 12.5, 16.5]


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_a_failure_of_invite_is_acknowledged_each_time_and_told_once(flow: Flow) -> None:
    layer = make_layer()
    transaction = layer.send_request(client_request("INVITE"), flow, SENT_BY, 0.0)
    sent_by(layer)
    failure = Response.to_request(transaction.request, 486, to_tag="b")
    layer.receive_message(failure, flow, 1.0)
    (ack,) = sent_by(layer)
    assert isinstance(ack, Request)
    assert (ack.method, ack.to.tag) == ("ACK", "b")
    assert ResponseReceived(transaction, failure) in events_of(layer)
    layer.receive_message(failure, flow, 2.0)
    if flow.reliable:
        assert_nothing_left(layer)
        return
    assert sent_by(layer) == [ack]
    assert not events_of(layer)
    assert times_sent(layer, 1000.0) == []
    assert events_of(layer) == [TransactionEnded(transaction)]
    assert_nothing_left(layer)


def test_timers_d_and_k_run_for_32_and_5_seconds() -> None:
    layer = make_layer()
    for method, wait in (("INVITE", 32.0), ("BYE", 5.0)):
        transaction = layer.send_request(client_request(method), UDP, SENT_BY, 10.0)
        layer.receive_message(Response.to_request(transaction.request, 486), UDP, 10.0)
        assert layer.next_deadline() == 10.0 + wait
        layer.handle_deadline(10.0 + wait)
        assert transaction.is_terminated


def test_a_2xx_to_invite_is_told_each_time_until_timer_m() -> None:
    # RFC 6026 7.2
    layer = make_layer()
    transaction = layer.send_request(client_request("INVITE"), TCP, SENT_BY, 0.0)
    sent_by(layer)
    success = Response.to_request(transaction.request, 200, to_tag="b")
    for now in (1.0, 2.0):
        layer.receive_message(success, TCP, now)
        assert events_of(layer) == [ResponseReceived(transaction, success)]
    layer.receive_message(Response.to_request(transaction.request, 486), TCP, 3.0)
    layer.receive_message(Response.to_request(transaction.request, 180), TCP, 3.0)
    assert not events_of(layer)
    assert not sent_by(layer)
    assert layer.next_deadline() == 33.0
    layer.handle_deadline(33.0)
    assert_nothing_left(layer)


def test_other_responses_are_told_once() -> None:
    layer = make_layer()
    transaction = layer.send_request(client_request("BYE"), UDP, SENT_BY, 0.0)
    success = Response.to_request(transaction.request, 200, to_tag="b")
    for now in (1.0, 2.0):
        layer.receive_message(success, UDP, now)
    assert events_of(layer) == [ResponseReceived(transaction, success)]


def test_a_response_of_no_transaction_is_left_to_the_user() -> None:
    layer = make_layer()
    stray = Response.to_request(make("INVITE", branch="z9hG4bKguess"), 200, to_tag="b")
    layer.receive_message(stray, UDP, 0.0)
    assert events_of(layer) == [UnmatchedResponse(stray, UDP)]


def test_cancel_waits_for_a_provisional_response() -> None:
    # RFC 3261 9.1
    layer = make_layer()
    invite = layer.send_request(client_request("INVITE"), UDP, SENT_BY, 0.0)
    sent_by(layer)
    assert layer.cancel(invite, 0.1) is None
    assert not sent_by(layer)
    layer.receive_message(Response.to_request(invite.request, 100), UDP, 1.0)
    (cancel,) = sent_by(layer)
    assert isinstance(cancel, Request)
    assert (cancel.method, cancel.top_via) == ("CANCEL", invite.request.top_via)
    assert len(layer) == 2
    layer.receive_message(Response.to_request(cancel, 200, to_tag="b"), UDP, 1.1)
    layer.receive_message(Response.to_request(invite.request, 487, to_tag="b"), UDP, 1.1)
    (ack,) = sent_by(layer)
    assert isinstance(ack, Request)
    assert ack.method == "ACK"


def test_a_cancelled_invite_is_given_up_64_t1_later() -> None:
    layer = make_layer()
    invite = layer.send_request(client_request("INVITE"), TCP, SENT_BY, 0.0)
    layer.receive_message(Response.to_request(invite.request, 180, to_tag="b"), TCP, 1.0)
    cancel = layer.cancel(invite, 10.0)
    assert cancel is not None
    layer.receive_message(Response.to_request(cancel.request, 200), TCP, 10.0)
    events_of(layer)
    assert layer.next_deadline() == 42.0
    layer.handle_deadline(42.0)
    assert events_of(layer) == [TransactionFailed(invite, 408), TransactionEnded(invite)]
    assert_nothing_left(layer)


def test_cancel_after_the_final_response_does_nothing() -> None:
    layer = make_layer()
    for status in (200, 486):
        invite = layer.send_request(client_request("INVITE"), UDP, SENT_BY, 0.0)
        layer.receive_message(Response.to_request(invite.request, status, to_tag="b"), UDP, 1.0)
        sent_by(layer)
        assert layer.cancel(invite, 2.0) is None
        layer.handle_deadline(100.0)
        assert layer.cancel(invite, 100.0) is None
        assert not sent_by(layer)


def test_what_a_client_may_not_do() -> None:
    layer = make_layer()
    with pytest.raises(LocalProtocolError):
        layer.send_request(client_request("ACK"), UDP, SENT_BY, 0.0)
    bye = layer.send_request(client_request("BYE"), UDP, SENT_BY, 0.0)
    with pytest.raises(LocalProtocolError):
        layer.cancel(bye, 0.0)


def test_over_the_bound_a_request_fails_at_once() -> None:
    layer = make_layer(max_transactions=1)
    layer.send_request(client_request("BYE"), UDP, SENT_BY, 0.0)
    sent_by(layer)
    refused = layer.send_request(client_request("BYE"), UDP, SENT_BY, 0.0)
    assert refused.is_terminated
    assert not sent_by(layer)
    assert events_of(layer) == [TransactionFailed(refused, 503), TransactionEnded(refused)]
    assert len(layer) == 1


def test_a_request_that_has_its_via_is_sent_as_it_is() -> None:
    layer = make_layer()
    ack = client_request("ACK")
    layer.send_stateless(ack, UDP, ("198.51.100.1", 5070))
    layer.send_stateless(ack, UDP)
    assert sent_by(layer) == [ack, ack]
    assert [(via.host, via.port) for via in ack.vias] == [("198.51.100.1", 5070)]


# Servers


def test_a_failure_of_invite_is_sent_again_until_the_ack_and_then_absorbed() -> None:
    layer = make_layer()
    invite = make("INVITE")
    transaction = serve(layer, invite)
    response = Response.to_request(transaction.request, 486, to_tag="mine")
    layer.respond(transaction, response, 0.0)
    assert sent_by(layer) == [response]
    # Timer G: T1, doubling up to T2.
    assert times_sent(layer, 16.0) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5]
    layer.receive_message(over_the_wire(make("ACK", to_tag="mine")), UDP, 16.0)
    assert transaction.state is State.CONFIRMED
    layer.receive_message(over_the_wire(invite), UDP, 17.0)
    layer.receive_message(over_the_wire(make("ACK", to_tag="mine")), UDP, 17.0)
    assert not sent_by(layer)
    assert layer.next_deadline() == 21.0  # Timer I: T4
    layer.handle_deadline(21.0)
    assert events_of(layer) == [TransactionEnded(transaction)]
    assert_nothing_left(layer)
    # A call may keep the transaction of its INVITE.
    assert transaction.last_response is None


def test_without_ack_a_failure_of_invite_is_given_up_after_timer_h() -> None:
    layer = make_layer()
    transaction = serve(layer, make("INVITE"), TCP)
    layer.respond(transaction, Response.to_request(transaction.request, 486), 1.0)
    sent_by(layer)
    assert layer.next_deadline() == 33.0
    assert times_sent(layer, 1000.0) == []
    assert events_of(layer) == [TransactionFailed(transaction, 408), TransactionEnded(transaction)]
    assert_nothing_left(layer)


def test_over_a_reliable_transport_the_ack_is_the_end() -> None:
    layer = make_layer()
    transaction = serve(layer, make("INVITE"), TCP)
    layer.respond(transaction, Response.to_request(transaction.request, 486, to_tag="m"), 0.0)
    layer.receive_message(over_the_wire(make("ACK", to_tag="m")), TCP, 0.0)
    assert_nothing_left(layer)


def test_a_2xx_to_invite_is_sent_again_by_its_user_only_until_timer_l() -> None:
    # RFC 6026 7.1
    layer = make_layer()
    invite = make("INVITE")
    transaction = serve(layer, invite)
    success = Response.to_request(transaction.request, 200, to_tag="mine")
    layer.respond(transaction, success, 0.0)
    layer.respond(transaction, success, 0.5)
    assert sent_by(layer) == [success, success]
    layer.receive_message(over_the_wire(invite), UDP, 1.0)
    assert not sent_by(layer)
    assert not events_of(layer)
    assert times_sent(layer, 31.9) == []
    assert layer.next_deadline() == 32.0
    layer.handle_deadline(32.0)
    layer.respond(transaction, success, 33.0)
    assert not sent_by(layer)
    assert_nothing_left(layer)


@pytest.mark.parametrize("branch", ["z9hG4bK1", None])
def test_an_ack_of_a_2xx_that_looks_like_its_invite_reaches_the_user(branch: str | None) -> None:
    # RFC 6026 section 6 for clients of RFC 2543; others get it wrong too.
    layer = make_layer()
    transaction = serve(layer, make("INVITE", branch=branch))
    layer.respond(transaction, Response.to_request(transaction.request, 200, to_tag="m"), 0.0)
    ack = over_the_wire(make("ACK", branch=branch, to_tag="m"))
    assert isinstance(ack, Request)
    layer.receive_message(ack, UDP, 0.0)
    assert events_of(layer) == [AckReceived(transaction, ack)]


def test_an_ack_with_another_branch_is_the_users() -> None:
    layer = make_layer()
    transaction = serve(layer, make("INVITE"))
    layer.respond(transaction, Response.to_request(transaction.request, 200, to_tag="m"), 0.0)
    layer.receive_message(over_the_wire(make("ACK", branch="z9hG4bK2", to_tag="m")), UDP, 0.0)
    (event,) = events_of(layer)
    assert isinstance(event, UnmatchedRequest)


def test_the_last_provisional_response_is_repeated() -> None:
    layer = make_layer()
    invite = make("INVITE")
    transaction = serve(layer, invite)
    layer.receive_message(over_the_wire(invite), UDP, 0.1)
    assert not sent_by(layer)
    for status in (100, 180):
        layer.respond(transaction, Response.to_request(transaction.request, status), 0.2)
    _, ringing = sent_by(layer)
    layer.receive_message(over_the_wire(invite), UDP, 0.3)
    assert sent_by(layer) == [ringing]


def test_the_final_response_to_others_is_repeated_until_timer_j() -> None:
    layer = make_layer()
    bye = make("BYE")
    transaction = serve(layer, bye)
    layer.receive_message(over_the_wire(bye), UDP, 0.1)
    assert not sent_by(layer)
    response = Response.to_request(transaction.request, 200)
    layer.respond(transaction, response, 1.0)
    layer.respond(transaction, Response.to_request(transaction.request, 500), 1.0)
    layer.receive_message(over_the_wire(bye), UDP, 2.0)
    assert sent_by(layer) == [response, response]
    assert layer.next_deadline() == 33.0
    layer.handle_deadline(33.0)
    assert_nothing_left(layer)


def test_over_a_reliable_transport_the_answer_is_the_end() -> None:
    layer = make_layer()
    transaction = serve(layer, make("BYE"), TCP)
    layer.respond(transaction, Response.to_request(transaction.request, 200), 0.0)
    assert_nothing_left(layer)


def test_a_late_user_is_covered_by_a_100_and_then_given_up() -> None:
    # RFC 4320
    layer = make_layer()
    refer = make("REFER")
    transaction = serve(layer, refer)
    assert times_sent(layer, 31.0) == [3.5]
    layer.receive_message(over_the_wire(refer), UDP, 31.0)
    (trying,) = sent_by(layer)
    assert isinstance(trying, Response)
    assert trying.status == 100
    assert layer.next_deadline() == 32.0
    layer.handle_deadline(32.0)
    assert events_of(layer) == [TransactionFailed(transaction, 408), TransactionEnded(transaction)]
    layer.respond(transaction, Response.to_request(transaction.request, 202), 33.0)
    assert not sent_by(layer)
    assert_nothing_left(layer)


@pytest.mark.parametrize("status", [100, 180, 408])
def test_what_rfc_4320_forbids(status: int) -> None:
    layer = make_layer()
    transaction = serve(layer, make("BYE"))
    with pytest.raises(LocalProtocolError):
        layer.respond(transaction, Response.to_request(transaction.request, status), 0.0)
    assert not sent_by(layer)


@pytest.mark.parametrize(("first", "second"), [(200, 180), (200, 486), (486, 200), (486, 486)])
def test_a_second_answer_to_invite_is_our_fault(first: int, second: int) -> None:
    layer = make_layer()
    transaction = serve(layer, make("INVITE"))
    layer.respond(transaction, Response.to_request(transaction.request, first), 0.0)
    sent_by(layer)
    with pytest.raises(LocalProtocolError):
        layer.respond(transaction, Response.to_request(transaction.request, second), 0.0)
    assert not sent_by(layer)


def test_over_the_bound_no_transaction_is_made() -> None:
    layer = make_layer(max_transactions=1)
    serve(layer, make("BYE"))
    layer.receive_message(over_the_wire(make("BYE", branch="z9hG4bK2")), UDP, 0.0)
    (event,) = events_of(layer)
    assert isinstance(event, UnmatchedRequest)
    with pytest.raises(RemoteProtocolError) as refused:
        layer.accept_request(event, "mine", 0.0)
    assert refused.value.status == 503
    assert dict(refused.value.headers)["Retry-After"].isdigit()
    assert len(layer) == 1


def test_what_all_requests_take_is_bounded_until_they_are_forgotten() -> None:
    layer = make_layer(max_octets=100_000)
    body = b"x" * 60_000

    def large(number: int, now: float) -> ServerTransaction:
        branch = f"z9hG4bK{number}"
        request = make("MESSAGE", branch=branch, body=body, content_type="text/plain")
        layer.receive_message(over_the_wire(request), UDP, now)
        (event,) = [e for e in events_of(layer) if isinstance(e, UnmatchedRequest)]
        return layer.accept_request(event, "mine", now)

    for number in range(10):
        now = 100.0 * number
        transaction = large(2 * number, now)
        with pytest.raises(RemoteProtocolError) as refused:
            large(2 * number + 1, now)
        assert refused.value.status == 503
        assert dict(refused.value.headers)["Retry-After"].isdigit()
        layer.respond(transaction, Response.to_request(transaction.request, 200), now)
        layer.handle_deadline(now + 32.0)
        assert layer.is_empty


def test_find_cancelled() -> None:
    layer = make_layer()
    invite = serve(layer, make("INVITE", branch="z9hG4bK1"))
    bye = serve(layer, make("BYE", branch="z9hG4bK2"))
    methods = ["INVITE", "ACK", "CANCEL", "BYE"]
    assert layer.find_cancelled(make("CANCEL", branch="z9hG4bK1"), methods) is invite
    assert layer.find_cancelled(make("CANCEL", branch="z9hG4bK2"), methods) is bye
    assert layer.find_cancelled(make("CANCEL", branch="z9hG4bK3"), methods) is None


# A connection that is lost


def test_a_lost_connection_fails_what_waits_for_it() -> None:
    layer = make_layer()
    calling = layer.send_request(client_request("INVITE"), TCP, SENT_BY, 0.0)
    proceeding = layer.send_request(client_request("INVITE"), TCP, SENT_BY, 0.0)
    layer.receive_message(Response.to_request(proceeding.request, 180), TCP, 0.0)
    trying = layer.send_request(client_request("BYE"), TCP, SENT_BY, 0.0)
    elsewhere = layer.send_request(client_request("BYE"), UDP, SENT_BY, 0.0)
    events_of(layer)
    layer.transport_failed(TCP, 1.0)
    failed = [e for e in events_of(layer) if isinstance(e, TransactionFailed)]
    assert [(e.transaction, e.status) for e in failed] == [
        (calling, 503),
        (proceeding, 503),
        (trying, 503),
    ]
    assert len(layer) == 1
    assert not elsewhere.is_terminated
    layer.transport_failed(TCP, 2.0)
    assert not events_of(layer)


def test_a_lost_connection_leaves_the_invite_server_as_it_is() -> None:
    # RFC 6026 7.1
    layer = make_layer()
    pending = serve(layer, make("INVITE", branch="z9hG4bK1"), TCP)
    accepted = serve(layer, make("INVITE", branch="z9hG4bK2"), TCP)
    layer.respond(accepted, Response.to_request(accepted.request, 200), 0.0)
    layer.transport_failed(TCP, 1.0)
    assert events_of(layer) == [TransactionFailed(pending, 503)]
    assert pending.state is State.PROCEEDING
    assert accepted.state is State.ACCEPTED
