import logging

import pytest
import trio

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.uri import parse_path
from sylk.net.msrp_link import CLOSE_GRACE, MsrpLink
from sylk.net.refusal_lines import LINES_A_MINUTE
from tests.net.streams import MemoryStream


class Keeper:
    """Notes which link is to be closed, and when."""

    def __init__(self) -> None:
        self.ended = trio.Event()
        self.deadline: float | None = None

    def end(self, link: MsrpLink) -> None:
        assert link.is_ending
        assert not self.ended.is_set()
        self.ended.set()

    def end_at(self, link: MsrpLink, deadline: float | None) -> None:
        self.deadline = deadline


def make_link(stream: MemoryStream, nursery: trio.Nursery, keeper: Keeper) -> MsrpLink:
    return MsrpLink(stream, MsrpConnection(SessionRegistry()), keeper, nursery)


def make_session() -> MsrpSession:
    return MsrpSession(parse_path("msrp://192.0.2.1:2855/us;tcp"), active=False)


async def test_what_sessions_have_queued_goes_before_what_is_written() -> None:
    stream = MemoryStream(credit=1000)
    async with trio.open_nursery() as nursery:
        link = make_link(stream, nursery, Keeper())
        link.connection.queue(b"queued ")
        link.write(b"written ")
        link.connection.queue(b"flushed")
        link.flush()
        link.flush()
    assert bytes(stream.written) == b"queued written flushed"
    assert stream.writes == 2


async def test_the_last_session_takes_the_link_with_it() -> None:
    async with trio.open_nursery() as nursery:
        keeper = Keeper()
        link = make_link(MemoryStream(credit=1000), nursery, keeper)
        first, second = make_session(), make_session()
        link.attach(first)
        link.attach(second)
        link.detach(first)
        assert not keeper.ended.is_set()
        link.detach(second)
        assert keeper.ended.is_set()
        link.end("again")
        assert link.reason == "again"


async def test_what_waits_for_the_peer_is_written_before_the_link_closes() -> None:
    stream, keeper = MemoryStream(), Keeper()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            link = make_link(stream, nursery, keeper)
            session = make_session()
            link.attach(session)
            assert keeper.deadline is None
            link.write(b"the last words")
            link.detach(session)
            assert not keeper.ended.is_set()
            assert keeper.deadline == pytest.approx(trio.current_time() + CLOSE_GRACE, abs=0.5)
            stream.allow(100)
            await keeper.ended.wait()
    assert bytes(stream.written) == b"the last words"


async def test_a_session_that_comes_meanwhile_keeps_the_link() -> None:
    stream, keeper = MemoryStream(), Keeper()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            link = make_link(stream, nursery, keeper)
            link.write(b"the last words")
            link.finish()
            link.attach(make_session())
            assert keeper.deadline is None
            stream.allow(100)
            await link.outbox.wait_empty()
    assert not keeper.ended.is_set()


async def test_a_trace_shows_both_directions_and_not_all_of_a_large_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "sylk.msrp")
    reads = [b"MSRP 1 SEND\r\n", None, b""]

    class Readable(MemoryStream):
        def try_receive(self) -> bytes | None:
            return reads.pop(0)

    async with trio.open_nursery() as nursery:
        link = make_link(Readable(credit=100_000), nursery, Keeper())
        assert link.receive() == b"MSRP 1 SEND\r\n"
        assert link.receive() is None
        link.write(b"x" * 10_000)
        assert link.receive() == b""
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
        link = make_link(MemoryStream(credit=10**6), nursery, Keeper())
        for _ in range(2 * LINES_A_MINUTE):
            link.connection.receive_data(stray, 0.0)
            link.log_refusals()
            link.flush()
    assert len(caplog.messages) == LINES_A_MINUTE
    assert caplog.messages[0].endswith("with 481: msrp://192.0.2.1:2855/nobody;tcp")
