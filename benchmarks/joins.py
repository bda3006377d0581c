"""Many people into one room as fast as it goes, with and without a subscription for each.

Each has connections of his own; or all come at one moment, behind one proxy.

What must grow with the square are the documents: each of N subscribers is told of N people. What
has been said of the newcomers to those who are there grows so too. All else should grow with N; and
whoever chats in another room meanwhile should hardly notice.
"""

import time

from benchmarks.arrivals import Arrive, Arrived, arrive
from benchmarks.bystanders import Delays, Say, chat
from benchmarks.memory import allow_files
from benchmarks.report import Figure, Section
from benchmarks.server_process import (
    ServerProcess,
    machine_cpu_seconds,
    peak_kilobytes,
    resident_kilobytes,
)
from benchmarks.wire import HOST
from benchmarks.workers import Ready, Worker

COUNTS = (10, 100, 1000)
QUICK_COUNTS = (100,)
WINDOW = 50
"""People who are on their way in at a time."""
CHAT_RATE = 50.0
"""Messages a second in the other room."""

ROOM = f"sip:crowded@{HOST}"
OTHER_ROOM = f"sip:quiet@{HOST}"

_QUIET_SPAN = 2.0
_SPARE_FILES = 200


def run(*, quick: bool) -> Section:
    """Measure rooms of several sizes."""
    section = Section(
        "joins",
        [
            f"People who come into one room, {WINDOW} at a time, each over connections of his own,",
            "or all at once over the SIP connection of a proxy. Joined: the welcome has come.",
            "With subscriptions, each subscribes to conference-info when his INVITE is answered,",
            "answers the NOTIFYs, and has to learn of everybody.",
            f"Chat: {CHAT_RATE:g} messages a second in another room, before and meanwhile.",
        ],
    )
    counts = QUICK_COUNTS if quick else COUNTS
    for subscribe in (False, True):
        how = "subscribed" if subscribe else "not subscribed"
        for count in counts:
            section.add(f"{count} people, {how}", _measure(count, WINDOW, 1, subscribe=subscribe))
        count = counts[-1]
        figures = _measure(count, count, count, subscribe=subscribe)
        section.add(f"{count} at once behind a proxy, {how}", figures)
    return section


def _measure(count: int, window: int, in_each: int, *, subscribe: bool) -> dict[str, Figure]:
    allow_files(3 * count + _SPARE_FILES)
    with (
        ServerProcess() as server,
        Worker(arrive) as people,
        Worker(chat, server.sip_port, OTHER_ROOM) as bystanders,
    ):
        bystanders.expect(Ready)
        bystanders.tell(Say(CHAT_RATE))
        time.sleep(_QUIET_SPAN)
        before = bystanders.ask(Ready(), Delays)
        empty = resident_kilobytes(server.pid)
        bystanders.tell(Say(CHAT_RATE))
        cpu, load, machine = server.cpu_seconds(), people.cpu_seconds(), machine_cpu_seconds()
        people.tell(Arrive(server.sip_port, [ROOM] * count, window, in_each, subscribe))
        arrived = people.expect(Arrived, 300.0)
        cpu, load = server.cpu_seconds() - cpu, people.cpu_seconds() - load
        others = max(machine_cpu_seconds() - machine - cpu - load, 0.0)
        meanwhile = bystanders.ask(Ready(), Delays)
        peak = peak_kilobytes(server.pid)
    figures: dict[str, Figure] = {
        "joins/s": count / arrived.seconds,
        "server CPU ms/join": 1000 * cpu / count,
        "all joined s": arrived.seconds,
        "all know s": arrived.until_known if subscribe else "-",
        "NOTIFYs": arrived.notifications,
        "NOTIFY MB": arrived.notified_bytes / 1e6,
        "server busy %": 100 * cpu / arrived.until_known,
        "load busy %": 100 * load / arrived.until_known,
        "others busy %": 100 * others / arrived.until_known,
        "peak kB each": (peak - empty) / count,
        "chat ms, median": meanwhile.at(0.5),
        "99 %": meanwhile.at(0.99),
        "before, 99 %": before.at(0.99),
    }
    return figures
