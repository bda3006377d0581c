"""SIP as a worker has it, before a front that the test plays."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from sylk.errors import TransportError
from sylk.net.fronted_transports import (
    IN_USE_INTERVAL,
    FrontedTransports,
    FrontSettings,
    open_transports,
)
from sylk.net.sip_transports import SipTransports, SipTransportSettings
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
from sylk.sip.flow import Flow
from sylk.sip.message import Message, Request, Response
from sylk.sip.parser import MalformedMessage
from tests.sip.user_agents import TLS, UDP, make

Known = Request | Response | MalformedMessage

LISTENING = [
    ("udp", ("192.0.2.1", 5060)),
    ("tcp", ("192.0.2.1", 5062)),
    ("tls", ("192.0.2.1", 5061)),
]
REQUEST = make("OPTIONS")
PATIENCE = 20.0
DAY = 86400.0


@pytest.fixture
def jumping_clock() -> MockClock:
    """Give time that jumps where nothing goes on, and leaves real sockets a moment."""
    return MockClock(autojump_threshold=0.02)


class Worker:
    """A worker and its front."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.messages: list[tuple[Known, Flow]] = []
        self.failed: list[Flow] = []
        self.used: set[Flow] = set()
        self.transports = FrontedTransports(
            FrontSettings(ours, LISTENING, ("udp", "tcp", "tls"), "mark"),
            SipTransportSettings(),
            lambda message, flow: self.messages.append((message, flow)),
            self.failed.append,
            in_use=lambda flow: flow in self.used,
        )
        self._frames, self._told = trio.open_memory_channel[Frame](100)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.transports.run)
            self.front = WorkerLink(self.theirs, nursery, pytest.fail)
            nursery.start_soon(self._read)
            await trio.sleep_forever()

    async def _read(self) -> None:
        async for frame in self.front.frames():
            self._frames.send_nowait(frame)

    async def next(self) -> Frame:
        return await self._told.receive()

    async def tell(self, *frames: Frame) -> None:
        """Let the front say something, and wait until it has been heard."""
        for frame in frames:
            self.front.send(frame)
        await trio.testing.wait_all_tasks_blocked(0.02)


@asynccontextmanager
async def working(patience: float = PATIENCE) -> AsyncGenerator[Worker]:
    worker = Worker()
    with trio.fail_after(patience):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.run)
            await trio.testing.wait_all_tasks_blocked()
            yield worker
            nursery.cancel_scope.cancel()
        worker.theirs.close()


async def test_messages_come_and_go_over_their_flow() -> None:
    async with working() as worker:
        shown: list[tuple[bool, bytes, Flow]] = []

        def trace(
            came: bool, octets: bytes, _message: Message | MalformedMessage | None, flow: Flow
        ) -> None:
            shown.append((came, octets, flow))

        worker.transports.trace = trace
        await worker.tell(Carried(UDP, REQUEST.render()))
        ((message, flow),) = worker.messages
        assert isinstance(message, Request)
        assert (message.render(), flow) == (REQUEST.render(), UDP)
        assert worker.transports.received == 1
        answer = Response.to_request(message, 200)
        worker.transports.send(answer, UDP)
        assert await worker.next() == Carried(UDP, answer.render())
        assert shown == [(True, REQUEST.render(), UDP), (False, answer.render(), UDP)]


async def test_a_connection_is_known_from_its_first_message_until_it_is_gone() -> None:
    async with working() as worker:
        transports = worker.transports
        assert not transports.is_alive(TLS)
        assert transports.flow_to("tls", TLS.remote) is None
        await worker.tell(Carried(TLS, REQUEST.render(), frozenset({"example.com"})))
        assert transports.is_alive(TLS)
        assert transports.flow_to("tls", TLS.remote) == TLS
        assert transports.flow_to("tcp", TLS.remote) is None
        assert transports.proven_domains(TLS) == {"example.com"}
        assert transports.connection_count == 1
        await worker.tell(Gone(TLS))
        assert worker.failed == [TLS]
        assert transports.flow_to("tls", TLS.remote) is None
        assert transports.proven_domains(TLS) == frozenset()
        transports.send(REQUEST, TLS)
        assert worker.failed == [TLS, TLS]


async def test_a_flow_over_udp_is_always_there() -> None:
    async with working() as worker:
        transports = worker.transports
        assert transports.is_alive(UDP)
        assert transports.flow_to("udp", UDP.remote) == UDP
        assert transports.sent_by(UDP) == ("192.0.2.1", 5060)
        assert transports.sent_by(TLS) == ("192.0.2.1", 5061)
        assert transports.listening == LISTENING
        assert transports.spoken == ("udp", "tcp", "tls")


async def test_the_front_opens_connections() -> None:
    async with working() as worker:
        async with trio.open_nursery() as nursery:

            async def open_it() -> None:
                flow = await worker.transports.open_flow("tls", TLS.remote, "example.com")
                assert flow == TLS

            nursery.start_soon(open_it)
            wish = await worker.next()
            assert wish == Open(0, "tls", TLS.remote, "example.com")
            await worker.tell(Opened(0, TLS))
        # It is there now.
        assert await worker.transports.open_flow("tls", TLS.remote) == TLS


async def test_why_there_is_no_connection_is_told() -> None:
    async with working() as worker, trio.open_nursery() as nursery:

        async def fail() -> None:
            with pytest.raises(TransportError, match="nobody is there"):
                await worker.transports.open_flow("tcp", ("192.0.2.9", 1))

        nursery.start_soon(fail)
        assert isinstance(await worker.next(), Open)
        await worker.tell(Opened(0, None, "nobody is there"))


async def test_an_answer_that_nobody_waits_for_any_more_is_taken() -> None:
    async with working() as worker:
        with trio.move_on_after(0):
            await worker.transports.open_flow("tls", TLS.remote)
        assert isinstance(await worker.next(), Open)
        await worker.tell(Opened(0, TLS))
        assert worker.transports.is_alive(TLS)


async def test_the_front_is_told_what_is_in_use(jumping_clock: MockClock) -> None:
    async with working(DAY) as worker:
        other = Flow("tcp", TLS.local, ("192.0.2.7", 1), 3)
        await worker.tell(Carried(TLS, REQUEST.render()), Carried(other, REQUEST.render()))
        worker.used = {TLS}
        begin = trio.current_time()
        assert await worker.next() == InUse([TLS])
        assert trio.current_time() - begin <= IN_USE_INTERVAL
        worker.used = set()
        assert await worker.next() == InUse([])


async def test_the_front_is_told_whom_to_read_more_slowly() -> None:
    async with working() as worker:
        worker.transports.pause(UDP)  # Nothing can be done about that.
        worker.transports.pause(TLS)
        assert await worker.next() == Pause(TLS)


async def test_how_much_waits_for_a_slow_peer_is_known() -> None:
    async with working() as worker:
        backlog = worker.transports.backlog
        await worker.tell(Carried(TLS, REQUEST.render()), Waiting(TLS, 500))
        assert (backlog(TLS), backlog(UDP)) == (500, 0)
        await worker.tell(Waiting(TLS, 300))
        assert backlog(TLS) == 300
        await worker.tell(Waiting(TLS, 0))
        assert backlog(TLS) == 0
        await worker.tell(Waiting(TLS, 100), Gone(TLS))
        assert backlog(TLS) == 0


async def test_a_front_that_is_gone_is_noticed() -> None:
    async with working() as worker:
        worker.transports.tell_ready()
        assert await worker.next() == Ready()
        worker.front.close()
        await worker.transports.lost.wait()


async def test_a_bug_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with working() as worker:
        await worker.tell(Ready(), Carried(UDP, b"no SIP"), Carried(UDP, REQUEST.render()))
        assert len(worker.messages) == 1
        assert caplog.text.count("handling what the front sent failed") == 2


async def test_sockets_are_our_own_where_there_is_no_front() -> None:
    settings = SipTransportSettings(host="127.0.0.1", udp_port=0, tcp_port=0)
    transports = open_transports(
        settings, None, None, lambda message, flow: None, lambda flow: None, lambda flow: False
    )
    assert isinstance(transports, SipTransports)
    transports.close()
