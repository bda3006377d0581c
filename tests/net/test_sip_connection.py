"""Tests of sylk.net.sip_connection; what it does on real sockets is in test_sip_transports."""

import trio
import trio.testing

from sylk.net.outbox import Outbox
from sylk.net.sip_connection import SipConnection, Trace
from sylk.net.sip_transports import SipTransportSettings
from sylk.net.turns import Turns
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.parser import MalformedMessage
from tests.net.loop_turns import done_in_each_turn, turns_in
from tests.net.streams import MemoryStream
from tests.sip.user_agents import make

REQUEST = make("OPTIONS").render()
FLOW = Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.2", 40000), 1)


class Talkative(MemoryStream):
    """A peer that sends what a test gives it, and ends."""

    def __init__(self, *reads: bytes) -> None:
        super().__init__()
        self.reads = list(reads)

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.reads.pop(0) if self.reads else b""


class Desk:
    """Takes messages, and writes down when; each takes the whole of a turn."""

    def __init__(self, diary: list[str]) -> None:
        self.turns = Turns(0.0)
        self.trace: Trace | None = None
        self.times: list[float] = []
        self.connection: SipConnection | None = None
        self.pauses = 0
        self._diary = diary

    def give(
        self, message: Request | Response | MalformedMessage, flow: Flow, octets: bytes, /
    ) -> None:
        assert isinstance(message, Request)
        assert flow == FLOW
        self._diary.append("message")
        self.times.append(trio.current_time())
        if self.pauses:
            self.pauses -= 1
            assert self.connection is not None
            self.connection.pause()

    def in_use(self, flow: Flow, /) -> bool:
        return False


def connection_of(stream: MemoryStream, desk: Desk, nursery: trio.Nursery) -> SipConnection:
    outbox = Outbox(stream, nursery, lambda reason: None)
    desk.connection = SipConnection(stream, FLOW, outbox, SipTransportSettings(), desk)
    return desk.connection


async def test_others_come_in_between_the_messages_of_one_read() -> None:
    diary: list[str] = []
    desk = Desk(diary)

    async with trio.open_nursery() as nursery:
        with turns_in(diary):
            await connection_of(Talkative(5 * REQUEST), desk, nursery).read()
    assert done_in_each_turn(diary) == 5 * [["message"]]


async def test_a_peer_that_sends_too_much_is_read_a_second_later(
    autojump_clock: trio.testing.MockClock,
) -> None:
    desk = Desk([])
    desk.pauses = 2
    async with trio.open_nursery() as nursery:
        begun = trio.current_time()
        await connection_of(Talkative(2 * REQUEST, 2 * REQUEST), desk, nursery).read()
    assert [round(moment - begun) for moment in desk.times] == [0, 1, 2, 2]
