"""Tests of sylk.call.usage: calls between two user agents on a line that loses what it is told."""

import pytest

from sylk.call.usage_events import Ended, Established, Ringing
from sylk.call.usage_table import State
from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.sdp import SessionDescription
from sylk.sip.message import Request, Response
from sylk.sip.parser import parse_message
from tests.call.phones import CAPABILITIES, Line, Phone, path_of

DAY = 86400.0


def offers_of(message: Request | Response) -> SessionDescription:
    return SessionDescription.parse(message.body)


def assert_over(line: Line, phone: Phone, peer: Phone) -> None:
    """Check that a call has ended once, and that its core has forgotten the dialog."""
    assert phone.state is State.TERMINATED
    assert len(phone.endings) == 1
    assert phone.call.next_deadline() is None
    if peer.usage is not None and peer.usage.dialog is not None:
        assert not phone.knows(peer.dialog, line.now)


def assert_both_over(line: Line) -> None:
    assert_over(line, line.alice, line.bob)
    assert_over(line, line.bob, line.alice)


# Ringing, talking, over


def test_a_call_rings_is_accepted_and_hung_up_by_the_caller() -> None:
    line = Line()
    line.call()
    line.bob.call.ring(line.now)
    line.settle()
    assert line.alice.events == [Ringing(180)]
    assert line.alice.state is State.EARLY
    line.bob.call.accept(CAPABILITIES, line.now)
    assert line.bob.events == []
    line.settle()
    assert line.alice.events == [Ringing(180), Established()]
    assert line.bob.events == [Established()]
    line.alice.call.hang_up(line.now)
    assert line.alice.state is State.ENDING
    line.settle()
    assert line.bob.endings == [Ended("BYE")]
    assert_both_over(line)
    assert line.labels == [
        "alice INVITE",
        "bob 100 INVITE",
        "bob 180 INVITE",
        "bob 200 INVITE",
        "alice ACK",
        "alice BYE",
        "bob 200 BYE",
    ]


def test_both_sides_know_the_path_and_who_connects() -> None:
    line = Line()
    line.establish()
    alice, bob = line.alice.negotiation, line.bob.negotiation
    assert alice.chat is not None
    assert bob.chat is not None
    assert str(alice.chat.path[0]) == path_of("bob", "192.0.2.2")
    assert str(bob.chat.path[0]) == path_of("alice", "192.0.2.1")
    assert alice.active
    assert not bob.active


def test_the_callee_hangs_up_with_a_reason() -> None:
    line = Line()
    line.establish()
    line.bob.call.hang_up(line.now, 'media "failed"', 500)
    line.settle()
    bye = line.last("bob BYE")
    assert bye.headers.get("Reason") == r'SIP;cause=500;text="media \"failed\""'
    assert line.bob.endings == [Ended('media "failed"', 500)]
    assert line.alice.endings == [Ended('BYE: media "failed"', 500)]
    assert_both_over(line)


def test_a_call_is_hung_up_once() -> None:
    line = Line()
    line.establish()
    line.bob.call.hang_up(line.now, "first", 500)
    line.bob.call.hang_up(line.now, "second")
    line.settle()
    line.bob.call.hang_up(line.now, "third")
    line.settle()
    assert line.bob.endings == [Ended("first", 500)]
    assert line.labels.count("bob BYE") == 1


def test_a_call_is_refused() -> None:
    line = Line()
    line.call()
    line.bob.call.ring(line.now)
    line.bob.call.reject(486, line.now, "Busy", [("Retry-After", "9")])
    line.settle()
    refusal = line.last("bob 486 INVITE")
    assert refusal.headers.get("Retry-After") == "9"
    assert line.alice.endings == [Ended("Busy", 486)]
    assert line.bob.endings == [Ended("Busy", 486)]
    assert line.labels[-1] == "alice ACK"
    assert_both_over(line)


@pytest.mark.parametrize("status", [300, 302, 404, 480, 486, 503, 603])
def test_each_failure_ends_the_call_of_the_caller(status: int) -> None:
    line = Line()
    line.call()
    line.bob.call.reject(status, line.now)
    line.settle()
    assert [ended.status for ended in line.alice.endings] == [status]
    assert_both_over(line)


def test_the_callee_that_hangs_up_before_it_answers_refuses() -> None:
    line = Line()
    line.call()
    line.bob.call.hang_up(line.now)
    line.settle()
    assert [ended.status for ended in line.alice.endings] == [480]
    assert line.bob.endings == [Ended("refused", 480)]


def test_verbs_at_the_wrong_time_change_nothing() -> None:
    line = Line()
    line.establish()
    with pytest.raises(LocalProtocolError):
        line.bob.call.accept(CAPABILITIES, line.now)
    with pytest.raises(LocalProtocolError):
        line.bob.call.reject(486, line.now)
    line.alice.call.hang_up(line.now)
    line.settle()
    with pytest.raises(LocalProtocolError):
        line.bob.call.ring(line.now)
    line.settle()
    assert_both_over(line)


def test_an_invite_that_is_never_answered_times_out() -> None:
    line = Line()
    line.lose = lambda label: label == "alice INVITE"
    line.alice.make_call("sip:bob@192.0.2.2", line.now)
    line.advance(60.0)
    assert line.alice.endings == [Ended("no answer", 408)]


def test_a_caller_that_cannot_be_reached_any_more_ends_the_call() -> None:
    line = Line()
    line.call()
    line.bob.call.ring(line.now)
    line.settle()
    line.bob.core.transport_failed(line.bob.invites[0].transaction.flow, line.now)
    line.settle()
    assert line.bob.endings == [Ended("cannot be reached", 503)]
    line.advance(100.0)
    assert line.bob.next_deadline() is None


def test_an_invite_without_contact_cannot_be_taken() -> None:
    line = Line()
    line.lose = lambda label: label == "alice INVITE"
    line.alice.make_call("sip:bob@192.0.2.2", line.now)
    line.settle()
    invite = line.last("alice INVITE")
    invite.headers.remove("Contact")
    line.bob.core.receive_message(parse_message(invite.render()), line.bob.flow, line.now)
    line.settle()
    # The core refuses it before anybody hears of it.
    assert line.alice.endings == [Ended("Bad Request", 400)]


# The 200 and its ACK


def test_the_200_is_repeated_until_the_ack_comes() -> None:
    line = Line()
    line.call()
    line.lose = lambda label: label == "alice ACK" and line.now < 12
    line.bob.call.accept(CAPABILITIES, line.now)
    line.advance(60.0)
    assert line.times("bob 200 INVITE") == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5]
    assert len(line.times("alice ACK")) == 7
    assert line.bob.is_established
    assert line.alice.events == [Established()]
    assert line.bob.call.next_deadline() is None


def test_a_repeated_200_gets_the_very_same_ack() -> None:
    line = Line()
    line.call()
    line.lose = lambda label: label == "alice ACK" and line.now < 1
    line.bob.call.accept(CAPABILITIES, line.now)
    line.advance(5.0)
    acks = [
        message.render()
        for label, message in zip(line.labels, line.messages, strict=True)
        if label == "alice ACK"
    ]
    assert len(acks) == 3
    assert len(set(acks)) == 1


def test_without_any_ack_the_call_is_given_up_with_a_bye() -> None:
    line = Line()
    line.call()
    line.lose = lambda label: label == "alice ACK"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.advance(31.9)
    assert line.bob.state is State.ANSWERED
    line.advance(0.2)
    assert line.times("bob BYE") == [32.0]
    reason = line.last("bob BYE").headers.get("Reason")
    assert reason == 'SIP;cause=500;text="the ACK is missing"'
    assert line.bob.events == [Ended("the ACK is missing", 500)]
    assert_both_over(line)


def test_the_callee_sends_no_bye_before_the_ack() -> None:
    line = Line()
    line.call()
    line.delay = lambda label: label == "alice ACK"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    line.bob.call.hang_up(line.now, "changed my mind")
    line.advance(3.0)
    assert line.bob.state is State.HANGING_UP
    assert "bob BYE" not in line.labels
    line.release()
    assert line.labels.count("bob BYE") == 1
    assert line.bob.events == [Ended("changed my mind")]
    assert_both_over(line)


def test_the_callee_that_hung_up_waits_for_the_ack_no_longer_than_64_t1() -> None:
    line = Line()
    line.call()
    line.lose = lambda label: label == "alice ACK"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.bob.call.hang_up(line.now, "changed my mind", 480)
    line.advance(40.0)
    assert line.times("bob BYE") == [32.0]
    assert line.bob.events == [Ended("changed my mind", 480)]
    assert_both_over(line)


def test_a_bye_before_the_ack_ends_the_call() -> None:
    line = Line()
    line.call()
    line.lose = lambda label: label == "alice ACK"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    line.alice.call.hang_up(line.now)
    line.settle()
    assert line.bob.events == [Ended("BYE")]
    line.advance(60.0)
    assert line.labels.count("bob 200 INVITE") == 1
    assert_both_over(line)


def test_a_deadline_that_is_not_due_does_nothing() -> None:
    line = Line()
    line.call()
    line.lose = lambda label: label == "alice ACK"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    line.bob.call.handle_deadline(0.4)
    line.alice.call.handle_deadline(DAY)
    line.settle()
    assert line.labels.count("bob 200 INVITE") == 1


# Offers in the 200


def test_the_offer_can_be_in_the_200_and_the_answer_in_the_ack() -> None:
    line = Line()
    dialog = line.call_without_offer()
    offer = offers_of(line.last("bob 200 INVITE"))
    assert offer.media[0].attribute("setup") == "actpass"
    assert line.bob.events == []
    line.acknowledge(dialog, 1, line.alice.negotiation.receive_offer(offer.render()))
    assert line.bob.events == [Established()]
    assert line.bob.negotiation.chat is not None
    assert str(line.bob.negotiation.chat.path[0]) == path_of("alice", "192.0.2.1")


@pytest.mark.parametrize("answer", [b"", b"v=1", b"v=0\r\nm=message 0 TCP/MSRP *\r\n"])
@pytest.mark.parametrize("hangs_up", [False, True])
def test_an_ack_without_a_good_answer_ends_the_call(answer: bytes, hangs_up: bool) -> None:
    line = Line()
    dialog = line.call_without_offer()
    if hangs_up:
        line.bob.call.hang_up(line.now, "never mind")
    line.acknowledge(dialog, 1, answer)
    assert line.labels[-2:] == ["bob BYE", "alice 200 BYE"]
    assert not line.bob.is_established
    (ended,) = line.bob.endings
    assert ended.reason.startswith("never mind" if hangs_up else "the answer in the ACK")
    assert line.bob.state is State.TERMINATED
    assert not line.bob.knows(dialog, line.now)


def test_an_offer_that_cannot_be_taken_leaves_the_call_to_be_refused() -> None:
    line = Line()
    line.call()
    line.bob.call.request.body = line.bob.call.request.body.replace(b"m=message", b"m=audio")
    with pytest.raises(RemoteProtocolError) as caught:
        line.bob.call.accept(CAPABILITIES, line.now)
    assert caught.value.status == 488
    assert line.bob.state is State.INCOMING
    line.bob.call.reject(488, line.now, headers=caught.value.headers)
    line.settle()
    assert "304" in (line.last("bob 488 INVITE").headers.get("Warning") or "")
    assert_both_over(line)


@pytest.mark.parametrize(
    ("old", "new"), [(b"m=message 2855", b"m=message 0"), (b"v=0", b"v=1"), (b"a=path", b"a=")]
)
def test_a_bad_answer_is_acknowledged_and_the_call_ended(old: bytes, new: bytes) -> None:
    line = Line()
    line.call()
    line.delay = lambda label: label == "bob 200 INVITE"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    line.delay = lambda label: False
    (transit,) = line.waiting
    answer = parse_message(transit.data)
    answer.body = answer.body.replace(old, new)
    transit.data = answer.render()
    line.release()
    assert line.labels[-3:] == ["alice ACK", "alice BYE", "bob 200 BYE"]
    assert line.last("alice BYE").headers.get("Reason") is not None
    assert not line.alice.is_established
    assert_both_over(line)


# CANCEL


def test_a_cancel_ends_a_call_that_rings() -> None:
    line = Line()
    line.call()
    line.bob.call.ring(line.now)
    line.settle()
    line.alice.call.hang_up(line.now)
    line.settle()
    assert line.labels[-4:] == ["alice CANCEL", "bob 200 CANCEL", "bob 487 INVITE", "alice ACK"]
    assert [ended.status for ended in line.alice.endings] == [487]
    assert line.bob.endings == [Ended("cancelled by the caller", 487)]
    assert_both_over(line)


def test_a_cancel_waits_for_a_provisional_response() -> None:
    line = Line()
    line.delay = lambda label: label == "bob 100 INVITE"
    line.call()
    line.alice.call.hang_up(line.now)
    line.settle()
    assert "alice CANCEL" not in line.labels
    line.release()
    assert "alice CANCEL" in line.labels
    assert_both_over(line)


def test_ringing_is_not_told_any_more_once_cancelled() -> None:
    line = Line()
    line.call()
    line.alice.call.hang_up(line.now)
    line.bob.call.ring(line.now)
    line.settle()
    assert Ringing(180) not in line.alice.events
    assert_both_over(line)


def test_a_200_that_crosses_the_cancel_is_acknowledged_and_ended() -> None:
    line = Line()
    line.call()
    line.delay = lambda label: label == "bob 200 INVITE"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    line.alice.call.hang_up(line.now, "too late", 480)
    line.settle()
    assert line.bob.state is State.ANSWERED
    line.delay = lambda label: False
    line.release()
    assert line.labels[-3:] == ["alice ACK", "alice BYE", "bob 200 BYE"]
    assert line.alice.events == [Ended("too late", 480)]
    assert_both_over(line)


def test_a_cancel_after_the_call_stands_means_nothing() -> None:
    line = Line()
    line.establish()
    line.bob.call.receive_cancel(line.now)
    line.settle()
    assert line.bob.state is State.CONFIRMED


# BYE


def test_a_bye_that_crosses_a_bye_ends_the_call_once() -> None:
    line = Line()
    line.establish()
    line.alice.call.hang_up(line.now, "ours")
    line.bob.call.hang_up(line.now, "theirs")
    line.settle()
    assert line.labels.count("alice BYE") == line.labels.count("bob BYE") == 1
    assert_both_over(line)


def test_a_bye_without_an_answer_ends_the_call_all_the_same() -> None:
    line = Line()
    line.establish()
    line.lose = lambda label: "BYE" in label
    line.alice.call.hang_up(line.now, "bye")
    line.advance(60.0)
    assert line.alice.endings == [Ended("bye")]
    assert line.alice.state is State.TERMINATED


def test_a_bye_in_an_early_dialog_refuses_the_invite() -> None:
    line = Line()
    line.call()
    line.bob.call.ring(line.now)
    line.settle()
    ringing = line.last("bob 180 INVITE")
    assert isinstance(ringing, Response)
    bye = Request("BYE", line.alice.call.request.uri)
    for name in ("From", "Call-ID"):
        bye.headers.add(name, line.alice.call.request.headers.get(name) or "")
    bye.headers.add("To", ringing.headers.get("To") or "")
    bye.headers.add("CSeq", "2 BYE")
    line.alice.send(bye, line.now)
    line.settle()
    assert line.labels[-4:] == ["alice BYE", "bob 200 BYE", "bob 487 INVITE", "alice ACK"]
    assert_both_over(line)


def test_a_response_to_an_old_bye_means_nothing() -> None:
    line = Line()
    line.establish()
    line.alice.call.hang_up(line.now)
    line.settle()
    answer = line.last("bob 200 BYE")
    assert isinstance(answer, Response)
    line.alice.call.receive_response(answer, line.now)
    line.alice.call.request_failed("BYE", 408, line.now)
    line.alice.call.request_failed("INVITE", 408, line.now)
    line.alice.call.request_failed("OPTIONS", 408, line.now)
    line.settle()
    assert len(line.alice.endings) == 1


def test_a_bye_that_comes_after_the_end_gets_481() -> None:
    line = Line()
    line.establish()
    line.lose = lambda label: label == "bob 200 BYE"
    line.bob.call.hang_up(line.now)
    line.settle()
    line.alice.send(line.alice.dialog.make_request("BYE"), line.now)
    line.settle()
    assert line.labels[-1] == "bob 481 BYE"
    assert len(line.bob.endings) == 1
