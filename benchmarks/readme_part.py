"""The part of the README that tells of speed: a few of the figures, and where the others are."""

import re

from benchmarks.goals import figures, outcomes
from benchmarks.report import Report, figure_text

_PART = re.compile(r"(?<=\n## Speed\n\n).*?(?=\n## )", re.DOTALL)

_BEGIN = """\
`make bench` measures Sylk beside other chat servers, and beside loops that do nothing but send each
listener the same bytes, on one machine in one run. One talker, {count} listeners, texts of 200
bytes, every delivery checked ({processor}, {cores} cores, Python {Python}):
"""
_COUNT = 50
_COLUMNS = {
    "deliveries/s": ("saturated", "deliveries/s"),
    "deliveries for a second of CPU": ("saturated", "deliveries/CPU-s"),
    "99 % of latency, 5,000 deliveries/s": ("5,000 a second", "99 % ms"),
}

_Wanted = tuple[str, str, str]
"""Section, pattern of the row, figure."""

# Lines whose figures were not measured are left out.
_LINES: tuple[tuple[str, tuple[_Wanted, ...]], ...] = (
    (
        "Whole sessions (INVITE, ACK, MSRP, BYE) are set up and ended {} times a second.",
        (("set-ups", "echo", "set-ups/s"),),
    ),
    (
        "OPTIONS is answered {} times a second over UDP, MESSAGE to an application {} times.",
        (
            ("transactions", "OPTIONS, UDP: Sylk", "transactions/s"),
            ("transactions", "MESSAGE, UDP: Sylk", "transactions/s"),
        ),
    ),
    (
        "A large message passes through a room of ten at {} MB/s in and {} out, with the server at"
        " {} MiB.",
        (
            ("large", "Sylk", "MB/s in"),
            ("large", "Sylk", "MB/s out"),
            ("large", "Sylk", "peak MiB"),
        ),
    ),
    (
        "As a relay, from TLS to TCP, it carries {} messages of 200 bytes a second.",
        (("relay", "small: Sylk", "messages/s"),),
    ),
)
_END = "{met} of {all} goals are met: [all figures, with plots](docs/speed.md).\n"


def readme_part(report: Report) -> str:
    """Return what stands under the heading."""
    begin = _BEGIN.format(count=_COUNT, **report.environment)
    lines = [f"- {line}" for line in _lines(report)]
    found = [outcome for outcome in outcomes(report) if outcome.met is not None]
    end = _END.format(met=sum(outcome.met is True for outcome in found), all=len(found))
    return "\n".join([begin, *_table(report), "", *lines, "", end])


def with_part(readme: str, report: Report) -> str:
    """Return the README with the part written anew."""
    part = readme_part(report)
    return _PART.sub(lambda _: part, readme, count=1)


def _table(report: Report) -> list[str]:
    rows: dict[str, list[str]] = {}
    for number, (how, figure) in enumerate(_COLUMNS.values()):
        case = rf"{_COUNT} listeners, {re.escape(how)}: (.+)"
        for match, value in figures(report, "chat-servers", case, re.escape(figure)):
            cells = rows.setdefault(match[1], ["-"] * len(_COLUMNS))
            cells[number] = figure_text(value) + (" ms" if figure.endswith(" ms") else "")
    head = ["", *_COLUMNS]
    rule = ["---", *["---:"] * len(_COLUMNS)]
    table = [head, rule, *([name, *cells] for name, cells in rows.items())]
    return ["| " + " | ".join(cells) + " |" for cells in table]


def _lines(report: Report) -> list[str]:
    lines: list[str] = []
    for text, wanted in _LINES:
        found = [
            next((value for _, value in figures(report, section, re.escape(case), figure)), None)
            for section, case, figure in wanted
        ]
        values = [figure_text(value) for value in found if value is not None]
        if len(values) == len(wanted):
            lines.append(text.format(*values))
    return lines
