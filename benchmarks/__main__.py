"""The command: runs the benchmarks that are named, or all, and prints their tables."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
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
from benchmarks.report import Section, as_json, environment
from benchmarks.wire import LoadError

BENCHMARKS = {
    "fan-out": fan_out.run,
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which ones: {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="less exact, in a quarter of the time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE too")
    options = parser.parse_args(arguments)
    names: list[str] = options.names or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]}: choose from {', '.join(BENCHMARKS)}")
    print(", ".join(f"{name} {value}" for name, value in environment().items()), end="\n\n")
    sections: list[Section] = []
    failed = False
    for name in names:
        try:
            section = BENCHMARKS[name](quick=options.quick)
        except LoadError as error:
            failed = True
            print(f"{name} failed: {error}\n", file=sys.stderr)
            continue
        sections.append(section)
        print(section.render(), flush=True)
    if options.json is not None:
        text = json.dumps(as_json(sections), indent=2)
        Path(options.json).write_text(text + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
