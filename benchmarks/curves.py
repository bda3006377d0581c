"""What the plots show: curves, taken from the figures of a run and nothing else."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from benchmarks.goals import figures
from benchmarks.report import Report


@dataclass(slots=True)
class Plot:
    """One plot with logarithmic axes: named curves, each of points in the order of x."""

    name: str
    """Of its file."""
    title: str
    x: str
    y: str
    curves: dict[str, list[tuple[float, float]]] = field(
        default_factory=dict[str, list[tuple[float, float]]]
    )

    def digest(self) -> str:
        """Return what stands in the file and tells of which figures it was drawn."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class _Source:
    section: str
    plot: Plot
    case: str
    """A pattern for the rows, whose groups `x` and `curve` are the number and the name."""
    figure: str


_LISTENERS = "listeners"
_SOURCES = (
    _Source(
        "fan-out",
        Plot("fan-out", "Deliveries a second, saturated", _LISTENERS, "deliveries a second"),
        r"(?P<x>\d+) listeners, saturated: (?P<curve>.+)",
        "deliveries/s",
    ),
    _Source(
        "fan-out",
        Plot("fan-out-cost", "What a delivery costs", _LISTENERS, "microseconds of CPU"),
        r"(?P<x>\d+) listeners, saturated: (?P<curve>.+)",
        "CPU s/100k",
    ),
    _Source(
        "fan-out",
        Plot("fan-out-latency", "Latency at half load, 99 %", _LISTENERS, "ms"),
        r"(?P<x>\d+) listeners, half load: (?P<curve>.+)",
        "99 % ms",
    ),
    _Source(
        "chat-servers",
        Plot("chat-servers", "Deliveries a second, saturated", _LISTENERS, "deliveries a second"),
        r"(?P<x>\d+) listeners, saturated: (?P<curve>.+)",
        "deliveries/s",
    ),
    _Source(
        "chat-servers",
        Plot("chat-servers-cost", "What a delivery costs", _LISTENERS, "microseconds of CPU"),
        r"(?P<x>\d+) listeners, saturated: (?P<curve>.+)",
        "us CPU each",
    ),
    _Source(
        "joins",
        Plot("joins", "What a join costs", "people who come", "milliseconds of CPU each"),
        r"(?P<x>\d+) people, (?P<curve>.+)",
        "server CPU ms/join",
    ),
    _Source(
        "memory",
        Plot("memory", "Memory for each", "participants", "kB each"),
        r"(?P<x>[\d,]+) participants, (?P<curve>.+)",
        "bytes each",
    ),
)


def plots(report: Report) -> dict[str, list[Plot]]:
    """Return the plots of each section; one with less than two points to a curve shows nothing."""
    found: dict[str, list[Plot]] = {}
    for source in _SOURCES:
        plot = Plot(source.plot.name, source.plot.title, source.plot.x, source.plot.y)
        for match, value in figures(report, source.section, source.case, source.figure):
            x = float(match["x"].replace(",", ""))
            plot.curves.setdefault(match["curve"], []).append((x, value))
        plot.curves = {
            name: sorted(points) for name, points in plot.curves.items() if len(points) > 1
        }
        if plot.curves:
            found.setdefault(source.section, []).append(plot)
    return found
