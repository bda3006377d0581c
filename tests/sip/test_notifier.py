"""Tests of sylk.sip.notifier: what it answers and tells, against a subscriber without a usage."""

from itertools import pairwise

import pytest

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.message import Request, Response
from sylk.sip.notifier import NotifierUsage
from sylk.sip.subscription_events import Refreshed, SubscriptionEnded
from sylk.sip.subscription_limits import SubscriptionLimits
from sylk.sip.subscription_table import NotifierState
from tests.sip.user_agents import make, make_core, receive_one, response_of, statuses_of
from tests.sip.watchers import TEXT, Line


def standing(expires: int | None = 600) -> tuple[Line, NotifierUsage]:
    """Return a line whose subscriber answers by itself, and the notifier on it."""
    line = Line()
    _, notifier = line.stand(expires)
    return line, notifier


def refresh(line: Line, *headers: tuple[str, str]) -> Response:
    """Let alice send a SUBSCRIBE in the dialog that her usage does not make."""
    request = line.alice.dialog.make_request(
        "SUBSCRIBE", headers=[("Contact", line.alice.contact), *headers]
    )
    line.alice.send(request, line.now)
    line.settle()
    answer = line.last(f"bob {statuses(line)[-1]} SUBSCRIBE")
    assert isinstance(answer, Response)
    return answer


def statuses(line: Line) -> list[int]:
    return [
        message.status
        for message in line.messages
        if isinstance(message, Response) and message.cseq.method == "SUBSCRIBE"
    ]


# Accepting


def test_a_subscription_is_answered_and_told_at_once() -> None:
    line, _ = standing()
    assert line.labels == [
        "alice SUBSCRIBE",
        "bob 200 SUBSCRIBE",
        "bob NOTIFY",
        "alice 200 NOTIFY",
    ]
    answer = line.last("bob 200 SUBSCRIBE")
    assert answer.expires == 600
    assert str(answer.contact) == line.bob.contact
    assert answer.headers.get("Allow-Events") == "conference, presence"
    notify = line.last("bob NOTIFY")
    assert isinstance(notify, Request)
    assert notify.headers.get("Event") == "conference"
    assert notify.headers.get("Subscription-State") == "active;expires=600"
    assert notify.headers.get("Allow-Events") == "conference, presence"
    assert str(notify.contact) == line.bob.contact
    assert (notify.content_type, notify.body) == (TEXT, b"first")
    assert str(notify.uri) == "sip:alice@192.0.2.1"
    assert (notify.to.tag, notify.from_.tag) == (answer.from_.tag, answer.to.tag)


@pytest.mark.parametrize(
    ("asked", "granted"), [(None, 3600), (60, 60), (3600, 3600), (4294967295, 3600)]
)
def test_the_time_that_is_granted(asked: int | None, granted: int) -> None:
    line = Line()
    line.ask(asked)
    line.take().accept(line.now)
    line.settle()
    assert line.last("bob 200 SUBSCRIBE").expires == granted


@pytest.mark.parametrize("asked", [1, 59])
def test_too_short_a_time_is_refused_and_can_be_answered(asked: int) -> None:
    line = Line()
    line.ask(asked)
    notifier = line.take()
    with pytest.raises(RemoteProtocolError) as caught:
        notifier.accept(line.now)
    assert caught.value.status == 423
    assert notifier.state is NotifierState.ASKED
    notifier.reject(423, line.now, caught.value.headers)
    line.settle()
    assert line.last("bob 423 SUBSCRIBE").headers.get("Min-Expires") == "60"
    assert line.bob.endings == [SubscriptionEnded("refused with 423", 423)]


def test_an_hour_is_never_too_short() -> None:
    line = Line()
    line.ask(3600)
    line.take(SubscriptionLimits(min_expires=7200)).accept(line.now)
    line.settle()
    assert line.last("bob 200 SUBSCRIBE").expires == 3600


def test_a_poll_is_told_once() -> None:
    line = Line()
    line.subscribe(0)
    notifier = line.take()
    notifier.accept(line.now, b"now", TEXT)
    line.settle()
    assert line.last("bob 200 SUBSCRIBE").expires == 0
    assert line.notifies() == [("terminated;reason=timeout", b"now")]
    assert notifier.state is NotifierState.ENDED
    assert line.bob.endings == [SubscriptionEnded("polled")]
    assert not line.bob.knows(line.alice.dialog, line.now)


def test_a_contact_is_needed() -> None:
    core = make_core()
    incoming = receive_one(core, make("SUBSCRIBE", ("Event", "conference"), contact=None))
    notifier = NotifierUsage(core, incoming, "<sip:room@192.0.2.1>")
    with pytest.raises(RemoteProtocolError) as caught:
        notifier.accept(0.0)
    assert caught.value.status == 400
    notifier.reject(400, 0.0)
    assert statuses_of(core) == [400]


@pytest.mark.parametrize(
    "event", [None, "", "con ference", "a;id=", 'a;id="b c"', "a;b;b", ";id=1"]
)
def test_an_event_is_needed(event: str | None) -> None:
    core = make_core()
    headers = [] if event is None else [("Event", event)]
    incoming = receive_one(core, make("SUBSCRIBE", *headers))
    with pytest.raises(RemoteProtocolError) as caught:
        NotifierUsage(core, incoming, "<sip:room@192.0.2.1>")
    assert caught.value.status == 489
    # Nothing has been made that would have to be cleaned up.
    core.respond(incoming.transaction, Response.to_request(incoming.request, 489), 0.0)
    assert response_of(core).status == 489


def test_a_bad_event_is_told_what_is_offered() -> None:
    line = Line()
    line.ask()
    line.take().reject(489, line.now)
    line.settle()
    assert line.last("bob 489 SUBSCRIBE").headers.get("Allow-Events") == "conference, presence"


def test_the_id_of_an_event_is_repeated_and_nothing_else() -> None:
    line = Line()
    request = line.alice.make_request("SUBSCRIBE", ("Event", "Conference;x=y;id=42"))
    line.alice.send(request, line.now)
    line.settle()
    line.take().accept(line.now)
    line.settle()
    assert line.last("bob NOTIFY").headers.get("Event") == "Conference;id=42"


def test_a_subscription_inside_a_call_is_not_for_us() -> None:
    line, _ = standing()
    incoming = line.bob.requests[-1]
    incoming.dialog = line.bob.dialog
    with pytest.raises(LocalProtocolError):
        NotifierUsage(line.bob.core, incoming, line.bob.contact)


def test_the_verbs_are_refused_where_they_make_no_sense() -> None:
    line = Line()
    line.ask()
    notifier = line.take()
    for verb in (
        lambda: notifier.change(b"x", TEXT, line.now),
        lambda: notifier.end("noresource", line.now),
        lambda: notifier.approve(line.now),
        lambda: notifier.accept(line.now, b"a body without a type"),
    ):
        with pytest.raises(LocalProtocolError):
            verb()
    notifier.accept(line.now)
    for verb in (
        lambda: notifier.accept(line.now),
        lambda: notifier.accept_silently(line.now),
        lambda: notifier.reject(403, line.now),
        lambda: notifier.end("no resource", line.now),
    ):
        with pytest.raises(LocalProtocolError):
            verb()
    assert notifier.state is NotifierState.ACTIVE


def test_a_subscriber_who_is_gone_before_the_answer() -> None:
    line = Line()
    line.ask()
    notifier = line.take()
    notifier.request_failed("SUBSCRIBE", 503, line.now)
    line.settle()
    assert notifier.state is NotifierState.ENDED
    assert line.bob.endings == [SubscriptionEnded("cannot be reached", 503)]


# Telling


def test_a_pending_subscription_is_told_nothing_until_it_is_approved() -> None:
    line = Line()
    line.subscribe()
    notifier = line.take()
    notifier.accept(line.now, pending=True)
    line.settle()
    notifier.change(b"secret", TEXT, line.now)
    line.advance(1)
    refused = line.notifies()
    assert refused == [("pending;expires=600", b"")]
    refresh(line, ("Event", "conference"), ("Expires", "600"))
    line.advance(1)
    assert line.notifies()[1:] == [("pending;expires=600", b"")]
    notifier.approve(line.now)
    line.advance(1)
    assert line.notifies()[2:] == [("active;expires=599", b"secret")]
    notifier.approve(line.now)
    line.advance(1)
    assert len(line.notifies()) == 3


def test_the_end_of_a_pending_subscription_tells_nothing_either() -> None:
    line = Line()
    line.subscribe()
    notifier = line.take()
    notifier.accept(line.now, pending=True)
    line.settle()
    notifier.change(b"secret", TEXT, line.now)
    notifier.end("rejected", line.now)
    line.settle()
    assert line.notifies()[1:] == [("terminated;reason=rejected", b"")]


def test_a_storm_of_changes_makes_few_notifies_and_the_last_one_counts() -> None:
    line, notifier = standing()
    for number in range(1000):
        notifier.change(b"%d" % number, TEXT, line.now)
        line.advance(0.002)
    line.advance(1)
    # The first, then one in each 0.2 s of the two seconds, and the last.
    assert 10 <= len(line.notifies()) <= 13
    assert line.notifies()[-1][1] == b"999"
    times = [at for at, label in line.log if label == "bob NOTIFY"]
    assert all(later - sooner >= 0.199 for sooner, later in pairwise(times))


def test_a_difference_goes_to_who_knows_the_state_before_and_to_nobody_else() -> None:
    line, notifier = standing()
    line.advance(1)
    notifier.change(b"two", TEXT, line.now, b"+2")
    line.settle()
    # It waits for its time, and is still what the subscriber lacks.
    notifier.change(b"three", TEXT, line.now, b"+3")
    line.advance(1)
    # Of two that wait the second one alone is told, so that it must be the whole.
    notifier.change(b"four", TEXT, line.now, b"+4")
    notifier.change(b"five", TEXT, line.now, b"+5")
    notifier.change(b"six", TEXT, line.now, b"+6")
    line.advance(1)
    assert [body for _, body in line.notifies()] == [b"first", b"+2", b"+3", b"+4", b"six"]
    assert refresh(line, ("Event", "conference"), ("Expires", "600")).status == 200
    line.advance(1)
    assert line.notifies()[-1][1] == b"six"


def test_who_did_not_take_a_difference_gets_the_whole() -> None:
    line, notifier = standing()
    refuse_notifies(line, 500)
    line.advance(1)
    notifier.change(b"two", TEXT, line.now, b"+2")
    line.advance(1)
    line.alice.refusal = None
    line.advance(10)
    assert [body for _, body in line.notifies()] == [b"first", b"+2", b"two"]


def test_only_one_notify_is_outstanding() -> None:
    line, notifier = standing()
    line.delay = lambda label: label == "alice 200 NOTIFY"
    line.advance(1)
    for body in (b"a", b"b", b"c"):
        notifier.change(body, TEXT, line.now)
        line.settle()
    numbers = {message.cseq.number for message in line.all("bob NOTIFY")}
    assert len(numbers) == 2
    line.delay = lambda label: False
    line.release()
    line.advance(1)
    assert [body for _, body in line.notifies()] == [b"first", b"a", b"c"]


def test_a_storm_of_refreshes_makes_few_notifies() -> None:
    line, _ = standing()
    for _ in range(200):
        assert refresh(line, ("Event", "conference"), ("Expires", "600")).status == 200
        line.advance(0.001)
    line.advance(1)
    assert len(line.notifies()) <= 4
    assert line.bob.events.count(Refreshed()) == 200


@pytest.mark.parametrize(
    "status", [401, 404, 405, 407, 410, 416, 480, 481, 483, 485, 489, 501, 604]
)
def test_an_answer_by_which_the_subscriber_knows_nothing_ends_it(status: int) -> None:
    line, notifier = standing()
    refuse_notifies(line, status)
    line.advance(1)
    notifier.change(b"x", TEXT, line.now)
    line.settle()
    assert notifier.state is NotifierState.ENDED
    assert line.bob.endings == [SubscriptionEnded(f"NOTIFY was refused with {status}", status)]
    assert notifier.next_deadline() is None
    assert not line.bob.knows(line.alice.dialog, line.now)
    # Afterwards nothing is told, and nothing goes wrong.
    notifier.change(b"y", TEXT, line.now)
    notifier.end("noresource", line.now)
    line.advance(100)
    assert line.notifies()[-1][1] == b"x"


def refuse_notifies(line: Line, status: int, *headers: tuple[str, str]) -> None:
    """Let alice's core answer each further NOTIFY like this, in place of her usage."""
    line.alice.refusal = (status, headers)


def test_a_refusal_of_one_notify_is_not_the_end() -> None:
    line, notifier = standing()
    line.advance(1)
    refuse_notifies(line, 500, ("Retry-After", "7 (busy)"))
    notifier.change(b"x", TEXT, line.now)
    line.settle()
    assert notifier.state is NotifierState.ACTIVE
    line.alice.refusal = None
    line.advance(6.9)
    assert len(line.notifies()) == 2
    line.advance(0.2)
    assert line.alice.told[-1] == ("active", b"x")
    assert line.bob.endings == []


def test_a_subscriber_who_refuses_again_and_again_is_given_up() -> None:
    line, notifier = standing()
    line.advance(1)
    refuse_notifies(line, 500)
    notifier.change(b"x", TEXT, line.now)
    line.advance(30)
    assert notifier.state is NotifierState.ENDED
    assert [state.partition(";expires")[0] for state, _ in line.notifies()] == [
        *["active"] * 4,
        "terminated;reason=probation",
    ]
    assert line.bob.endings == [SubscriptionEnded("NOTIFY was refused with 500", 500)]


def test_a_subscriber_who_does_not_answer_is_gone() -> None:
    line, notifier = standing()
    line.advance(1)
    line.lose = lambda label: label == "alice 200 NOTIFY"
    notifier.change(b"x", TEXT, line.now)
    notifier.end("noresource", line.now)
    # The end may be told once there is an answer, so it never is.
    line.advance(33)
    assert notifier.state is NotifierState.ENDED
    assert {body for _, body in line.notifies()} == {b"first", b"x"}
    assert line.bob.endings == [SubscriptionEnded("noresource")]


def test_an_answer_to_nothing_is_ignored() -> None:
    line, notifier = standing()
    stale = line.last("alice 200 NOTIFY")
    assert isinstance(stale, Response)
    stale.status = 481
    notifier.receive_response(stale, line.now)
    notifier.request_failed("NOTIFY", 408, line.now)
    notifier.request_failed("SUBSCRIBE", 408, line.now)
    assert notifier.state is NotifierState.ACTIVE


# Refreshing


def test_a_refresh_is_granted_and_told_the_present_state() -> None:
    line, notifier = standing()
    line.advance(400)
    refresh(line, ("Event", "conference"), ("Expires", "900"))
    answer = line.last("bob 200 SUBSCRIBE")
    assert answer.expires == 900
    assert line.notifies()[-1] == ("active;expires=900", b"first")
    assert notifier.next_deadline() == pytest.approx(line.now + 900)
    assert line.bob.events == [Refreshed()]


def test_leaving_is_told_with_the_state() -> None:
    line, notifier = standing()
    answer = refresh(line, ("Event", "conference"), ("Expires", "0"))
    assert (answer.status, answer.expires) == (200, 0)
    assert line.notifies()[-1] == ("terminated;reason=timeout", b"first")
    assert notifier.state is NotifierState.ENDED
    assert line.bob.endings == [SubscriptionEnded("unsubscribed")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Expires", "600")], 489),
        ([("Event", "presence")], 489),
        ([("Event", "conference;id=1")], 481),
        ([("Event", "conference"), ("Expires", "5")], 423),
        ([("Event", "a b")], 489),
    ],
)
def test_a_bad_refresh_changes_nothing(headers: list[tuple[str, str]], status: int) -> None:
    line, notifier = standing()
    deadline = notifier.next_deadline()
    line.advance(10)
    answer = refresh(line, *headers)
    assert answer.status == status
    assert ("Min-Expires" in answer.headers) == (status == 423)
    assert ("Allow-Events" in answer.headers) == (status == 489)
    assert notifier.next_deadline() == deadline
    assert len(line.notifies()) == 1


@pytest.mark.parametrize(
    ("method", "status"), [("NOTIFY", 481), ("BYE", 481), ("REFER", 403), ("MESSAGE", 403)]
)
def test_other_requests_are_refused(method: str, status: int) -> None:
    line, notifier = standing()
    line.alice.send(line.alice.dialog.make_request(method), line.now)
    line.settle()
    assert f"bob {status} {method}" in line.labels
    assert notifier.state is NotifierState.ACTIVE


def test_what_comes_after_the_end_is_refused() -> None:
    line, notifier = standing()
    line.delay = lambda label: label == "bob NOTIFY"
    notifier.end("noresource", line.now)
    line.settle()
    assert notifier.state is NotifierState.ENDING
    assert refresh(line, ("Event", "conference")).status == 481
    line.delay = lambda label: False
    line.release()
    assert notifier.state is NotifierState.ENDED


# The end


def test_what_nobody_refreshes_is_ended() -> None:
    line, notifier = standing(60)
    # Alice's own refreshes are lost.
    line.lose = lambda label: label == "alice SUBSCRIBE"
    line.advance(59)
    assert notifier.state is NotifierState.ACTIVE
    line.advance(2)
    assert line.notifies()[-1] == ("terminated;reason=timeout", b"")
    assert notifier.state is NotifierState.ENDED
    assert line.bob.endings == [SubscriptionEnded("not refreshed in time")]


def test_the_end_tells_a_state_that_was_not_told_yet() -> None:
    line, notifier = standing()
    notifier.change(b"last", TEXT, line.now)
    notifier.end("noresource", line.now, retry_after=30)
    line.settle()
    assert line.notifies()[-1] == ("terminated;reason=noresource;retry-after=30", b"last")


def test_the_end_does_not_repeat_what_is_known() -> None:
    line, notifier = standing()
    notifier.end("noresource", line.now)
    notifier.end("rejected", line.now)
    notifier.change(b"late", TEXT, line.now)
    line.advance(1)
    assert line.notifies()[1:] == [("terminated;reason=noresource", b"")]
    assert line.bob.endings == [SubscriptionEnded("noresource")]


def test_the_end_with_a_last_state() -> None:
    line, notifier = standing()
    notifier.end("noresource", line.now, b"bye")
    line.settle()
    notify = line.last("bob NOTIFY")
    assert (notify.body, notify.content_type) == (b"bye", TEXT)


def test_the_end_waits_for_the_answer_to_the_notify_before() -> None:
    line, notifier = standing()
    line.advance(1)
    line.delay = lambda label: label == "alice 200 NOTIFY"
    notifier.change(b"x", TEXT, line.now)
    line.settle()
    notifier.end("noresource", line.now)
    line.settle()
    assert line.notifies()[-1][1] == b"x"
    assert notifier.is_over
    line.delay = lambda label: False
    line.release()
    assert line.notifies()[-1] == ("terminated;reason=noresource", b"")
    assert notifier.state is NotifierState.ENDED


@pytest.mark.parametrize("status", [481, 500])
def test_the_last_notify_ends_it_whatever_the_answer(status: int) -> None:
    line, notifier = standing()
    refuse_notifies(line, status)
    notifier.end("noresource", line.now)
    line.settle()
    assert notifier.state is NotifierState.ENDED


def test_a_notify_that_is_refused_at_the_end_is_told_with_the_end() -> None:
    line, notifier = standing()
    line.advance(1)
    refuse_notifies(line, 500)
    line.delay = lambda label: label == "alice 500 NOTIFY"
    notifier.change(b"x", TEXT, line.now)
    line.settle()
    notifier.end("noresource", line.now)
    line.delay = lambda label: False
    line.release()
    assert line.notifies()[-1] == ("terminated;reason=noresource", b"x")
    assert notifier.state is NotifierState.ENDED
