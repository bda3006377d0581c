"""Many small rooms: how fast they are made, what they take, and what it costs when people talk.

The first person comes into each room, then all the others: so what a room takes is told from what a
participant takes.
"""

import time

from benchmarks.arrivals import Arrive, Arrived, Chatted, Chatter, arrive
from benchmarks.memory import allow_files
from benchmarks.report import Section
from benchmarks.server_process import (
    ServerProcess,
    machine_cpu_seconds,
    resident_kilobytes,
)
from benchmarks.wire import HOST, LoadError
from benchmarks.workers import Worker

ROOMS = 1000
IN_EACH = 5
WINDOW = 20
"""People who are on their way in at a time."""
RATES = (100.0, 500.0)
"""Messages a second, in all rooms together."""
WARM_UP = 50

_SETTLE = 2.0
_QUIET = 1.0
_SPARE_FILES = 300


def run(*, quick: bool) -> Section:
    """Measure making the rooms, and talk in them at several rates."""
    count = ROOMS // 5 if quick else ROOMS
    seconds = 3.0 if quick else 10.0
    allow_files(count * (IN_EACH + 1) + _SPARE_FILES)
    section = Section(
        "rooms",
        [
            f"{count} rooms of {IN_EACH}, whose people come {WINDOW} at a time. Then somebody says"
            " something in one",
            "room after the other, and all others of that room hear it.",
        ],
    )
    rooms = [f"sip:room{number}@{HOST}" for number in range(count)]
    with ServerProcess() as server, Worker(arrive) as people:

        def come(case: str, targets: list[str]) -> float:
            """Let people in, and return by how many bytes the server grows for each."""
            empty = resident_kilobytes(server.pid)
            cpu, load, machine = server.cpu_seconds(), people.cpu_seconds(), machine_cpu_seconds()
            arrived = people.ask(
                Arrive(server.sip_port, targets, WINDOW, IN_EACH, subscribe=False), Arrived
            )
            cpu, load = server.cpu_seconds() - cpu, people.cpu_seconds() - load
            others = max(machine_cpu_seconds() - machine - cpu - load, 0.0)
            time.sleep(_SETTLE)
            grown = (resident_kilobytes(server.pid) - empty) * 1024 / len(targets)
            section.add(
                case,
                {
                    "a second": len(targets) / arrived.seconds,
                    "server CPU ms each": 1000 * cpu / len(targets),
                    "server busy %": 100 * cpu / arrived.seconds,
                    "others busy %": 100 * others / arrived.seconds,
                    "bytes each": grown,
                },
            )
            return grown

        come("warm-up, one room", [f"sip:warm-up@{HOST}"] * WARM_UP)
        first = come("rooms, with the first person of each", rooms)
        other = come("the others", rooms * (IN_EACH - 1))
        section.add("a room, without its people", {"bytes each": first - other})
        time.sleep(_QUIET)
        for rate in RATES:
            cpu = server.cpu_seconds()
            chatted = people.ask(Chatter(rate, seconds, WARM_UP), Chatted)
            cpu = server.cpu_seconds() - cpu
            if chatted.delivered < chatted.sent:
                raise LoadError(f"of {chatted.sent} messages {chatted.delivered} were heard")
            section.add(
                f"{rate:g} messages a second",
                {
                    "a second": chatted.sent / seconds,
                    "server CPU ms each": 1000 * cpu / chatted.sent,
                    "server busy %": 100 * cpu / seconds,
                    "us CPU/delivery": 1e6 * cpu / chatted.delivered,
                },
            )
    return section
