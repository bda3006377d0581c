"""Tests of sylk.call.caller: an INVITE of ours that rings at several phones."""

import pytest

from sylk.call.forks import MAX_DIALOGS
from sylk.call.usage_events import Ended, Established, Ringing
from sylk.call.usage_table import State
from sylk.sip.message import Request, Response, make_request
from sylk.sip.parser import parse_message
from tests.call.phones import CAPABILITIES, Line


def calling() -> Line:
    """Return a line on which alice calls; what bob's phone says of it is lost."""
    line = Line()
    line.lose = lambda label: label.startswith("alice")
    line.alice.make_call("sip:bob@192.0.2.2", line.now)
    line.settle()
    return line


def response_of(line: Line, tag: str, status: int, body: bytes = b"") -> Response:
    """Return what the phone with this tag says to the INVITE."""
    response = Response.to_request(
        line.alice.call.request,
        status,
        to_tag=tag,
        headers=[("Contact", f"<sip:{tag}@192.0.2.50>")],
        body=body,
        content_type="application/sdp" if body else None,
    )
    copy = parse_message(response.render())
    assert isinstance(copy, Response)
    return copy


def hear(line: Line, tag: str, status: int, body: bytes = b"") -> None:
    response = response_of(line, tag, status, body)
    line.alice.core.receive_message(response, line.alice.flow, line.now)
    line.settle()


def answer_body(line: Line) -> bytes:
    return line.bob.negotiation.receive_offer(line.alice.call.request.body)


def from_phone(line: Line, tag: str, method: str, cseq: int, body: bytes = b"") -> Request:
    """Return a request of the phone with this tag, in its dialog with alice."""
    invite = line.alice.call.request
    request = make_request(
        method,
        invite.contacts[0].uri,
        invite.to.with_tag(tag),
        invite.from_,
        invite.call_id,
        cseq,
        headers=[("Contact", f"<sip:{tag}@192.0.2.60>")],
        body=body,
        content_type="application/sdp" if body else None,
    )
    request.headers.add_first("Via", f"SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{tag}{cseq}")
    copy = parse_message(request.render())
    assert isinstance(copy, Request)
    return copy


def status_for(line: Line, tag: str, method: str, cseq: int, body: bytes = b"") -> int:
    request = from_phone(line, tag, method, cseq, body)
    line.alice.core.receive_message(request, line.alice.flow, line.now)
    line.settle()
    answer = line.messages[-1]
    assert isinstance(answer, Response)
    return answer.status


def sent_since(line: Line, count: int) -> list[tuple[str, str | None]]:
    """Return the method and To tag of each request that alice has sent since then."""
    return [
        (message.method, message.to.tag)
        for message in line.messages[count:]
        if isinstance(message, Request)
    ]


# Early dialogs


def test_each_phone_that_rings_opens_an_early_dialog() -> None:
    line = calling()
    for tag in ("b1", "b2", "b1"):
        hear(line, tag, 180)
    assert [dialog.remote_tag for dialog in line.alice.call.early_dialogs] == ["b1", "b2"]
    assert line.alice.events == [Ringing(180)] * 3
    assert line.alice.state is State.EARLY
    assert line.alice.call.dialog is None


def test_an_early_dialog_takes_requests() -> None:
    line = calling()
    hear(line, "b1", 183)
    assert status_for(line, "b1", "OPTIONS", 1) == 200
    assert status_for(line, "b1", "UPDATE", 2) == 200
    # It could not be answered before our own offer is (RFC 3311 section 5.2).
    assert status_for(line, "b1", "UPDATE", 3, b"v=0\r\n") == 491
    assert status_for(line, "b1", "INVITE", 4, b"v=0\r\n") == 491
    # The callee must not send a BYE in it (RFC 3261 section 15).
    assert status_for(line, "b1", "BYE", 5) == 481
    assert status_for(line, "b2", "UPDATE", 1) == 481
    assert line.alice.state is State.EARLY


def test_what_the_early_dialog_knows_stays_when_it_wins() -> None:
    line = calling()
    hear(line, "b1", 180)
    assert status_for(line, "b1", "UPDATE", 7) == 200
    hear(line, "b1", 200, answer_body(line))
    assert line.alice.events[-1] == Established()
    dialog = line.alice.dialog
    assert dialog.remote_cseq == 7
    # The 2xx says where the peer is now.
    assert str(dialog.remote_target) == "sip:b1@192.0.2.50"
    assert status_for(line, "b1", "OPTIONS", 7) == 500
    assert status_for(line, "b1", "OPTIONS", 8) == 200


def test_a_1xx_without_tag_or_contact_opens_none() -> None:
    line = calling()
    response = response_of(line, "b1", 180)
    response.headers.remove("Contact")
    line.alice.core.receive_message(response, line.alice.flow, line.now)
    untagged = response_of(line, "b1", 181)
    untagged.headers.set("To", (untagged.headers.get("To") or "").partition(";")[0])
    line.alice.core.receive_message(untagged, line.alice.flow, line.now)
    hear(line, "b2", 100)
    assert line.alice.call.early_dialogs == []
    assert line.alice.events == [Ringing(180), Ringing(181)]


def test_early_dialogs_are_bounded() -> None:
    line = calling()
    for number in range(3 * MAX_DIALOGS):
        hear(line, f"b{number}", 180)
    assert len(line.alice.call.early_dialogs) == MAX_DIALOGS
    assert len(line.alice.events) == 3 * MAX_DIALOGS


@pytest.mark.parametrize("status", [404, 487, 603])
def test_all_of_them_end_with_a_failure(status: int) -> None:
    line = calling()
    for tag in ("b1", "b2"):
        hear(line, tag, 180)
    hear(line, "b2", status)
    assert [ended.status for ended in line.alice.endings] == [status]
    for tag in ("b1", "b2"):
        assert status_for(line, tag, "OPTIONS", 1) == 481


# Several 2xx


def test_the_first_200_wins_and_the_other_phones_are_hung_up() -> None:
    line = calling()
    body = answer_body(line)
    for tag in ("b1", "b2", "b3"):
        hear(line, tag, 180)
    hear(line, "b2", 200, body)
    assert line.alice.dialog.remote_tag == "b2"
    assert line.alice.call.early_dialogs == []
    assert status_for(line, "b1", "UPDATE", 1) == 481
    assert status_for(line, "b2", "UPDATE", 1) == 200
    before = len(line.messages)
    hear(line, "b1", 200, body)
    hear(line, "b3", 200, body)
    assert sent_since(line, before) == [("ACK", "b1"), ("BYE", "b1"), ("ACK", "b3"), ("BYE", "b3")]
    assert line.alice.state is State.CONFIRMED
    assert line.alice.events.count(Established()) == 1


def test_a_repeated_200_of_each_gets_its_own_ack_again_and_no_second_bye() -> None:
    line = calling()
    body = answer_body(line)
    hear(line, "b1", 200, body)
    hear(line, "b2", 200, body)
    before = len(line.messages)
    for tag in ("b1", "b2", "b1", "b2"):
        hear(line, tag, 200, body)
    assert sent_since(line, before) == [("ACK", tag) for tag in ("b1", "b2", "b1", "b2")]
    acks = {message.render() for message in line.messages if message.cseq.method == "ACK"}
    assert len(acks) == 2


def test_the_bye_of_a_fork_is_repeated_and_ends() -> None:
    line = calling()
    body = answer_body(line)
    hear(line, "b1", 200, body)
    hear(line, "b2", 200, body)
    line.advance(100.0)
    assert line.labels.count("alice BYE") > 5
    assert line.alice.state is State.CONFIRMED
    assert line.alice.endings == []
    # Nothing of it is left.
    assert line.alice.core.next_deadline() is None


def test_the_answer_to_the_bye_of_a_fork_does_not_end_the_call() -> None:
    line = calling()
    body = answer_body(line)
    hear(line, "b1", 200, body)
    hear(line, "b2", 200, body)
    bye = next(m for m in reversed(line.messages) if isinstance(m, Request) and m.method == "BYE")
    line.alice.call.hang_up(line.now, "enough")
    line.settle()
    answer = parse_message(Response.to_request(bye, 200).render())
    line.alice.core.receive_message(answer, line.alice.flow, line.now)
    line.settle()
    assert line.alice.state is State.ENDING
    own = next(m for m in reversed(line.messages) if isinstance(m, Request) and m.method == "BYE")
    assert own.to.tag == "b1"
    answer = parse_message(Response.to_request(own, 200).render())
    line.alice.core.receive_message(answer, line.alice.flow, line.now)
    line.settle()
    assert line.alice.endings == [Ended("enough")]


def test_a_200_after_our_cancel_is_acknowledged_and_ended() -> None:
    line = calling()
    body = answer_body(line)
    hear(line, "b1", 180)
    line.alice.call.hang_up(line.now, "too late")
    line.settle()
    before = len(line.messages)
    hear(line, "b1", 200, body)
    hear(line, "b2", 200, body)
    assert sent_since(line, before) == [("ACK", "b1"), ("BYE", "b1"), ("ACK", "b2"), ("BYE", "b2")]
    assert line.alice.state is State.ENDING


def test_answers_are_bounded() -> None:
    line = calling()
    body = answer_body(line)
    for number in range(3 * MAX_DIALOGS):
        hear(line, f"b{number}", 200, body)
    assert line.labels.count("alice BYE") == MAX_DIALOGS
    assert line.alice.state is State.CONFIRMED


def test_a_call_between_two_phones_has_one_early_dialog() -> None:
    line = Line()
    line.call()
    line.bob.call.ring(line.now)
    line.settle()
    (early,) = line.alice.call.early_dialogs
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    assert line.alice.dialog is early
    assert line.bob.call.early_dialogs == []
