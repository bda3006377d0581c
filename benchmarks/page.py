"""Writes docs/speed.md and its plots from the figures of a run: `python -m benchmarks.page FILE`.

The figures are kept beside the plots, and the README has some of them. Nothing is said of them that
is not computed, so that text, tables and plots are always those of one run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.curves import Plot, plots
from benchmarks.goals import outcomes
from benchmarks.readme_part import with_part
from benchmarks.report import Report, Section

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "speed.md"
FOLDER = DOCS / "speed"
FIGURES = FOLDER / "figures.json"
README = DOCS.parent / "README.md"

_TITLES = {
    "fan-out": "Chat fan-out",
    "chat-servers": "Beside other chat servers",
    "large": "Large messages",
    "relay": "As an MSRP relay",
    "set-ups": "Whole sessions",
    "joins": "Many people into one room",
    "rooms": "Many rooms",
    "transactions": "SIP transactions",
    "parsers": "Parsers",
    "memory": "Memory",
    "history": "History on disk",
    "conference-info": "Who is here: conference-info",
    "cores": "More than one core",
}

_BEGIN = """\
# Speed

All figures of this page are of one run of `make bench` on one machine, and the page is written
from them by `make speed-page`; [figures.json](speed/figures.json) holds them all. Whoever sends and
whoever receives are processes of their own on the same machine, written for this and using nothing
of Sylk. What Sylk is compared with ran in the same run, minutes apart.
"""

_REPEAT = """\
## How to repeat

    make bench                                  # all, in about {minutes:.0f} minutes
    make bench-quick                            # less exact, in under two
    .venv/bin/python -m benchmarks fan-out      # one of them; --help tells the rest

The figures go to `build/bench.json`, and `make speed-page` writes this page and its plots from
there. The comparisons are made with what is installed (on Debian: `prosody`, `ejabberd`,
`kamailio`, `kamailio-tls-modules` and `gcc`); services need not run, since the benchmarks start
each program with settings of its own on free ports of 127.0.0.1. What is not installed is left
out, with a line that says so. "Others busy" is what the rest of the machine took meanwhile, in
percent of one core; where it is not small, rates mean little, and CPU times somewhat more.
"""

_ELSEWHERE = """\
## SylkServer

For comparison, SylkServer 6.6.1. It was not measured in this run, but earlier on a machine of the
same kind:

| | |
|---|---|
| deliveries a second, whatever the number of listeners | 2,400 to 2,700 |
| CPU-seconds for 100,000 deliveries | 37 to 44 |
| memory for each participant | 3.9 MB, of which 1.3 to 2 MB are never given back |
| set-ups a second | 20 to 68 |
| joining a room of 50, until the welcome has come | 45 ms |
"""

_COMPILED = """\
## What a compiled part would bring

Measured on 2026-11-21 on the machine above, by hand and not in this run: with mypyc 2.4 the
parsers and messages of SIP and MSRP (`sip/grammar.py`, `headers.py`, `head.py`, `parser.py`,
`message.py`, `uri.py`, `msrp/frame.py`, `msrp/parser.py`) were compiled to C, and `python -m
benchmarks parsers` read an INVITE in 11.4 us rather than 15.6, and an MSRP SEND in 3.2 us rather
than 4.2. A join costs more than 1,000 us, so it would gain 1 %; a message that goes to ten people
costs some 60 us besides system calls, so it would gain 2 %. From 50 listeners on the loop in C
costs as much as the loop in Python, as all that is left are system calls. So nothing here is
compiled, and everything stays readable.
"""

_MARKS = {True: "met", False: "**missed**", None: "-"}


def render(report: Report) -> str:
    """Return the page."""
    drawn = plots(report)
    minutes = sum(section.seconds for section in report.sections) / 60
    parts = [_BEGIN, _machine(report), _REPEAT.format(minutes=minutes), _goals(report)]
    parts += [_section(section, drawn.get(section.name, [])) for section in report.sections]
    parts += [
        f"## {_TITLES.get(name, name)}\n\nFailed: {why}\n" for name, why in report.failures.items()
    ]
    parts += [_COMPILED, _ELSEWHERE]
    return "\n".join(parts)


def _machine(report: Report) -> str:
    lines = [f"| {name} | {value} |" for name, value in report.environment.items()]
    return "\n".join(["## The machine\n", "| | |", "|---|---|", *lines, ""])


def _goals(report: Report) -> str:
    rows = [
        f"| {outcome.goal} | {outcome.measured} | {_MARKS[outcome.met]} |"
        for outcome in outcomes(report)
    ]
    return "\n".join(["## Goals\n", "| | measured | |", "|---|---|---|", *rows, ""])


def _section(section: Section, drawn: list[Plot]) -> str:
    lines = [f"## {_TITLES.get(section.name, section.name)}\n"]
    lines += [f"`{section.name}`, {section.seconds:.0f} s. {section.about[0]}", *section.about[1:]]
    lines += [f"\n![{plot.title}](speed/{plot.name}.svg)" for plot in drawn]
    lines += ["", *table(section), ""]
    return "\n".join(lines)


def table(section: Section) -> list[str]:
    """Return the lines of the table of a section, in Markdown."""
    head, *rows = section.table()
    rule = ["---", *(["---:"] * (len(head) - 1))]
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("file", type=Path, help="what a run with --json has written")
    options = parser.parse_args(arguments)
    # It wants matplotlib, which is not there for whoever only reads the page.
    from benchmarks.plots import draw

    report = Report.read(options.file)
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.svg"):
        old.unlink()
    for drawn in plots(report).values():
        for plot in drawn:
            draw(plot, FOLDER / f"{plot.name}.svg")
    FIGURES.write_text(report.as_json(), encoding="utf-8")
    PAGE.write_text(render(report), encoding="utf-8")
    README.write_text(with_part(README.read_text(encoding="utf-8"), report), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
