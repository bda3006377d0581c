"""Tests of sylk.call.repetition."""

import pytest

from sylk.call.repetition import Repetition
from sylk.sip.message import Response
from sylk.sip.timers import Timers
from tests.sip.user_agents import UDP, make


def begin(timers: Timers, now: float = 0.0) -> Repetition:
    response = Response.to_request(make("INVITE", cseq=17), 200)
    return Repetition.begin(response, UDP, False, timers, now)


def test_the_interval_doubles_up_to_t2_and_ends_after_64_t1() -> None:
    timers = Timers()
    repetition = begin(timers, 100.0)
    assert repetition.cseq == 17
    due: list[float] = []
    while (now := repetition.next_deadline()) < repetition.overdue:
        due.append(now - 100.0)
        repetition.repeat(timers, now)
    assert due[:6] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5]
    assert repetition.next_deadline() == 132.0


@pytest.mark.parametrize("t1", [0.1, 0.5, 4.0])
def test_the_clocks_follow_t1(t1: float) -> None:
    repetition = begin(Timers(t1=t1))
    assert repetition.next_deadline() == t1
    assert repetition.overdue == 64 * t1
