"""What the server is meant to reach, and whether a run shows it, by the figures alone."""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.report import Report, figure_text


@dataclass(slots=True)
class Outcome:
    """A goal, what was measured, and whether that is enough; None where nothing was measured."""

    goal: str
    measured: str
    met: bool | None


@dataclass(slots=True)
class _Goal:
    """Figures of one benchmark that must be on one side of a bound, each of them."""

    text: str
    section: str
    case: str
    """A pattern for the names of the rows that count; a group is how many people there are."""
    figure: str
    """A pattern for the name of the figure."""
    holds: Callable[[float, float], bool]
    bound: float
    unit: str = ""

    def outcome(self, report: Report) -> Outcome:
        found = list(figures(report, self.section, self.case, self.figure))
        if not found:
            return Outcome(self.text, "not measured in this run", None)
        measured = ", ".join(
            f"{figure_text(value)}{self.unit}"
            + "".join(f" with {group}" for group in match.groups())
            for match, value in found
        )
        met = all(self.holds(value, self.bound) for _, value in found)
        return Outcome(self.text, measured, met)


_AT_LEAST = operator.ge
_AT_MOST = operator.le
_TIMES = " times"

_GOALS = (
    _Goal(
        "50 listeners, saturated: at least 2 times the rate of the loop in Python",
        *("fan-out", r"50 listeners, saturated: Sylk", r"rate vs bare"),
        *(_AT_LEAST, 2.0, _TIMES),
    ),
    _Goal(
        "10 listeners, saturated: at least 1.5 times",
        *("fan-out", r"10 listeners, saturated: Sylk", r"rate vs bare"),
        *(_AT_LEAST, 1.5, _TIMES),
    ),
    _Goal(
        "50 listeners or more, saturated: at least 40 times Prosody's deliveries a CPU-second",
        *("chat-servers", r"(50|200|1000) listeners, saturated: Sylk", r"x Prosody's.*"),
        *(_AT_LEAST, 40.0, _TIMES),
    ),
    _Goal(
        "2 and 10 listeners, saturated: at least 40 times",
        *("chat-servers", r"(2|10) listeners, saturated: Sylk", r"x Prosody's.*"),
        *(_AT_LEAST, 40.0, _TIMES),
    ),
    _Goal(
        "50 listeners or more, 50,000 deliveries a second: at most twice the CPU of that loop",
        *("fan-out", r"(50|200|1000) listeners, 50,000 a second: Sylk", r"CPU vs bare"),
        *(_AT_MOST, 2.0, _TIMES),
    ),
    _Goal(
        "10 listeners, 50,000 deliveries a second: at most twice",
        *("fan-out", r"10 listeners, 50,000 a second: Sylk", r"CPU vs bare"),
        *(_AT_MOST, 2.0, _TIMES),
    ),
    _Goal(
        "Half load: p99 of latency at most 3 times that of the loop in Python",
        *("fan-out", r"(\d+) listeners, half load: Sylk", r"99 % vs bare"),
        *(_AT_MOST, 3.0, _TIMES),
    ),
    _Goal(
        "Over TLS: at least a third of the rate in clear",
        *("fan-out", r"(\d+) listeners, saturated: over TLS", r"rate vs clear"),
        *(_AT_LEAST, 1 / 3, _TIMES),
    ),
    _Goal(
        "A large message through a room of ten: at least half the rate of a splice loop",
        *("large", r"Sylk", r"rate vs bare"),
        *(_AT_LEAST, 0.5, _TIMES),
    ),
    _Goal(
        "The server meanwhile: at most 100 MiB",
        *("large", r"Sylk", r"peak MiB"),
        *(_AT_MOST, 100.0, " MiB"),
    ),
    _Goal(
        "10,000 idle participants in 2,000 rooms: at most 400 MiB",
        *("memory", r"10,?000 participants, Sylk|idle sessions", r"RSS full (?:kB|MiB)"),
        *(_AT_MOST, 400.0, " MiB"),
    ),
    _Goal(
        "Each of them: under 30 kB",
        *("memory", r"10,?000 participants, Sylk|idle sessions", r"bytes each"),
        *(_AT_MOST, 30.0, " kB"),
    ),
    _Goal(
        "Joins: at least 500 a second",
        *("joins", r"(\d+) people, not subscribed.*", r"joins/s"),
        *(_AT_LEAST, 500.0, " a second"),
    ),
)


@dataclass(slots=True)
class _GoalOfGrowth:
    """A cost that must not grow, or little, from each size of a room to the next larger one."""

    text: str
    section: str
    case: str
    """A pattern for the names of the rows, whose group is the size."""
    figure: str
    factor: float
    """How much more it may be than before."""
    unit: str

    def outcome(self, report: Report) -> Outcome:
        found = sorted(
            (int(match[1]), value)
            for match, value in figures(report, self.section, self.case, self.figure)
        )
        if len(found) < 2:
            return Outcome(self.text, "not measured in this run", None)
        costs = [cost for _, cost in found]
        measured = ", ".join(f"{figure_text(cost)} {self.unit} with {size}" for size, cost in found)
        met = all(after <= before * self.factor for before, after in pairwise(costs))
        return Outcome(self.text, measured, met)


_GOALS_OF_GROWTH = (
    _GoalOfGrowth(
        "The cost of a delivery falls, or stays (within a tenth), as the room grows",
        *("fan-out", r"(\d+) listeners, saturated: Sylk", "CPU s/100k"),
        *(1.1, "us"),
    ),
    _GoalOfGrowth(
        "Ten times as many people make a join at most half as dear again",
        *("joins", r"(\d+) people, not subscribed.*", "server CPU ms/join"),
        *(1.5, "ms"),
    ),
)
_SCALES = {"RSS full kB": 1024, "bytes each": 1000, "CPU s/100k": 0.1}
"""What figures are divided by to have the units of goals and plots: MiB, kB and microseconds."""


def figures(
    report: Report, section: str, case: str, figure: str
) -> Iterable[tuple[re.Match[str], float]]:
    """Yield the figures whose row and name match the patterns, in the units of the goals."""
    found = report.section(section)
    for row in found.measurements if found is not None else []:
        match = re.fullmatch(case, row.case)
        for name, value in row.figures.items():
            if match and re.fullmatch(figure, name) and not isinstance(value, str):
                yield match, value / _SCALES.get(name, 1)


def outcomes(report: Report) -> list[Outcome]:
    """Return all goals, and what has become of each."""
    return [
        *(goal.outcome(report) for goal in _GOALS),
        *(goal.outcome(report) for goal in _GOALS_OF_GROWTH),
    ]
