"""The writer, the reader and the retention beside plain lists that do the same."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sylk_conference.history import HistoryLimits, Record, Said, Visit
from sylk_conference.history.reader import Reader
from sylk_conference.history.retention import Retention
from sylk_conference.history.writer import Begun, Enter, Entry, Leave, Writer

from tests.apps.conference.history.disks import Log

ROOMS = ("lobby@x", "attic@x", "\ud800'; --\0")
USERS = ("alice@x", "bob@x")
LIMITS = HistoryLimits(age=100.0, count=8)


@dataclass
class Stay:
    """A visit, and up to what it has heard."""

    user: str
    joined: float
    after: int
    through: int | None = None
    left: float = float("inf")


@dataclass
class PlainRoom:
    records: list[Record] = field(default_factory=list[Record])
    stays: list[Stay] = field(default_factory=list[Stay])

    def heard(self, user: str, sequence: int) -> bool:
        return any(
            stay.user == user
            and stay.after < sequence
            and (stay.through is None or sequence <= stay.through)
            for stay in self.stays
        )


class HistoryBesideLists(RuleBasedStateMachine):
    """Batches of sayings, comings and goings, sweeps, failures, restarts and kills."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "history.db"
        self.now = 1_800_000_000.0
        self.sequence = 0
        self.rooms = {room: PlainRoom() for room in ROOMS}
        self.visits: dict[Visit, Stay] = {}
        self.reader = Reader(self.path)
        self.batch: list[Entry] = []
        self.expected: list[Begun] = []
        self.start()

    def start(self) -> None:
        self.log = Log()
        self.writer = Writer(self.path, Retention(LIMITS), self.log.logger)

    def teardown(self) -> None:
        assert self.log.lines == []
        self.writer.close()
        self.reader.close()
        self.folder.cleanup()

    @rule(room=st.sampled_from(ROOMS), count=st.integers(1, 25))
    def say(self, room: str, count: int) -> None:
        numbers = range(self.sequence + 1, self.sequence + count + 1)
        self.sequence += count
        bodies = [b"%d" % number for number in numbers]
        self.batch.append(Said(room, self.now, "a", bodies))
        self.rooms[room].records += [
            Record(room, self.now, "a", body, number)
            for number, body in zip(numbers, bodies, strict=True)
        ]

    @rule(room=st.sampled_from(ROOMS), user=st.sampled_from(USERS))
    def enter(self, room: str, user: str) -> None:
        visit = Visit(room, user)
        stays = [stay for stay in self.rooms[room].stays if stay.user == user]
        ends = [stay.through for stay in stays]
        since = (
            None if None in ends else max((end for end in ends if end is not None), default=None)
        )
        self.batch.append(Enter(visit, self.now))
        self.expected.append((visit, since, self.sequence))
        self.visits[visit] = Stay(user, self.now, self.sequence)
        self.rooms[room].stays.append(self.visits[visit])

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.visits:
            visit = data.draw(st.sampled_from(list(self.visits)))
            self.batch.append(Leave(visit, self.now))
            self.close(visit.room, self.visits.pop(visit), self.now)

    def close(self, room: str, stay: Stay, left: float) -> None:
        stay.left = left
        kept = [one.sequence for one in self.rooms[room].records if one.sequence > stay.after]
        stay.through = max(kept, default=stay.after)

    @rule()
    def write(self) -> None:
        begun = self.writer.write(self.batch, self.now)
        for (visit, since, until), (_, expected, last) in zip(begun, self.expected, strict=True):
            assert until == last
            assert self.missed(visit.room, since) == self.missed(visit.room, expected)
        self.batch, self.expected = [], []

    def missed(self, room: str, since: int | None) -> list[int] | None:
        """Return what a since leads to: where nothing is between them, two are as good as one."""
        if since is None:
            return None
        return [one.sequence for one in self.rooms[room].records if one.sequence > since]

    @rule()
    def sweep(self) -> None:
        self.write()
        while self.writer.sweep(self.now):
            pass
        for room in self.rooms.values():
            room.stays = [one for one in room.stays if one.left >= self.now - LIMITS.age]
            room.records = [one for one in room.records if one.at >= self.now - LIMITS.age][-8:]

    @rule()
    def lose_the_connection(self) -> None:
        self.write()
        self.writer.close()

    @rule()
    def kill(self) -> None:
        self.write()
        self.start()
        for visit, stay in self.visits.items():
            records = self.rooms[visit.room].records
            self.close(visit.room, stay, max([stay.joined, *(one.at for one in records[-1:])]))
        self.visits.clear()

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(
        room=st.sampled_from(ROOMS),
        count=st.integers(0, 6),
        before=st.none() | st.integers(0, 30),
        since=st.none() | st.integers(0, 30),
        attendee=st.none() | st.sampled_from(USERS),
    )
    def read(
        self,
        room: str,
        count: int,
        before: int | None,
        since: int | None,
        attendee: str | None,
    ) -> None:
        self.write()
        plain = self.rooms[room]
        fitting = [
            one
            for one in plain.records
            if (before is None or one.sequence < before)
            and (since is None or one.sequence > since)
            and (attendee is None or plain.heard(attendee, one.sequence))
        ]
        found = self.reader.latest(room, count, since, before, attendee)
        assert found == (fitting[-count:] if count else [])

    @invariant()
    def nothing_is_logged(self) -> None:
        assert self.log.lines == []


HistoryBesideLists.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
TestHistoryBesideLists = HistoryBesideLists.TestCase
