"""The command: runs the benchmarks that are named, or all, and prints their tables."""

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from benchmarks import (
    chat_servers,
    conference_info,
    cores,
    fan_out,
    floods,
    history,
    joins,
    large,
    memory,
    parsers,
    relay,
    rooms,
    set_up,
    transactions,
)
from benchmarks.report import Report, Section, reason_of
from benchmarks.wire import LoadError

BENCHMARKS = {
    "fan-out": fan_out.run,
    "chat-servers": chat_servers.run,
    "large": large.run,
    "relay": relay.run,
    "set-ups": set_up.run,
    "joins": joins.run,
    "rooms": rooms.run,
    "transactions": transactions.run,
    "parsers": parsers.run,
    "memory": memory.run,
    "history": history.run,
    "floods": floods.run,
    "conference-info": conference_info.run,
    "cores": cores.run,
}
BY_NAME_ALONE = {"floods"}
"""Not in a run of all: docs/robustness.md tells of it, and it takes as long as half of them."""
NOT_QUICK = {"relay", "rooms", "memory", "history", "conference-info", "cores"}
"""Left out of a quick run of all: each takes a good part of two minutes however quick it is."""

_LONGEST = 600.0
"""Seconds that one benchmark may take. It has come to a halt then, and the others are to be run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which ones: {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="less exact, in less time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE too")
    parser.add_argument("--update", action="store_true", help="keep what FILE has of other ones")
    options = parser.parse_args(arguments)
    path: Path | None = options.json
    names: list[str] = options.names
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]}: choose from {', '.join(BENCHMARKS)}")
    if options.update and (path is None or not path.exists()):
        parser.error("--update wants a FILE that exists, given with --json")
    if not names:
        without = BY_NAME_ALONE | NOT_QUICK if options.quick else BY_NAME_ALONE
        names = [name for name in BENCHMARKS if name not in without]
    report = Report.read(path) if options.update and path else Report.here(quick=options.quick)
    print(report.describe_machine(), end="\n\n", flush=True)
    for name in names:
        _run(name, report, quick=options.quick)
        if path is not None:
            # After each: what is done stays done, whatever happens to the next.
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(report.as_json(), encoding="utf-8")
    for name in names:
        if (reason := report.failures.get(name)) is not None:
            print(f"{name} failed: {reason}", file=sys.stderr)
    return int(any(name in report.failures for name in names))


def _run(name: str, report: Report, *, quick: bool) -> None:
    begin = time.monotonic()
    try:
        with _limit(_LONGEST):
            section: Section = BENCHMARKS[name](quick=quick)
    except Exception as error:  # noqa: BLE001 - one that fails must not lose what the others bring
        traceback.print_exc()
        report.fail(name, reason_of(error))
        return
    section.seconds = round(time.monotonic() - begin, 1)
    report.add(section)
    print(section.render(), flush=True)


@contextmanager
def _limit(seconds: float) -> Generator[None]:
    """Raise LoadError inside when it takes longer than so many seconds."""

    def give_up(signal_number: int, frame: FrameType | None) -> None:
        raise LoadError(f"it has taken longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    sys.exit(main())
