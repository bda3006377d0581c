"""Memory of idle participants: how much the server grows by each, beside the bare costs.

A bare cost is what the same number of connections takes in a trio server that only reads them, and
what as many INVITEs take once they are parsed, each kept in a list.
"""

import resource
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import trio

from benchmarks.parsers import invite
from benchmarks.report import Figure, Section
from benchmarks.server_process import ServerProcess, resident_kilobytes
from benchmarks.wire import HOST, ChatSession, LoadError, SipConnection, connect
from benchmarks.workers import Ready, Worker
from sylk.sip.message import Message
from sylk.sip.parser import parse_message

SESSIONS = 10_000
IN_EACH = 5
"""Participants of each room, who share a SIP connection."""
WARM_UP = 50
"""Sessions that come and go before, so that code and caches are not counted."""

_SETTLE = 2.0
_TRANSACTIONS_END = 34.0
"""Seconds after which no transaction of a set-up is left: 64*T1 (RFC 3261) and a little."""
_SPARE_FILES = 200
"""Descriptors that a process has besides its connections."""
_PATIENCE = 300.0


def run(*, quick: bool) -> Section:
    """Measure the resident memory before and after many join."""
    count = SESSIONS // 10 if quick else SESSIONS
    allow_files(count + count // IN_EACH + _SPARE_FILES)
    section = Section(
        "memory",
        [
            f"{count} participants in rooms of {IN_EACH}, each with a dialog, an MSRP session and a"
            " connection;",
            "the SIP of one room shares a TCP connection. "
            f"{WARM_UP} sessions came and went before.",
        ],
    )
    with ServerProcess() as server, Worker(sit, server.sip_port, count) as sitters:
        sitters.expect(Ready)
        section.add("sessions just set up", grown := _growth(server.pid, sitters, count))
        time.sleep(_TRANSACTIONS_END)
        full = resident_kilobytes(server.pid)
        empty = int(grown["RSS empty kB"])
        section.add("idle sessions", _figures(empty, full, count))
    with Worker(keep_connections, count) as keeper:
        port = keeper.expect(int)
        with Worker(hold_connections, port, count) as holder:
            holder.expect(Ready)
            section.add("bare trio connections", _growth(keeper.pid, holder, count))
    with Worker(keep_invites, count) as parser:
        parser.expect(Ready)
        section.add("parsed INVITEs", _growth(parser.pid, parser, count))
    return section


def allow_files(count: int) -> None:
    """Let this process, and those that it starts, open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if count > hard:
        raise LoadError(f"{count} open files are wanted, and only {hard} allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def _growth(pid: int, load: Worker, count: int) -> dict[str, Figure]:
    """Return how much a process grows while the load does what it is told to."""
    time.sleep(_SETTLE)
    empty = resident_kilobytes(pid)
    begin = time.monotonic()
    load.tell(Ready())
    load.expect(Ready, _PATIENCE)
    took = time.monotonic() - begin
    time.sleep(_SETTLE)
    full = resident_kilobytes(pid)
    return {**_figures(empty, full, count), "made in s": took}


def _figures(empty: int, full: int, count: int) -> dict[str, Figure]:
    return {
        "count": count,
        "RSS empty kB": empty,
        "RSS full kB": full,
        "bytes each": (full - empty) * 1024 / count,
    }


def sit(pipe: Connection, port: int, count: int) -> None:
    """Warm the server up, and when told so fill the rooms and stay."""
    for session in list(_join(port, "warm-up", WARM_UP)):
        session.leave()
    pipe.send(Ready())
    pipe.recv()
    rooms = range(count // IN_EACH)
    sessions = [session for room in rooms for session in _join(port, f"room{room}", IN_EACH)]
    pipe.send(Ready())
    pipe.recv()
    del sessions


def _join(port: int, room: str, count: int) -> Iterator[ChatSession]:
    sip = SipConnection(port)
    for number in range(count):
        session = ChatSession(sip, f"sip:{room}@{HOST}", f"sitter{number}")
        session.await_message()
        yield session


def keep_connections(pipe: Connection, count: int) -> None:
    """Tell a port, and read what comes there, with a task for each connection."""

    async def read(stream: trio.SocketStream) -> None:
        async for _ in stream:
            pass

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host=HOST, backlog=count)
            pipe.send(listeners[0].socket.getsockname()[1])
            await nursery.start(trio.serve_listeners, read, listeners)

    trio.run(serve)


def hold_connections(pipe: Connection, port: int, count: int) -> None:
    """When told so, connect and stay."""
    pipe.send(Ready())
    pipe.recv()
    sockets = [connect(port) for _ in range(count)]
    pipe.send(Ready())
    pipe.recv()
    del sockets


def keep_invites(pipe: Connection, count: int) -> None:
    """When told so, parse INVITEs and keep them."""
    pipe.send(Ready())
    pipe.recv()
    messages: list[Message] = []
    for number in range(count):
        messages.append(parse_message(invite(f"caller{number}")))
    pipe.send(Ready())
    pipe.recv()
    del messages
