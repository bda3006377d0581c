"""The history of all rooms of a server: what is said goes to disk in a thread, in its order.

While one transaction is on its way to the disk, what is said gathers for the next; so the busier
the rooms are, the more messages share one commit. Where the disk is fast that is not enough, as a
commit costs as much as to pass on twenty messages: so small ones keep a distance.

Nothing here ends a room. When the disk is full, damaged, locked or read-only, or hangs, there is
one line in the log, messages are acknowledged as if there were no history, and it is tried again
until it works. What was said meanwhile is written then, as far as there was place to keep it.
"""

import math
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

from sylk.errors import SylkError
from sylk_conference.history.backlog import Backlog, Outcome, State, Then
from sylk_conference.history.database import is_damage
from sylk_conference.history.reader import Reader
from sylk_conference.history.records import HistoryLimits, Record, Said, Visit
from sylk_conference.history.retention import LimitsOf, Retention
from sylk_conference.history.writer import Begun, Enter, Entry, Leave, Logger, Present, Writer

SWEEP_INTERVAL = 30.0
"""Seconds between two looks for what is to be deleted."""

SWEEP_ROWS = 5000
"""Records after which it is looked for earlier."""

GATHER_TIME = 0.01
"""Seconds from the beginning of one transaction to that of the next, if that is small."""

GATHER_COUNT = 50
"""Messages that make a transaction large enough to begin at once."""

QUIET = 600.0
"""Seconds for which the same complaint is not logged again."""

MAX_COMPLAINTS = 100
"""Different complaints that are remembered for that."""

_ENTRY_SIZE = 200
# Bytes that an entry counts for, besides what it holds.

_ABANDONED = "history ends without the disk having answered: the last messages may not be kept"

T = TypeVar("T")
_DISK_ERRORS = (sqlite3.Error, OSError, SylkError)


class _Abandoned(Exception):
    """The server stops, and the disk has not answered in time."""


class HistoryStore:
    """Keeps records and visits in the SQLite file `path`; use it inside of one trio run.

    `limits_of` gives the limits of one room, by its key, where they differ in age and count; it is
    called in a thread. `clock` gives the seconds since 1970. Until `run` has been started,
    everything waits; after its end, nothing is kept.
    """

    def __init__(
        self,
        path: Path,
        limits: HistoryLimits,
        logger: Logger,
        *,
        limits_of: LimitsOf | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._limits = limits
        self._logger = logger
        self._clock = clock
        self._backlog: Backlog[Entry] = Backlog(limits.pending)
        self._writer = Writer(path, Retention(limits, limits_of), logger)
        self._reader = Reader(path)
        # Each holds its place until its thread has ended, even if nobody waits for it any more.
        self._writing = trio.CapacityLimiter(1)
        self._reading = trio.CapacityLimiter(1)
        self._present: dict[Visit, None] = {}
        self._visits_lost = False
        self._suspect = False
        self._due: deque[Then] = deque()
        self._calling = False
        self._work = trio.Event()
        self._enough = trio.Event()
        self._gathering_until = -math.inf
        self._space = trio.Event()
        self._alarm = trio.CancelScope()
        self._shield = trio.CancelScope()
        self._stop_by = math.inf
        self._sweep_at = -math.inf
        self._rows_since_sweep = 0
        self._sweeping = False
        self._off_since: float | None = None
        self._stopped = False
        self._complaints: dict[str, float] = {}

    # From the rooms

    def add(self, said: Said, then: Then | None = None) -> None:
        """Keep what is said; `then` is called once it is on disk, in the order of the calls.

        When the disk does not do its part, `then` is called at once.
        """
        bodies = said.bodies
        size = sum(map(len, bodies)) + len(bodies) * (len(said.sender) + _ENTRY_SIZE)
        self._add(said, size, then, len(bodies))

    async def wait_for_room(self) -> None:
        """Wait while more bytes than `pending` are on their way to a disk that does its part."""
        while self._backlog.is_full:
            await self._space.wait()

    def enter(self, room: str, user: str) -> Visit:
        """Take it that a user has come into a room with one more session."""
        visit = Visit(room, user)
        self._present[visit] = None
        self._add_visit(Enter(visit, self._clock()), visit.begin)
        return visit

    def leave(self, visit: Visit) -> None:
        """Take it that a session has left."""
        if visit in self._present:
            del self._present[visit]
            self._add_visit(Leave(visit, self._clock()))

    # For the rooms

    @property
    def is_on(self) -> bool:
        """Tell whether what is acknowledged is on disk."""
        return self._backlog.state is State.ON

    async def replay(
        self, visit: Visit, count: int, *, missed: int = 0, attended: bool = False
    ) -> list[Record]:
        """Return what was said before a visit, oldest first: what came later is heard anyway.

        These are the latest `count`, or if `missed` is more than 0 and the user has been here
        before, all since then, `missed` at most. With `attended`, only what was said while the same
        user was here.
        """
        if visit.begun is not None:
            await visit.begun.wait()
        before = None if visit.until is None else visit.until + 1
        since = None
        if missed and visit.since is not None:
            since, count = visit.since, missed
        attendee = visit.user if attended else None
        return await self.latest(visit.room, count, since=since, before=before, attendee=attendee)

    async def latest(
        self,
        room: str,
        count: int,
        *,
        since: int | None = None,
        before: int | None = None,
        attendee: str | None = None,
    ) -> list[Record]:
        """Return the latest records of a room that lie between two others, oldest first.

        `since` and `before` are sequence numbers, which are not included. With an `attendee`, only
        what was said while that user was there. Nothing is returned if the disk does not answer.
        """
        read = partial(self._reader.latest, room, count, since, before, attendee)
        try:
            with trio.fail_after(self._limits.patience):
                return await trio.to_thread.run_sync(
                    read, abandon_on_cancel=True, limiter=self._reading
                )
        except trio.TooSlowError:
            self._complain_of_reading("the disk does not answer")
        except _DISK_ERRORS as error:
            self._complain_of_reading(str(error))
            if is_damage(error):
                self._suspect = True
                self._work.set()
        return []

    def _complain_of_reading(self, reason: str) -> None:
        # While nothing can be written either, that has been said.
        if self.is_on:
            self._complain(f"history cannot be read: {reason}")

    # Writing

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled, then write the rest, for `patience` seconds at most."""
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            try:
                await self._write()
                while True:
                    await self._wait_for_work()
                    await self._work_off()
            except _Abandoned:
                self._complain(_ABANDONED)
            finally:
                await self._finish()

    async def _watch(self) -> None:
        """Tell when a write takes too long, and at the end, by when all must be over."""
        try:
            while True:
                with self._alarm:
                    await trio.sleep_forever()
                self._alarm = trio.CancelScope()
                self._fall_behind()
        finally:
            self._set_end()

    async def _wait_for_work(self) -> None:
        if self._backlog.state is State.OFF:
            await trio.sleep(self._limits.retry)
            return
        self._work = trio.Event()
        if self._suspect or len(self._backlog):
            await trio.lowlevel.checkpoint()
        elif self._rows_since_sweep < SWEEP_ROWS:
            with trio.move_on_at(self._sweep_at):
                await self._work.wait()
        await self._gather()

    async def _gather(self) -> None:
        """Let more come, if the last transaction is not long ago and there is little for one."""
        if len(self._backlog) and trio.current_time() < self._gathering_until:
            with trio.move_on_at(self._gathering_until):
                await self._enough.wait()

    async def _work_off(self) -> None:
        if self._suspect:
            self._suspect = False
            await self._maintain(self._writer.check)
        if len(self._backlog) or self._backlog.state is not State.ON:
            await self._write()
        is_due = trio.current_time() >= self._sweep_at or self._rows_since_sweep >= SWEEP_ROWS
        if is_due and self._backlog.state is State.ON:
            if not self._sweeping:
                # What is written while a sweep goes on is for the next.
                self._rows_since_sweep = 0
            self._sweeping = bool(await self._maintain(self._writer.sweep))
            pause = 0.0 if self._sweeping else SWEEP_INTERVAL
            self._sweep_at = trio.current_time() + pause

    async def _write(self) -> None:
        """Write what waits, as much as one transaction takes; with nothing, try the disk."""
        entries = self._backlog.take()
        self._enough = trio.Event()
        self._gathering_until = trio.current_time() + GATHER_TIME if entries else -math.inf
        try:
            begun = await self._in_thread(partial(self._writer.write, entries, self._clock()))
        except _DISK_ERRORS as error:
            self._fail(error)
            return
        self._succeed(begun)
        self._rows_since_sweep += sum(len(one.bodies) for one in entries if isinstance(one, Said))

    async def _maintain(self, work: Callable[[float], T]) -> T | None:
        """Do what can be left undone: where it fails, the next write finds what is the matter."""
        try:
            result = await self._in_thread(partial(work, self._clock()))
        except _DISK_ERRORS as error:
            self._complain(f"history cannot be tidied up: {error}")
            return None
        if not self.is_on:
            # It took long, but the disk has answered.
            self._succeed(())
        return result

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Let a thread do what blocks; raises _Abandoned when the server cannot wait for it."""
        self._alarm.deadline = trio.current_time() + self._limits.patience
        # Not even the end of the server breaks into a write, for whose outcome somebody waits.
        self._shield = trio.CancelScope(shield=True, deadline=self._stop_by)
        try:
            with self._shield:
                return await trio.to_thread.run_sync(
                    work, abandon_on_cancel=True, limiter=self._writing
                )
        finally:
            self._alarm.deadline = math.inf
        raise _Abandoned

    async def _finish(self) -> None:
        self._set_end()
        try:
            while len(self._backlog):
                await self._write()
                if not self.is_on:
                    break
            # The last to close takes the journal into the file, which a reader cannot.
            with trio.CancelScope(shield=True, deadline=self._stop_by):
                await trio.to_thread.run_sync(
                    self._reader.close, abandon_on_cancel=True, limiter=self._reading
                )
            await self._in_thread(self._writer.close)
        except _Abandoned:
            self._complain(_ABANDONED)
        self._stopped = True
        self._settle(Outcome.FAILED)

    def _set_end(self) -> None:
        self._stop_by = min(self._stop_by, trio.current_time() + self._limits.patience)
        self._shield.deadline = self._stop_by

    # What becomes of it

    def _add(self, entry: Entry, size: int, then: Then | None, count: int = 1) -> None:
        if self._stopped:
            self._call(() if then is None else (then,))
            return
        self._call(self._backlog.add(entry, size, then, count=count))
        self._work.set()
        # Who comes in is shown what was said before, and that waits for the disk.
        if len(self._backlog) >= GATHER_COUNT or not isinstance(entry, Said):
            self._enough.set()

    def _add_visit(self, entry: Entry, then: Then | None = None) -> None:
        # Who is there is known here: so one entry, later, stands for all that did not fit.
        if self._visits_lost or not self._backlog.fits(_ENTRY_SIZE):
            self._visits_lost = True
            self._call(() if then is None else (then,))
        else:
            self._add(entry, _ENTRY_SIZE, then)

    def _succeed(self, begun: Iterable[Begun]) -> None:
        for visit, since, until in begun:
            if visit.until is None:
                visit.since, visit.until = since, until
        self._settle(Outcome.WRITTEN)
        if self._visits_lost:
            self._visits_lost = False
            self._add(Present(tuple(self._present), self._clock()), _ENTRY_SIZE, None)
        if self._off_since is not None:
            seconds = trio.current_time() - self._off_since
            self._off_since, lost = None, self._backlog.forget_losses()
            self._logger.warning(
                "history is on again after %.0f seconds: %d messages were not kept", seconds, lost
            )

    def _fail(self, error: Exception) -> None:
        self._settle(Outcome.FAILED)
        self._go_off(f"{error}; it is tried again every {self._limits.retry:g} seconds")

    def _fall_behind(self) -> None:
        self._settle(Outcome.DELAYED)
        self._go_off("the disk takes too long, and messages no longer wait for it")

    def _go_off(self, reason: str) -> None:
        # Who goes on and off all the time is told of once in a while.
        if self._complain(f"history is off: {reason}") and self._off_since is None:
            self._off_since = trio.current_time()

    def _settle(self, outcome: Outcome) -> None:
        self._call(self._backlog.settle(outcome))
        if not self._backlog.is_full:
            self._space.set()
            self._space = trio.Event()

    def _call(self, thens: Iterable[Then]) -> None:
        """Call what is due, each after those that were due before it.

        A fault in one of them is its room's own, and does not keep the others waiting.
        """
        self._due.extend(thens)
        if self._calling:
            return
        self._calling = True
        try:
            while self._due:
                try:
                    self._due.popleft()()
                except Exception:
                    self._logger.exception("what was to follow a record failed")
        finally:
            self._calling = False

    def _complain(self, text: str) -> bool:
        """Log an error, but not again for a while; whether it was logged."""
        now = trio.current_time()
        if now < self._complaints.get(text, -math.inf):
            return False
        if len(self._complaints) >= MAX_COMPLAINTS:
            self._complaints.clear()
        self._complaints[text] = now + QUIET
        self._logger.error("%s", text)
        return True
