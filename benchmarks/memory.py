"""Memory of idle participants: how much the server grows by each."""

import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

from benchmarks.report import Section
from benchmarks.server_process import ServerProcess, resident_kilobytes
from benchmarks.wire import HOST, ChatSession, SipConnection
from benchmarks.workers import Ready, Worker

ROOMS = 100
IN_EACH = 10
WARM_UP = 50
"""Sessions that come and go before, so that code and caches are not counted."""

_SETTLE = 2.0


def run(*, quick: bool) -> Section:
    """Measure the resident memory before and after many join."""
    rooms = ROOMS // 5 if quick else ROOMS
    count = rooms * IN_EACH
    section = Section(
        "memory",
        [
            f"{count} participants in {rooms} rooms, each with an MSRP connection; the SIP of one",
            f"room shares a TCP connection. {WARM_UP} sessions came and went before.",
        ],
    )
    with ServerProcess() as server, Worker(sit, server.sip_port, rooms) as sitters:
        sitters.expect(Ready)
        time.sleep(_SETTLE)
        empty = resident_kilobytes(server.pid)
        sitters.ask(Ready(), Ready)
        time.sleep(_SETTLE)
        full = resident_kilobytes(server.pid)
    section.add(
        f"{count} idle",
        {
            "RSS empty kB": empty,
            "RSS full kB": full,
            "kB/participant": (full - empty) / count,
        },
    )
    return section


def sit(pipe: Connection, port: int, rooms: int) -> None:
    """Warm the server up, and when told so fill the rooms and stay."""
    for session in list(_join(port, "warm-up", WARM_UP)):
        session.leave()
    pipe.send(Ready())
    pipe.recv()
    sessions = [session for room in range(rooms) for session in _join(port, f"room{room}", IN_EACH)]
    pipe.send(Ready())
    pipe.recv()
    del sessions


def _join(port: int, room: str, count: int) -> Iterator[ChatSession]:
    sip = SipConnection(port)
    for number in range(count):
        session = ChatSession(sip, f"sip:{room}@{HOST}", f"sitter{number}")
        session.await_message()
        yield session
