"""Tests of sylk.sip.notify_pacing: never two at a time, never too often, the last one always."""

from hypothesis import given
from hypothesis import strategies as st

from sylk.sip.notify_pacing import NotifyPacing
from sylk.sip.subscription_limits import SubscriptionLimits

LIMITS = SubscriptionLimits(min_interval=0.25, retry_interval=5.0, max_refusals=3)


def test_the_first_goes_at_once_the_next_after_the_interval_and_the_answer() -> None:
    pacing = NotifyPacing(LIMITS)
    assert not pacing.may_tell(0.0)
    assert pacing.next_time() is None
    pacing.is_untold = True
    assert pacing.may_tell(0.0)
    pacing.sent(1, 0.0)
    pacing.is_untold = True
    assert not pacing.may_tell(1.0)
    assert pacing.next_time() is None
    assert pacing.answered(1)
    assert pacing.next_time() == 0.25
    assert not pacing.may_tell(0.2)
    assert pacing.may_tell(0.25)


def test_only_the_awaited_answer_counts() -> None:
    pacing = NotifyPacing(LIMITS)
    assert not pacing.answered(1)
    assert not pacing.answered()
    pacing.sent(2, 0.0)
    assert not pacing.answered(1)
    assert pacing.is_waiting
    assert pacing.answered(2)
    assert not pacing.answered(2)
    pacing.sent(3, 1.0)
    assert pacing.answered()


def test_what_was_refused_is_told_again_a_few_times() -> None:
    pacing = NotifyPacing(LIMITS)
    for number, (retry_after, wait) in enumerate([(None, 5.0), (0, 1.0)]):
        pacing.sent(number, 0.0)
        pacing.answered(number)
        assert pacing.refused(retry_after, 0.0)
        assert pacing.next_time() == wait
    pacing.accepted()
    assert pacing.refused(30, 0.0)
    assert pacing.next_time() == 30.0
    assert pacing.refused(None, 0.0)
    assert not pacing.refused(None, 0.0)


@given(st.lists(st.sampled_from(["change", "answer", "refuse", "wait"]), max_size=60))
def test_whatever_happens_the_rules_hold(deeds: list[str]) -> None:
    pacing = NotifyPacing(LIMITS)
    now, number, sent = 0.0, 0, [-1.0]
    for deed in deeds:
        if deed == "change":
            pacing.is_untold = True
        elif deed == "wait":
            now += 0.125
        elif pacing.answered() and deed == "refuse":
            pacing.refused(1, now)
        if pacing.may_tell(now):
            assert not pacing.is_waiting
            assert now - sent[-1] >= LIMITS.min_interval
            number += 1
            pacing.sent(number, now)
            sent.append(now)
        # What is not told now has a time, or an answer that comes first.
        assert not pacing.is_untold or pacing.is_waiting or pacing.next_time() is not None
