"""Chat fan-out: one talker, N listeners in one room of the real server, beside a bare loop.

The bare loop is the least that a Python program can do: it knows nothing of MSRP and makes one
blocking `sendall` of a ready frame for each message and listener, to the same listeners. The talker
and the listeners live in processes of their own. The benchmark measures the server only while these
have time left: `load` is the share of one processor that they take together, and `others` is what
everything else on the machine takes, which should be next to nothing.
"""

import re
import time
from dataclasses import dataclass

from benchmarks.crowd import Accept, Count, Counts, Forget, Join, Port, check, listen
from benchmarks.report import Figure, Section
from benchmarks.server_process import ServerProcess, machine_cpu_seconds
from benchmarks.talker import Said, Talk, talk_bare, talk_in_room
from benchmarks.wire import BODY_SIZE, HOST, LoadError
from benchmarks.workers import Ready, Worker

ROOM = f"sip:bench@{HOST}"
LISTENERS = (10, 50)
WINDOW = 300
"""Messages that the talker has unanswered at most."""
PACED = 50_000
"""Deliveries a second of the paced cases."""

_QUIET = 0.5
_SETTLE_LIMIT = 30.0
_TAIL = 0.2


@dataclass(slots=True)
class Span:
    """Seconds of talk that come first, and seconds that are measured."""

    warm_up: float
    measured: float


@dataclass(slots=True)
class _Result:
    deliveries: float
    """A second."""
    cpu: float
    """Seconds for 100,000 deliveries, of whoever sends to the listeners."""
    busy: float
    load: float
    others: float
    in_size: int
    frame: bytes

    def figures(self, bare: "_Result | None") -> dict[str, Figure]:
        figures: dict[str, Figure] = {
            "deliveries/s": self.deliveries,
            "CPU s/100k": self.cpu,
            "sender busy %": 100 * self.busy,
            "load busy %": 100 * self.load,
            "others busy %": 100 * self.others,
        }
        if bare is not None:
            figures["rate vs bare"] = self.deliveries / bare.deliveries
            figures["CPU vs bare"] = self.cpu / bare.cpu
        return figures


def run(*, quick: bool) -> Section:
    """Measure rooms of several sizes, saturated and paced."""
    span = Span(0.5, 1.5) if quick else Span(1.5, 5.0)
    section = Section("fan-out", [])
    sizes = ""
    for count in LISTENERS:
        rates = (None, PACED / count)
        through_room = _measure_room(count, rates, span)
        frame = through_room[0].frame
        kept = _measure_room(count, rates, span, history=True)
        bare_loop = _measure_bare(count, rates, span, frame)
        sizes = f"{through_room[0].in_size} bytes to the server, {len(frame)} to a listener"
        for rate, room, on_disk, bare in zip(rates, through_room, kept, bare_loop, strict=True):
            how = "saturated" if rate is None else f"{PACED:,} a second"
            section.add(f"{count} listeners, {how}: Sylk", room.figures(bare))
            section.add(f"{count} listeners, {how}: with history", on_disk.figures(bare))
            section.add(f"{count} listeners, {how}: bare loop", bare.figures(None))
    section.about += [
        f"One talker; CPIM-wrapped texts of {BODY_SIZE} bytes, frames of {sizes}.",
        f"Saturated: at most {WINDOW} messages unanswered. {span.measured:g} s each, after"
        f" {span.warm_up:g} s of warm-up.",
        "CPU: user and system of the process that sends to the listeners; load: of the rest of the",
        "benchmark; others: of everything else, which should be next to nothing.",
        "Every listener got every message once; the order is checked at one of them. With history,",
        "each message is on disk before it is answered.",
    ]
    return section


def _measure_room(
    count: int, rates: tuple[float | None, ...], span: Span, *, history: bool = False
) -> list[_Result]:
    with (
        ServerProcess(history=history) as server,
        Worker(listen) as crowd,
        Worker(talk_in_room, server.sip_port, ROOM, WINDOW) as talker,
    ):
        talker.expect(Ready)
        crowd.ask(Join(server.sip_port, ROOM, count), Ready)
        _await_quiet(crowd)
        results: list[_Result] = []
        for rate in rates:
            crowd.ask(Forget(), Ready)
            results.append(_measure(crowd, talker, Talk(0, rate), span, server, [crowd, talker]))
        return results


def _measure_bare(
    count: int, rates: tuple[float | None, ...], span: Span, frame: bytes
) -> list[_Result]:
    template = re.sub(rb"#\d{8}#", b"#%08d#", frame.replace(b"%", b"%%"), count=1)
    with Worker(listen) as crowd:
        port = crowd.ask(Accept(count), Port).number
        with Worker(talk_bare, port, count, template) as talker:
            talker.expect(Ready)
            crowd.expect(Ready)
            results: list[_Result] = []
            for rate in rates:
                crowd.ask(Forget(), Ready)
                results.append(_measure(crowd, talker, Talk(0, rate), span, talker, [crowd]))
            return results


def _measure(
    crowd: Worker,
    talker: Worker,
    talk: Talk,
    span: Span,
    sender: ServerProcess | Worker,
    load: list[Worker],
) -> _Result:
    """Measure in the middle of a talk, then wait for its end and check what arrived."""
    talk.seconds = span.warm_up + span.measured + _TAIL
    talker.tell(talk)
    time.sleep(span.warm_up)
    first, before = crowd.ask(Count(), Counts), _cpu(sender, load)
    time.sleep(span.measured)
    last, after = crowd.ask(Count(), Counts), _cpu(sender, load)
    said = talker.expect(Said)
    counts = _settle(crowd, said.messages)
    deliveries, seconds = last.total - first.total, last.time - first.time
    cpu, load_cpu, machine = (end - begin for begin, end in zip(before, after, strict=True))
    return _Result(
        deliveries / seconds,
        cpu / deliveries * 100_000,
        cpu / seconds,
        load_cpu / seconds,
        max(machine - cpu - load_cpu, 0.0) / seconds,
        said.frame_size,
        counts.frame,
    )


def _cpu(sender: ServerProcess | Worker, load: list[Worker]) -> tuple[float, float, float]:
    """Return the processor time so far of who sends, of the load, and of all there is."""
    return (
        sender.cpu_seconds(),
        sum(worker.cpu_seconds() for worker in load),
        machine_cpu_seconds(),
    )


def _settle(crowd: Worker, sent: int) -> Counts:
    """Wait until all has arrived, and a moment more for what should not; then check it."""
    deadline = time.monotonic() + _SETTLE_LIMIT
    while True:
        counts = crowd.ask(Count(), Counts)
        if counts.total >= sent * len(counts.messages) or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    counts = _await_quiet(crowd)
    check(counts, sent)
    return counts


def _await_quiet(crowd: Worker) -> Counts:
    """Wait until nothing has arrived for a moment: no notice of the room is under way then."""
    deadline = time.monotonic() + _SETTLE_LIMIT
    while True:
        counts = crowd.ask(Count(), Counts)
        if counts.time - counts.last_arrival > _QUIET:
            return counts
        if time.monotonic() > deadline:
            raise LoadError("the room does not become quiet")
        time.sleep(_QUIET / 2)
