"""What a second core brings: rooms spread over several servers, beside all of them in one.

Rooms have nothing to do with each other, so the best that processes can do which share the work is
what whole servers of their own do. The load is the same in each case, in as many processes. It
takes cores too, which servers of a bigger machine would have for themselves: so what counts is how
much a server does with a second of processor time, and when its busiest process has none left.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from zlib import crc32

from benchmarks.arrivals import Arrive, Arrived, arrive
from benchmarks.crowd import Count, Counts, Forget, Join, listen
from benchmarks.memory import allow_files
from benchmarks.report import Figure, Section
from benchmarks.server_process import ServerProcess, cpu_seconds, machine_cpu_seconds
from benchmarks.talker import Said, Talk, talk_in_room
from benchmarks.wire import HOST
from benchmarks.workers import Ready, Worker

CASES = {"one server": (1, 1), "two servers": (2, 1), "one server, workers = 2": (1, 2)}
"""How many servers there are, each of how many workers."""
SHARES = 2
"""Into how many parts the rooms fall; each part has load processes of its own."""
ROOMS = 400
IN_EACH = 5
WINDOW = 10
"""People of each part who are on their way in at a time."""
TALKS = 4
"""Rooms in which somebody talks without pause."""
LISTENERS = 20
UNANSWERED = 100
"""Messages that each talker has unanswered at most."""

_TAIL = 0.5
_SPARE_FILES = 300


@dataclass(slots=True)
class _Work:
    """What was done in all rounds, in how much time of the clock and of each processor."""

    done: int = 0
    seconds: float = 0.0
    servers: list[float] = field(default_factory=list[float])
    """Processor time of each process of the servers."""
    load: float = 0.0
    machine: float = 0.0

    def figures(self, one: "_Work") -> dict[str, Figure]:
        """Return the figures; `one` is what one server did."""
        cpu = sum(self.servers)
        others = max(self.machine - cpu - self.load, 0.0)
        return {
            "a second": self.done / self.seconds,
            "a CPU second": self.done / cpu,
            "servers busy %": 100 * cpu / self.seconds,
            "load busy %": 100 * self.load / self.seconds,
            "others busy %": 100 * others / self.seconds,
            "capacity a second": self._capacity,
            "capacity vs one": self._capacity / one._capacity,
        }

    @property
    def _capacity(self) -> float:
        return self.done / max(self.servers)


class _Stopwatch:
    """Adds what is done while its block runs to `work`."""

    def __init__(self, work: _Work, servers: list[ServerProcess], load: list[Worker]) -> None:
        self._work = work
        self._servers = servers
        self._load = load
        self._begin = self._read()

    def _read(self) -> tuple[float, list[float], float, float]:
        return (
            time.monotonic(),
            [cpu_seconds(pid) for server in self._servers for pid in server.pids],
            sum(worker.cpu_seconds() for worker in self._load),
            machine_cpu_seconds(),
        )

    def stop(self, done: int) -> None:
        """Take it that so much has been done since the stopwatch was made."""
        work, end = self._work, self._read()
        work.done += done
        work.seconds += end[0] - self._begin[0]
        before = work.servers or [0.0] * len(end[1])
        spent = (last - first for first, last in zip(self._begin[1], end[1], strict=True))
        work.servers = [old + new for old, new in zip(before, spent, strict=True)]
        work.load += end[2] - self._begin[2]
        work.machine += end[3] - self._begin[3]


def run(*, quick: bool) -> Section:
    """Measure joins and chat in many rooms, one case after the other, several times."""
    rounds = 1 if quick else 3
    rooms = ROOMS // 4 if quick else ROOMS
    seconds = 2.0 if quick else 4.0
    allow_files(rooms * (IN_EACH + 1) + _SPARE_FILES)
    section = Section(
        "cores",
        [
            f"Joins: {rooms} rooms of {IN_EACH}. Chat: {TALKS} rooms of {LISTENERS}, each with one"
            " who talks without pause; deliveries.",
            f"The rooms fall into {SHARES} parts by a hash of their names; each part has load"
            f" processes of its own. {rounds} rounds.",
            "Capacity: what is done when the busiest process has no time left, were all else done",
            "by other cores: work / its CPU seconds.",
        ],
    )
    joins = {case: _Work() for case in CASES}
    chat = {case: _Work() for case in CASES}
    for _ in range(rounds):
        for case, (count, workers) in CASES.items():
            with ExitStack() as stack:
                servers = [
                    stack.enter_context(ServerProcess(workers=workers)) for _ in range(count)
                ]
                ports = [servers[part % count].sip_port for part in range(SHARES)]
                _measure_joins(servers, ports, joins[case], rooms)
                _measure_chat(servers, ports, chat[case], seconds)
    for name, works in (("joins", joins), ("chat", chat)):
        for case, work in works.items():
            section.add(f"{name}, {case}", work.figures(works["one server"]))
    return section


def _rooms(part: int, count: int, name: str) -> list[str]:
    """Return the addresses of those of `count` rooms that fall into a part."""
    users = [f"{name}{number}" for number in range(count)]
    return [f"sip:{user}@{HOST}" for user in users if crc32(user.encode()) % SHARES == part]


def _measure_joins(servers: list[ServerProcess], ports: list[int], work: _Work, rooms: int) -> None:
    with ExitStack() as stack:
        people = [stack.enter_context(Worker(arrive)) for _ in ports]
        for worker in people:
            worker.ask(Ready(), Ready)
        targets = [_rooms(part, rooms, "room") * IN_EACH for part in range(SHARES)]
        watch = _Stopwatch(work, servers, people)
        for worker, port, wanted in zip(people, ports, targets, strict=True):
            worker.tell(Arrive(port, wanted, WINDOW, IN_EACH, subscribe=False))
        for worker in people:
            worker.expect(Arrived)
        watch.stop(rooms * IN_EACH)


def _measure_chat(
    servers: list[ServerProcess], ports: list[int], work: _Work, seconds: float
) -> None:
    with ExitStack() as stack:
        crowds: list[Worker] = []
        talkers: list[Worker] = []
        for part, port in enumerate(ports):
            for target in _rooms(part, 10 * TALKS, "talk")[: TALKS // SHARES]:
                talker = stack.enter_context(Worker(talk_in_room, port, target, UNANSWERED))
                crowd = stack.enter_context(Worker(listen))
                crowd.tell(Join(port, target, LISTENERS))
                talkers.append(talker)
                crowds.append(crowd)
        for worker in (*crowds, *talkers):
            worker.expect(Ready)
        for crowd in crowds:
            crowd.ask(Forget(), Ready)
        for talker in talkers:
            talker.tell(Talk(seconds + 2 * _TAIL, None))
        time.sleep(_TAIL)
        before = _heard(crowds)
        watch = _Stopwatch(work, servers, [*crowds, *talkers])
        time.sleep(seconds)
        watch.stop(_heard(crowds) - before)
        for talker in talkers:
            talker.expect(Said)


def _heard(crowds: list[Worker]) -> int:
    for crowd in crowds:
        crowd.tell(Count())
    return sum(crowd.expect(Counts).total for crowd in crowds)
