"""The command: soaks a server for some minutes, prints a table as it goes, and a verdict."""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import trio

from benchmarks.report import environment
from benchmarks.server_process import ServerProcess
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.person import World
from benchmarks.soak.scenes import Stage
from benchmarks.soak.server import SETTINGS, Sample, SoakedServer
from benchmarks.soak.verdict import Minute, Verdict, judge

SAMPLE_INTERVAL = 5.0
"""Seconds between two looks at the server."""

ROW = 60.0
"""Seconds that each row of the table is about; less in a soak that is short."""

_ROWS = 5
_EMPTYING = 60.0
"""Seconds for the server to let everybody go; over UDP a transaction stays for 32."""
_COLUMNS = (
    *("minute", "said", "heard", "p50 ms", "p99 ms", "worst", "lost", "faults", "joins", "MB"),
    *("descriptors", "tasks", "sessions", "server %", "load %", "warnings", "errors"),
)


class Soak:
    """One run."""

    def __init__(self, server: SoakedServer, seconds: float, pace: float, seed: int) -> None:
        self._server = server
        self._seconds = seconds
        self._row = min(ROW, seconds / _ROWS)
        self.ledger = Ledger()
        self._world = World(server.ports, self.ledger)
        self._stage = Stage(self._world, random.Random(seed), pace, server.msrp_port)
        self._begin = 0.0
        self.samples: list[Sample] = []
        self.minutes: list[Minute] = []
        self._cpu = (0.0, 0.0)
        self._counted = (0, 0, 0, 0)

    async def run(self) -> Verdict:
        """Soak, and judge."""
        before = await self._server.sample(0.0)
        self._begin = trio.current_time()
        self._cpu = (before.cpu, time.process_time())
        _print_row(_COLUMNS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stage.run)
            await self._look()
            # All are gone at once, without a word.
            nursery.cancel_scope.cancel()
        verdict = judge(self.samples, before, await self._emptied(before))
        self._server.read_log()
        counted = {
            "messages lost": self.ledger.lost,
            "faults": self.ledger.counts["faults"],
            "tracebacks": self._server.tracebacks,
            "errors in the log": self._server.errors,
        }
        verdict.wrong += [f"{count} {what}" for what, count in counted.items() if count]
        return verdict

    @property
    def _now(self) -> float:
        return trio.current_time() - self._begin

    async def _look(self) -> None:
        """Take samples until the time is over, and print a row whenever it is time."""
        next_row = self._row
        while self._now < self._seconds:
            await trio.sleep(min(SAMPLE_INTERVAL, self._row))
            self.ledger.sweep(trio.current_time())
            self.samples.append(await self._server.sample(self._now))
            if self._now >= next_row:
                next_row += self._row
                await self._end_row()

    async def _end_row(self) -> None:
        ledger, server = self.ledger, self._server
        server.read_log()
        delays = sorted(ledger.delays) or [0.0]
        ledger.delays = []
        sample = await server.sample(self._now)
        self.samples.append(sample)
        begin = self.minutes[-1].end if self.minutes else 0.0
        seconds = max(sample.time - begin, 0.001)
        load_cpu = time.process_time()
        counted = (ledger.said, ledger.heard, ledger.counts["joins"], ledger.lost)
        said, heard, joins, lost = (
            new - old for new, old in zip(counted, self._counted, strict=True)
        )
        row = Minute(
            end=sample.time,
            said=said,
            heard=heard,
            p50=1000 * delays[len(delays) // 2],
            p99=1000 * delays[int(0.99 * len(delays))],
            worst=1000 * delays[-1],
            lost=lost,
            faults=ledger.counts["faults"],
            joins=joins,
            memory=sample.memory,
            descriptors=sample.descriptors,
            tasks=sample.tasks,
            sessions=sample.sessions,
            server_cpu=(sample.cpu - self._cpu[0]) / seconds,
            load_cpu=(load_cpu - self._cpu[1]) / seconds,
            warnings=server.warnings,
            errors=server.errors,
        )
        self._counted, self._cpu = counted, (sample.cpu, load_cpu)
        self.minutes.append(row)
        _print_row(_cells(row))

    async def _emptied(self, before: Sample) -> Sample:
        """Return how the server is when all have gone, or when it has had the time for it."""
        after = await self._server.sample(self._now)
        with trio.move_on_after(_EMPTYING):
            while after.sessions or after.subscriptions or after.descriptors > before.descriptors:
                await trio.sleep(1.0)
                after = await self._server.sample(self._now)
        return after


def _cells(row: Minute) -> tuple[str, ...]:
    return (
        *(f"{row.end / 60:.1f}", str(row.said), str(row.heard)),
        *(f"{row.p50:.1f}", f"{row.p99:.1f}", f"{row.worst:.0f}"),
        *(str(row.lost), str(row.faults), str(row.joins), f"{row.memory / 1e6:.1f}"),
        *(str(row.descriptors), str(row.tasks), str(row.sessions)),
        *(f"{100 * row.server_cpu:.0f}", f"{100 * row.load_cpu:.0f}"),
        *(str(row.warnings), str(row.errors)),
    )


def _print_row(cells: Sequence[str]) -> None:
    widths = [max(len(column), 6) for column in _COLUMNS]
    print(
        "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)), flush=True
    )


def _print_verdict(soak: Soak, server: SoakedServer, verdict: Verdict) -> None:
    counts = ", ".join(f"{count} {what}" for what, count in sorted(soak.ledger.counts.items()))
    print(f"\n{soak.ledger.said} messages, heard {soak.ledger.heard} times; {counts}")
    if verdict.span:
        print(
            f"over {verdict.span / 60:.1f} minutes after a warm-up of {verdict.warm_up / 60:.1f}:"
            f" memory {verdict.memory_growth / 1e6:+.2f} MB,"
            f" descriptors {verdict.descriptor_growth:+.1f}"
        )
    print(
        f"descriptors {verdict.descriptors_before} before, {verdict.descriptors_after} after;"
        f" {server.warnings} warnings in the log"
    )
    for line in [*soak.ledger.faults, *server.worst]:
        print(f"  {line}")
    print("all is well" if verdict.is_well else f"wrong: {'; '.join(verdict.wrong)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status, 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long (10)")
    parser.add_argument("--pace", type=float, default=1.0, help="how much happens (1)")
    parser.add_argument("--seed", type=int, default=1, help="for the same people again (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep the log of the server")
    options = parser.parse_args(arguments)
    with ServerProcess(settings=SETTINGS) as process:
        server = SoakedServer(process)
        soak = Soak(server, 60 * options.minutes, options.pace, options.seed)
        try:
            verdict = trio.run(soak.run)
        finally:
            if options.log is not None:
                server.keep_log(options.log)
        _print_verdict(soak, server, verdict)
    if options.json is not None:
        result: dict[str, object] = {
            "environment": environment(quick=False),
            "minutes": options.minutes,
            "pace": options.pace,
            "said": soak.ledger.said,
            "heard": soak.ledger.heard,
            "lost": soak.ledger.lost,
            "counts": dict(soak.ledger.counts),
            "faults": list(soak.ledger.faults),
            "warnings": server.warnings,
            "errors": server.errors,
            "tracebacks": server.tracebacks,
            "worst_lines": server.worst,
            "rows": [asdict(row) for row in soak.minutes],
            "samples": [asdict(sample) for sample in soak.samples],
            "verdict": asdict(verdict),
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(not verdict.is_well)


if __name__ == "__main__":
    sys.exit(main())
