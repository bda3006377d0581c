"""Links without tasks of their own, over real sockets on loopback."""

import logging
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.net.msrp_link import MsrpLink, SessionUser
from sylk.net.msrp_links import MsrpLinks
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.msrp_watch import MsrpWatch
from sylk.net.outbox import Outbox
from sylk.net.stream import ByteStream, TcpStream

PATIENCE = 5.0
STRAY = (
    b"MSRP t1 SEND\r\nTo-Path: msrp://192.0.2.1:2855/nobody;tcp\r\n"
    b"From-Path: msrp://192.0.2.9:9/x;tcp\r\nMessage-ID: m\r\n-------t1$\r\n"
)


class Sessions:
    """Who has no session, and somebody whom every read is for."""

    def __init__(self) -> None:
        self.user = User()
        self.taken: list[MsrpLink] = []
        self.closed: list[MsrpLink] = []

    def settle(self, session: MsrpSession) -> None:
        raise AssertionError("there is no session")

    def take_events(self, link: MsrpLink) -> set[SessionUser]:
        self.taken.append(link)
        if self.user.fails:
            raise RuntimeError("a bug")
        return {self.user}

    def link_closed(self, link: MsrpLink) -> None:
        self.closed.append(link)


class User:
    """Somebody who has room when the test says so."""

    def __init__(self) -> None:
        self.is_full = False
        self.fails = False
        self.room = trio.Event()

    def attached(self, link: MsrpLink) -> None:
        raise AssertionError("there is no session")

    def receive(self, event: object) -> None:
        raise AssertionError("there is no session")

    async def wait_for_room(self) -> None:
        await self.room.wait()


class Attendant:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.behind: list[Outbox] = []

    def opened(self, link: MsrpLink) -> None:
        self.told.append("opened")

    def attend(self, link: MsrpLink) -> Sequence[Outbox]:
        self.told.append("read")
        return self.behind

    def closed(self, link: MsrpLink) -> None:
        self.told.append("closed")


class Bench:
    """Links, and peers to connect to them."""

    def __init__(self, links: MsrpLinks, sessions: Sessions) -> None:
        self.links = links
        self.sessions = sessions
        self.released: list[ByteStream] = []
        self.peers: list[socket.socket] = []

    def open(self, attendant: Attendant | None = None) -> tuple[MsrpLink, trio.SocketStream]:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            peer = socket.create_connection(listener.getsockname())
            stream = TcpStream(listener.accept()[0])
        connection = MsrpConnection(SessionRegistry())
        link = self.links.open(stream, connection, attendant, self.released.append)
        self.peers.append(peer)
        return link, trio.SocketStream(trio.socket.from_stdlib_socket(peer))


@asynccontextmanager
async def running(establish_timeout: float = 60.0) -> AsyncGenerator[Bench]:
    sessions = Sessions()
    settings = MsrpPortSettings(host="127.0.0.1", establish_timeout=establish_timeout)
    links = MsrpLinks(settings, MsrpWatch(), sessions)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            links.start(nursery)
            bench = Bench(links, sessions)
            yield bench
            links.close()
            nursery.cancel_scope.cancel()
    links.free()
    for peer in bench.peers:
        peer.close()


async def test_what_comes_is_answered_and_no_task_is_made_for_it() -> None:
    async with running() as bench:
        await trio.testing.wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        for _ in range(10):
            link, peer = bench.open()
            bench.links.begin(link)
            await peer.send_all(STRAY)
            assert b" 481 " in await peer.receive_some()
            assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert len(bench.sessions.taken) == 10


async def test_what_came_before_the_beginning_is_read() -> None:
    async with running() as bench:
        link, peer = bench.open()
        await peer.send_all(STRAY)
        bench.links.begin(link)
        assert b" 481 " in await peer.receive_some()


async def test_a_peer_that_closes_is_let_go() -> None:
    async with running() as bench:
        attendant = Attendant()
        link, peer = bench.open(attendant)
        bench.links.begin(link)
        await peer.send_eof()
        assert await peer.receive_some() == b""
        assert bench.released == [link.stream]
        assert bench.sessions.closed == [link]
        assert attendant.told == ["opened", "closed"]
        assert link.reason == "the peer closed the connection"


async def test_a_user_who_has_no_room_is_waited_for() -> None:
    async with running() as bench:
        user = bench.sessions.user
        link, peer = bench.open()
        bench.links.begin(link)
        user.is_full = True
        await peer.send_all(STRAY)
        assert await peer.receive_some()
        await peer.send_all(STRAY)
        await trio.testing.wait_all_tasks_blocked()
        assert len(bench.sessions.taken) == 1
        user.is_full = False
        user.room.set()
        assert b" 481 " in await peer.receive_some()
        assert len(bench.sessions.taken) == 2


async def test_an_outbox_that_an_attendant_names_is_waited_for() -> None:
    async with running() as bench:
        attendant = Attendant()
        slow, nobody = bench.open()
        slow.write(b"x" * 4_000_000)
        assert slow.outbox.pending
        attendant.behind = [slow.outbox]
        link, peer = bench.open(attendant)
        bench.links.begin(link)
        await peer.send_all(STRAY)
        assert await peer.receive_some()
        await peer.send_all(STRAY)
        await trio.testing.wait_all_tasks_blocked()
        assert attendant.told == ["opened", "read"]
        attendant.behind = []
        while slow.outbox.pending:
            await nobody.receive_some()
        assert await peer.receive_some()
        assert attendant.told == ["opened", "read", "read"]


async def test_what_is_no_msrp_closes_the_link_when_all_is_answered() -> None:
    async with running() as bench:
        link, peer = bench.open()
        bench.links.begin(link)
        await peer.send_all(STRAY + b"GET / HTTP/1.1\r\n\r\n")
        assert b" 481 " in await peer.receive_some()
        assert await peer.receive_some() == b""
        assert bench.released == [link.stream]


async def test_a_link_that_names_no_session_has_its_time() -> None:
    async with running(establish_timeout=0.05) as bench:
        link, peer = bench.open()
        bench.links.begin(link)
        assert await peer.receive_some() == b""
        assert link.reason == "it named no session"
        assert bench.released == [link.stream]


async def test_a_bug_closes_one_link_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    async with running() as bench:
        (bad, bad_peer), (good, good_peer) = bench.open(), bench.open()
        bench.links.begin(bad)
        bench.links.begin(good)
        bench.sessions.user.fails = True
        await bad_peer.send_all(STRAY)
        assert await bad_peer.receive_some() == b""
        assert bench.released == [bad.stream]
        bench.sessions.user.fails = False
        await good_peer.send_all(STRAY)
        assert b" 481 " in await good_peer.receive_some()
    # While it was read, and again while it was closed.
    assert len(caplog.records) == 2


async def test_one_that_has_ended_meanwhile_is_read_no_more() -> None:
    async with running() as bench:
        bench.sessions.user.is_full = True
        link, peer = bench.open()
        bench.links.begin(link)
        await peer.send_all(STRAY)
        assert await peer.receive_some()
        link.end("enough")
        link.end()
        assert await peer.receive_some() == b""
        bench.sessions.user.room.set()
        await trio.testing.wait_all_tasks_blocked()
        assert bench.released == [link.stream]
        assert link.reason == "enough"


async def test_all_are_closed_in_the_end() -> None:
    async with running() as bench:
        link, _ = bench.open()
        bench.links.begin(link)
    assert bench.released == [link.stream]
    assert bench.sessions.closed == [link]
    link.end("too late")
