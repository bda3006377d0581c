"""Tests of sylk.call.leg: what the parts of a call share."""

import pytest

from sylk.call.leg import Leg
from sylk.call.offer_answer import Negotiation
from sylk.call.session_timer import SessionTimer, SessionTimerSettings
from sylk.call.usage_events import Ended, HoldChanged
from sylk.call.usage_table import Action, Input, State
from sylk.errors import LocalProtocolError
from sylk.msrp.uri import parse_path
from sylk.sip.dialog import Dialog
from sylk.sip.timers import Timers
from tests.call.phones import Line
from tests.sip.user_agents import CONTACT, make, make_core


def leg(state: State = State.CONFIRMED) -> Leg:
    negotiation = Negotiation(parse_path("msrp://h:1/x;tcp"), "h", "Sylk", 1)
    timer = SessionTimer(SessionTimerSettings())
    ours = Leg(make_core(), negotiation, str(CONTACT), timer, Timers(), state)
    ours.dialog = Dialog.as_uas(make("INVITE"), "ours", CONTACT)
    ours.core.add_dialog(ours.dialog)
    return ours


def test_a_hang_up_sends_the_bye_and_stops_the_clock() -> None:
    ours = leg()
    ours.session_timer.answer(make("INVITE", ("Session-Expires", "600")), 0.0)
    assert ours.hang_up("tired", 480) is Action.SEND_BYE
    ((bye, dialog),) = ours.requests_to_send()
    assert (bye.method, dialog) == ("BYE", ours.dialog)
    assert bye.headers.get("Reason") == 'SIP;cause=480;text="tired"'
    assert ours.session_timer.next_deadline() is None
    assert ours.state is State.ENDING
    assert ours.requests_to_send() == []


def test_the_first_hang_up_counts() -> None:
    ours = leg()
    ours.hang_up("first", 480)
    assert ours.hang_up("second", 500) is Action.NOTHING
    assert ours.hang_up_reason == ("first", 480)
    assert ours.end_headers == [("Reason", 'SIP;cause=480;text="first"')]


def test_without_a_status_there_is_no_reason() -> None:
    ours = leg()
    ours.hang_up("")
    assert ours.end_headers == []


def test_the_end_is_told_and_the_dialog_forgotten() -> None:
    ours = leg()
    ours.finish("over", 200)
    assert ours.next_event() == Ended("over", 200)
    assert ours.next_event() is None
    request = make("BYE", to_tag="ours", cseq=2)
    ours.core.receive_message(request, Line().alice.flow, 0.0)
    assert ours.core.next_event() is not None
    ((answer, _),) = ours.core.messages_to_send()
    assert answer.start_line().startswith("SIP/2.0 481")


def test_what_is_impossible_is_ours_or_theirs() -> None:
    ours = leg()
    with pytest.raises(LocalProtocolError, match="RING is not possible in CONFIRMED"):
        ours.must(Input.RING)
    assert ours.may(Input.RING) is None
    assert ours.state is State.CONFIRMED


def test_a_hold_is_told_when_it_is_news() -> None:
    line = Line()
    line.establish()
    ours = leg()
    ours.negotiation = line.bob.negotiation
    ours.tell_hold()
    assert ours.next_event() is None
    chat = ours.negotiation.chat
    assert chat is not None
    for direction, event in (
        ("inactive", HoldChanged(True)),
        ("sendonly", None),
        ("recvonly", HoldChanged(False)),
        ("sendrecv", None),
    ):
        chat.direction = direction
        ours.tell_hold()
        assert ours.next_event() == event
