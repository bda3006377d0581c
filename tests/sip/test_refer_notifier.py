"""Tests of sylk.sip.refer_notifier: what the referrer is told, and what it costs on the line."""

import pytest

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.sipfrag import StatusFragment
from sylk.sip.message import Response
from sylk.sip.refer_notifier import ReferNotifier
from sylk.sip.subscriber import SubscriberUsage
from sylk.sip.subscription_events import SubscriptionEnded
from sylk.sip.subscription_table import NotifierState
from tests.sip.watchers import Line

TARGET = ("Refer-To", "<sip:carol@192.0.2.3>;method=INVITE")


def referred(*headers: tuple[str, str]) -> tuple[Line, ReferNotifier]:
    """Let alice refer bob; return the line and bob's side, not accepted yet."""
    line = Line()
    request = line.alice.make_request("REFER", *(headers or [TARGET]))
    line.alice.subscriber = SubscriberUsage(line.alice.core, request, line.now)
    line.settle()
    notifier = ReferNotifier(line.bob.core, line.bob.requests[-1], line.bob.contact)
    line.bob.notifier = notifier.usage
    return line, notifier


def statuses(line: Line) -> list[tuple[str, int]]:
    """Return what alice was told."""
    return [(state, StatusFragment.parse(body).status) for state, body in line.alice.told]


def test_an_invitation_that_succeeds() -> None:
    line, notifier = referred()
    assert (notifier.refer.method, str(notifier.refer.target)) == ("INVITE", "sip:carol@192.0.2.3")
    notifier.accept(line.now)
    line.settle()
    answer = line.last("bob 202 REFER")
    assert "Expires" not in answer.headers
    first = line.last("bob NOTIFY")
    assert first.body == b"SIP/2.0 100 Trying\r\n"
    assert first.content_type == "message/sipfrag;version=2.0"
    assert first.headers.get("Event") == "refer"
    assert first.headers.get("Subscription-State") == "active;expires=180"
    line.advance(1)
    notifier.progress(180, "Ringing", line.now)
    line.advance(1)
    # The same again is not told again.
    notifier.progress(180, "Ringing", line.now)
    line.advance(1)
    notifier.progress(200, "OK", line.now)
    line.settle()
    assert statuses(line) == [("active", 100), ("active", 180), ("terminated", 200)]
    assert line.notifies()[-1] == ("terminated;reason=noresource", b"SIP/2.0 200 OK\r\n")
    assert line.alice.endings == [SubscriptionEnded("noresource")]
    assert line.bob.endings == [SubscriptionEnded("noresource")]
    # What comes late is not told.
    notifier.progress(500, "Late", line.now)
    notifier.progress(183, "Late", line.now)
    line.advance(1)
    assert len(line.notifies()) == 3


def test_an_outcome_that_is_known_at_once() -> None:
    line, notifier = referred()
    notifier.accept(line.now)
    notifier.progress(180, "Ringing", line.now)
    notifier.progress(486, "Busy\r\nHere", line.now)
    line.advance(1)
    assert statuses(line) == [("active", 100), ("terminated", 486)]
    assert notifier.usage.state is NotifierState.ENDED


def test_a_referrer_who_does_not_want_to_hear_of_it() -> None:
    line, notifier = referred(TARGET, ("Refer-Sub", "false"))
    notifier.accept(line.now)
    line.settle()
    assert line.last("bob 202 REFER").headers.get("Refer-Sub") == "false"
    for status in (180, 200):
        notifier.progress(status, "x", line.now)
    line.advance(40)
    assert line.notifies() == []
    assert len(line.alice.endings) == len(line.bob.endings) == 1
    assert notifier.usage.dialog is None


def test_a_referral_that_takes_too_long() -> None:
    line, notifier = referred()
    notifier.accept(line.now)
    line.lose = lambda label: label == "alice SUBSCRIBE"
    line.advance(181)
    assert line.notifies()[-1][0] == "terminated;reason=timeout"
    assert notifier.usage.state is NotifierState.ENDED
    notifier.progress(200, "OK", line.now)


def test_a_referrer_who_asks_again_hears_longer() -> None:
    line, notifier = referred()
    notifier.accept(line.now)
    line.advance(300)
    notifier.progress(200, "OK", line.now)
    line.advance(1)
    assert statuses(line)[-1] == ("terminated", 200)
    assert line.last("alice SUBSCRIBE").headers.get("Event") == "refer"


def test_a_refusal() -> None:
    line, notifier = referred()
    notifier.reject(403, line.now)
    line.settle()
    assert line.alice.endings == [SubscriptionEnded("Forbidden", 403)]
    assert line.notifies() == []


@pytest.mark.parametrize("status", [99, 0, 700])
def test_what_is_no_status_cannot_be_told(status: int) -> None:
    line, notifier = referred()
    notifier.accept(line.now)
    with pytest.raises(LocalProtocolError):
        notifier.progress(status, "x", line.now)


def test_nothing_is_told_before_it_is_accepted() -> None:
    line, notifier = referred()
    with pytest.raises(LocalProtocolError):
        notifier.progress(180, "Ringing", line.now)
    with pytest.raises(LocalProtocolError):
        notifier.progress(200, "OK", line.now)
    notifier.accept(line.now)
    notifier.progress(180, "Ringing", line.now)
    line.advance(1)
    assert statuses(line) == [("active", 100), ("active", 180)]


@pytest.mark.parametrize("headers", [[("Subject", "no target")], [("Refer-To", "nobody")]])
def test_what_cannot_be_read_leaves_nothing(headers: list[tuple[str, str]]) -> None:
    line = Line()
    line.alice.send(line.alice.make_request("REFER", *headers), line.now)
    line.settle()
    incoming = line.bob.requests[-1]
    with pytest.raises(RemoteProtocolError) as caught:
        ReferNotifier(line.bob.core, incoming, line.bob.contact)
    refusal = Response.to_request(incoming.request, caught.value.status)
    line.bob.core.respond(incoming.transaction, refusal, line.now)
    line.settle()
    assert "bob 400 REFER" in line.labels
