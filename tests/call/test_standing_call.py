"""Tests of sylk.call.standing_call: changes, hold and refreshes between two phones on a line."""

from collections.abc import Callable

import pytest

from sylk.call.standing_call import MOST_PATIENCE
from sylk.call.usage import InviteUsage
from sylk.call.usage_events import Ended, HoldChanged, Reoffered
from sylk.call.usage_table import State
from sylk.errors import LocalProtocolError
from sylk.payload.sdp import SessionDescription
from sylk.sip.dialog import Dialog
from sylk.sip.message import Request, Response
from tests.call.phones import CAPABILITIES, Line, Phone


def established() -> Line:
    line = Line()
    line.establish()
    return line


def direction_in(message: Request | Response) -> str:
    return SessionDescription.parse(message.body).media[0].direction


def version_of(message: Request | Response) -> int:
    return SessionDescription.parse(message.body).origin.session_version


def ask(line: Line, method: str, body: bytes = b"", *headers: tuple[str, str]) -> Request:
    """Let alice send a request that her usage knows nothing of."""
    request = line.alice.dialog.make_request(
        method,
        headers=[("Contact", line.alice.contact), *headers],
        body=body,
        content_type="application/sdp" if body else None,
    )
    line.alice.send(request, line.now)
    line.settle()
    return request


def answer_to(line: Line, phone: Phone, status: int) -> None:
    """Lose the request that `phone` has sent last, and answer it for the other side."""
    request = next(
        message
        for message in reversed(line.messages)
        if isinstance(message, Request) and message.method != "ACK"
    )
    response = Response.to_request(request, status)
    response.headers.add("Contact", "<sip:x@192.0.2.77>")
    phone.core.receive_message(response, phone.flow, line.now)
    line.settle()


# Hold and resume


def test_a_hold_is_asked_for_answered_and_taken_back() -> None:
    line = established()
    first = line.alice.call.request
    line.alice.call.hold(line.now)
    line.settle()
    assert line.labels[-4:] == ["alice INVITE", "bob 100 INVITE", "bob 200 INVITE", "alice ACK"]
    assert direction_in(line.last("alice INVITE")) == "sendonly"
    assert direction_in(line.last("bob 200 INVITE")) == "recvonly"
    assert version_of(line.last("alice INVITE")) == version_of(first) + 1
    assert line.alice.events[-1] == Reoffered(200)
    assert line.bob.events[-1] == HoldChanged(True)
    line.alice.call.resume(line.now)
    line.settle()
    assert direction_in(line.last("alice INVITE")) == "sendrecv"
    assert version_of(line.last("alice INVITE")) == version_of(first) + 2
    assert line.bob.events[-1] == HoldChanged(False)
    assert [type(event) for event in line.alice.events].count(Reoffered) == 2


def test_both_sides_hold_and_one_resumes() -> None:
    line = established()
    line.bob.call.hold(line.now)
    line.settle()
    line.alice.call.hold(line.now)
    line.settle()
    assert direction_in(line.last("bob 200 INVITE")) == "inactive"
    assert line.alice.negotiation.is_held
    assert line.bob.negotiation.is_held
    line.bob.call.resume(line.now)
    line.settle()
    assert direction_in(line.last("alice 200 INVITE")) == "sendonly"
    assert not line.alice.negotiation.is_held
    assert line.bob.negotiation.is_held


def test_a_call_that_begins_on_hold_says_so_once_it_stands() -> None:
    line = Line()
    line.call()
    line.bob.call.request.body += b"a=sendonly\r\n"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    assert line.bob.events[-1] == HoldChanged(True)
    assert line.alice.events[1:] == []


@pytest.mark.parametrize("verb", [InviteUsage.hold, InviteUsage.resume, InviteUsage.reoffer])
def test_nothing_is_changed_in_a_call_that_does_not_stand(
    verb: Callable[[InviteUsage, float], None],
) -> None:
    line = Line()
    line.call()
    for phone in (line.alice, line.bob):
        with pytest.raises(LocalProtocolError):
            verb(phone.call, line.now)
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    line.bob.call.hang_up(line.now)
    with pytest.raises(LocalProtocolError):
        verb(line.bob.call, line.now)


def test_a_reoffer_tells_what_we_take_now() -> None:
    line = established()
    line.alice.negotiation.capabilities.accept_types = ("message/cpim", "text/html")
    line.alice.call.reoffer(line.now)
    line.settle()
    chat = line.bob.negotiation.chat
    assert chat is not None
    assert chat.accept_types == ("message/cpim", "text/html")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_hold_by_either_method_is_answered_and_told(method: str) -> None:
    line = established()
    offer = line.alice.call.request.body
    for direction, answer, held in (
        (b"sendonly", "recvonly", True),
        (b"inactive", "inactive", True),
        (b"sendrecv", "sendrecv", False),
        (b"recvonly", "sendonly", False),
    ):
        request = ask(line, method, offer + b"a=" + direction + b"\r\n")
        assert direction_in(line.last(f"bob 200 {method}")) == answer
        assert line.bob.negotiation.is_held is held
        if method == "INVITE":
            ack = line.alice.dialog.make_ack(request.cseq.number)
            line.alice.core.send_stateless(ack, line.alice.flow, line.alice.address)
            line.settle()
    told = [event.held for event in line.bob.events if isinstance(event, HoldChanged)]
    assert told == [True, False]


# Failures


@pytest.mark.parametrize("status", [400, 403, 488, 500, 503, 603])
def test_a_failure_leaves_the_session_as_it_was(status: int) -> None:
    line = established()
    before = line.bob.negotiation.is_held
    line.lose = lambda label: True
    line.alice.call.hold(line.now)
    line.settle()
    answer_to(line, line.alice, status)
    assert line.alice.events[-1] == Reoffered(status)
    assert line.alice.state is State.CONFIRMED
    assert not line.alice.negotiation.holds
    assert line.bob.negotiation.is_held is before
    # It may be asked for again.
    line.lose = lambda label: False
    line.advance(40.0)
    line.alice.call.hold(line.now)
    line.settle()
    assert line.alice.events[-1] == Reoffered(200)


@pytest.mark.parametrize("status", [408, 481])
def test_a_peer_that_does_not_know_the_call_ends_it(status: int) -> None:
    line = established()
    line.lose = lambda label: True
    line.alice.call.hold(line.now)
    line.settle()
    answer_to(line, line.alice, status)
    assert line.labels[-1] == "alice BYE"
    assert f"cause={status}" in (line.last("alice BYE").headers.get("Reason") or "")
    assert line.alice.state is State.ENDING


def test_a_reinvite_without_any_answer_ends_the_call() -> None:
    line = established()
    line.lose = lambda label: label.startswith("bob")
    line.alice.call.hold(line.now)
    line.advance(31.0)
    assert line.alice.state is State.CONFIRMED
    line.advance(100.0)
    assert [ended.status for ended in line.alice.endings] == [408]


@pytest.mark.parametrize("body", [b"", b"v=1", b"v=0\r\nm=message 9 TCP/MSRP *\r\n"])
def test_a_bad_answer_ends_the_call_after_its_ack(body: bytes) -> None:
    line = established()
    line.delay = lambda label: label == "bob 200 INVITE"
    line.alice.call.hold(line.now)
    line.settle()
    response = line.last("bob 200 INVITE")
    response.body = body
    line.alice.core.receive_message(response, line.alice.flow, line.now)
    line.settle()
    assert line.labels[-3:] == ["alice ACK", "alice BYE", "bob 200 BYE"]
    assert line.alice.endings[0].status == 488


def test_an_answer_that_switches_the_chat_off_ends_the_call() -> None:
    line = established()
    line.delay = lambda label: label == "bob 200 INVITE"
    line.alice.call.hold(line.now)
    line.settle()
    response = line.last("bob 200 INVITE")
    response.body = response.body.replace(b"m=message 2855", b"m=message 0")
    line.alice.core.receive_message(response, line.alice.flow, line.now)
    line.settle()
    assert line.labels[-3:] == ["alice ACK", "alice BYE", "bob 200 BYE"]
    assert line.alice.endings == [Ended("no media is left")]


def test_a_repeated_200_gets_the_very_same_ack() -> None:
    line = established()
    line.lose = lambda label: label == "alice ACK" and line.now < 1
    line.alice.call.hold(line.now)
    line.advance(5.0)
    acks = [
        message.render()
        for label, message in zip(line.labels, line.messages, strict=True)
        if label == "alice ACK" and message.cseq.number == 2
    ]
    assert len(acks) == 3
    assert len(set(acks)) == 1
    assert line.bob.call.next_deadline() is None


def test_a_peer_that_thinks_for_too_long_is_asked_to_forget_it() -> None:
    line = established()
    line.lose = lambda label: label == "alice INVITE"
    line.alice.call.hold(line.now)
    line.settle()
    answer_to(line, line.alice, 100)
    line.advance(MOST_PATIENCE - 1)
    assert "alice CANCEL" not in line.labels
    line.lose = lambda label: True
    line.advance(1.5)
    assert line.labels[-1] == "alice CANCEL"
    assert line.last("alice CANCEL").cseq.number == 2
    assert line.alice.state is State.CONFIRMED
    line.now += 0.1
    invite = next(m for m in line.messages if str(m.cseq) == "2 INVITE")
    assert isinstance(invite, Request)
    response = Response.to_request(invite, 487)
    line.alice.core.receive_message(response, line.alice.flow, line.now)
    line.settle()
    assert line.alice.events[-1] == Reoffered(487)
    assert line.alice.state is State.CONFIRMED
    assert line.alice.call.next_deadline() is None


def test_a_peer_that_does_not_even_forget_it_is_gone() -> None:
    line = established()
    line.lose = lambda label: True
    line.alice.call.hold(line.now)
    line.settle()
    answer_to(line, line.alice, 100)
    line.advance(MOST_PATIENCE + 31)
    assert line.alice.state is State.CONFIRMED
    line.advance(2.0)
    assert line.alice.state is State.ENDING
    assert line.times("alice BYE")[0] == MOST_PATIENCE + 32


# Two at once


def test_both_at_once_meet_glare_and_both_come_through() -> None:
    line = established()
    line.delay = lambda label: True
    line.alice.call.hold(line.now)
    line.bob.call.hold(line.now)
    line.settle()
    line.delay = lambda label: False
    line.release()
    assert "alice 491 INVITE" in line.labels
    assert "bob 491 INVITE" in line.labels
    for phone in (line.alice, line.bob):
        assert phone.state is State.CONFIRMED
        assert not phone.negotiation.holds
    line.advance(10.0)
    # Bob, who does not own the Call-ID, came first: after 0 to 2 s, alice after 2.1 to 4 s.
    (_, bobs), (_, alices) = line.times("bob INVITE"), line.times("alice INVITE")[1:]
    assert bobs == pytest.approx(1.0)
    assert alices == pytest.approx(3.05)
    assert line.alice.negotiation.holds
    assert line.bob.negotiation.holds
    assert line.alice.events[-2:] == [HoldChanged(True), Reoffered(200)]


def test_ours_waits_for_the_ack_of_theirs() -> None:
    line = established()
    request = ask(line, "INVITE", line.alice.call.request.body)
    line.bob.call.hold(line.now)
    line.advance(0.1)
    assert "bob INVITE" not in line.labels
    ack = line.alice.dialog.make_ack(request.cseq.number)
    line.alice.core.send_stateless(ack, line.alice.flow, line.alice.address)
    line.settle()
    assert line.bob.events[-1] == Reoffered(200)


def test_wishes_do_not_queue_up() -> None:
    line = established()
    line.delay = lambda label: label == "alice INVITE"
    line.alice.call.hold(line.now)
    line.settle()
    for _ in range(20):
        line.alice.call.resume(line.now)
        line.alice.call.hold(line.now)
    line.alice.call.resume(line.now)
    line.delay = lambda label: False
    line.release()
    assert line.labels.count("alice INVITE") == 3
    assert not line.alice.negotiation.holds
    assert line.alice.events[-2:] == [Reoffered(200), Reoffered(200)]


def test_a_reinvite_that_crosses_ours_on_its_way_out_gets_491() -> None:
    """Ours still looks for its way: the core has not seen it yet."""
    line = established()
    usage = line.bob.call
    usage.hold(line.now)
    (request,) = usage.requests_to_send()
    assert request[0].method == "INVITE"
    for body in (b"", line.alice.call.request.body):
        ask(line, "INVITE", body)
        assert line.labels[-2:] == ["bob 491 INVITE", "alice ACK"]
    assert line.bob.state is State.CONFIRMED


# The end in between


@pytest.mark.parametrize("by_alice", [True, False])
def test_a_bye_that_crosses_a_reinvite_ends_the_call(by_alice: bool) -> None:
    line = established()
    line.delay = lambda label: True
    line.alice.call.hold(line.now)
    line.settle()
    (line.alice if by_alice else line.bob).call.hang_up(line.now)
    line.settle()
    line.delay = lambda label: False
    line.release()
    line.advance(100.0)
    for phone in (line.alice, line.bob):
        assert phone.state is State.TERMINATED
        assert len(phone.endings) == 1
        assert phone.next_deadline() is None


def test_a_200_that_comes_after_our_bye_is_acknowledged() -> None:
    line = established()
    line.delay = lambda label: label in ("bob 200 INVITE", "alice BYE")
    line.alice.call.hold(line.now)
    line.settle()
    line.alice.call.hang_up(line.now)
    line.settle()
    assert line.alice.state is State.ENDING
    line.delay = lambda label: False
    (success, bye) = line.waiting
    line.waiting = [bye]
    line.deliver(success)
    line.settle()
    assert line.labels[-1] == "alice ACK"
    line.release()
    assert line.bob.call.next_deadline() is None
    assert line.alice.endings == [Ended("")]


def test_a_wish_that_waits_dies_with_the_call() -> None:
    line = established()
    line.lose = lambda label: "INVITE" in label
    line.alice.call.hold(line.now)
    line.settle()
    answer_to(line, line.alice, 491)
    line.bob.call.hang_up(line.now)
    line.settle()
    line.advance(100.0)
    assert line.labels.count("alice INVITE") < 10
    assert line.alice.next_deadline() is None


def test_a_cancel_of_a_reinvite_comes_too_late() -> None:
    line = established()
    request = ask(line, "INVITE", line.alice.call.request.body)
    cancel = Request("CANCEL", request.uri)
    for name in ("Via", "From", "To", "Call-ID"):
        cancel.headers.add(name, request.headers.get(name) or "")
    cancel.headers.add("CSeq", f"{request.cseq.number} CANCEL")
    line.bob.core.receive_message(cancel, line.bob.flow, line.now)
    line.settle()
    assert line.labels[-1] == "bob 200 CANCEL"
    assert line.bob.state is State.CONFIRMED
    assert line.bob.endings == []


# UPDATE


def test_an_update_without_offer_refreshes_the_target() -> None:
    line = established()
    ask(line, "UPDATE")
    answer = line.last("bob 200 UPDATE")
    assert answer.body == b""
    assert str(answer.contact) == line.bob.contact
    assert "UPDATE" in (answer.headers.get("Allow") or "")
    request = line.alice.dialog.make_request("UPDATE", headers=[("Contact", "<sip:new@h>")])
    line.alice.send(request, line.now)
    line.settle()
    assert str(line.bob.dialog.remote_target) == "sip:new@h"


def test_an_update_while_our_offer_is_open_gets_491() -> None:
    line = established()
    line.lose = lambda label: label == "bob INVITE"
    line.bob.call.hold(line.now)
    line.settle()
    ask(line, "UPDATE", line.alice.call.request.body)
    assert line.labels[-1] == "bob 491 UPDATE"
    ask(line, "UPDATE")
    assert line.labels[-1] == "bob 200 UPDATE"


def test_an_update_while_our_offer_waits_in_a_200_gets_491() -> None:
    line = established()
    ask(line, "INVITE")
    ask(line, "UPDATE", line.alice.call.request.body)
    assert line.labels[-1] == "bob 491 UPDATE"


def test_an_update_that_cannot_be_taken_changes_nothing() -> None:
    line = established()
    offer = line.alice.call.request.body
    for bad in (b"v=1\r\n", offer.replace(b"a=path", b"a=hat"), offer.partition(b"m=")[0]):
        ask(line, "UPDATE", bad)
        answer = line.last("bob 488 UPDATE")
        assert "Warning" in answer.headers
    assert line.bob.state is State.CONFIRMED
    ask(line, "UPDATE", offer)
    assert line.labels[-1] == "bob 200 UPDATE"


def test_an_update_that_takes_the_chat_away_ends_the_call() -> None:
    line = established()
    ask(line, "UPDATE", line.alice.call.request.body.replace(b"m=message 2855", b"m=message 0"))
    assert line.labels[-3:] == ["bob 200 UPDATE", "bob BYE", "alice 200 BYE"]
    assert b"m=message 0 " in line.last("bob 200 UPDATE").body
    assert line.bob.endings == [Ended("no media is left")]


def test_an_update_that_crosses_our_bye_gets_481() -> None:
    line = established()
    line.delay = lambda label: label == "bob BYE"
    line.bob.call.hang_up(line.now)
    line.settle()
    ask(line, "UPDATE")
    assert line.labels[-1] == "bob 481 UPDATE"


def early_dialog(line: Line) -> Dialog:
    ringing = line.last("bob 180 INVITE")
    assert isinstance(ringing, Response)
    return Dialog.as_uac(line.alice.call.request, ringing)


def test_the_callee_takes_an_update_before_it_has_answered() -> None:
    line = Line()
    line.call()
    line.bob.call.ring(line.now)
    line.settle()
    dialog = early_dialog(line)
    contact = ("Contact", "<sip:moved@192.0.2.1>")
    line.alice.send(dialog.make_request("UPDATE", headers=[contact]), line.now)
    line.settle()
    assert line.labels[-1] == "bob 200 UPDATE"
    assert str(line.bob.dialog.remote_target) == "sip:moved@192.0.2.1"
    # The offer of the INVITE is not answered yet.
    offer = line.alice.call.request.body
    request = dialog.make_request(
        "UPDATE", headers=[contact], body=offer, content_type="application/sdp"
    )
    line.alice.send(request, line.now)
    line.settle()
    refusal = line.last("bob 500 UPDATE")
    assert 0 <= int(refusal.headers.get("Retry-After") or "-1") <= 10
    assert line.bob.state is State.INCOMING
    early = line.bob.dialog
    line.bob.call.accept(CAPABILITIES, line.now)
    assert line.bob.dialog is early
