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

COUNTS = (10, 100, 1_000, 10_000)
"""How many are there at each measurement; quickly, the last is left out."""
IN_EACH = 5
"""Participants of each room, who share a SIP connection."""
WARM_UP = 50
"""Sessions that come and go before, so that code and caches are not counted."""

_SETTLE = 2.0
_TRANSACTIONS_END = 34.0
"""Seconds after which no transaction of a set-up is left: 64*T1 (RFC 3261) and a little."""
_SPARE_FILES = 200
"""Descriptors that a process has besides its connections."""
_GIVEN_BACK = 100.0
"""Seconds after which the server has looked, at its leisure, for what nobody has any more."""
_PATIENCE = 300.0


def run(*, quick: bool) -> Section:
    """Measure the resident memory while more and more people join, and after they have left."""
    counts = COUNTS[:-1] if quick else COUNTS
    most = counts[-1]
    allow_files(most + most // IN_EACH + _SPARE_FILES)
    section = Section(
        "memory",
        [
            f"Up to {most} participants in rooms of {IN_EACH}, each with a dialog, an MSRP session"
            " and a connection;",
            "the SIP of one room shares a TCP connection. "
            f"{WARM_UP} sessions came and went before.",
        ],
    )
    with ServerProcess() as server, Worker(sit, server.sip_port) as sitters:
        sitters.expect(Ready)
        time.sleep(_SETTLE)
        empty = resident_kilobytes(server.pid)
        for count in counts:
            begin = time.monotonic()
            sitters.tell(count)
            sitters.expect(Ready, _PATIENCE)
            took = time.monotonic() - begin
            # What a set-up needs for half a minute stays as long as the next ones need it, too.
            time.sleep(_TRANSACTIONS_END if count == most else _SETTLE)
            full = resident_kilobytes(server.pid)
            figures = _figures(empty, full, count)
            section.add(f"{count} participants, Sylk", {**figures, "made in s": took})
        sitters.tell(0)
        sitters.expect(Ready, _PATIENCE)
        if not quick:
            time.sleep(_GIVEN_BACK)
            left = resident_kilobytes(server.pid)
            section.add("when they have left", _figures(empty, left, most))
    with Worker(keep_connections, most) as keeper:
        port = keeper.expect(int)
        with Worker(hold_connections, port, most) as holder:
            holder.expect(Ready)
            section.add(f"{most} bare trio connections", _growth(keeper.pid, holder, most))
    with Worker(keep_invites, most) as parser:
        parser.expect(Ready)
        section.add(f"{most} parsed INVITEs", _growth(parser.pid, parser, most))
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


def sit(pipe: Connection, port: int) -> None:
    """Warm the server up, and fill rooms until so many are there as is told; 0 lets all leave."""
    for session in list(_join(port, "warm-up", WARM_UP)):
        session.leave()
    pipe.send(Ready())
    sessions: list[ChatSession] = []
    while True:
        count: int = pipe.recv()
        while len(sessions) < count:
            sessions += _join(port, f"room{len(sessions)}", IN_EACH)
        if not count:
            for session in sessions:
                session.leave()
            sessions.clear()
        pipe.send(Ready())


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
