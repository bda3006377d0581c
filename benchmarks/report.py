"""Results: printed as aligned plain text, and written to and read from JSON."""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

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
    seconds: float = 0.0
    """How long it took."""

    def add(self, case: str, figures: dict[str, Figure]) -> None:
        """Add a row, with no more digits than mean something."""
        rounded: dict[str, Figure] = {
            name: float(f"{figure:.5g}") if isinstance(figure, float) else figure
            for name, figure in figures.items()
        }
        self.measurements.append(Measurement(case, rounded))

    def columns(self) -> list[str]:
        """Return the names of all figures."""
        return list(dict.fromkeys(name for row in self.measurements for name in row.figures))

    def table(self) -> list[list[str]]:
        """Return the rows as text, the names first; every row has the same columns."""
        columns = self.columns()
        table = [["", *columns]]
        for row in self.measurements:
            cells = (row.figures.get(name, "-") for name in columns)
            table.append([row.case, *map(figure_text, cells)])
        return table

    def render(self) -> str:
        """Return the section as text."""
        table = self.table()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [self.name, *(f"  {line}" for line in self.about), ""]
        for first, *others in table:
            cells = [first.ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
            lines.append("  " + "   ".join(cells).rstrip())
        return "\n".join([*lines, ""])


def figure_text(figure: Figure) -> str:
    """Return a figure with as many digits as one wants to read."""
    if isinstance(figure, str):
        return figure
    if isinstance(figure, int) or abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}"


def reason_of(error: Exception) -> str:
    """Return in one line why something failed, also where a load process sent its whole trace."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1] if lines[0].startswith("Traceback") else lines[0].rstrip(":")


@dataclass(slots=True)
class Report:
    """A whole run: the machine, what each benchmark had to say, and which had nothing."""

    environment: dict[str, Figure]
    sections: list[Section] = field(default_factory=list[Section])
    failures: dict[str, str] = field(default_factory=dict[str, str])
    """The reason, by the name of the benchmark."""

    @classmethod
    def here(cls, *, quick: bool) -> Self:
        """Return the report of a run that begins now, on this machine."""
        return cls(environment(quick=quick))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the report that a file holds."""
        # Whatever else the file holds than what as_json wrote is a mistake of who wrote it.
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        report = cls(data["environment"], failures=data["failures"])
        for section in data["sections"]:
            rows = [Measurement(row["case"], row["figures"]) for row in section["measurements"]]
            report.add(Section(section["name"], section["about"], rows, section["seconds"]))
        return report

    def section(self, name: str) -> Section | None:
        """Return what one benchmark had to say, if it was run."""
        return next((one for one in self.sections if one.name == name), None)

    def add(self, section: Section) -> None:
        """Take a section in place of an older one of its name, if there is one."""
        self.failures.pop(section.name, None)
        names = [one.name for one in self.sections]
        if section.name in names:
            self.sections[names.index(section.name)] = section
        else:
            self.sections.append(section)

    def fail(self, name: str, reason: str) -> None:
        """Take it that a benchmark failed; what it said in an earlier run stays."""
        self.failures[name] = reason

    def describe_machine(self) -> str:
        """Return what the figures depend on besides the code, in one line."""
        return ", ".join(f"{name} {value}" for name, value in self.environment.items())

    def as_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def environment(*, quick: bool) -> dict[str, Figure]:
    """Return what the figures depend on besides the code."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "run": "quick" if quick else "full",
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1024**3:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "Python": platform.python_version(),
        "trio": version("trio"),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
