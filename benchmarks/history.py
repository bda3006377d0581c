"""The history of rooms: how fast records reach the disk, and how long an acknowledgment waits.

All in this process, with real files in the temporary folder (TMPDIR), beside bare loops of sqlite3
that write the same rows into the same tables with the same care for the disk.
"""

import gc
import logging
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import trio
from sylk_conference.history import HistoryLimits, HistoryStore, Said
from sylk_conference.history.database import open_for_writing, transaction

from benchmarks.report import Figure, Section
from benchmarks.wire import BODY_SIZE, HOST

ROOM = f"room@{HOST}"
SENDER = f"sip:alice@{HOST}"
HEAD = b"From: Alice <sip:alice@127.0.0.1>\r\nTo: <sip:room@127.0.0.1>\r\n" * 2
BODY = HEAD + b"x" * BODY_SIZE

SENDERS = 50
PACE = 1000
READS = 1000
REPLAY = 20
LIMITS = HistoryLimits(age=0, count=0)

_TICK = 0.001
_SERVER_GC = (3_000, 4, 50)
# As the server has it; what is measured here is what a server does.
_INSERT = "INSERT INTO records (room, at, sender, body) VALUES (1, ?, ?, ?)"


class Waits:
    """How long each record waited for its acknowledgment, and how the loop went meanwhile."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.lag = 0.0

    def add(self, begin: float) -> None:
        self.seconds.append(time.perf_counter() - begin)

    async def watch_loop(self) -> None:
        """Note by how much a task that wants to run is late at most."""
        while True:
            begin = time.perf_counter()
            await trio.sleep(_TICK)
            self.lag = max(self.lag, time.perf_counter() - begin - _TICK)


Case = Callable[[HistoryStore, Waits, float], Awaitable[None]]


def run(*, quick: bool) -> Section:
    """Measure writing in several ways, and reading what a newcomer gets."""
    seconds = 1.0 if quick else 4.0
    section = Section(
        "history",
        [
            f"Records of {len(BODY)} bytes, one room, synchronous=FULL, for {seconds:g} s each.",
            "A record counts once it is on disk; loop lag is that of other tasks meanwhile.",
        ],
    )
    for name, rows in (("sqlite3, a commit a row", 1), ("sqlite3, a commit in 100 rows", 100)):
        section.add(name, _bare(rows, seconds))
    thresholds = gc.get_threshold()
    gc.set_threshold(*_SERVER_GC)
    cases: list[tuple[str, Case]] = [
        ("as fast as it takes them", _flood),
        (f"{SENDERS} senders, each waits", _wait_each),
        ("one sender, who waits", partial(_wait_each, senders=1)),
        (f"{PACE} a second", _paced),
    ]
    for name, case in cases:
        section.add(name, trio.run(_measure, case, seconds))
    section.add(f"reading {REPLAY}, meanwhile {PACE} a second", trio.run(_read))
    gc.set_threshold(*thresholds)
    return section


def _figures(seconds: list[float], duration: float) -> dict[str, Figure]:
    cuts = statistics.quantiles(seconds, n=100)
    return {
        "rows/s": len(seconds) / duration,
        "median ms": cuts[49] * 1000,
        "99 % ms": cuts[98] * 1000,
        "longest ms": max(seconds) * 1000,
    }


def _bare(rows: int, duration: float) -> dict[str, Figure]:
    waits: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_for_writing(Path(folder) / "h.db")) as connection,
    ):
        start = time.perf_counter()
        while (begin := time.perf_counter()) < start + duration:
            with transaction(connection):
                connection.executemany(_INSERT, [(time.time(), SENDER, BODY)] * rows)
            waits += [time.perf_counter() - begin] * rows
        return _figures(waits, time.perf_counter() - start)


async def _measure(case: Case, duration: float) -> dict[str, Figure]:
    waits = Waits()
    with tempfile.TemporaryDirectory() as folder:
        store = HistoryStore(Path(folder) / "h.db", LIMITS, logging.getLogger("history"))
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            nursery.start_soon(waits.watch_loop)
            start = time.perf_counter()
            await case(store, waits, start + duration)
            written = time.perf_counter() - start
            nursery.cancel_scope.cancel()
    return {**_figures(waits.seconds, written), "loop lag ms": waits.lag * 1000}


def _add(store: HistoryStore, waits: Waits) -> None:
    then = partial(waits.add, time.perf_counter())
    store.add(Said(ROOM, time.time(), SENDER, [BODY]), then)


async def _flood(store: HistoryStore, waits: Waits, end: float) -> None:
    """Add whatever `wait_for_room` lets through, in the groups that a read of a socket brings."""
    while time.perf_counter() < end:
        for _ in range(16):
            _add(store, waits)
        await store.wait_for_room()
        await trio.lowlevel.checkpoint()
    done = trio.Event()
    store.add(Said(ROOM, 0.0, SENDER, [BODY]), done.set)
    await done.wait()


async def _wait_each(store: HistoryStore, waits: Waits, end: float, senders: int = SENDERS) -> None:
    async def sender() -> None:
        while (begin := time.perf_counter()) < end:
            done = trio.Event()
            store.add(Said(ROOM, time.time(), SENDER, [BODY]), done.set)
            await done.wait()
            waits.add(begin)

    async with trio.open_nursery() as nursery:
        for _ in range(senders):
            nursery.start_soon(sender)


async def _paced(store: HistoryStore, waits: Waits, end: float) -> None:
    due = trio.current_time()
    while time.perf_counter() < end:
        _add(store, waits)
        due += 1 / PACE
        await trio.sleep_until(due)
    done = trio.Event()
    store.add(Said(ROOM, 0.0, SENDER, [BODY]), done.set)
    await done.wait()


async def _read() -> dict[str, Figure]:
    reads = Waits()
    with tempfile.TemporaryDirectory() as folder:
        store = HistoryStore(Path(folder) / "h.db", LIMITS, logging.getLogger("history"))
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            for _ in range(10_000):
                store.add(Said(ROOM, 0.0, SENDER, [BODY]))
            nursery.start_soon(_paced, store, Waits(), float("inf"))
            await store.replay(store.enter(ROOM, SENDER), REPLAY)
            start = time.perf_counter()
            for _ in range(READS):
                begin = time.perf_counter()
                assert len(await store.latest(ROOM, REPLAY)) == REPLAY
                reads.add(begin)
            duration = time.perf_counter() - start
            nursery.cancel_scope.cancel()
    figures = _figures(reads.seconds, duration)
    figures["rows/s"] = REPLAY * READS / duration
    return figures
