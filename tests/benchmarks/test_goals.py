"""A goal is met, missed, or was not measured, as the figures say."""

import pytest

from benchmarks.goals import Outcome, outcomes
from benchmarks.report import Report, Section


def outcome_of(words: str, section: Section) -> Outcome:
    (outcome,) = [one for one in outcomes(Report({}, [section])) if words in one.goal]
    return outcome


@pytest.mark.parametrize(("ratio", "met"), [(40.0, True), (39.9, False)])
def test_a_bound_decides(ratio: float, met: bool) -> None:
    section = Section("chat-servers", [])
    section.add("50 listeners, saturated: Sylk", {"x Prosody's deliveries/CPU-s": ratio})
    assert outcome_of("Prosody", section) == Outcome(
        "50 listeners or more, saturated: at least 40 times Prosody's deliveries a CPU-second",
        f"{ratio} times with 50",
        met,
    )


def test_every_row_must_be_good_enough() -> None:
    section = Section("joins", [])
    section.add("10 people, not subscribed", {"joins/s": 700.0})
    section.add("100 people, not subscribed", {"joins/s": 499.0})
    section.add("100 people, subscribed", {"joins/s": 10.0})
    outcome = outcome_of("Joins", section)
    assert outcome.met is False
    assert outcome.measured == "700 a second with 10, 499 a second with 100"


@pytest.mark.parametrize(("costs", "met"), [((2.0, 1.0, 1.05), True), ((1.0, 0.5, 0.6), False)])
def test_the_cost_of_a_delivery_may_fall_or_stay(costs: tuple[float, ...], met: bool) -> None:
    section = Section("fan-out", [])
    for count, cost in zip((2, 10, 1000), costs, strict=True):
        section.add(f"{count} listeners, saturated: Sylk", {"CPU s/100k": cost})
        section.add(f"{count} listeners, saturated: bare loop", {"CPU s/100k": 100.0 * count})
    assert outcome_of("cost of a delivery", section).met is met


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {outcome.met for outcome in outcomes(Report({}))} == {None}
