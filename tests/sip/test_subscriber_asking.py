"""A SUBSCRIBE that is sent once more because somebody asks for a password."""

import pytest

from sylk.errors import LocalProtocolError
from sylk.sip.message import Request, Response
from sylk.sip.subscriber import SubscriberUsage
from sylk.sip.subscription_events import SubscriptionEnded
from sylk.sip.subscription_table import SubscriberState
from tests.sip.user_agents import make_core
from tests.sip.watchers import Line

ANSWER = [("Authorization", "Digest one"), ("Authorization", "Digest two")]


def asking(method: str = "SUBSCRIBE") -> tuple[SubscriberUsage, Request]:
    """Return a usage whose first request has just been sent."""
    agent = Line().alice
    headers = (("Event", "conference"), ("Expires", "600"), ("Authorization", "Digest old"))
    request = agent.make_request(method, *(headers if method == "SUBSCRIBE" else ()))
    usage = SubscriberUsage(make_core(), request, 0.0)
    assert usage.requests_to_send() == [(request, None)]
    return usage, request


@pytest.mark.parametrize("method", ["SUBSCRIBE", "REFER"])
def test_the_first_request_is_sent_once_more(method: str) -> None:
    usage, first = asking(method)
    assert usage.asked is first
    usage.ask_again(ANSWER, 1.0)
    ((second, dialog),) = usage.requests_to_send()
    assert dialog is None
    assert usage.asked is second
    assert usage.request is second
    assert second.cseq.number == first.cseq.number + 1
    for name in ("Call-ID", "From", "To", "Contact", "Event", "Expires"):
        assert second.headers.lines(name) == first.headers.lines(name)
    assert second.headers.lines("Authorization") == ["Digest one", "Digest two"]
    assert "Via" not in second.headers
    # The answer to the first one means nothing any more.
    usage.receive_response(Response.to_request(first, 403), 2.0)
    assert usage.state is SubscriberState.ASKING
    usage.receive_response(Response.to_request(second, 403), 2.0)
    assert usage.state is SubscriberState.ENDED
    assert usage.asked is None


def test_a_refresh_is_sent_once_more_in_its_dialog() -> None:
    line = Line()
    subscriber, _ = line.stand(600)
    assert subscriber.asked is None
    with pytest.raises(LocalProtocolError):
        subscriber.ask_again(ANSWER, line.now)
    due = subscriber.next_deadline()
    assert due is not None
    subscriber.handle_deadline(due)
    ((refresh, dialog),) = subscriber.requests_to_send()
    assert dialog is subscriber.dialog
    subscriber.ask_again(ANSWER, due)
    ((again, dialog),) = subscriber.requests_to_send()
    assert dialog is subscriber.dialog
    assert again.cseq.number == refresh.cseq.number + 1
    assert again.expires == refresh.expires == 600
    assert again.headers.lines("Authorization") == ["Digest one", "Digest two"]
    assert again.headers.lines("Event") == refresh.headers.lines("Event")


def test_the_goodbye_is_sent_once_more() -> None:
    line = Line()
    subscriber, _ = line.stand(600)
    subscriber.unsubscribe(line.now)
    subscriber.requests_to_send()
    subscriber.ask_again(ANSWER, line.now)
    ((again, _),) = subscriber.requests_to_send()
    assert again.expires == 0


def test_who_has_left_does_not_ask_again() -> None:
    usage, _ = asking()
    usage.unsubscribe(1.0)
    assert usage.asked is None


def test_what_a_notify_has_opened_is_not_asked_for_again() -> None:
    """The challenge came from another one, to whom a proxy has sent the SUBSCRIBE as well."""
    line = Line()
    line.lose = lambda label: label == "bob 200 SUBSCRIBE"
    subscriber = line.subscribe(600)
    notifier = line.take()
    notifier.accept(line.now, b"first", "text/plain")
    line.settle()
    assert subscriber.state is SubscriberState.ACTIVE
    assert subscriber.asked is None
    assert subscriber.notifier_tag


def test_nobody_answers_at_all() -> None:
    usage, _ = asking()
    assert usage.notifier_tag == ""
    assert usage.next_deadline() == 32.0
    usage.handle_deadline(32.0)
    assert usage.next_event() == SubscriptionEnded("no NOTIFY came", 408, 0)
