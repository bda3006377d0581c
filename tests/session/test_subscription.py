"""Subscriptions and referrals as an application holds them: what it may say, and how it ends."""

import pytest
import trio
from trio.testing import MockClock

from sylk.errors import LocalProtocolError, SessionEnded
from sylk.payload.sipfrag import StatusFragment
from sylk.session.subscription import Referral, Subscription
from sylk.sip.message import Request
from sylk.sip.subscriber import SubscriberUsage
from tests.session.desk import ClockedLine
from tests.sip.watchers import TEXT


@pytest.fixture
def clock() -> MockClock:
    """Time that stands still until a test moves it."""
    return MockClock()


def subscribed(clock: MockClock, expires: int = 600) -> tuple[ClockedLine, Subscription]:
    """Let alice ask; return the line and what an application holds before it has answered."""
    line = ClockedLine(clock)
    line.subscribe(expires)
    return line, line.desk.subscription()


def referred(clock: MockClock, *headers: tuple[str, str]) -> tuple[ClockedLine, Referral]:
    line = ClockedLine(clock)
    request = line.alice.make_request(
        "REFER", ("Refer-To", "<sip:carol@192.0.2.3>;method=BYE"), *headers
    )
    line.alice.subscriber = SubscriberUsage(line.alice.core, request, line.now)
    line.settle()
    return line, line.desk.referral()


async def test_a_subscription_from_its_beginning_to_its_end(clock: MockClock) -> None:
    line, subscription = subscribed(clock)
    assert subscription.event == "conference"
    assert subscription.subscriber.uri == "sip:alice@192.0.2.1"
    assert subscription.call_id == "subscription-of-alice"
    ends: list[str] = []
    subscription.on_end = lambda: ends.append(subscription.reason)
    subscription.accept(b"first", TEXT)
    line.settle()
    assert line.alice.told == [("active", b"first")]
    line.advance(1)
    subscription.notify(b"second", TEXT)
    line.settle()
    assert line.alice.told[1:] == [("active", b"second")]
    assert not subscription.is_over
    subscription.end()
    # For its user it is over at once, for the endpoint with the answer to the last NOTIFY.
    assert (subscription.is_over, subscription.reason, ends) == (True, "noresource", ["noresource"])
    assert line.desk.forgotten == []
    assert await subscription.wait_ended() == "noresource"
    line.settle()
    assert line.alice.endings[0].reason == "noresource"
    assert line.desk.forgotten == [subscription]
    assert subscription.dialog is None
    # Whoever does not know that it is over may go on.
    subscription.notify(b"third", TEXT)
    subscription.end("rejected")
    line.advance(1)
    assert len(line.alice.told) == 2
    assert ends == ["noresource"]
    assert (line.desk.by_dialog, line.desk.by_request, line.desk.alarms) == ({}, {}, {})


async def test_waiting_for_a_subscriber_who_leaves(clock: MockClock) -> None:
    line, subscription = subscribed(clock)
    subscription.accept(b"first", TEXT)
    line.settle()
    reasons: list[str] = []

    async def wait() -> None:
        reasons.append(await subscription.wait_ended())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert reasons == []
        assert line.alice.subscriber is not None
        line.alice.subscriber.unsubscribe(line.now)
        line.settle()
    assert reasons == ["unsubscribed"]
    assert line.desk.forgotten == [subscription]


async def test_a_state_may_be_told_later_and_what_waits_for_the_peer_shows_when(
    clock: MockClock,
) -> None:
    line, subscription = subscribed(clock)
    line.desk.waiting = 1000
    assert subscription.backlog == 1000
    subscription.accept(b"first", TEXT, later=True)
    line.settle()
    assert line.alice.told == []
    subscription.notify(b"second", TEXT, b"a difference from what was never told")
    line.settle()
    assert [body for _, body in line.alice.told] == [b"second"]


async def test_who_asks_once_is_told_at_once(clock: MockClock) -> None:
    line, subscription = subscribed(clock, 0)
    subscription.accept(b"first", TEXT, later=True)
    line.settle()
    assert [body for _, body in line.alice.told] == [b"first"]


async def test_states_that_follow_fast_are_told_when_the_alarm_rings(clock: MockClock) -> None:
    line, subscription = subscribed(clock)
    subscription.accept(b"0", TEXT)
    line.settle()
    for number in range(1, 50):
        subscription.notify(b"%d" % number, TEXT)
        line.settle()
    assert [body for _, body in line.alice.told] == [b"0"]
    line.advance(0.3)
    assert [body for _, body in line.alice.told] == [b"0", b"49"]


async def test_a_refresh_is_told_to_the_application(clock: MockClock) -> None:
    line, subscription = subscribed(clock)
    subscription.accept(b"first", TEXT)
    refreshes: list[float] = []

    def refreshed() -> None:
        refreshes.append(line.now)
        subscription.notify(b"fresh", TEXT)

    subscription.on_refresh = refreshed
    line.advance(460)
    assert refreshes == [pytest.approx(450)]
    assert [body for _, body in line.alice.told] == [b"first", b"first", b"fresh"]


async def test_a_refresh_that_nobody_cares_for(clock: MockClock) -> None:
    line, subscription = subscribed(clock)
    subscription.accept(b"first", TEXT)
    line.advance(460)
    assert [body for _, body in line.alice.told] == [b"first", b"first"]


async def test_a_subscription_that_waits_for_approval(clock: MockClock) -> None:
    line, subscription = subscribed(clock)
    subscription.accept(pending=True)
    subscription.notify(b"secret", TEXT)
    line.advance(1)
    assert line.alice.told == [("pending", b"")]
    subscription.approve()
    line.settle()
    assert line.alice.told[1:] == [("active", b"secret")]


async def test_the_end_with_a_last_word(clock: MockClock) -> None:
    line, subscription = subscribed(clock)
    subscription.accept(b"first", TEXT)
    line.settle()
    subscription.end("probation", b"last", retry_after=7)
    line.settle()
    assert line.alice.told[-1] == ("terminated", b"last")
    assert line.alice.endings[0].resubscribe_after == 7


async def test_a_time_too_short_is_refused_for_the_application(clock: MockClock) -> None:
    line, subscription = subscribed(clock, expires=5)
    with pytest.raises(SessionEnded) as caught:
        subscription.accept(b"first", TEXT)
    assert caught.value.status == 423
    assert subscription.is_over
    assert subscription.status == 423
    line.settle()
    assert line.last("alice SUBSCRIBE").expires == 60


async def test_a_refusal(clock: MockClock) -> None:
    line, subscription = subscribed(clock)
    subscription.reject(403)
    subscription.reject(403)
    line.settle()
    assert [ending.status for ending in line.alice.endings] == [403]
    with pytest.raises(SessionEnded) as caught:
        subscription.accept()
    assert caught.value.status == 403


async def test_what_has_been_accepted_cannot_be_refused(clock: MockClock) -> None:
    _, subscription = subscribed(clock)
    subscription.accept()
    with pytest.raises(LocalProtocolError):
        subscription.reject(403)
    with pytest.raises(LocalProtocolError):
        subscription.accept()


async def test_a_subscriber_who_cannot_be_reached(clock: MockClock) -> None:
    line, subscription = subscribed(clock)
    line.lose = lambda label: label == "bob NOTIFY"
    subscription.accept(b"first", TEXT)
    line.advance(33)
    assert (subscription.reason, subscription.status) == ("NOTIFY was not answered", 408)
    assert line.desk.forgotten == [subscription]


async def test_many_subscriptions_are_told_apart(clock: MockClock) -> None:
    line = ClockedLine(clock)
    line.alice.refusal = (481, ())
    subscriptions: list[Subscription] = []
    for number in range(20):
        request = line.alice.make_request("SUBSCRIBE", ("Event", "conference"), ("Expires", "600"))
        request.headers.set("Call-ID", f"call-{number}")
        line.alice.send(request, line.now)
        line.settle()
        subscriptions.append(line.desk.subscription())
        subscriptions[-1].accept(b"%d" % number, TEXT)
        line.settle()
    for notify in line.all("bob NOTIFY"):
        assert isinstance(notify, Request)
        assert notify.call_id == f"call-{notify.body.decode()}"
    # Each NOTIFY got 481, so all are gone.
    assert set(line.desk.forgotten) == set(subscriptions)


# Referrals


async def test_a_referral_from_its_beginning_to_its_end(clock: MockClock) -> None:
    line, referral = referred(clock, ("Referred-By", "<sip:alice@example.com>"))
    assert (str(referral.target), referral.method) == ("sip:carol@192.0.2.3", "BYE")
    assert referral.referrer.uri == "sip:alice@192.0.2.1"
    assert str(referral.referred_by) == "<sip:alice@example.com>"
    assert referral.refer.wants_subscription
    referral.accept()
    line.advance(1)
    referral.progress(180, "Ringing")
    line.advance(1)
    with pytest.raises(LocalProtocolError):
        referral.finish(183, "Not yet")
    referral.finish(200, "OK")
    assert referral.is_over
    line.settle()
    told = [StatusFragment.parse(body).status for _, body in line.alice.told]
    assert told == [100, 180, 200]
    assert line.alice.endings[0].reason == "noresource"
    assert line.desk.forgotten == [referral]
    referral.finish(500, "Late")


async def test_a_referrer_who_leaves_does_not_stop_it(clock: MockClock) -> None:
    line, referral = referred(clock)
    referral.accept()
    line.settle()
    assert line.alice.subscriber is not None
    line.alice.subscriber.unsubscribe(line.now)
    line.settle()
    assert await referral.wait_ended() == "unsubscribed"
    referral.progress(180, "Ringing")
    referral.finish(200, "OK")
    line.advance(40)
    assert [StatusFragment.parse(body).status for _, body in line.alice.told] == [100]


async def test_a_referrer_who_does_not_want_to_hear_of_it(clock: MockClock) -> None:
    line, referral = referred(clock, ("Refer-Sub", "false"))
    referral.accept()
    assert line.desk.forgotten == [referral]
    referral.finish(200, "OK")
    line.advance(40)
    assert line.notifies() == []


async def test_a_referral_that_is_refused(clock: MockClock) -> None:
    line, referral = referred(clock)
    referral.reject(403)
    line.settle()
    assert [ending.status for ending in line.alice.endings] == [403]
    with pytest.raises(SessionEnded):
        referral.accept()
