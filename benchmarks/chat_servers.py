"""Chat servers beside each other: Sylk, Prosody and ejabberd, and bare loops in Python and C.

One talker, N listeners in one room, the same texts, the same window, one after the other on one
machine. What is asked is how many deliveries a second of processor time brings, as fast as it
goes, and how long a message is on its way at a load that each of them can bear.
"""

import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.bare_loop import BareLoop, compiler
from benchmarks.crowd import Accept, Enter, Port, listen
from benchmarks.fan_out import SYLK, beside_room, in_room
from benchmarks.memory import allow_files
from benchmarks.report import Figure, Section, reason_of
from benchmarks.talks import Result, Seat, Span, await_quiet, measure
from benchmarks.wire import BODY_SIZE, LoadError
from benchmarks.workers import Ready, Worker
from benchmarks.xmpp import MARK, XmppRoom, enter_all, talk_in_xmpp_room
from benchmarks.xmpp_servers import DOMAIN, ROOMS, SERVERS, XmppProcess, XmppServer

WINDOWS = {2: 300, 10: 300, 50: 300, 200: 75, 1000: 10}
"""How many messages are under way at most, by listeners: a slow server must end what it begins."""
QUICK_SIZES = (50,)
PACED_SIZE = 50
PACED = 5000
"""Deliveries a second of the paced case, which every server can bear."""

_LARGE = 1000
_LARGE_FACTOR = 2.0
"""From this size on, what a server writes comes in few large bursts; it is measured for longer."""
_SPARE_FILES = 200

Seating = Callable[[int], AbstractContextManager[Seat]]
"""Gives so many listeners a talker, for a while."""


@dataclass(slots=True)
class _Comparison:
    """What is measured, and what has been: results by who sends, listeners, and how."""

    section: Section
    folder: Path
    quick: bool
    results: dict[tuple[str, int, bool], Result] = field(
        default_factory=dict[tuple[str, int, bool], Result]
    )

    def measure(self, name: str, seating: Seating, count: int, span: Span) -> None:
        """Measure one of them with a room of one size."""
        factor = _LARGE_FACTOR if count >= _LARGE else 1.0
        longer = Span(span.warm_up, factor * span.measured)
        with seating(count) as seat:
            self.results[name, count, True] = measure(seat, None, longer)
            if count == PACED_SIZE and not self.quick:
                self.results[name, count, False] = measure(seat, PACED / count, longer)

    def seatings(self) -> Iterator[tuple[str, Seating]]:
        """Yield what can be measured here, by name; the section tells what cannot."""
        yield SYLK, _in_sylk
        # The loops send what the room has sent.
        frame = self.results[SYLK, PACED_SIZE, True].frame
        yield "loop in Python", partial(beside_room, frame=frame)
        if compiler() is not None:
            yield "loop in C", partial(_beside_c, self.folder, frame)
        else:
            self.section.about.append("There is no C compiler here, so the loop in C is left out.")
        for server in SERVERS:
            if server.is_installed():
                yield server.name, partial(_in_xmpp_room, server)
            else:
                self.section.about.append(f"{server.name} is not installed.")

    def add_rows(self) -> None:
        """Add what was measured, those who can be compared side by side."""
        in_order = sorted(self.results.items(), key=lambda item: (not item[0][2], item[0][1]))
        for (name, count, saturated), result in in_order:
            figures = _figures(result)
            if (prosody := self.results.get(("Prosody", count, saturated))) is not None:
                figures["x Prosody's deliveries/CPU-s"] = prosody.cpu / result.cpu
            if not saturated:
                figures["median ms"], figures["99 % ms"] = result.delay(50), result.delay(99)
            how = "saturated" if saturated else f"{PACED:,} a second"
            self.section.add(f"{count} listeners, {how}: {name}", figures)


def run(*, quick: bool) -> Section:
    """Measure each server and loop, with rooms of several sizes."""
    span = Span(0.3, 0.8) if quick else Span(0.7, 2.0)
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
        ],
    )
    with tempfile.TemporaryDirectory(prefix="sylk-bench-") as folder:
        comparison = _Comparison(section, Path(folder), quick)
        for name, seating in comparison.seatings():
            for count in sizes:
                try:
                    comparison.measure(name, seating, count, span)
                except LoadError as error:
                    if name == SYLK:
                        raise
                    section.about.append(f"{name}, {count} listeners: {reason_of(error)}.")
    comparison.add_rows()
    return section


def _figures(result: Result) -> dict[str, Figure]:
    return {
        "deliveries/s": result.deliveries,
        "deliveries/CPU-s": 100_000 / result.cpu,
        "us CPU each": 10 * result.cpu,
        "sender busy %": 100 * result.busy,
        "load busy %": 100 * result.load,
        "others busy %": 100 * result.others,
    }


def _in_sylk(count: int) -> AbstractContextManager[Seat]:
    return in_room(count, SYLK, WINDOWS[count])


@contextmanager
def _in_xmpp_room(server: XmppServer, count: int) -> Generator[Seat]:
    with XmppProcess(server) as process:
        room = XmppRoom(process.port, DOMAIN, f"bench@{ROOMS}")
        with (
            Worker(listen) as crowd,
            Worker(talk_in_xmpp_room, room, WINDOWS[count]) as talker,
        ):
            talker.expect(Ready)
            crowd.ask(Enter(partial(enter_all, room, count), MARK), Ready)
            await_quiet(crowd)
            yield Seat(crowd, talker, process, count, echoes=True)


@contextmanager
def _beside_c(folder: Path, frame: bytes, count: int) -> Generator[Seat]:
    with Worker(listen) as crowd:
        port = crowd.ask(Accept(count), Port).number
        with BareLoop(folder, port, count, frame) as loop:
            loop.await_ready()
            crowd.expect(Ready)
            yield Seat(crowd, loop, loop, count)
