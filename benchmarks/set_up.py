"""Session set-ups: INVITE, ACK, MSRP connection, bind and BYE, by many clients at a time.

Each client is a thread that keeps its SIP connection, as a proxy does, and opens an MSRP connection
for each session. The echo application does least in a session; a room also greets the newcomer, who
waits for that before he leaves.
"""

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from benchmarks.report import Section
from benchmarks.server_process import ServerProcess, machine_cpu_seconds
from benchmarks.wire import HOST, ChatSession, LoadError, SipConnection
from benchmarks.workers import Worker

CLIENTS = 20

ECHO = f"sip:echo@{HOST}"


@dataclass(slots=True)
class Call:
    """Wants sessions one after the other from each client; answered with Called."""

    seconds: float


@dataclass(slots=True)
class Called:
    """The seconds that each session took, and what went wrong in one."""

    durations: list[float] = field(default_factory=list[float])
    failures: list[str] = field(default_factory=list[str])
    seconds: float = 0.0


def run(*, quick: bool) -> Section:
    """Measure set-ups with the echo application and with a room for each client."""
    seconds = 2.0 if quick else 6.0
    section = Section(
        "set-ups",
        [
            f"INVITE, 200, ACK, MSRP connect and bind, BYE, 200; {CLIENTS} clients at a time for"
            f" {seconds:g} s.",
            "Over TCP, one SIP connection for each client, a new MSRP connection for each session.",
        ],
    )
    for case, in_rooms in (("echo", False), ("a room each", True)):
        with ServerProcess() as server, Worker(call, server.sip_port, in_rooms) as clients:
            clients.ask(Call(seconds / 4), Called)
            before = server.cpu_seconds(), clients.cpu_seconds(), machine_cpu_seconds()
            called = clients.ask(Call(seconds), Called)
            cpu = server.cpu_seconds() - before[0]
            load = clients.cpu_seconds() - before[1]
            others = max(machine_cpu_seconds() - before[2] - cpu - load, 0.0)
        if called.failures:
            raise LoadError(called.failures[0])
        count = len(called.durations)
        cuts = statistics.quantiles(called.durations, n=100)
        section.add(
            case,
            {
                "set-ups/s": count / called.seconds,
                "server CPU ms/set-up": cpu / count * 1000,
                "server busy %": 100 * cpu / called.seconds,
                "load busy %": 100 * load / called.seconds,
                "others busy %": 100 * others / called.seconds,
                "median ms": cuts[49] * 1000,
                "99 % ms": cuts[98] * 1000,
            },
        )
    return section


def call(pipe: Connection, port: int, in_rooms: bool) -> None:
    """Run the clients, whenever told to."""
    connections = [SipConnection(port) for _ in range(CLIENTS)]
    while True:
        command = pipe.recv()
        assert isinstance(command, Call)
        called = Called()
        begin = time.monotonic()
        threads = [
            threading.Thread(
                target=_client,
                args=(sip, _caller(number, sip, in_rooms), begin + command.seconds, called),
            )
            for number, sip in enumerate(connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        called.seconds = time.monotonic() - begin
        pipe.send(called)


def _caller(number: int, sip: SipConnection, in_rooms: bool) -> Callable[[], None]:
    target = f"sip:room{number}@{HOST}" if in_rooms else ECHO

    def one_session() -> None:
        session = ChatSession(sip, target, f"caller{number}")
        if in_rooms:
            session.await_message()
        session.leave()

    return one_session


def _client(
    sip: SipConnection, one_session: Callable[[], None], end: float, called: Called
) -> None:
    try:
        while (begin := time.monotonic()) < end:
            one_session()
            called.durations.append(time.monotonic() - begin)
    except (LoadError, OSError) as error:
        called.failures.append(str(error))
