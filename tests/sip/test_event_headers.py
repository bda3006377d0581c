"""Tests of sylk.sip.event_headers: Event, Subscription-State and Allow-Events, good and bad."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.event_headers import (
    EventType,
    SubscriptionState,
    allow_events_headers,
    check_event,
    min_expires_of,
    retry_after_of,
)
from tests.sip.user_agents import make

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=20)
SECONDS = st.none() | st.integers(0, 2**32 - 1)


@given(TOKENS, st.none() | TOKENS)
def test_event_there_and_back(package: str, number: str | None) -> None:
    event = EventType(package, number)
    assert EventType.parse(str(event)) == event


@given(TOKENS, SECONDS, st.none() | TOKENS, SECONDS)
def test_state_there_and_back(
    state: str, expires: int | None, reason: str | None, retry_after: int | None
) -> None:
    told = SubscriptionState(state.lower(), expires, reason and reason.lower(), retry_after)
    assert SubscriptionState.parse(str(told)) == told


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse, status in ((EventType.parse, 489), (SubscriptionState.parse, 400)):
        refused = 0
        try:
            parse(text)
        except RemoteProtocolError as error:
            refused = error.status
        assert refused in (0, status)


@pytest.mark.parametrize(
    ("text", "package", "number"),
    [
        ("conference", "conference", None),
        (" presence.winfo ; id=7 ; x", "presence.winfo", "7"),
        ('refer;ID="93809824"', "refer", "93809824"),
    ],
)
def test_events_that_occur(text: str, package: str, number: str | None) -> None:
    assert EventType.parse(text) == EventType(package, number)


def test_packages_are_compared_without_case_and_without_id() -> None:
    assert EventType("Conference", "1").is_same_package(EventType("conference"))
    assert not EventType("conference").is_same_package(EventType("presence"))


def test_a_request_without_an_event() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        EventType.of(make("SUBSCRIBE"))
    assert caught.value.status == 489
    assert EventType.of(make("SUBSCRIBE", ("o", "dialog"))) == EventType("dialog")


def test_a_notify_without_a_state() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        SubscriptionState.of(make("NOTIFY"))
    assert caught.value.status == 400


def test_a_number_past_32_bits_is_cut() -> None:
    state = SubscriptionState.parse("active;expires=99999999999999")
    assert state.expires == 2**32 - 1


def test_a_reason_that_cannot_be_written() -> None:
    with pytest.raises(LocalProtocolError):
        str(SubscriptionState("terminated", reason="no resource"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("18000;duration=3600", 18000),
        ("007 (I'm in a meeting)", 7),
        ("99999999999", 2**32 - 1),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_retry_after(text: str, seconds: int | None) -> None:
    assert retry_after_of(make("MESSAGE", ("Retry-After", text))) == seconds


def test_no_times_at_all() -> None:
    assert retry_after_of(make("MESSAGE")) is None
    assert min_expires_of(make("MESSAGE")) is None
    assert min_expires_of(make("MESSAGE", ("Min-Expires", "60 s"))) is None
    assert min_expires_of(make("MESSAGE", ("Min-Expires", " 60"))) == 60


# Which packages there are


@pytest.mark.parametrize("event", ["conference", "Conference;id=1", " presence "])
def test_a_package_that_is_known_is_fine(event: str) -> None:
    check_event(make("SUBSCRIBE", ("Event", event)), ["conference", "Presence"])


@pytest.mark.parametrize("event", [None, "dialog", "presence.winfo", "a b", "x" * 500, ""])
def test_all_else_is_489_and_told_what_there_is(event: str | None) -> None:
    headers = [] if event is None else [("Event", event)]
    with pytest.raises(RemoteProtocolError) as refused:
        check_event(make("SUBSCRIBE", *headers), ["conference", "presence"])
    assert refused.value.status == 489
    assert list(refused.value.headers) == [("Allow-Events", "conference, presence")]
    assert len(str(refused.value)) < 200
    with pytest.raises(RemoteProtocolError) as refused:
        check_event(make("SUBSCRIBE", *headers), [])
    assert (refused.value.status, list(refused.value.headers)) == (489, [])


def test_a_package_must_be_a_token() -> None:
    with pytest.raises(LocalProtocolError):
        allow_events_headers(["conference", "what ever"])


@pytest.mark.parametrize(
    ("method", "to_tag", "event"),
    [
        ("SUBSCRIBE", None, "presence;id=7"),
        ("REFER", None, "refer"),
        ("REFER", "call", "refer;id=3"),
    ],
)
def test_of_what_notifies_tell(method: str, to_tag: str | None, event: str) -> None:
    request = make(method, ("Event", "presence;id=7"), to_tag=to_tag, cseq=3)
    assert str(EventType.asked_for(request)) == event
