"""Results: printed as aligned plain text, or written as JSON."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

Figure = float | int | str


@dataclass(slots=True)
class Measurement:
    """One row: what was measured, and its figures, each by name and unit."""

    case: str
    figures: dict[str, Figure]


@dataclass(slots=True)
class Section:
    """All that one benchmark has to say."""

    name: str
    about: list[str]
    """What was done, for whoever reads the figures alone."""
    measurements: list[Measurement] = field(default_factory=list[Measurement])

    def add(self, case: str, figures: dict[str, Figure]) -> None:
        """Add a row."""
        self.measurements.append(Measurement(case, figures))

    def render(self) -> str:
        """Return the section as text, one table in which every row has the same columns."""
        columns = list(dict.fromkeys(name for row in self.measurements for name in row.figures))
        table = [["", *columns]]
        for row in self.measurements:
            table.append([row.case, *(_text(row.figures.get(name, "-")) for name in columns)])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [self.name, *(f"  {line}" for line in self.about), ""]
        for first, *others in table:
            cells = [first.ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
            lines.append("  " + "   ".join(cells).rstrip())
        return "\n".join([*lines, ""])


def _text(figure: Figure) -> str:
    if isinstance(figure, str):
        return figure
    if isinstance(figure, int) or abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}"


def environment() -> dict[str, Figure]:
    """Return what the figures depend on besides the code."""
    return {
        "python": platform.python_version(),
        "trio": version("trio"),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processors": os.cpu_count() or 0,
    }


def as_json(sections: Sequence[Section]) -> dict[str, object]:
    """Return everything as what the json module writes."""
    return {"environment": environment(), "sections": [asdict(section) for section in sections]}
