"""Chat servers beside each other: Sylk, Prosody and ejabberd, and bare loops in Python and C.

One talker, N listeners in one room, the same texts, the same window, one after the other on one
machine. What is asked is how many deliveries a second of processor time brings, as fast as it
goes, and how long a message is on its way at a load that each of them can bear.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.bare_loop import BareLoop, compiler
from benchmarks.chat_load import (
    MSRP_MARK,
    XMPP_MARK,
    Accept,
    Enter,
    Entrance,
    Forget,
    Heard,
    Line,
    Said,
    Talk,
    Tell,
    bare_line,
    enter_sylk,
    enter_xmpp,
    listen,
    sylk_line,
    talk,
    xmpp_line,
)
from benchmarks.crowd import Port
from benchmarks.memory import allow_files
from benchmarks.report import Figure, Section, reason_of
from benchmarks.server_process import ServerProcess, machine_cpu_seconds
from benchmarks.wire import BODY_SIZE, LoadError
from benchmarks.workers import Ready, Worker
from benchmarks.xmpp_servers import SERVERS, XmppProcess, XmppServer

WINDOWS = {2: 300, 10: 300, 50: 300, 200: 75, 1000: 10}
"""How many messages are under way at most, by listeners: a slow server must end what it begins."""
QUICK_SIZES = (50,)
PACED_SIZE = 50
PACED = 5000
"""Deliveries a second of the paced case, which every server can bear."""
GOAL = 40
"""Times the deliveries for a second of processor time that Prosody brings."""

_SETTINGS = f"max_participants = {2 * max(WINDOWS)}\n"
"""Of the section of rooms, which is the last one of the settings."""

_QUIET = 0.5
_SETTLE_LIMIT = 60.0
_TAIL = 0.2
_SPARE_FILES = 200


_LARGE = 1000
_LARGE_FACTOR = 2.0
"""From this size on, what a server writes comes in few large bursts; it is measured for longer."""


@dataclass(slots=True)
class _Span:
    warm_up: float
    measured: float

    def of(self, count: int) -> "_Span":
        """Return the span for a room of some size."""
        factor = _LARGE_FACTOR if count >= _LARGE else 1.0
        return _Span(self.warm_up, factor * self.measured)


@dataclass(slots=True)
class _Sender:
    """Who sends to the listeners, and how the talker is told to begin, and tells his end."""

    cpu_seconds: Callable[[], float]
    load: Callable[[], float]
    tell: Callable[[Talk], None]
    await_said: Callable[[], Said]
    to_talker: int
    """1 where the talker hears each of his messages as well, else 0."""


Seating = Callable[[Worker, int], AbstractContextManager[_Sender]]
"""Gives some listeners a talker, for a while."""
Figures = dict[str, Figure]


def run(*, quick: bool) -> Section:
    """Measure each server and loop, with rooms of several sizes."""
    span = _Span(0.3, 0.8) if quick else _Span(1.0, 3.0)
    sizes = QUICK_SIZES if quick else tuple(WINDOWS)
    allow_files(2 * max(sizes) + _SPARE_FILES)
    section = Section(
        "chat-servers",
        [
            f"One talker, texts of {BODY_SIZE} bytes, {span.measured:g} s each after"
            f" {span.warm_up:g} s of warm-up. Saturated: at most",
            f"{WINDOWS[PACED_SIZE]} messages are under way; {WINDOWS[200]} with 200 listeners,"
            f" {WINDOWS[_LARGE]} with 1000. Every listener got every message.",
            "A bare loop makes one send for each message and listener. The XMPP servers have no",
            "history, no archive and no limits, pass on no presence, and send the talker his own",
            "message too, which counts as a delivery. CPU: of whoever sends to the listeners.",
            f"Goal: {GOAL} times Prosody's deliveries a CPU-second.",
        ],
    )
    results: dict[tuple[str, int, bool], Figures] = {}
    with tempfile.TemporaryDirectory(prefix="sylk-bench-") as folder:
        for name, seating in _seatings(section, Path(folder)):
            for count in sizes:
                rates = (None, PACED / count) if count == PACED_SIZE else (None,)
                try:
                    measured = _measure(seating, count, rates, span)
                except LoadError as error:
                    if name == "Sylk":
                        raise
                    section.about.append(f"{name}, {count} listeners: {reason_of(error)}.")
                    continue
                for rate, figures in zip(rates, measured, strict=True):
                    results[name, count, rate is None] = figures
    _add_rows(section, results)
    return section


def _add_rows(section: Section, results: dict[tuple[str, int, bool], Figures]) -> None:
    """Add what was measured, those who can be compared side by side."""
    in_order = sorted(results.items(), key=lambda item: (not item[0][2], item[0][1]))
    for (name, count, saturated), figures in in_order:
        how = "saturated" if saturated else f"{PACED:,} a second"
        prosody = results.get(("Prosody", count, saturated))
        if prosody is not None:
            ratio = float(figures["deliveries/CPU-s"]) / float(prosody["deliveries/CPU-s"])
            figures["x Prosody's deliveries/CPU-s"] = ratio
        section.add(f"{count} listeners, {how}: {name}", figures)


def _seatings(section: Section, folder: Path) -> Generator[tuple[str, Seating]]:
    """Yield what can be measured here, while it runs, by name; the section tells what cannot."""
    with ServerProcess(_SETTINGS) as server:
        cpu = server.cpu_seconds
        yield "Sylk", partial(_in_room, enter_sylk, sylk_line, server.sip_port, cpu, MSRP_MARK)
    yield "loop in Python", _beside_python
    if compiler() is not None:
        yield "loop in C", partial(_beside_c, folder)
    else:
        section.about.append("There is no C compiler here, so the loop in C is left out.")
    for xmpp_server in SERVERS:
        if not xmpp_server.is_installed():
            section.about.append(f"{xmpp_server.name} is not installed.")
            continue
        yield xmpp_server.name, partial(_in_xmpp_room, xmpp_server)


@contextmanager
def _in_xmpp_room(server: XmppServer, listeners: Worker, count: int) -> Generator[_Sender]:
    with (
        XmppProcess(server) as process,
        _in_room(
            enter_xmpp, xmpp_line, process.port, process.cpu_seconds, XMPP_MARK, listeners, count
        ) as sender,
    ):
        yield sender


@contextmanager
def _in_room(
    entrance: Entrance,
    line: Callable[[int, int], Line],
    port: int,
    cpu_seconds: Callable[[], float],
    mark: bytes,
    listeners: Worker,
    count: int,
) -> Generator[_Sender]:
    with Worker(talk, line, port, count, WINDOWS[count]) as talker:
        talker.expect(Ready)
        listeners.ask(Enter(entrance, port, count, mark), Ready)
        yield _Sender(
            cpu_seconds,
            lambda: talker.cpu_seconds() + listeners.cpu_seconds(),
            talker.tell,
            partial(talker.expect, Said),
            int(mark == XMPP_MARK),
        )


@contextmanager
def _beside_python(listeners: Worker, count: int) -> Generator[_Sender]:
    port = listeners.ask(Accept(count), Port).number
    with Worker(talk, bare_line, port, count, WINDOWS[count]) as talker:
        talker.expect(Ready)
        listeners.expect(Ready)
        said = partial(talker.expect, Said)
        yield _Sender(talker.cpu_seconds, listeners.cpu_seconds, talker.tell, said, 0)


@contextmanager
def _beside_c(folder: Path, listeners: Worker, count: int) -> Generator[_Sender]:
    port = listeners.ask(Accept(count), Port).number
    with BareLoop(folder, port, count) as loop:
        loop.await_ready()
        listeners.expect(Ready)
        yield _Sender(loop.cpu_seconds, listeners.cpu_seconds, loop.tell, loop.await_said, 0)


def _measure(
    seating: Seating, count: int, rates: tuple[float | None, ...], span: _Span
) -> list[Figures]:
    with Worker(listen) as listeners, seating(listeners, count) as sender:
        _await_quiet(listeners)
        return [_measure_talk(listeners, sender, rate, span.of(count)) for rate in rates]


def _measure_talk(listeners: Worker, sender: _Sender, rate: float | None, span: _Span) -> Figures:
    """Measure in the middle of a talk, then wait for its end and check what arrived."""
    listeners.ask(Forget(timed=rate is not None), Ready)
    sender.tell(Talk(span.warm_up + span.measured + _TAIL, rate))
    time.sleep(span.warm_up)
    first, before = listeners.ask(Tell(), Heard), _cpu(sender)
    time.sleep(span.measured)
    last, after = listeners.ask(Tell(), Heard), _cpu(sender)
    said = sender.await_said()
    heard = _settle(listeners, said.messages)
    count, seconds = len(heard.counts), last.time - first.time
    deliveries = (sum(last.counts) - sum(first.counts)) * (count + sender.to_talker) / count
    if not deliveries:
        raise LoadError(f"no message came within {seconds:.0f} s")
    cpu, load, machine = (end - begin for begin, end in zip(before, after, strict=True))
    figures: Figures = {
        "listeners": count,
        "deliveries/s": deliveries / seconds,
        "deliveries/CPU-s": deliveries / cpu,
        "us CPU each": cpu / deliveries * 1e6,
        "sender busy %": 100 * cpu / seconds,
        "load busy %": 100 * load / seconds,
        "others busy %": 100 * max(machine - cpu - load, 0.0) / seconds,
    }
    if rate is not None:
        delays = [
            when - said.times[number]
            for number, when in heard.arrivals
            if span.warm_up < said.times[number] - said.times[0]
        ]
        cuts = statistics.quantiles(delays, n=100)
        figures |= {"median ms": cuts[49] * 1000, "99 % ms": cuts[98] * 1000}
    return figures


def _cpu(sender: _Sender) -> tuple[float, float, float]:
    return sender.cpu_seconds(), sender.load(), machine_cpu_seconds()


def _settle(listeners: Worker, sent: int) -> Heard:
    """Wait until all has arrived, and a moment more for what should not; then check it."""
    deadline = time.monotonic() + _SETTLE_LIMIT
    while True:
        heard = listeners.ask(Tell(), Heard)
        if sum(heard.counts) >= sent * len(heard.counts) or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    heard = _await_quiet(listeners)
    if wrong := [count for count in heard.counts if count != sent]:
        raise LoadError(
            f"{len(wrong)} listeners did not get {sent} messages, but {min(wrong)} to {max(wrong)}"
        )
    return heard


def _await_quiet(listeners: Worker) -> Heard:
    """Wait until nothing has arrived for a moment: no notice of the room is under way then."""
    deadline = time.monotonic() + _SETTLE_LIMIT
    while True:
        heard = listeners.ask(Tell(), Heard)
        if heard.time - heard.last_arrival > _QUIET:
            return heard
        if time.monotonic() > deadline:
            raise LoadError("the room does not become quiet")
        time.sleep(_QUIET / 2)
