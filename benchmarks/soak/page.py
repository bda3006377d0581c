"""The page about a soak: `python -m benchmarks.soak.page build/soak.json > docs/soak.md`."""

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TypedDict

SPAN = 300.0
"""Seconds that each row of the page is about."""

_ABOUT = """\
# Soak

What becomes of a server under a mixed load that goes on: whether its memory, its descriptors or its
delays grow, and whether a message is lost. `make soak MINUTES=60` does the same again, prints a row
each minute, and ends with exit status 1 when something is wrong; this page is what
`python -m benchmarks.soak.page build/soak.json` makes of its figures.

All at once, against the real `sylk-server` with its history on: people who come and go in four
rooms, over UDP, TCP and TLS, with MSRP in clear and over TLS; who talk, whisper, tell that they are
writing, call themselves something, send large messages in chunks, hold the chat, refresh it, lose
their connection and come back, invite others and have themselves put out. Others look in for one
message, in rooms that are made and closed for it, or subscribe. Of all these some vanish without a
word. One reads slowly; and there are calls that are refused, calls that are given up, malformed
requests and frames, octets and silence. At the end all are gone at once.

Every message has a number, and is owed to all who are in the room for certain when it is said. It
is lost when it does not come within 20 s. A fault is an answer that the load had not expected: 506
is what one hears who comes back before the server has seen the end of his old connection, 491 one
whose request crossed another; the load has tried again since. Who is put out may be a guest who
is about to leave.
"""


class Row(TypedDict):
    """What a row tells, as in `Minute`."""

    end: float
    said: int
    heard: int
    p50: float
    p99: float
    lost: int
    joins: int
    memory: int
    descriptors: int
    tasks: int
    sessions: int
    server_cpu: float


class Judgement(TypedDict):
    """What `Verdict` holds."""

    span: float
    memory_growth: float
    descriptor_growth: float
    descriptors_before: int
    descriptors_after: int
    sessions_after: int
    wrong: list[str]


class Result(TypedDict):
    """What a soak writes, as far as the page tells it."""

    environment: dict[str, float | int | str]
    minutes: float
    said: int
    heard: int
    lost: int
    counts: dict[str, int]
    faults: list[str]
    warnings: int
    errors: int
    tracebacks: int
    rows: list[Row]
    verdict: Judgement


def render(result: Result) -> str:
    """Return the page."""
    environment = ", ".join(f"{name} {value}" for name, value in result["environment"].items())
    counts = ", ".join(
        f"{count} {what}" for what, count in sorted(result["counts"].items()) if what != "faults"
    )
    lines = [
        *(_ABOUT, "## Result", "", _verdict(result), ""),
        f"{result['said']} messages, heard {result['heard']} times, {result['lost']} lost;",
        f"{counts}.",
        *_faults(result["faults"]),
        f"In the log: {result['warnings']} warnings, {result['errors']} errors,"
        f" {result['tracebacks']} tracebacks.",
        *(
            "",
            "The load and the server shared the machine with other work, which the delays show.",
            "",
        ),
        f"Machine: {environment}.",
        *("", "## Every five minutes", ""),
        "p50 is that of the middle minute, p99 that of the worst one, each of five. Memory and what"
        " follows are as they were at the end; server is its share of one core.",
        *("", *_table(result), ""),
    ]
    return "\n".join(lines)


def _faults(faults: list[str]) -> list[str]:
    """Return lines on what the load has taken for faults: answers that it had not expected."""
    kinds = Counter(re.sub(r"[0-9]{4,}|(?<=guest)[0-9]+", "…", fault) for fault in faults)
    told = [f"{count} times `{kind}`" for kind, count in kinds.most_common(5)]
    return [f"Faults: {', '.join(told)}."] if told else []


def _verdict(result: Result) -> str:
    verdict = result["verdict"]
    wrong = verdict["wrong"]
    growth, span = verdict["memory_growth"], verdict["span"]
    told = "All is well." if not wrong else f"Wrong: {'; '.join(wrong)}."
    return (
        f"{told} Of {result['minutes']:g} minutes, the {span / 60:.0f} after the warm-up: memory"
        f" {growth / 1e6:+.2f} MB, descriptors {verdict['descriptor_growth']:+.1f}, by the straight"
        " line that fits best. Once all had gone:"
        f" {verdict['descriptors_after']} descriptors ({verdict['descriptors_before']} before),"
        f" {verdict['sessions_after']} sessions."
    )


def _table(result: Result) -> list[str]:
    rows = result["rows"]
    lines = [
        "| minutes | said | heard | p50 ms | p99 ms | lost | joins | MB | descriptors | tasks |"
        " sessions | server |",
        "|---:" * 12 + "|",
    ]
    while rows:
        limit = (rows[0]["end"] // SPAN + 1) * SPAN
        some = [row for row in rows if row["end"] <= limit + 30] or rows[:1]
        rows = rows[len(some) :]
        last = some[-1]
        cells = [
            *(f"{last['end'] / 60:.0f}", str(sum(row["said"] for row in some))),
            str(sum(row["heard"] for row in some)),
            f"{sorted(row['p50'] for row in some)[len(some) // 2]:.1f}",
            f"{max(row['p99'] for row in some):.0f}",
            *(str(sum(row["lost"] for row in some)), str(sum(row["joins"] for row in some))),
            *(f"{last['memory'] / 1e6:.1f}", str(last["descriptors"]), str(last["tasks"])),
            str(last["sessions"]),
            f"{100 * sum(row['server_cpu'] for row in some) / len(some):.0f} %",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Print the page."""
    (file,) = sys.argv[1:] if arguments is None else arguments
    result: Result = json.loads(Path(file).read_text(encoding="utf-8"))
    sys.stdout.write(render(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
