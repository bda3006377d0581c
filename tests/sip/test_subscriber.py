"""Tests of sylk.sip.subscriber: what it asks, believes and gives up."""

import pytest

from sylk.errors import LocalProtocolError
from sylk.sip.message import Request, Response
from sylk.sip.subscriber import Forked, SubscriberUsage
from sylk.sip.subscription_events import Notified, Subscribed, SubscriptionEnded
from sylk.sip.subscription_limits import SubscriptionLimits
from sylk.sip.subscription_table import SubscriberState
from sylk.sip.via import Via
from tests.sip.watchers import TEXT, Line

EVENT = ("Event", "conference")
STATE = ("Subscription-State", "active;expires=600")


def answer(line: Line, status: int, *headers: tuple[str, str], tag: str = "bob") -> Response:
    """Let bob's core answer alice's last request without a usage."""
    incoming = line.bob.requests[-1]
    response = Response.to_request(
        incoming.request,
        status,
        to_tag=tag,
        headers=[*([("Contact", line.bob.contact)] if status < 300 else []), *headers],
    )
    line.bob.core.respond(incoming.transaction, response, line.now)
    line.settle()
    return response


def notify(
    line: Line,
    *headers: tuple[str, str],
    tag: str = "bob",
    number: int = 1,
    body: bytes = b"",
    contact: bool = True,
    method: str = "NOTIFY",
) -> int:
    """Let a notifier with this tag send a request; return the status that it gets."""
    subscriber = line.alice.subscriber
    assert subscriber is not None
    asked = subscriber.request
    request = Request(method, asked.uri)
    request.headers.add("From", f"<sip:room@192.0.2.2>;tag={tag}")
    request.headers.add("To", asked.headers.get("From") or "")
    request.headers.add("Call-ID", asked.call_id)
    request.headers.add("CSeq", f"{number} {method}")
    request.headers.add("Max-Forwards", "70")
    for name, value in headers:
        request.headers.add(name, value)
    if contact:
        request.headers.add("Contact", f"<sip:{tag}@192.0.2.2>")
    if body:
        request.headers.add("Content-Type", TEXT)
        request.body = body
    branch: dict[str, str | None] = {"branch": f"z9hG4bK{tag}{number}{method}", "rport": None}
    request.push_via(Via("UDP", "192.0.2.2", 5060, branch))
    line.alice.core.receive_message(request, line.alice.flow, line.now)
    line.alice.take_in(line.now)
    line.settle()
    answered = line.messages[-1]
    for message in line.messages[::-1]:
        if isinstance(message, Response) and message.top_via.branch == branch["branch"]:
            answered = message
            break
    assert isinstance(answered, Response)
    return answered.status


def state_of(line: Line) -> SubscriberState:
    assert line.alice.subscriber is not None
    return line.alice.subscriber.state


# Beginning


def test_a_subscription_that_is_accepted() -> None:
    line = Line()
    subscriber, _ = line.stand()
    assert subscriber.state is SubscriberState.ACTIVE
    assert line.alice.events == [Subscribed(600), Notified(b"first", TEXT, "active")]
    asked = line.last("alice SUBSCRIBE")
    assert (asked.headers.get("Event"), asked.expires) == ("conference", 600)


@pytest.mark.parametrize(
    ("status", "headers", "again"),
    [(403, [], None), (489, [], None), (480, [("Retry-After", "60")], 60), (302, [], None)],
)
def test_a_subscription_that_is_refused(
    status: int, headers: list[tuple[str, str]], again: int | None
) -> None:
    line = Line()
    subscriber = line.subscribe()
    reason = answer(line, status, *headers).reason
    assert subscriber.state is SubscriberState.ENDED
    assert line.alice.events == [SubscriptionEnded(reason, status, again)]
    assert subscriber.next_deadline() is None


def test_nobody_answers() -> None:
    line = Line()
    line.lose = lambda label: True
    subscriber = line.subscribe()
    line.advance(40)
    assert subscriber.state is SubscriberState.ENDED
    assert len(line.alice.endings) == 1
    assert subscriber.next_deadline() is None


def test_it_is_accepted_but_nothing_is_told() -> None:
    line = Line()
    subscriber = line.subscribe()
    answer(line, 200, ("Expires", "600"))
    assert subscriber.state is SubscriberState.ACCEPTED
    line.advance(31)
    assert line.alice.endings == []
    line.advance(2)
    assert line.alice.endings == [SubscriptionEnded("no NOTIFY came", None, 0)]
    assert notify(line, EVENT, STATE) == 481


def test_a_longer_time_is_asked_for_when_the_notifier_wants_that() -> None:
    line = Line()
    line.subscribe(30)
    answer(line, 423, ("Min-Expires", "90"))
    first, second = line.all("alice SUBSCRIBE")
    assert second.expires == 90
    assert second.cseq.number == first.cseq.number + 1
    assert (second.call_id, second.from_.tag) == (first.call_id, first.from_.tag)
    assert len(second.vias) == 1
    notifier = line.take()
    notifier.accept(line.now, b"x", TEXT)
    line.settle()
    assert state_of(line) is SubscriberState.ACTIVE
    assert line.alice.told == [("active", b"x")]


@pytest.mark.parametrize("longest", [None, "30", "10", "86401", "-1", "many"])
def test_a_min_expires_that_makes_no_sense_is_a_refusal(longest: str | None) -> None:
    line = Line()
    line.subscribe(30)
    answer(line, 423, *([] if longest is None else [("Min-Expires", longest)]))
    assert [ending.status for ending in line.alice.endings] == [423]


def test_a_notifier_that_wants_ever_more_is_given_up() -> None:
    line = Line()
    line.subscribe(30)
    for longest in ("60", "120", "240", "480"):
        if state_of(line) is not SubscriberState.ENDED:
            answer(line, 423, ("Min-Expires", longest))
    assert len(line.all("alice SUBSCRIBE")) == 3
    assert [ending.status for ending in line.alice.endings] == [423]


def test_what_cannot_begin_a_subscription() -> None:
    line = Line()
    good = line.alice.make_request("SUBSCRIBE", EVENT)
    no_contact, in_dialog, no_tag = (
        Request(good.method, good.uri, good.headers.copy()) for _ in range(3)
    )
    no_contact.headers.remove("Contact")
    in_dialog.headers.set("To", f"{in_dialog.headers.get('To')};tag=there")
    no_tag.headers.set("From", "<sip:alice@192.0.2.1>")
    for bad in (no_contact, in_dialog, no_tag):
        with pytest.raises(LocalProtocolError):
            SubscriberUsage(line.alice.core, bad, 0.0)


# NOTIFY


def test_a_notify_that_overtakes_the_answer_opens_the_dialog() -> None:
    line = Line()
    line.subscribe()
    line.delay = lambda label: label == "bob 200 SUBSCRIBE"
    notifier = line.take()
    notifier.accept(line.now, b"first", TEXT)
    line.settle()
    assert state_of(line) is SubscriberState.ACTIVE
    assert line.alice.told == [("active", b"first")]
    line.delay = lambda label: False
    line.release()
    line.advance(1)
    notifier.change(b"second", TEXT, line.now)
    line.advance(1)
    assert line.alice.told[1:] == [("active", b"second")]
    assert line.alice.events.count(Subscribed(600)) == 1
    # Both agree about the dialog: a refresh is in order.
    line.advance(500)
    assert len(line.all("bob 200 SUBSCRIBE")) == 2
    assert line.alice.endings == []


def test_the_notify_says_the_way() -> None:
    line = Line()
    line.subscribe()
    route = ("Record-Route", "<sip:192.0.2.2;lr>")
    line.delay = lambda label: True
    assert notify(line, EVENT, STATE, route) == 200
    assert [str(route.uri) for route in line.alice.dialog.route_set] == ["sip:192.0.2.2;lr"]
    assert line.alice.dialog.next_hop.host == "192.0.2.2"
    assert line.alice.dialog.local_cseq == 7


def test_the_first_notify_says_the_way_also_after_the_answer() -> None:
    line = Line()
    line.subscribe()
    answer(line, 200, ("Record-Route", "<sip:192.0.2.8;lr>"))
    assert line.alice.dialog.next_hop.host == "192.0.2.8"
    notify(line, EVENT, STATE, ("Record-Route", "<sip:192.0.2.7;lr>"))
    assert line.alice.dialog.next_hop.host == "192.0.2.7"
    notify(line, EVENT, STATE, ("Record-Route", "<sip:192.0.2.6;lr>"), number=2)
    assert line.alice.dialog.next_hop.host == "192.0.2.7"


def test_an_answer_without_contact_waits_for_the_notify() -> None:
    line = Line()
    subscriber = line.subscribe()
    incoming = line.bob.requests[-1]
    line.bob.core.respond(
        incoming.transaction, Response.to_request(incoming.request, 200, to_tag="bob"), line.now
    )
    line.settle()
    assert subscriber.state is SubscriberState.ASKING
    assert notify(line, EVENT, STATE) == 200
    assert subscriber.state is SubscriberState.ACTIVE


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([STATE], 489),
        ([("Event", "presence"), STATE], 489),
        ([("Event", "conference;id=3"), STATE], 481),
        ([("Event", "con ference"), STATE], 489),
        ([EVENT], 400),
        ([EVENT, ("Subscription-State", "")], 400),
        ([EVENT, ("Subscription-State", "active;expires=soon")], 400),
        ([EVENT, ("Subscription-State", "active;;")], 400),
    ],
)
@pytest.mark.parametrize("accepted", [True, False])
def test_a_bad_notify_changes_nothing(
    headers: list[tuple[str, str]], status: int, accepted: bool
) -> None:
    line = Line()
    subscriber = line.subscribe()
    if accepted:
        answer(line, 200, ("Expires", "600"))
    before = subscriber.state
    assert notify(line, *headers, body=b"x") == status
    assert subscriber.state is before
    assert line.alice.told == []
    assert notify(line, EVENT, STATE, number=2) == 200


def test_a_notify_before_the_answer_needs_a_contact() -> None:
    line = Line()
    line.subscribe()
    assert notify(line, EVENT, STATE, contact=False) == 400
    assert state_of(line) is SubscriberState.ASKING


@pytest.mark.parametrize("method", ["BYE", "SUBSCRIBE", "MESSAGE"])
def test_other_requests_are_refused(method: str) -> None:
    line = Line()
    line.stand()
    line.bob.send(line.bob.dialog.make_request(method), line.now)
    line.settle()
    assert line.messages[-1].cseq.method == method
    assert isinstance(line.messages[-1], Response)
    assert line.messages[-1].status in (403, 481)
    assert state_of(line) is SubscriberState.ACTIVE


def test_pending_then_active() -> None:
    line = Line()
    line.subscribe()
    notifier = line.take()
    notifier.accept(line.now, pending=True)
    line.settle()
    assert state_of(line) is SubscriberState.PENDING
    notifier.change(b"x", TEXT, line.now)
    notifier.approve(line.now)
    line.advance(1)
    assert state_of(line) is SubscriberState.ACTIVE
    assert line.alice.told == [("pending", b""), ("active", b"x")]


def test_a_state_that_nobody_knows_is_handed_out() -> None:
    line = Line()
    line.subscribe()
    assert notify(line, EVENT, ("Subscription-State", "Dormant;x=y"), body=b"x") == 200
    assert line.alice.told == [("dormant", b"x")]
    assert state_of(line) is SubscriberState.PENDING


# The end


@pytest.mark.parametrize(
    ("value", "reason", "again"),
    [
        ("terminated", "terminated", 0),
        ("terminated;retry-after=20", "terminated", 20),
        ("terminated;reason=deactivated;retry-after=20", "deactivated", 0),
        ("terminated;reason=timeout", "timeout", 0),
        ("terminated;reason=probation", "probation", 60),
        ("terminated;reason=probation;retry-after=5", "probation", 5),
        ("terminated;reason=giveup;retry-after=5", "giveup", 5),
        ("terminated;reason=giveup", "giveup", 0),
        ("terminated;reason=rejected;retry-after=5", "rejected", None),
        ("terminated;reason=NoResource", "noresource", None),
        ("terminated;reason=invariant;retry-after=31536000", "invariant", None),
        ("terminated;reason=other;expires=7", "other", 0),
    ],
)
def test_the_notifier_ends_it(value: str, reason: str, again: int | None) -> None:
    line = Line()
    line.subscribe()
    answer(line, 200)
    notify(line, EVENT, STATE)
    assert notify(line, EVENT, ("Subscription-State", value), number=2, body=b"x") == 200
    assert line.alice.endings == [SubscriptionEnded(reason, None, again)]
    assert line.alice.told[-1] == ("terminated", b"x")
    assert state_of(line) is SubscriberState.ENDED
    assert notify(line, EVENT, STATE, number=3) == 481


def test_the_first_notify_can_be_the_last() -> None:
    line = Line()
    subscriber = line.subscribe(0)
    ended = ("Subscription-State", "terminated;reason=timeout")
    # It needs no Contact: it opens nothing.
    assert notify(line, EVENT, ended, body=b"x", contact=False) == 200
    assert line.alice.events == [
        Notified(b"x", TEXT, "terminated"),
        SubscriptionEnded("timeout", None, 0),
    ]
    answer(line, 200, ("Expires", "0"))
    assert len(line.alice.events) == 2
    assert subscriber.dialog is None
    assert notify(line, EVENT, STATE, number=2) == 481


def test_a_refusal_after_the_first_notify_does_not_count() -> None:
    line = Line()
    line.subscribe()
    assert notify(line, EVENT, STATE) == 200
    answer(line, 481)
    assert state_of(line) is SubscriberState.ACTIVE
    # After this the core expects no NOTIFY outside of its dialogs any more.
    line.advance(6)
    assert notify(line, EVENT, STATE, number=2) == 200


def test_unsubscribing_waits_for_the_last_notify() -> None:
    line = Line()
    subscriber, _ = line.stand()
    line.delay = lambda label: label == "bob NOTIFY"
    subscriber.unsubscribe(line.now)
    line.settle()
    assert line.last("alice SUBSCRIBE").expires == 0
    assert subscriber.state is SubscriberState.ENDING
    assert line.alice.endings == []
    line.delay = lambda label: False
    line.release()
    assert line.alice.endings == [SubscriptionEnded("timeout", None, 0)]
    # What comes after we have left is not handed out.
    assert line.alice.told == [("active", b"first")]
    subscriber.unsubscribe(line.now)
    line.advance(100)
    assert len(line.alice.endings) == 1


def test_the_last_notify_does_not_come() -> None:
    line = Line()
    subscriber, _ = line.stand()
    line.lose = lambda label: label == "bob NOTIFY"
    subscriber.unsubscribe(line.now)
    line.advance(31)
    assert line.alice.endings == []
    line.advance(2)
    assert line.alice.endings == [SubscriptionEnded("no NOTIFY came", None, 0)]


@pytest.mark.parametrize("status", [481, 500])
def test_a_refusal_to_leave_is_the_end_too(status: int) -> None:
    line = Line()
    subscriber, _ = line.stand()
    line.bob.refusal = (status, ())
    subscriber.unsubscribe(line.now)
    line.settle()
    assert [ending.status for ending in line.alice.endings] == [status]


@pytest.mark.parametrize("first", ["answer", "notify", "refusal", "nothing", "end"])
def test_leaving_before_there_is_anything_to_leave(first: str) -> None:
    line = Line()
    subscriber = line.subscribe()
    subscriber.unsubscribe(line.now)
    subscriber.unsubscribe(line.now)
    line.settle()
    assert subscriber.state is SubscriberState.LEAVING
    assert len(line.all("alice SUBSCRIBE")) == 1
    if first == "nothing":
        line.advance(40)
    elif first == "refusal":
        answer(line, 403)
    elif first == "end":
        notify(line, EVENT, ("Subscription-State", "terminated"))
    else:
        line.delay = lambda label: (
            label == ("bob NOTIFY" if first == "answer" else "bob 200 SUBSCRIBE")
        )
        line.take().accept(line.now, b"x", TEXT)
        line.settle()
        assert (subscriber.state is SubscriberState.ENDING) == (first == "answer")
        line.delay = lambda label: False
        line.release()
        line.advance(1)
        assert line.last("alice SUBSCRIBE").expires == 0
    assert subscriber.state is SubscriberState.ENDED
    assert len(line.alice.endings) == 1
    assert line.alice.told == []


def test_leaving_between_the_answer_and_the_first_notify() -> None:
    line = Line()
    subscriber = line.subscribe()
    line.delay = lambda label: label == "bob NOTIFY"
    line.take().accept(line.now, b"x", TEXT)
    line.settle()
    assert subscriber.state is SubscriberState.ACCEPTED
    subscriber.unsubscribe(line.now)
    line.delay = lambda label: False
    line.release()
    assert subscriber.state is SubscriberState.ENDED
    assert line.bob.endings == [SubscriptionEnded("unsubscribed")]


# Refreshing


def test_it_is_refreshed_in_time_again_and_again() -> None:
    line = Line()
    line.stand(600)
    line.advance(2000)
    times = [at for at, label in line.log if label == "alice SUBSCRIBE"]
    assert times == pytest.approx([0, 450, 900, 1350, 1800])
    refresh = line.last("alice SUBSCRIBE")
    assert refresh.headers.get("Event") == "conference"
    assert refresh.headers.get("Accept") == TEXT
    assert refresh.expires == 600
    assert str(refresh.contact) == line.alice.contact
    assert line.alice.endings == []


def test_notifies_do_not_put_off_the_refresh() -> None:
    line = Line()
    _, notifier = line.stand(600)
    for number in range(460):
        notifier.change(b"%d" % number, TEXT, line.now)
        line.advance(1)
    assert len(line.all("alice SUBSCRIBE")) == 2


def test_a_notify_can_shorten_it() -> None:
    line = Line()
    subscriber = line.subscribe()
    answer(line, 200, ("Expires", "600"))
    notify(line, EVENT, ("Subscription-State", "active;expires=100"))
    assert subscriber.next_deadline() == pytest.approx(75)
    # And it cannot lengthen it.
    notify(line, EVENT, ("Subscription-State", "active;expires=9999"), number=2)
    assert subscriber.next_deadline() == pytest.approx(450)


def test_a_notifier_without_any_times() -> None:
    line = Line()
    subscriber = line.subscribe(600)
    answer(line, 200)
    notify(line, EVENT, ("Subscription-State", "active"))
    assert subscriber.next_deadline() == pytest.approx(450)


@pytest.mark.parametrize("status", [481, 404, 489])
def test_a_refresh_that_shows_that_all_is_lost(status: int) -> None:
    line = Line()
    line.stand(600)
    line.bob.refusal = (status, ())
    line.advance(451)
    (ending,) = line.alice.endings
    assert (ending.status, ending.resubscribe_after) == (status, 0)
    assert state_of(line) is SubscriberState.ENDED


def test_a_refresh_that_fails_otherwise_is_tried_again() -> None:
    line = Line()
    line.stand(600)
    line.bob.refusal = (500, (("Retry-After", "20"),))
    line.advance(451)
    assert state_of(line) is SubscriberState.ACTIVE
    line.bob.refusal = None
    line.advance(148)
    assert len(line.all("bob 200 SUBSCRIBE")) == 2
    assert line.alice.endings == []


def test_refreshes_that_all_fail_end_it_when_the_time_is_over() -> None:
    line = Line()
    line.stand(600)
    line.bob.refusal = (500, ())
    line.advance(590)
    assert state_of(line) is SubscriberState.ACTIVE
    line.bob.notifier = None
    line.advance(20)
    assert line.alice.endings == [SubscriptionEnded("could not be refreshed", None, 0)]
    assert len(line.all("alice SUBSCRIBE")) < 8


def test_a_refresh_that_is_too_short_asks_for_more() -> None:
    line = Line()
    line.subscribe(60)
    notifier = line.take()
    notifier.accept(line.now, b"x", TEXT)
    line.settle()
    line.bob.refusal = (423, (("Min-Expires", "300"),))
    line.delay = lambda label: label == "bob 423 SUBSCRIBE"
    line.advance(46)
    line.bob.refusal = None
    line.delay = lambda label: False
    line.release()
    assert line.last("alice SUBSCRIBE").expires == 300
    assert line.last("bob 200 SUBSCRIBE").expires == 300
    assert state_of(line) is SubscriberState.ACTIVE


def test_a_refresh_without_an_answer_is_the_end() -> None:
    line = Line()
    line.stand(600)
    line.lose = lambda label: label.startswith("bob")
    line.advance(490)
    assert len(line.alice.endings) == 1
    assert line.alice.endings[0].resubscribe_after == 0


def test_a_refresh_that_finds_no_way_is_tried_again() -> None:
    line = Line()
    subscriber, _ = line.stand(600)
    line.lose = lambda label: label == "alice SUBSCRIBE"
    line.advance(450.1)
    subscriber.request_failed("SUBSCRIBE", 503, line.now)
    assert subscriber.state is SubscriberState.ACTIVE
    line.lose = lambda label: False
    line.advance(148)
    assert line.alice.endings == []
    assert line.last("bob 200 SUBSCRIBE").expires == 600


def test_a_refresh_that_tells_nothing_new() -> None:
    line = Line()
    line.stand(600)
    line.bob.refusal = (204, (("Expires", "600"),))
    line.advance(451 + 40)
    assert line.alice.endings == []
    assert state_of(line) is SubscriberState.ACTIVE


# Forks


def test_a_second_notifier_is_refused() -> None:
    line = Line()
    line.stand()
    assert notify(line, EVENT, STATE, tag="carol", body=b"other") == 481
    assert line.alice.told == [("active", b"first")]


def test_the_answer_of_another_notifier_than_the_first_to_tell() -> None:
    line = Line()
    subscriber = line.subscribe()
    assert notify(line, EVENT, STATE, tag="carol", body=b"x") == 200
    answer(line, 200, ("Expires", "60"))
    assert line.alice.dialog.remote_tag == "carol"
    assert state_of(line) is SubscriberState.ACTIVE
    # What bob granted is not for this subscription.
    assert subscriber.next_deadline() == pytest.approx(450)
    assert notify(line, EVENT, STATE, tag="bob") == 481


def test_further_notifiers_can_be_listened_to() -> None:
    line = Line()
    first = line.subscribe(max_forks=1)
    answer(line, 200)
    notify(line, EVENT, STATE, body=b"bob")
    assert notify(line, EVENT, STATE, tag="carol", body=b"carol") == 200
    assert notify(line, EVENT, STATE, tag="dave", body=b"dave") == 481
    (forked,) = [event for event in line.alice.events if isinstance(event, Forked)]
    usage = forked.usage
    assert usage.dialog is not None
    assert (usage.dialog.remote_tag, usage.state) == ("carol", SubscriberState.ACTIVE)
    assert usage.next_event() == Subscribed(600)
    assert usage.next_event() == Notified(b"carol", TEXT, "active")
    assert usage.requests_to_send() == []
    assert line.alice.told == [("active", b"bob")]
    # Each has its own life.
    first.unsubscribe(line.now)
    assert usage.state is SubscriberState.ACTIVE
    usage.unsubscribe(line.now)
    ((request, dialog),) = usage.requests_to_send()
    assert dialog is usage.dialog
    assert request.to.tag == "carol"


def test_a_bad_notify_of_a_further_notifier_opens_nothing() -> None:
    line = Line()
    line.subscribe(max_forks=1)
    answer(line, 200)
    notify(line, EVENT, STATE)
    assert notify(line, EVENT, STATE, tag="carol", contact=False) == 400
    assert not any(isinstance(event, Forked) for event in line.alice.events)


# REFER


def refer(line: Line) -> SubscriberUsage:
    request = line.alice.make_request("REFER", ("Refer-To", "<sip:carol@192.0.2.3>"))
    line.alice.subscriber = SubscriberUsage(line.alice.core, request, line.now)
    line.settle()
    return line.alice.subscriber


def test_a_refer_subscribes_to_its_outcome() -> None:
    line = Line()
    usage = refer(line)
    answer(line, 202)
    state = ("Subscription-State", "active;expires=180")
    # The notifier may name the REFER, by its number only.
    assert notify(line, ("Event", "refer;id=8"), state) == 481
    assert notify(line, ("Event", "refer;id=7"), state, number=2, body=b"100") == 200
    assert usage.next_deadline() == pytest.approx(135)
    line.delay = lambda label: True
    line.advance(136)
    refresh = line.last("alice SUBSCRIBE")
    assert refresh.headers.get("Event") == "refer;id=7"
    assert notify(line, ("Event", "refer;id=7"), state, number=3) == 200


def test_a_refer_that_is_not_told_of() -> None:
    line = Line()
    refer(line)
    answer(line, 200, ("Refer-Sub", "False;x"))
    assert line.alice.endings == [SubscriptionEnded("accepted, to be told nothing")]


# What cannot be


def test_answers_to_nothing_are_ignored() -> None:
    line = Line()
    subscriber, _ = line.stand()
    old = line.last("bob 200 SUBSCRIBE")
    assert isinstance(old, Response)
    old.status = 481
    subscriber.receive_response(old, line.now)
    subscriber.request_failed("SUBSCRIBE", 408, line.now)
    subscriber.request_failed("NOTIFY", 408, line.now)
    assert subscriber.state is SubscriberState.ACTIVE


def test_a_lost_answer_is_no_loss_once_there_was_a_notify() -> None:
    line = Line()
    line.lose = lambda label: label == "bob 200 SUBSCRIBE"
    line.subscribe()
    line.take(SubscriptionLimits()).accept(line.now, b"x", TEXT)
    line.advance(40)
    assert state_of(line) is SubscriberState.ACTIVE
    assert line.alice.endings == []
