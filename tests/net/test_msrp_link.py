import logging

import pytest
import trio
import trio.testing

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.uri import parse_path
from sylk.net.msrp_link import MsrpLink
from sylk.net.outbox import Outbox
from sylk.net.refusal_lines import LINES_A_MINUTE
from tests.net.streams import MemoryStream


def make_link(stream: MemoryStream, nursery: trio.Nursery) -> MsrpLink:
    def fail(reason: str) -> None:
        raise AssertionError(reason)

    outbox = Outbox(stream, nursery, fail)
    return MsrpLink(stream, MsrpConnection(SessionRegistry()), outbox, nursery.cancel_scope)


def make_session() -> MsrpSession:
    return MsrpSession(parse_path("msrp://192.0.2.1:2855/us;tcp"), active=False)


async def test_what_sessions_have_queued_goes_before_what_is_written() -> None:
    stream = MemoryStream(credit=1000)
    async with trio.open_nursery() as nursery:
        link = make_link(stream, nursery)
        link.connection.queue(b"queued ")
        link.write(b"written ")
        link.connection.queue(b"flushed")
        link.flush()
        link.flush()
    assert bytes(stream.written) == b"queued written flushed"
    assert stream.writes == 2


async def test_the_last_session_takes_the_link_with_it() -> None:
    async with trio.open_nursery() as nursery:
        link = make_link(MemoryStream(credit=1000), nursery)
        first, second = make_session(), make_session()
        link.attach(first)
        link.attach(second)
        link.detach(first)
        assert not link.scope.cancel_called
        link.detach(second)
        assert link.scope.cancel_called


async def test_what_waits_for_the_peer_is_written_before_the_link_closes() -> None:
    stream = MemoryStream()
    async with trio.open_nursery() as nursery:
        link = make_link(stream, nursery)
        session = make_session()
        link.attach(session)
        link.write(b"the last words")
        link.detach(session)
        assert not link.scope.cancel_called
        stream.allow(100)
        await trio.sleep_forever()
    assert bytes(stream.written) == b"the last words"


async def test_a_peer_that_takes_nothing_holds_the_link_for_a_short_time_only(
    autojump_clock: trio.testing.MockClock,
) -> None:
    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        link = make_link(MemoryStream(), nursery)
        session = make_session()
        link.attach(session)
        link.write(b"the last words")
        link.detach(session)
        await trio.sleep_forever()
    assert trio.current_time() - begun == pytest.approx(2.0)


async def test_a_trace_shows_both_directions_and_not_all_of_a_large_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "sylk.msrp")
    ours, theirs = trio.testing.memory_stream_pair()

    class Readable(MemoryStream):
        async def receive(self) -> bytes:
            return bytes(await ours.receive_some())

    async with trio.open_nursery() as nursery:
        link = make_link(Readable(credit=100_000), nursery)
        await theirs.send_all(b"MSRP 1 SEND\r\n")
        assert await link.receive() == b"MSRP 1 SEND\r\n"
        link.write(b"x" * 10_000)
        await theirs.aclose()
        assert await link.receive() == b""
    received, sent = caplog.records
    assert "received from 192.0.2.2:40000, 13 bytes of MSRP" in received.getMessage()
    assert vars(received)["detail"] == "MSRP 1 SEND"
    assert "5904 of them not shown" in sent.getMessage()
    assert len(vars(sent)["detail"]) == 4096


async def test_a_storm_of_refused_requests_is_some_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sylk.msrp")
    stray = (
        b"MSRP t1 SEND\r\nTo-Path: msrp://192.0.2.1:2855/nobody;tcp\r\n"
        b"From-Path: msrp://192.0.2.9:9/x;tcp\r\nMessage-ID: m\r\n-------t1$\r\n"
    )
    async with trio.open_nursery() as nursery:
        link = make_link(MemoryStream(credit=10**6), nursery)
        for _ in range(2 * LINES_A_MINUTE):
            link.connection.receive_data(stray, 0.0)
            link.log_refusals()
            link.flush()
    assert len(caplog.messages) == LINES_A_MINUTE
    assert caplog.messages[0].endswith("with 481: msrp://192.0.2.1:2855/nobody;tcp")
