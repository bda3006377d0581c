"""Tests of sylk.call.usage: requests inside a call that stands, and 200s of other forks."""

import pytest

from sylk.call.usage_events import Ended
from sylk.call.usage_table import State
from sylk.payload.sdp import SessionDescription
from sylk.sip.message import Request, Response
from tests.call.phones import CAPABILITIES, Line

AUDIO = b"m=audio 4000 RTP/AVP 0\r\n"


def reinvite(line: Line, body: bytes) -> Request:
    """Let alice send a re-INVITE with this offer; an empty one leaves the offer to bob."""
    request = line.alice.dialog.make_request(
        "INVITE",
        headers=[("Contact", line.alice.contact)],
        body=body,
        content_type="application/sdp" if body else None,
    )
    line.alice.send(request, line.now)
    line.settle()
    return request


def acknowledge(line: Line, request: Request, answer: bytes = b"") -> None:
    ack = line.alice.dialog.make_ack(
        request.cseq.number,
        body=answer,
        content_type="application/sdp" if answer else None,
    )
    line.alice.core.send_stateless(ack, line.alice.flow, line.alice.address)
    line.settle()


def answer_of(line: Line) -> SessionDescription:
    return SessionDescription.parse(line.last("bob 200 INVITE").body)


def established() -> tuple[Line, bytes, SessionDescription]:
    """Return a line with a call on it, alice's offer, and bob's answer."""
    line = Line()
    line.establish()
    # What the usage of alice makes of answers to these INVITEs is not the matter here.
    return line, line.alice.call.request.body, answer_of(line)


def test_the_same_offer_keeps_everything() -> None:
    line, offer, first = established()
    request = reinvite(line, offer)
    acknowledge(line, request)
    assert answer_of(line) == first
    assert line.bob.state is State.CONFIRMED
    assert line.bob.call.next_deadline() is None
    assert line.bob.endings == []


def test_hold_is_mirrored_and_counts_the_version_up() -> None:
    line, offer, first = established()
    acknowledge(line, reinvite(line, offer + b"a=sendonly\r\n"))
    held = answer_of(line)
    assert held.media[0].direction == "recvonly"
    assert held.media[0].attribute("path") == first.media[0].attribute("path")
    assert held.origin.session_version == first.origin.session_version + 1
    acknowledge(line, reinvite(line, offer))
    assert answer_of(line).media == first.media
    assert answer_of(line).origin.session_version == first.origin.session_version + 2


def test_more_lines_are_refused_one_by_one() -> None:
    line, offer, first = established()
    acknowledge(line, reinvite(line, offer + AUDIO))
    assert [media.port for media in answer_of(line).media] == [first.media[0].port, 0]


def test_fewer_lines_get_488_and_the_call_goes_on() -> None:
    line, offer, _ = established()
    acknowledge(line, reinvite(line, offer + AUDIO))
    reinvite(line, offer)
    refusal = line.last("bob 488 INVITE")
    assert (refusal.headers.get("Warning") or "").startswith("399 ")
    assert line.bob.state is State.CONFIRMED
    assert line.bob.call.next_deadline() is None


def test_a_chat_that_is_switched_off_is_answered_so_and_the_call_ended() -> None:
    line, offer, _ = established()
    request = reinvite(line, offer.replace(b"m=message 2855", b"m=message 0"))
    assert [media.port for media in answer_of(line).media] == [0]
    assert line.bob.state is State.CONFIRMED
    acknowledge(line, request)
    assert line.labels[-2:] == ["bob BYE", "alice 200 BYE"]
    assert line.bob.endings == [Ended("no media is left")]


def test_without_offer_the_200_offers_what_is_there() -> None:
    line, _, first = established()
    request = reinvite(line, b"")
    offer = answer_of(line)
    assert offer.media[0].attribute("setup") == "actpass"
    offer.media[0].attributes = first.media[0].attributes
    assert offer.media == first.media
    acknowledge(line, request, line.alice.negotiation.receive_offer(offer.render()))
    assert line.bob.state is State.CONFIRMED
    assert line.bob.endings == []


@pytest.mark.parametrize("answer", [b"", b"v=0\r\nm=message 0 TCP/MSRP *\r\n"])
def test_a_bad_answer_to_it_ends_the_call(answer: bytes) -> None:
    line, _, _ = established()
    acknowledge(line, reinvite(line, b""), answer)
    assert line.labels[-2:] == ["bob BYE", "alice 200 BYE"]
    assert len(line.bob.endings) == 1


def test_its_200_is_repeated_too_and_without_ack_the_call_ends() -> None:
    line, offer, _ = established()
    reinvite(line, offer)
    old_ack = line.last("alice ACK")
    assert isinstance(old_ack, Request)
    line.bob.call.receive_ack(old_ack, line.now)
    line.advance(33.0)
    assert line.labels.count("bob 200 INVITE") > 5
    assert line.bob.endings == [Ended("the ACK is missing", 500)]
    assert line.alice.state is State.TERMINATED


def test_a_hang_up_does_not_wait_for_its_ack() -> None:
    line, offer, _ = established()
    line.lose = lambda label: "BYE" in label
    request = reinvite(line, offer)
    line.bob.call.hang_up(line.now, "enough")
    line.advance(20.0)
    acknowledge(line, request)
    line.advance(20.0)
    assert line.bob.endings == [Ended("enough")]


def test_an_overdue_ack_means_nothing_once_the_call_is_being_ended() -> None:
    line, offer, _ = established()
    line.lose = lambda label: "BYE" in label
    reinvite(line, offer)
    line.advance(20.0)
    line.bob.call.hang_up(line.now, "enough")
    line.advance(20.0)
    assert line.bob.state is State.ENDING
    line.advance(20.0)
    assert line.bob.endings == [Ended("enough")]


def test_before_the_ack_it_is_told_to_come_again() -> None:
    line = Line()
    line.call()
    line.delay = lambda label: label == "alice ACK"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    reinvite(line, line.alice.call.request.body)
    assert line.last("bob 500 INVITE").headers.get("Retry-After") == "5"
    line.release()
    assert line.bob.is_established


def test_two_of_them_at_once() -> None:
    line, offer, _ = established()
    first = reinvite(line, offer)
    reinvite(line, offer)
    assert "Retry-After" in line.last("bob 500 INVITE").headers
    acknowledge(line, first)
    assert line.bob.state is State.CONFIRMED
    assert line.bob.call.next_deadline() is None


def test_one_that_crosses_our_bye_gets_481() -> None:
    line, offer, _ = established()
    line.delay = lambda label: label == "bob BYE"
    line.bob.call.hang_up(line.now)
    line.settle()
    reinvite(line, offer)
    assert line.last("bob 481 INVITE").body == b""
    line.delay = lambda label: False
    line.release()
    assert line.bob.endings == [Ended("")]
    assert len(line.alice.endings) == 1


def test_one_after_a_bye_gets_481() -> None:
    line, offer, _ = established()
    line.alice.call.hang_up(line.now)
    line.settle()
    reinvite(line, offer)
    assert line.labels[-2:] == ["bob 481 INVITE", "alice ACK"]


def test_the_caller_takes_one_as_well() -> None:
    line = Line()
    line.establish()
    request = line.bob.dialog.make_request(
        "INVITE",
        headers=[("Contact", line.bob.contact)],
        body=line.last("bob 200 INVITE").body + b"a=inactive\r\n",
        content_type="application/sdp",
    )
    line.bob.send(request, line.now)
    line.settle()
    answer = SessionDescription.parse(line.last("alice 200 INVITE").body)
    assert answer.media[0].direction == "inactive"
    assert answer.media[0].attribute("setup") == "active"


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("MESSAGE", [("Content-Type", "text/plain")], 200),
        ("REFER", [("Refer-To", "<sip:x@example.com>")], 403),
        ("SUBSCRIBE", [("Event", "conference")], 489),
        ("NOTIFY", [("Event", "refer"), ("Subscription-State", "active")], 481),
        ("UPDATE", [], 200),
        ("INFO", [], 405),
        ("OPTIONS", [], 200),
    ],
)
def test_other_requests_in_the_dialog(
    method: str, headers: list[tuple[str, str]], status: int
) -> None:
    line = Line()
    line.establish()
    contact = ("Contact", line.alice.contact)
    line.alice.send(line.alice.dialog.make_request(method, headers=[contact, *headers]), line.now)
    line.settle()
    assert line.labels[-1] == f"bob {status} {method}"
    assert line.bob.state is State.CONFIRMED


def test_an_ack_that_comes_again_means_nothing() -> None:
    line = Line()
    line.establish()
    ack = line.last("alice ACK")
    assert isinstance(ack, Request)
    line.bob.call.receive_ack(ack, line.now)
    line.settle()
    assert len(line.bob.events) == 1


# Forks


def success_of_fork(line: Line, tag: str) -> Response:
    """Return the 200 of another phone that got the INVITE too."""
    response = line.last("bob 200 INVITE")
    assert isinstance(response, Response)
    text = response.headers.get("To") or ""
    response.headers.set("To", text.partition(";tag=")[0] + f";tag={tag}")
    response.headers.set("Contact", "<sip:carol@192.0.2.3>")
    return response


def test_the_200_of_another_fork_is_acknowledged_and_ended() -> None:
    line = Line()
    line.establish()
    fork = success_of_fork(line, "carol")
    line.lose = lambda label: True
    line.alice.core.receive_message(fork, line.alice.flow, line.now)
    line.settle()
    assert line.labels[-2:] == ["alice ACK", "alice BYE"]
    for message in line.messages[-2:]:
        assert isinstance(message, Request)
        assert message.to.tag == "carol"
        assert str(message.uri) == "sip:carol@192.0.2.3"
    line.advance(100.0)
    assert line.alice.state is State.CONFIRMED
    assert line.alice.endings == []


def test_a_200_without_contact_ends_the_call() -> None:
    line = Line()
    line.call()
    line.delay = lambda label: label == "bob 200 INVITE"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    response = line.last("bob 200 INVITE")
    response.headers.remove("Contact")
    for _ in range(2):
        line.alice.core.receive_message(response, line.alice.flow, line.now)
        line.settle()
    (ended,) = line.alice.endings
    assert "Contact" in ended.reason
    line.release()
    assert line.alice.state is State.TERMINATED
    assert "alice ACK" not in line.labels


def test_a_200_after_the_end_means_nothing() -> None:
    line = Line()
    line.call()
    line.delay = lambda label: label == "bob 200 INVITE"
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    line.alice.call.request_failed("INVITE", 503, line.now)
    line.release()
    assert line.alice.endings == [Ended("cannot be reached", 503)]
    assert "alice ACK" not in line.labels
