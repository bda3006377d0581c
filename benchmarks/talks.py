"""One talk and its measurement: a talker, listeners, and whoever sends to them.

Load processes talk and listen. What is measured is the middle of a talk; after its end all must
have arrived, once and in order.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.crowd import Count, Counts, Forget, check
from benchmarks.report import Figure
from benchmarks.server_process import machine_cpu_seconds
from benchmarks.talker import Said, Talk
from benchmarks.wire import LoadError
from benchmarks.workers import Ready, Worker

_QUIET = 0.5
_SETTLE_LIMIT = 60.0
_TAIL = 0.2


@dataclass(slots=True)
class Span:
    """Seconds of talk that come first, and seconds that are measured."""

    warm_up: float
    measured: float


class Sender(Protocol):
    """A process that sends to the listeners."""

    def cpu_seconds(self) -> float:
        """Return the processor time that it has taken."""
        ...


class Talker(Sender, Protocol):
    """A process that talks when it is told to, and says when it has ended."""

    def tell(self, command: Talk, /) -> None:
        """Let it talk."""
        ...

    def expect(self, kind: type[Said], /) -> Said:
        """Wait for the end of the talk."""
        ...


@dataclass(slots=True)
class Seat:
    """Listeners, a talker, and who sends to the listeners: a server, or the talker himself."""

    crowd: Worker
    talker: Talker
    sender: Sender
    count: int
    echoes: bool = False
    """Whether the talker is sent each of his messages as well."""

    def load(self) -> float:
        """Return the processor time of those who are load alone."""
        talker = 0.0 if self.sender is self.talker else self.talker.cpu_seconds()
        return talker + self.crowd.cpu_seconds()


@dataclass(slots=True)
class Result:
    """What was measured in one talk."""

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
        """Return what can be told of every talk."""
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


def measure(seat: Seat, rate: float | None, span: Span) -> Result:
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
    deliveries, seconds = float(last.total - first.total), last.time - first.time
    if not deliveries:
        raise LoadError(f"no message came within {seconds:.0f} s")
    if seat.echoes:
        deliveries *= (seat.count + 1) / seat.count
    cpu, load_cpu, machine = (end - begin for begin, end in zip(before, after, strict=True))
    return Result(
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


def _cpu(seat: Seat) -> tuple[float, float, float]:
    """Return the processor time so far of who sends, of the load, and of all there is."""
    return (
        seat.sender.cpu_seconds(),
        seat.load(),
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
    await_quiet(crowd)
    counts = crowd.ask(Count(with_arrivals=True), Counts)
    check(counts, sent)
    return counts


def await_quiet(crowd: Worker) -> Counts:
    """Wait until nothing has arrived for a moment: no notice of the room is under way then."""
    deadline = time.monotonic() + _SETTLE_LIMIT
    while True:
        counts = crowd.ask(Count(), Counts)
        if counts.time - counts.last_arrival > _QUIET:
            return counts
        if time.monotonic() > deadline:
            raise LoadError("the room does not become quiet")
        time.sleep(_QUIET / 2)
