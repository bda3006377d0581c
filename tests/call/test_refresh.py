"""Session timers between two phones: who refreshes how, and what ends a call (RFC 4028)."""

import pytest

from sylk.call.session_timer import SessionTimerSettings
from sylk.call.usage_events import Ended, Reoffered
from sylk.call.usage_table import State
from sylk.errors import RemoteProtocolError
from sylk.payload.sdp import SessionDescription
from sylk.session.challenges import ChallengeAnswers, Credentials
from sylk.sip.message import Request, Response
from tests.call.phones import CAPABILITIES, Line, Phone
from tests.sip.user_agents import METHODS

HOUR = 3600.0
WITHOUT_UPDATE = tuple(method for method in METHODS if method != "UPDATE")


def timed_call(
    interval: int = 600, *, alice_updates: bool = True, bob_updates: bool = True
) -> Line:
    """Return a line with a call of two that know timers; alice refreshes."""
    line = Line(
        METHODS if alice_updates else WITHOUT_UPDATE, METHODS if bob_updates else WITHOUT_UPDATE
    )
    for phone in (line.alice, line.bob):
        phone.session_timer = SessionTimerSettings(interval)
    line.establish()
    return line


def bob_refreshes(interval: int = 600, *, alice_updates: bool = True) -> Line:
    """Return a line with a call of alice, who knows no timers; a proxy has asked for one."""
    line = Line(METHODS if alice_updates else WITHOUT_UPDATE)
    line.call()
    line.bob.call.request.headers.remove("Supported")
    line.bob.call.request.headers.set("Session-Expires", str(interval))
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    return line


def last_request(line: Line, phone: Phone) -> Request:
    """Return what `phone` has asked for last."""
    return next(
        message
        for label, message in zip(reversed(line.labels), reversed(line.messages), strict=True)
        if label.startswith(f"{phone.name} ")
        and isinstance(message, Request)
        and message.method != "ACK"
    )


def answer(line: Line, phone: Phone, status: int, *headers: tuple[str, str]) -> None:
    """Answer what `phone` has asked for last in place of the other one."""
    response = Response.to_request(last_request(line, phone), status, headers=headers)
    phone.core.receive_message(response, phone.flow, line.now)
    line.settle()


def test_the_caller_refreshes_by_update_for_as_long_as_the_call_stands() -> None:
    line = timed_call()
    said = line.last("bob 200 INVITE").headers
    assert said.get("Session-Expires") == "600;refresher=uac"
    assert said.get("Require") == "timer"
    sent = len(line.log)
    line.advance(10 * HOUR)
    assert set(line.since(sent)) == {"alice UPDATE", "bob 200 UPDATE"}
    assert line.times("alice UPDATE") == [300.0 * n for n in range(1, 120)]
    update = line.last("alice UPDATE")
    assert update.headers.get("Session-Expires") == "600;refresher=uac"
    assert "timer" in update.supported
    assert update.body == b""
    assert line.alice.endings == line.bob.endings == []


def test_a_peer_without_update_gets_the_same_offer_again() -> None:
    line = timed_call(bob_updates=False)
    sent = len(line.log)
    line.advance(301.0)
    assert line.since(sent) == ["alice INVITE", "bob 100 INVITE", "bob 200 INVITE", "alice ACK"]
    assert line.last("alice INVITE").body == line.alice.call.request.body
    line.advance(300.0)
    assert line.times("alice INVITE")[1:] == [300.0, 600.0]
    # Nobody has asked for a change, so nobody is told of one.
    assert not any(isinstance(event, Reoffered) for event in line.alice.events)


def test_the_same_offer_says_the_hold_once_more() -> None:
    line = timed_call(bob_updates=False)
    line.bob.call.hold(line.now)
    line.settle()
    held = line.last("alice 200 INVITE").body
    line.advance(400.0)
    assert line.last("alice INVITE").body == held
    assert line.alice.negotiation.is_held
    assert line.bob.negotiation.holds
    assert SessionDescription.parse(line.last("bob 200 INVITE").body).media[0].direction == (
        "sendonly"
    )


@pytest.mark.parametrize("updates", [True, False])
def test_the_callee_refreshes_for_a_caller_that_knows_no_timers(updates: bool) -> None:
    line = bob_refreshes(alice_updates=updates)
    said = line.last("bob 200 INVITE").headers
    assert said.get("Session-Expires") == "600;refresher=uas"
    assert said.get("Require") is None
    # Such a phone answers without a word of timers.
    line.alice.session_timer = SessionTimerSettings(0)
    line.advance(2 * HOUR)
    method = "UPDATE" if updates else "INVITE"
    assert line.times(f"bob {method}")[:3] == [300.0, 600.0, 900.0]
    assert line.bob.endings == []


def test_what_the_peer_takes_may_change_in_the_call() -> None:
    line = bob_refreshes()
    line.advance(301.0)
    assert line.labels.count("bob UPDATE") == 1
    request = line.alice.dialog.make_request(
        "UPDATE", headers=[("Contact", line.alice.contact), ("Allow", "INVITE, ACK, BYE")]
    )
    line.alice.send(request, line.now)
    line.advance(301.0)
    assert line.labels.count("bob UPDATE") == 1
    assert line.times("bob INVITE") == [601.0]


def test_what_the_peer_takes_is_told_by_its_answers_too() -> None:
    line = timed_call(600)
    line.delay = lambda label: label == "bob 200 INVITE"
    line.alice.call.hold(line.now)
    line.settle()
    response = line.last("bob 200 INVITE")
    response.headers.set("Allow", "INVITE, ACK, BYE")
    line.alice.core.receive_message(response, line.alice.flow, line.now)
    line.settle()
    line.delay = lambda label: False
    line.advance(301.0)
    assert "alice UPDATE" not in line.labels
    assert line.times("alice INVITE") == [0.0, 0.0, 300.0]


def test_too_short_an_interval_is_refused() -> None:
    line = Line()
    line.alice.session_timer = SessionTimerSettings(100)
    line.bob.session_timer = SessionTimerSettings(1800, 600)
    line.call()
    with pytest.raises(RemoteProtocolError) as caught:
        line.bob.call.accept(CAPABILITIES, line.now)
    assert caught.value.status == 422
    assert caught.value.headers == (("Min-SE", "600"),)
    # Nothing has been answered, nor offered.
    line.bob.call.reject(422, line.now, headers=caught.value.headers)
    line.settle()
    assert line.alice.endings == [Ended("Session Interval Too Small", 422)]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Supported", "timer"), ("Session-Expires", "80")], 422),
        ([("Session-Expires", "soon")], 400),
        ([("Min-SE", "-1")], 400),
        ([("Supported", 'timer, "'), ("Session-Expires", "80")], 400),
        ([("Require", "timer"), ("Session-Expires", "180")], 200),
        ([("Session-Expires", "80")], 200),
    ],
)
def test_what_a_request_in_the_call_may_say(
    method: str, headers: list[tuple[str, str]], status: int
) -> None:
    line = timed_call()
    request = line.alice.dialog.make_request(
        method,
        headers=[("Contact", line.alice.contact), *headers],
        body=line.alice.call.request.body,
        content_type="application/sdp",
    )
    if not any(name == "Supported" for name, _ in headers):
        request.headers.add("Supported", "none")
    line.alice.send(request, line.now)
    line.settle()
    response = line.last(f"bob {status} {method}")
    assert (response.headers.get("Min-SE") == "90") == (status == 422)
    assert ("Session-Expires" in response.headers) == (status == 200)
    assert line.bob.state is State.CONFIRMED


# The end


def test_who_only_waits_ends_the_call_before_the_interval_is_over() -> None:
    line = timed_call(600)
    line.lose = lambda label: label.startswith("alice")
    line.advance(567.9)
    assert line.bob.state is State.CONFIRMED
    assert line.bob.call.ending is None
    line.advance(0.2)
    # Nobody has to wait for the answer to the BYE to know.
    assert line.bob.call.ending == ("the session was not refreshed in time", 408)
    line.advance(100.0)
    assert line.bob.call.ending is None
    assert line.times("bob BYE")[0] == 568.0
    assert line.bob.endings == [Ended("the session was not refreshed in time", 408)]
    assert "cause=408" in (line.last("bob BYE").headers.get("Reason") or "")


def test_a_refresh_without_an_answer_ends_the_call() -> None:
    line = timed_call(600)
    line.lose = lambda label: label.startswith("bob 200")
    line.advance(331.0)
    assert line.alice.state is State.CONFIRMED
    line.advance(2.0)
    assert line.times("alice BYE")[0] == 332.0
    assert line.last("alice BYE").headers.get("Reason") is not None


@pytest.mark.parametrize("status", [408, 481])
def test_a_refresh_that_nobody_knows_ends_the_call(status: int) -> None:
    line = timed_call(600)
    line.lose = lambda label: label == "alice UPDATE"
    line.advance(300.5)
    answer(line, line.alice, status)
    assert line.labels[-2:] == ["alice BYE", "bob 200 BYE"]


def test_any_other_failure_keeps_the_call_until_the_interval_is_over() -> None:
    line = timed_call(600)
    line.lose = lambda label: True
    line.advance(300.0)
    line.alice.handle_deadline(300.0)
    for following in (450.0, 525.0, 562.5):
        line.settle()
        answer(line, line.alice, 500)
        line.now = following
        line.alice.handle_deadline(following)
        line.settle()
        assert line.times("alice UPDATE")[-1] == following
    answer(line, line.alice, 503)
    line.now = 599.9
    line.alice.handle_deadline(line.now)
    assert line.alice.state is State.CONFIRMED
    line.now = 600.0
    line.alice.handle_deadline(line.now)
    assert line.alice.state is State.ENDING


def test_a_refresh_that_finds_no_way_is_tried_later() -> None:
    line = timed_call(600)
    line.lose = lambda label: label == "alice UPDATE"
    line.advance(300.2)
    line.alice.core.transport_failed(line.alice.flow, line.now)
    line.settle()
    assert line.alice.state is State.CONFIRMED
    assert line.times("alice UPDATE") == [300.0]
    line.lose = lambda label: False
    line.advance(150.0)
    assert line.times("alice UPDATE") == [300.0, 450.1]


def test_a_422_to_a_refresh_raises_the_interval() -> None:
    line = timed_call(600)
    line.lose = lambda label: label == "alice UPDATE"
    line.advance(300.5)
    line.lose = lambda label: False
    answer(line, line.alice, 422, ("Min-SE", "900"))
    update = line.last("alice UPDATE")
    assert update.headers.get("Session-Expires") == "900;refresher=uac"
    assert update.headers.get("Min-SE") == "900"
    # Bob wants 600, but not less than a proxy allows.
    assert line.last("bob 200 UPDATE").headers.get("Session-Expires") == "900;refresher=uac"
    sent = len(line.log)
    line.advance(449.0)
    assert line.since(sent) == []
    line.advance(2.0)
    assert line.since(sent) == ["alice UPDATE", "bob 200 UPDATE"]


@pytest.mark.parametrize("status", [405, 501])
def test_a_peer_that_takes_no_update_after_all_gets_a_reinvite(status: int) -> None:
    line = timed_call(600)
    line.lose = lambda label: label == "alice UPDATE"
    line.advance(300.5)
    line.lose = lambda label: False
    answer(line, line.alice, status)
    assert line.labels[-1] == "alice ACK"
    line.advance(301.0)
    assert line.labels.count("alice UPDATE") == 1
    assert line.labels.count("alice INVITE") == 3


CHALLENGE = 'Digest realm="x", nonce="{}", stale=true, qop="auth"'


def answers() -> ChallengeAnswers:
    return ChallengeAnswers(Credentials("alice", "secret"), "x", lambda: "cnonce")


@pytest.mark.parametrize(
    ("status", "asked", "answered"),
    [
        (401, "WWW-Authenticate", "Authorization"),
        (407, "Proxy-Authenticate", "Proxy-Authorization"),
    ],
)
@pytest.mark.parametrize("updates", [True, False])
def test_each_refresh_may_be_asked_for_a_password(
    status: int, asked: str, answered: str, updates: bool
) -> None:
    line = timed_call(600, bob_updates=updates)
    line.alice.call.make_answers = answers
    method = "UPDATE" if updates else "INVITE"
    for number in range(1, 4):
        line.lose = lambda label: label == f"alice {method}"
        line.advance(300.4)
        line.lose = lambda label: False
        assert answered not in line.last(f"alice {method}").headers
        answer(line, line.alice, status, (asked, CHALLENGE.format(number)))
        said = line.last(f"alice {method}").headers.get(answered) or ""
        assert f'nonce="{number}"' in said
        assert f'uri="{line.bob.contact.strip("<>")}"' in said
        assert line.alice.state is State.CONFIRMED
        if method == "INVITE":
            # RFC 3261 section 13.2.2.4.
            assert line.last("alice ACK").headers.get(answered) == said


def test_whoever_asks_again_for_the_password_is_refused_as_any_failure() -> None:
    line = timed_call(600)
    line.alice.call.make_answers = answers
    line.lose = lambda label: label == "alice UPDATE"
    line.advance(300.2)
    for nonce in range(3):
        answer(line, line.alice, 401, ("WWW-Authenticate", CHALLENGE.format(nonce)))
    # The password once, and once more for a nonce that was old.
    assert len(line.times("alice UPDATE")) == 3
    assert line.alice.state is State.CONFIRMED


def test_a_challenge_without_a_password_is_a_failure() -> None:
    line = timed_call(600)
    line.lose = lambda label: label == "alice UPDATE"
    line.advance(300.2)
    answer(line, line.alice, 401, ("WWW-Authenticate", CHALLENGE.format(1)))
    assert len(line.times("alice UPDATE")) == 1
    assert line.alice.state is State.CONFIRMED


def test_a_bye_may_be_asked_for_a_password() -> None:
    line = timed_call(600)
    line.alice.call.make_answers = answers
    line.lose = lambda label: label == "alice BYE"
    line.alice.call.hang_up(line.now, "enough", 480)
    line.settle()
    first = line.last("alice BYE")
    line.lose = lambda label: False
    answer(line, line.alice, 407, ("Proxy-Authenticate", CHALLENGE.format(1)))
    second = line.last("alice BYE")
    assert second.cseq.number == first.cseq.number + 1
    assert second.headers.get("Reason") == first.headers.get("Reason")
    assert 'nonce="1"' in (second.headers.get("Proxy-Authorization") or "")
    assert line.alice.endings == [Ended("enough", 480)]
    assert line.bob.state is State.TERMINATED


@pytest.mark.parametrize("has_password", [True, False])
def test_a_bye_whose_challenge_cannot_be_met_ends_the_call_all_the_same(has_password: bool) -> None:
    line = timed_call(600)
    if has_password:
        line.alice.call.make_answers = answers
    line.lose = lambda label: label == "alice BYE"
    line.alice.call.hang_up(line.now)
    line.settle()
    for nonce in range(3):
        if line.alice.state is State.ENDING:
            answer(line, line.alice, 401, ("WWW-Authenticate", CHALLENGE.format(nonce)))
    assert line.alice.state is State.TERMINATED
    assert len(line.times("alice BYE")) == (3 if has_password else 1)


def test_a_refresh_that_meets_glare_comes_later() -> None:
    line = timed_call(600)
    line.lose = lambda label: label == "alice UPDATE"
    line.advance(300.2)
    line.lose = lambda label: False
    answer(line, line.alice, 491)
    line.advance(10.0)
    first, second = line.times("alice UPDATE")
    assert 2.1 <= second - first <= 4.3
    assert line.alice.state is State.CONFIRMED


def test_a_change_of_the_peer_takes_the_place_of_a_refresh_that_waits() -> None:
    line = timed_call(600)
    line.lose = lambda label: label == "alice UPDATE"
    line.advance(300.2)
    line.lose = lambda label: False
    answer(line, line.alice, 491)
    line.bob.call.hold(line.now)
    line.advance(100.0)
    assert line.labels.count("alice UPDATE") == 1
    # Who refreshes stays the same, and the time runs from the change.
    line.advance(201.0)
    assert line.labels.count("alice UPDATE") == 2


def test_a_hold_is_a_refresh_too() -> None:
    line = timed_call(600)
    line.advance(200.0)
    line.alice.call.hold(line.now)
    line.advance(200.0)
    assert "alice UPDATE" not in line.labels
    line.advance(101.0)
    assert line.times("alice UPDATE") == [500.0]


def test_the_timer_ends_with_the_call() -> None:
    line = timed_call(600)
    line.alice.call.hang_up(line.now)
    line.advance(HOUR)
    assert "alice UPDATE" not in line.labels
    for phone in (line.alice, line.bob):
        assert phone.call.next_deadline() is None


@pytest.mark.parametrize("updates", [True, False])
def test_a_line_that_loses_every_third_message_does_not_end_the_call(updates: bool) -> None:
    line = Line(METHODS, METHODS if updates else WITHOUT_UPDATE)
    for phone in (line.alice, line.bob):
        phone.session_timer = SessionTimerSettings(100)
    count = 0

    def lose(_label: str) -> bool:
        nonlocal count
        count += 1
        return count % 3 == 0

    line.lose = lose
    line.alice.make_call("sip:bob@192.0.2.2", line.now)
    line.advance(5.0)
    line.bob.take_call().accept(CAPABILITIES, line.now)
    line.advance(10.0)
    for verb in ("hold", "resume") * 5:
        for phone in (line.alice, line.bob):
            getattr(phone.call, verb)(line.now)
        line.advance(300.0)
        for phone in (line.alice, line.bob):
            assert phone.endings == []
            assert phone.negotiation.holds is (verb == "hold")
            assert phone.negotiation.is_held is (verb == "hold")
