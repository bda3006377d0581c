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
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from benchmarks.crowd import Accept, Join, Port, listen
from benchmarks.memory import allow_files
from benchmarks.report import Section
from benchmarks.server_process import ServerProcess
from benchmarks.talker import talk_bare, talk_in_room
from benchmarks.talks import Result, Seat, Span, await_quiet, measure
from benchmarks.wire import BODY_SIZE, HOST
from benchmarks.workers import Ready, Worker

ROOM = f"sip:bench@{HOST}"
SIZES = (2, 10, 50, 200, 1000)
QUICK_SIZES = (50,)
PACED_FROM = 10
"""Listeners from which on a paced case makes sense: with fewer the talker cannot keep the pace."""
WINDOW = 300
"""Messages that the talker has unanswered at most."""
PACED = 50_000
"""Deliveries a second of the paced cases."""

SYLK, HISTORY, TLS, BARE = "Sylk", "with history", "over TLS", "bare loop"

# Of the section of rooms, which is the last one of the settings. A notice of who has come, which
# may be some seconds late in a large room, would be counted as a message.
_SETTINGS = f"max_participants = {2 * max(SIZES)}\njoin_notices = quiet\n"
_SPARE_FILES = 200


def run(*, quick: bool) -> Section:
    """Measure rooms of several sizes, saturated, paced and at half load."""
    sizes = QUICK_SIZES if quick else SIZES
    span = Span(0.3, 0.8) if quick else Span(0.8, 2.5)
    allow_files(2 * max(sizes) + _SPARE_FILES)
    section = Section("fan-out", [])
    seen: Result | None = None
    for count in sizes:
        seen = _measure_size(section, count, span)
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


def _measure_size(section: Section, count: int, span: Span) -> Result:
    """Add the rows for rooms of one size."""
    with ExitStack() as stack:
        names = (SYLK, HISTORY, TLS)
        seats = {name: stack.enter_context(in_room(count, name)) for name in names}
        # The first brings the frame that the bare loop sends.
        saturated = {name: measure(seat, None, span) for name, seat in seats.items()}
        seats[BARE] = stack.enter_context(beside_room(count, saturated[SYLK].frame))
        saturated[BARE] = measure(seats[BARE], None, span)
        _add_rows(section, f"{count} listeners, saturated", saturated)
        if count >= PACED_FROM:
            paced = _measure_all(seats, PACED / count, span)
            _add_rows(section, f"{count} listeners, {PACED:,} a second", paced)
        bearable = min(saturated[SYLK].deliveries, saturated[BARE].deliveries)
        del seats[TLS]
        half = _measure_all(seats, bearable / 2 / count, span)
        _add_rows(section, f"{count} listeners, half load", half, is_timed=True)
        return saturated[SYLK]


def _measure_all(seats: dict[str, Seat], rate: float, span: Span) -> dict[str, Result]:
    return {name: measure(seat, rate, span) for name, seat in seats.items()}


def _add_rows(
    section: Section, case: str, results: dict[str, Result], *, is_timed: bool = False
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
def in_room(count: int, name: str, window: int = WINDOW) -> Generator[Seat]:
    """Run a server with a room of listeners, as the name says, and a talker."""
    secure = name == TLS
    with (
        ServerProcess(_SETTINGS, history=name == HISTORY, tls=secure) as server,
        Worker(listen) as crowd,
        Worker(talk_in_room, server.sip_port, ROOM, window, secure=secure) as talker,
    ):
        talker.expect(Ready)
        crowd.ask(Join(server.sip_port, ROOM, count, secure), Ready)
        await_quiet(crowd)
        yield Seat(crowd, talker, server, count)


@contextmanager
def beside_room(count: int, frame: bytes) -> Generator[Seat]:
    """Run the bare loop, which sends the frame of a room."""
    template = re.sub(rb"#\d{8}#", b"#%08d#", frame.replace(b"%", b"%%"), count=1)
    with Worker(listen) as crowd:
        port = crowd.ask(Accept(count), Port).number
        with Worker(talk_bare, port, count, template) as talker:
            talker.expect(Ready)
            crowd.expect(Ready)
            yield Seat(crowd, talker, talker, count)
