"""A front with its real sockets, before workers that the test plays."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from sylk.front import Front
from sylk.net.certificate import ensure_certificate
from sylk.net.sip_transports import SipTransportSettings
from sylk.net.stream import connect_tcp
from sylk.net.tls import TlsContexts, tls_handshake
from sylk.net.worker_link import (
    Carried,
    Frame,
    Gone,
    InUse,
    Open,
    Opened,
    Pause,
    Ready,
    Waiting,
    WorkerLink,
)
from sylk.session.endpoint import EndpointSettings
from sylk.share import worker_of
from sylk.sip.message import Message, Request, Response
from sylk.sip.parser import parse_message
from tests.sip.user_agents import make

HOST = "127.0.0.1"
COUNT = 2
PATIENCE = 20.0
DAY = 86400.0
IDLE = 600.0
"""Seconds for which a connection that nobody uses may be silent."""
USERS = [next(user for user in "abcdef" if worker_of(user, COUNT) == one) for one in range(COUNT)]
"""A user of each worker."""


@pytest.fixture
def jumping_clock() -> MockClock:
    """Give time that jumps where nothing goes on, and leaves real sockets a moment."""
    return MockClock(autojump_threshold=0.02)


class PlayedWorker:
    """The other end of a link."""

    def __init__(self, link: WorkerLink) -> None:
        self.link = link
        self._frames, self._told = trio.open_memory_channel[Frame](100)

    async def read(self) -> None:
        async for frame in self.link.frames():
            self._frames.send_nowait(frame)

    async def next(self) -> Frame:
        return await self._told.receive()

    async def next_message(self) -> Carried:
        frame = await self.next()
        assert isinstance(frame, Carried)
        return frame


class Played:
    """A front that runs, its workers, and a client over UDP."""

    def __init__(self, front: Front, nursery: trio.Nursery) -> None:
        self.front = front
        self.ready: list[int] = []
        self.stuck: list[str] = []
        self._nursery = nursery
        self._client = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._workers: list[PlayedWorker] = []

    def start_worker(self, index: int) -> PlayedWorker:
        ours, theirs = socket.socketpair()
        worker = PlayedWorker(WorkerLink(theirs, self._nursery, self.stuck.append))
        self._workers.append(worker)
        self._nursery.start_soon(
            self.front.serve, index, ours, lambda: self.ready.append(index), self.stuck.append
        )
        self._nursery.start_soon(worker.read)
        return worker

    def close(self) -> None:
        self._client.close()
        for worker in self._workers:
            worker.link.close()

    def port(self, transport: str) -> int:
        return dict(self.front.transports.listening)[transport][1]

    async def send(self, data: bytes) -> None:
        await self._client.sendto(data, (HOST, self.port("udp")))

    async def ask(self, request: Message) -> None:
        await self.send(request.render())

    async def answer(self) -> Response:
        data, _ = await self._client.recvfrom(65536)
        response = parse_message(data)
        assert isinstance(response, Response)
        return response


@asynccontextmanager
async def fronting(
    tls: TlsContexts | None = None, patience: float = PATIENCE
) -> AsyncGenerator[Played]:
    settings = EndpointSettings(
        tls=tls,
        sip=SipTransportSettings(
            host=HOST,
            udp_port=0,
            tcp_port=0,
            tls_port=None if tls is None else 0,
            idle_timeout=IDLE,
        ),
    )
    front = Front(settings, COUNT)
    with trio.fail_after(patience):
        async with trio.open_nursery() as nursery:
            await nursery.start(front.transports.run)
            played = Played(front, nursery)
            yield played
            played.close()
            nursery.cancel_scope.cancel()


def call(user: str, method: str = "INVITE", to_tag: str | None = None) -> Request:
    return make(method, uri=f"sip:{user}@{HOST}", to_tag=to_tag)


async def test_each_request_goes_to_its_worker_as_it_came() -> None:
    async with fronting() as played:
        workers = [played.start_worker(index) for index in range(COUNT)]
        await trio.testing.wait_all_tasks_blocked()
        for worker, user in zip(workers, USERS, strict=True):
            octets = call(user).render().replace(b"\r\nTo: ", b"\r\nt : ")
            await played.send(octets)
            carried = await worker.next_message()
            assert carried.octets == octets
            assert carried.flow.transport == "udp"


async def test_what_a_worker_sends_goes_out_over_the_flow() -> None:
    async with fronting() as played:
        worker = played.start_worker(0)
        await trio.testing.wait_all_tasks_blocked()
        await played.ask(call(USERS[0]))
        carried = await worker.next_message()
        request = parse_message(carried.octets)
        assert isinstance(request, Request)
        tag = f"{played.front.mark_of(0)}cd"
        answer = Response.to_request(request, 200, to_tag=tag)
        worker.link.send(Carried(carried.flow, answer.render()))
        assert (await played.answer()).to.tag == tag
        # Now the tag says whose the call is, and not the address.
        other = played.start_worker(1)
        await trio.testing.wait_all_tasks_blocked()
        await played.ask(call(USERS[1], "BYE", to_tag=tag))
        assert b"BYE" in (await worker.next_message()).octets
        await played.ask(call(USERS[1]))
        assert b"INVITE" in (await other.next_message()).octets


async def test_for_a_worker_that_is_not_there_the_front_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with fronting() as played:
        worker = played.start_worker(0)
        await trio.testing.wait_all_tasks_blocked()
        await played.ask(call(USERS[1]))
        refusal = await played.answer()
        assert (refusal.status, refusal.headers.get("Retry-After")) == (503, "10")
        await played.ask(call(USERS[1], "BYE", to_tag=f"{played.front.mark_of(1)}ab"))
        assert (await played.answer()).status == 481
        # One that has died is not there either.
        worker.link.close()
        await trio.testing.wait_all_tasks_blocked(0.02)
        await played.ask(call(USERS[0]))
        assert (await played.answer()).status == 503
        # Nobody hears of an answer to nothing, and an ACK has none.
        await played.ask(Response.to_request(call(USERS[0]), 200))
        await played.ask(call(USERS[0], "ACK"))
        await played.ask(call(USERS[0], "OPTIONS"))
        assert (await played.answer()).cseq.method == "OPTIONS"
    assert "refused INVITE" in caplog.text
    assert "503: its worker is not there" in caplog.text


async def test_what_is_malformed_is_answered_by_the_front() -> None:
    async with fronting() as played:
        played.start_worker(0)
        played.start_worker(1)
        await trio.testing.wait_all_tasks_blocked()
        await played.send(
            call("a", "OPTIONS").render().replace(b" SIP/2.0\r\n", b" SIP/3.0\r\n", 1)
        )
        assert (await played.answer()).status == 505


async def test_connections_are_opened_told_and_closed(jumping_clock: MockClock) -> None:
    async with fronting(patience=DAY) as played:
        worker, other = played.start_worker(0), played.start_worker(1)
        async with trio.open_nursery() as nursery:
            accepted: list[trio.SocketStream] = []

            async def accept(stream: trio.SocketStream) -> None:
                async with stream:
                    accepted.append(stream)
                    await trio.sleep_forever()

            listeners = await trio.open_tcp_listeners(0, host=HOST)
            nursery.start_soon(trio.serve_listeners, accept, listeners)
            remote = (HOST, listeners[0].socket.getsockname()[1])
            worker.link.send(Open(5, "tcp", remote, None))
            opened = await worker.next()
            assert isinstance(opened, Opened)
            assert opened.flow is not None
            assert (opened.number, opened.flow.remote) == (5, remote)
            request = call("x", "OPTIONS").render()
            worker.link.send(Carried(opened.flow, request))
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert await accepted[0].receive_some(65536) == request
            # Nobody uses it, so it is closed when it has been silent.
            assert await worker.next() == await other.next() == Gone(opened.flow)
            worker.link.send(Open(6, "tcp", remote, None))
            opened = await worker.next()
            assert isinstance(opened, Opened)
            assert opened.flow is not None
            worker.link.send(InUse([opened.flow]))
            await trio.sleep(10 * IDLE)
            assert played.front.transports.is_alive(opened.flow)
            nursery.cancel_scope.cancel()
        worker.link.send(Open(7, "tcp", (HOST, 1), None))
        while not isinstance(refused := await worker.next(), Opened):
            pass
        assert (refused.number, refused.flow) == (7, None)
        assert "refused" in refused.fault


async def test_who_a_peer_has_proven_to_be_is_told_with_what_it_sends(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    own = ensure_certificate(tmp_path / "own", ["chat.example.com"], [HOST], now)
    proxy = ensure_certificate(tmp_path / "proxy", ["proxy.example.com"], [HOST], now)
    tls = TlsContexts(
        own.certificate,
        own.private_key,
        ca_file=proxy.certificate,
        client_certificates="required",
    )
    client = TlsContexts(proxy.certificate, proxy.private_key).client_context(verify=False)
    async with fronting(tls) as played:
        worker = played.start_worker(0)
        await trio.testing.wait_all_tasks_blocked()
        tcp = await connect_tcp((HOST, played.port("tls")))
        stream = await tls_handshake(tcp, client, server_side=False)
        data = call(USERS[0]).render()
        assert stream.try_send(data) == len(data)
        carried = await worker.next_message()
        assert carried.flow.transport == "tls"
        assert "proxy.example.com" in carried.proven_domains
        stream.close()


async def test_a_flood_is_read_more_slowly(jumping_clock: MockClock) -> None:
    async with fronting(patience=DAY) as played:
        worker = played.start_worker(0)
        await trio.testing.wait_all_tasks_blocked()
        stream = await connect_tcp((HOST, played.port("tcp")))
        data = call(USERS[0]).render()
        assert stream.try_send(data) == len(data)
        carried = await worker.next_message()
        worker.link.send(Pause(carried.flow))
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert stream.try_send(data) == len(data)
        await worker.next_message()
        begin = trio.current_time()
        assert stream.try_send(data) == len(data)
        await worker.next_message()
        assert trio.current_time() - begin >= 0.9
        stream.close()


async def test_a_worker_is_told_how_slow_a_peer_is() -> None:
    async with fronting() as played:
        worker = played.start_worker(0)
        await trio.testing.wait_all_tasks_blocked()
        stream = await connect_tcp((HOST, played.port("tcp")))
        data = call(USERS[0]).render()
        assert stream.try_send(data) == len(data)
        carried = await worker.next_message()
        # More than the system takes for a peer that reads nothing.
        size = 16 * 1024**2
        worker.link.send(Carried(carried.flow, bytes(size)))
        waiting = await worker.next()
        assert isinstance(waiting, Waiting)
        assert 0 < waiting.size < size
        while size:
            size -= len(await stream.receive())
        while (waiting := await worker.next()) != Waiting(carried.flow, 0):
            assert isinstance(waiting, Waiting)
        stream.close()


async def test_a_worker_that_serves_says_so() -> None:
    async with fronting() as played:
        worker = played.start_worker(1)
        worker.link.send(Ready())
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert played.ready == [1]
