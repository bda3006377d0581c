"""Chat fan-out: one talker, N listeners in one room of the real server, beside a bare loop.

The bare loop is the least that a Python program can do: it knows nothing of MSRP and makes one
blocking `sendall` of a ready frame for each message and listener, to the same listeners. The talker
and the listeners live in processes of their own. The benchmark measures the server only while these
have time left: `load` is the share of one processor that they take together, and `others` is what
everything else on the machine takes, which should be next to nothing.

Half load is half of what the slower of the two bears, the server or the loop, and the same rate for
both: what is compared there is how long a message is on its way.
"""

import re
import statistics
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.crowd import Accept, Count, Counts, Forget, Join, Port, check, listen
from benchmarks.memory import allow_files
from benchmarks.report import Figure, Section
from benchmarks.server_process import ServerProcess, machine_cpu_seconds
from benchmarks.talker import Said, Talk, talk_bare, talk_in_room
from benchmarks.wire import BODY_SIZE, HOST, LoadError
from benchmarks.workers import Ready, Worker

ROOM = f"sip:bench@{HOST}"
SIZES = (2, 10, 50, 200, 1000)
QUICK_SIZES = (10, 50)
PACED_FROM = 10
"""Listeners from which on a paced case makes sense: with fewer the talker cannot keep the pace."""
WINDOW = 300
"""Messages that the talker has unanswered at most."""
PACED = 50_000
"""Deliveries a second of the paced cases."""

SYLK, HISTORY, TLS, BARE = "Sylk", "with history", "over TLS", "bare loop"

# Of the section of rooms, which is the last one of the settings.
_SETTINGS = f"max_participants = {2 * max(SIZES)}\n"
_SPARE_FILES = 200
_QUIET = 0.5
_SETTLE_LIMIT = 60.0
_TAIL = 0.2


@dataclass(slots=True)
class Span:
    """Seconds of talk that come first, and seconds that are measured."""

    warm_up: float
    measured: float


@dataclass(slots=True)
class _Seat:
    """Listeners, a talker, and who sends to the listeners."""

    crowd: Worker
    talker: Worker
    sender: ServerProcess | Worker
    count: int

    @property
    def load(self) -> list[Worker]:
        return [self.crowd] if self.sender is self.talker else [self.crowd, self.talker]


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
    delays: list[float]
    """Seconds from the talker to a listener, of what was sent at a rate."""

    def figures(self) -> dict[str, Figure]:
        return {
            "deliveries/s": self.deliveries,
            "CPU s/100k": self.cpu,
            "sender busy %": 100 * self.busy,
            "load busy %": 100 * self.load,
            "others busy %": 100 * self.others,
        }

    def delay(self, percent: int) -> float:
        """Return the milliseconds in which so many of a hundred messages came."""
        return 1000 * statistics.quantiles(self.delays, n=100)[percent - 1]


def run(*, quick: bool) -> Section:
    """Measure rooms of several sizes, saturated, paced and at half load."""
    sizes = QUICK_SIZES if quick else SIZES
    span = Span(0.3, 1.2) if quick else Span(1.0, 3.0)
    allow_files(2 * max(sizes) + _SPARE_FILES)
    section = Section("fan-out", [])
    seen: _Result | None = None
    for count in sizes:
        seen = _measure_size(section, count, span, is_short=quick and count != max(sizes))
    assert seen is not None
    section.about += [
        f"One talker; CPIM-wrapped texts of {BODY_SIZE} bytes, frames of {seen.in_size} bytes to"
        f" the server, {len(seen.frame)} to a listener.",
        f"Saturated: at most {WINDOW} messages unanswered. {span.measured:g} s each, after"
        f" {span.warm_up:g} s of warm-up.",
        "Half load: half of what the slower of room and bare loop bears, the same rate for all.",
        "CPU: user and system of the process that sends to the listeners; load: of the rest of the",
        "benchmark; others: of everything else, which should be next to nothing.",
        "Every listener got every message once; the order is checked at one of them. With history,",
        "each message is on disk before it is answered. Over TLS: all of them, without history.",
    ]
    return section


def _measure_size(section: Section, count: int, span: Span, *, is_short: bool) -> _Result:
    """Add the rows for rooms of one size; a short one has neither TLS nor half load."""
    with ExitStack() as stack:
        seats = {name: stack.enter_context(_in_room(count, name)) for name in (SYLK, HISTORY)}
        if not is_short:
            seats[TLS] = stack.enter_context(_in_room(count, TLS))
        # The first brings the frame that the bare loop sends.
        saturated = {name: _measure(seat, None, span) for name, seat in seats.items()}
        seats[BARE] = stack.enter_context(_beside_room(count, saturated[SYLK].frame))
        saturated[BARE] = _measure(seats[BARE], None, span)
        _add_rows(section, f"{count} listeners, saturated", saturated)
        if count >= PACED_FROM:
            paced = _measure_all(seats, PACED / count, span)
            _add_rows(section, f"{count} listeners, {PACED:,} a second", paced)
        if not is_short:
            bearable = min(saturated[SYLK].deliveries, saturated[BARE].deliveries)
            del seats[TLS]
            half = _measure_all(seats, bearable / 2 / count, span)
            _add_rows(section, f"{count} listeners, half load", half, is_timed=True)
        return saturated[SYLK]


def _measure_all(seats: dict[str, _Seat], rate: float, span: Span) -> dict[str, _Result]:
    return {name: _measure(seat, rate, span) for name, seat in seats.items()}


def _add_rows(
    section: Section, case: str, results: dict[str, _Result], *, is_timed: bool = False
) -> None:
    bare, clear = results[BARE], results[SYLK]
    for name, result in results.items():
        figures = result.figures()
        if result is not bare:
            figures["rate vs bare"] = result.deliveries / bare.deliveries
            figures["CPU vs bare"] = result.cpu / bare.cpu
        if name == TLS:
            figures["rate vs clear"] = result.deliveries / clear.deliveries
        if is_timed:
            figures["median ms"], figures["99 % ms"] = result.delay(50), result.delay(99)
            if result is not bare:
                figures["99 % vs bare"] = result.delay(99) / bare.delay(99)
        section.add(f"{case}: {name}", figures)


@contextmanager
def _in_room(count: int, name: str) -> Generator[_Seat]:
    secure = name == TLS
    with (
        ServerProcess(_SETTINGS, history=name == HISTORY, tls=secure) as server,
        Worker(listen) as crowd,
        Worker(talk_in_room, server.sip_port, ROOM, WINDOW, secure=secure) as talker,
    ):
        talker.expect(Ready)
        crowd.ask(Join(server.sip_port, ROOM, count, secure), Ready)
        _await_quiet(crowd)
        yield _Seat(crowd, talker, server, count)


@contextmanager
def _beside_room(count: int, frame: bytes) -> Generator[_Seat]:
    template = re.sub(rb"#\d{8}#", b"#%08d#", frame.replace(b"%", b"%%"), count=1)
    with Worker(listen) as crowd:
        port = crowd.ask(Accept(count), Port).number
        with Worker(talk_bare, port, count, template) as talker:
            talker.expect(Ready)
            crowd.expect(Ready)
            yield _Seat(crowd, talker, talker, count)


def _measure(seat: _Seat, rate: float | None, span: Span) -> _Result:
    """Measure in the middle of a talk, then wait for its end and check what arrived."""
    crowd = seat.crowd
    crowd.ask(Forget(timed=rate is not None), Ready)
    seat.talker.tell(Talk(span.warm_up + span.measured + _TAIL, rate))
    time.sleep(span.warm_up)
    first, before = crowd.ask(Count(), Counts), _cpu(seat)
    time.sleep(span.measured)
    last, after = crowd.ask(Count(), Counts), _cpu(seat)
    said = seat.talker.expect(Said)
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
        _delays(counts.arrivals, said.times, first.time, last.time),
    )


def _delays(
    arrivals: Sequence[tuple[int, float]], times: Sequence[float], begin: float, end: float
) -> list[float]:
    """Return how long each message was on its way that was sent while it was measured."""
    if not times:
        return []
    return [when - times[number] for number, when in arrivals if begin <= times[number] <= end]


def _cpu(seat: _Seat) -> tuple[float, float, float]:
    """Return the processor time so far of who sends, of the load, and of all there is."""
    return (
        seat.sender.cpu_seconds(),
        sum(worker.cpu_seconds() for worker in seat.load),
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
    _await_quiet(crowd)
    counts = crowd.ask(Count(with_arrivals=True), Counts)
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
