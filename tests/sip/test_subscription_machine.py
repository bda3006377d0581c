"""Both sides of a subscription against their tables: every input in every state, in any order."""

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sylk.errors import LocalProtocolError
from sylk.sip.core import IncomingRequest
from sylk.sip.message import Request, Response
from sylk.sip.notifier import NotifierUsage
from sylk.sip.subscriber import SubscriberUsage
from sylk.sip.subscription_events import SubscriptionEnded
from sylk.sip.subscription_table import (
    NOTIFIER,
    SUBSCRIBER,
    NotifierInput,
    NotifierState,
    SubscriberInput,
    SubscriberState,
)
from tests.sip.user_agents import receive_one
from tests.sip.watchers import TEXT, Agent, Line

LONG = 10000.0
"""Seconds in which everything that can fall due has done so."""

# The notifier


def notifier_in(state: NotifierState) -> tuple[Line, NotifierUsage]:
    """Return a line on which nothing arrives any more, and a notifier in `state` on it.

    Its last NOTIFY is not answered yet.
    """
    line = Line()
    line.subscribe()
    usage = line.take()
    line.lose = lambda label: True
    if state is not NotifierState.ASKED:
        usage.accept(line.now, b"first", TEXT, pending=state is NotifierState.PENDING)
    if state in (NotifierState.ENDING, NotifierState.ENDED):
        line.lose = lambda label: label.endswith("NOTIFY")
        line.advance(0.1)
        line.lose = lambda label: True
        usage.end("noresource", line.now)
        usage.receive_response(answer_to_last(usage, 200), line.now)
    if state is NotifierState.ENDED:
        line.settle()
        usage.receive_response(answer_to_last(usage, 200), line.now)
    line.settle()
    assert usage.state is state
    return line, usage


def answer_to_last(usage: NotifierUsage, status: int) -> Response:
    """Return an answer to the last NOTIFY."""
    response = Response.to_request(usage.request, status)
    number = usage.dialog.local_cseq if usage.dialog is not None else 1
    response.headers.set("CSeq", f"{number} NOTIFY")
    return response


def subscribe_from_peer(usage: NotifierUsage, expires: int) -> IncomingRequest:
    """Return a SUBSCRIBE that the core of a third agent took, which has its own transaction."""
    third = Line().bob
    request = Request("SUBSCRIBE", usage.request.uri)
    request.headers.add("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKagain")
    for name in ("From", "To", "Call-ID", "Contact", "Event"):
        request.headers.add(name, usage.request.headers.get(name) or "")
    request.headers.add("CSeq", "9 SUBSCRIBE")
    request.headers.add("Expires", str(expires))
    return receive_one(third.core, request, third.flow)


NotifierDeed = Callable[[Line, NotifierUsage], None]
NOTIFIER_DEEDS: dict[NotifierInput, NotifierDeed] = {
    NotifierInput.ACCEPT: lambda line, usage: usage.accept(line.now),
    NotifierInput.ACCEPT_PENDING: lambda line, usage: usage.accept(line.now, pending=True),
    NotifierInput.ACCEPT_SILENTLY: lambda line, usage: usage.accept_silently(line.now),
    NotifierInput.REJECT: lambda line, usage: usage.reject(403, line.now),
    NotifierInput.APPROVE: lambda line, usage: usage.approve(line.now),
    NotifierInput.CHANGE: lambda line, usage: usage.change(b"x", TEXT, line.now),
    NotifierInput.END: lambda line, usage: usage.end("rejected", line.now),
    NotifierInput.REFRESH: lambda line, usage: usage.receive_request(
        subscribe_from_peer(usage, 600), line.now
    ),
    NotifierInput.UNSUBSCRIBE: lambda line, usage: usage.receive_request(
        subscribe_from_peer(usage, 0), line.now
    ),
    NotifierInput.EXPIRE: lambda line, usage: usage.handle_deadline(LONG),
    NotifierInput.CLOSED: lambda line, usage: usage.receive_response(
        answer_to_last(usage, 200), line.now
    ),
    NotifierInput.GONE: lambda line, usage: usage.request_failed(
        "SUBSCRIBE" if usage.state is NotifierState.ASKED else "NOTIFY", 408, line.now
    ),
}
OUR_VERBS = {
    NotifierInput.ACCEPT,
    NotifierInput.ACCEPT_PENDING,
    NotifierInput.ACCEPT_SILENTLY,
    NotifierInput.REJECT,
    NotifierInput.APPROVE,
    NotifierInput.CHANGE,
    NotifierInput.END,
}


@pytest.mark.parametrize(("state", "happened"), list(product(NotifierState, NOTIFIER_DEEDS)))
def test_every_input_in_every_state_of_a_notifier(
    state: NotifierState, happened: NotifierInput
) -> None:
    line, usage = notifier_in(state)
    step = NOTIFIER.get((state, happened))
    if step is None and happened in OUR_VERBS:
        with pytest.raises(LocalProtocolError):
            NOTIFIER_DEEDS[happened](line, usage)
    else:
        NOTIFIER_DEEDS[happened](line, usage)
    line.settle()
    expected = state if step is None else step[1]
    assert usage.state is expected
    is_over = expected in (NotifierState.ENDING, NotifierState.ENDED)
    assert usage.is_over is is_over
    assert len(line.bob.endings) == is_over
    assert (usage.next_deadline() is None) == (is_over or expected is NotifierState.ASKED)


# The subscriber


def subscriber_in(state: SubscriberState) -> tuple[Line, SubscriberUsage]:
    """Return a line on which nothing arrives any more, and a subscriber in `state` on it."""
    line = Line()
    usage = line.subscribe()
    if state in (SubscriberState.LEAVING, SubscriberState.ENDED):
        usage.unsubscribe(line.now)
    elif state is not SubscriberState.ASKING:
        if state is SubscriberState.ACCEPTED:
            line.lose = lambda label: label == "bob NOTIFY"
        line.take().accept(line.now, pending=state is SubscriberState.PENDING)
        line.settle()
        line.lose = lambda label: True
        if state is SubscriberState.ENDING:
            usage.unsubscribe(line.now)
        elif state is not SubscriberState.ACCEPTED:
            # So that there is a refresh to be answered.
            line.advance(450.1)
    if state is SubscriberState.ENDED:
        usage.request_failed("SUBSCRIBE", 408, line.now)
    line.lose = lambda label: True
    line.settle()
    assert usage.state is state
    return line, usage


def respond(usage: SubscriberUsage, status: int, now: float) -> None:
    """Let the notifier answer the last SUBSCRIBE."""
    response = Response.to_request(usage.request, status, to_tag="bob")
    number = usage.request.cseq.number
    if usage.dialog is not None:
        number = usage.dialog.local_cseq
        response.headers.set("To", str(usage.dialog.remote))
    response.headers.set("CSeq", f"{number} SUBSCRIBE")
    if status == 423:
        response.headers.add("Min-Expires", "1200")
    if status < 300:
        response.headers.add("Contact", "<sip:bob@192.0.2.2>")
    usage.receive_response(response, now)


def notify(usage: SubscriberUsage, state: str, now: float) -> None:
    """Let the notifier tell something."""
    third = Line().alice
    request = Request("NOTIFY", usage.request.uri)
    request.headers.add("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKnotify")
    remote = "<sip:room@192.0.2.2>;tag=bob" if usage.dialog is None else str(usage.dialog.remote)
    request.headers.add("From", remote)
    request.headers.add("To", (usage.request.headers.get("From") or "").partition(";")[0])
    for name in ("Call-ID", "Event"):
        request.headers.add(name, usage.request.headers.get(name) or "")
    request.headers.add("CSeq", "99 NOTIFY")
    request.headers.add("Contact", "<sip:bob@192.0.2.2>")
    request.headers.add("Subscription-State", state)
    incoming = receive_one(third.core, request, third.flow)
    incoming.request.headers.set("To", usage.request.headers.get("From") or "")
    usage.receive_request(incoming, now)


SubscriberDeed = Callable[[Line, SubscriberUsage], None]
SUBSCRIBER_DEEDS: dict[SubscriberInput, SubscriberDeed] = {
    SubscriberInput.SUCCESS: lambda line, usage: respond(usage, 200, line.now),
    SubscriberInput.TOO_BRIEF: lambda line, usage: respond(usage, 423, line.now),
    SubscriberInput.REFUSED: lambda line, usage: respond(usage, 500, line.now),
    SubscriberInput.GONE: lambda line, usage: respond(usage, 481, line.now),
    SubscriberInput.NOTIFY_PENDING: lambda line, usage: notify(usage, "pending", line.now),
    SubscriberInput.NOTIFY_ACTIVE: lambda line, usage: notify(usage, "active", line.now),
    SubscriberInput.NOTIFY_TERMINATED: lambda line, usage: notify(usage, "terminated", line.now),
    SubscriberInput.OVERDUE: lambda line, usage: usage.handle_deadline(LONG),
    SubscriberInput.UNSUBSCRIBE: lambda line, usage: usage.unsubscribe(line.now),
}


@pytest.mark.parametrize(("state", "happened"), list(product(SubscriberState, SUBSCRIBER_DEEDS)))
def test_every_input_in_every_state_of_a_subscriber(
    state: SubscriberState, happened: SubscriberInput
) -> None:
    line, usage = subscriber_in(state)
    SUBSCRIBER_DEEDS[happened](line, usage)
    line.settle()
    step = SUBSCRIBER.get((state, happened))
    expected = state if step is None else step[1]
    assert usage.state is expected
    assert len(line.alice.endings) == (expected is SubscriberState.ENDED)
    assert (usage.next_deadline() is None) == (expected is SubscriberState.ENDED)


# Both, on a line that loses and delays


class Subscriptions(RuleBasedStateMachine):
    """One subscription on a bad line, with users who do what they like."""

    @initialize(expires=st.sampled_from([None, 0, 30, 60, 600]), pending=st.booleans())
    def subscribe(self, expires: int | None, pending: bool) -> None:
        self.line = Line()
        self.line.delay = lambda label: True
        self.pending = pending
        self.number = 0
        self.changes: list[bytes] = [b"0"]
        self.line.subscribe(expires)

    def take(self) -> None:
        """Let bob accept what has arrived and is not answered."""
        bob = self.line.bob
        if not bob.requests or bob.notifier is not None:
            return
        notifier = self.line.take()
        asked = notifier.request.expires
        if asked is not None and 0 < asked < 60:
            notifier.reject(423, self.line.now, [("Min-Expires", "60")])
            self.line.settle()
            bob.events.clear()
            bob.requests.clear()
            bob.notifier = None
        else:
            notifier.accept(self.line.now, b"0", TEXT, pending=self.pending)
            self.line.settle()

    @precondition(lambda self: self.line.waiting)
    @rule(data=st.data(), keep=st.booleans())
    def deliver(self, data: st.DataObject, keep: bool) -> None:
        index = data.draw(st.integers(0, len(self.line.waiting) - 1))
        transit = self.line.waiting[index]
        if not keep:
            del self.line.waiting[index]
        self.line.deliver(transit)
        self.line.settle()
        self.take()

    @precondition(lambda self: self.line.waiting)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        del self.line.waiting[data.draw(st.integers(0, len(self.line.waiting) - 1))]

    @rule(seconds=st.sampled_from([0.05, 0.3, 3.0, 20.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.line.advance(seconds)

    @precondition(lambda self: self.line.bob.notifier is not None)
    @rule()
    def change(self) -> None:
        notifier = self.line.bob.notifier
        assert notifier is not None
        self.number += 1
        body = b"%d" % self.number
        notifier.change(body, TEXT, self.line.now)
        if not notifier.is_over:
            self.changes.append(body)
        self.line.settle()

    @precondition(lambda self: self.line.bob.notifier is not None)
    @rule()
    def approve(self) -> None:
        notifier = self.line.bob.notifier
        assert notifier is not None
        notifier.approve(self.line.now)
        self.pending = False
        self.line.settle()

    @precondition(lambda self: self.line.bob.notifier is not None)
    @rule(reason=st.sampled_from(["noresource", "rejected"]))
    def end(self, reason: str) -> None:
        notifier = self.line.bob.notifier
        assert notifier is not None
        notifier.end(reason, self.line.now)
        self.line.settle()

    @rule()
    def unsubscribe(self) -> None:
        subscriber = self.line.alice.subscriber
        assert subscriber is not None
        subscriber.unsubscribe(self.line.now)
        self.line.settle()

    @invariant()
    def each_side_is_told_the_end_once(self) -> None:
        for agent in (self.line.alice, self.line.bob):
            assert len(agent.endings) <= 1
            assert not any(isinstance(event, SubscriptionEnded) for event in agent.events[:-1])

    @invariant()
    def what_is_told_is_told_in_order(self) -> None:
        told = [int(body) for _, body in self.line.alice.told if body]
        assert told == sorted(told)

    @invariant()
    def there_is_always_something_to_wait_for(self) -> None:
        for agent, usage in self.sides():
            if usage.state not in (SubscriberState.ENDED, NotifierState.ENDED):
                assert agent.next_deadline() is not None

    def sides(self) -> list[tuple[Agent, SubscriberUsage | NotifierUsage]]:
        agents = (self.line.alice, self.line.bob)
        return [(agent, agent.usage) for agent in agents if agent.usage is not None]

    def teardown(self) -> None:
        line = self.line
        line.delay = lambda label: False
        line.release()
        self.take()
        # Whose answer was lost may believe in it until the next refresh.
        line.advance(LONG)
        self.what_stands_is_known_and_what_has_ended_has_ended_for_both()
        subscriber = line.alice.subscriber
        assert subscriber is not None
        subscriber.unsubscribe(line.now)
        line.advance(LONG)
        for agent, usage in self.sides():
            assert usage.state in (SubscriberState.ENDED, NotifierState.ENDED)
            assert len(agent.endings) == 1
            assert agent.next_deadline() is None
            peer = line.bob if agent is line.alice else line.alice
            assert usage.dialog is None or not peer.knows(usage.dialog, line.now)

    def what_stands_is_known_and_what_has_ended_has_ended_for_both(self) -> None:
        """The line has been good for long: both agree; if it stands, the last state is known."""
        alice, bob = self.line.alice, self.line.bob
        assert alice.subscriber is not None
        if bob.notifier is None:
            assert alice.subscriber.state is SubscriberState.ENDED
            return
        states = alice.subscriber.state, bob.notifier.state
        assert states in (
            (SubscriberState.ENDED, NotifierState.ENDED),
            (SubscriberState.ACTIVE, NotifierState.ACTIVE),
            (SubscriberState.PENDING, NotifierState.PENDING),
        )
        if states[1] is NotifierState.ACTIVE:
            assert alice.told[-1][1] == self.changes[-1]


Subscriptions.TestCase.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)
TestSubscriptions = Subscriptions.TestCase
