"""Traces go on and off, by the settings, by hand and by themselves."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from sylk.net.alarm import AlarmClock
from sylk.net.msrp_watch import MsrpTrace, SessionCall, WatchedLink
from sylk.sip.flow import Flow
from sylk.sip.parser import MalformedMessage, parse_message
from sylk.trace.filters import parse_filter
from sylk.trace.tracer import (
    MAX_FILTERS,
    MAX_TRACES,
    SipTrace,
    TraceOptions,
    Tracer,
    TraceRefused,
)
from sylk.trace.writer import Output
from tests.trace.messages import INVITE, LOCAL, REMOTE
from tests.trace.test_writer import messages_in

CALL = SessionCall("a84b4c76e66710", "sip:lobby@example.com", "sip:alice@example.com")
FLOW = Flow("udp", LOCAL, REMOTE)
ALICE = parse_filter("user:alice")
BOB = parse_filter("user:bob")
FROM_BOB = INVITE.replace(b"alice", b"bob").replace(b"a84b4c76e66710", b"another")


class Transports:
    """Stands where the transports are: holds whom to call."""

    def __init__(self) -> None:
        self.trace: SipTrace | None = None
        self.msrp: MsrpTrace | None = None

    def attach(self, sip: SipTrace | None, msrp: MsrpTrace | None) -> None:
        self.trace, self.msrp = sip, msrp

    def receive(self, octets: bytes) -> None:
        assert self.trace is not None
        try:
            self.trace(True, octets, parse_message(octets), FLOW)
        except MalformedMessage as fault:
            self.trace(True, octets, fault, FLOW)


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(directory=tmp_path / "traces")


@pytest.fixture
def transports() -> Transports:
    return Transports()


@asynccontextmanager
async def running(options: TraceOptions, transports: Transports) -> AsyncGenerator[Tracer]:
    alarms = AlarmClock()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alarms.run)
        tracer = Tracer(options, alarms, transports.attach, {"ours": CALL})
        tracer.start()
        yield tracer
        tracer.close()
        assert len(alarms) == 0
        nursery.cancel_scope.cancel()


def text_of(output: Output) -> str:
    return output.text_file.read_text(encoding="utf-8")


async def test_nothing_is_there_while_nothing_is_traced(
    output: Output, transports: Transports
) -> None:
    async with running(TraceOptions(output=output), transports) as tracer:
        assert transports.trace is None
        assert tracer.writer is None
    assert not output.directory.exists()


async def test_the_settings_trace_until_the_server_ends(
    output: Output, transports: Transports, clock: MockClock
) -> None:
    options = TraceOptions(output=output, from_start=(), pcap=True)
    async with running(options, transports) as tracer:
        transports.receive(INVITE)
        await trio.sleep(30 * 86400)
        transports.receive(b"rubbish")
        assert tracer.end_all() == []
        assert transports.trace is not None
    assert transports.trace is None
    text = text_of(output)
    assert messages_in(text) == [1, 2]
    assert "Z trace of everything begins, until the server ends, as trace_sip says\n" in text
    assert " malformed (no empty line after the header fields): rubbish\n" in text
    assert text.endswith("Z trace of everything ends: the server ends\n")
    assert output.pcap_file.stat().st_size > len(INVITE)


async def test_a_trace_goes_off_by_itself(
    output: Output, transports: Transports, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sylk.trace")
    async with running(TraceOptions(output=output, duration=3600), transports) as tracer:
        tracer.begin([ALICE])
        await trio.sleep(3599)
        transports.receive(INVITE)
        transports.receive(FROM_BOB)
        await trio.sleep(2)
        assert transports.trace is None
        assert tracer.writer is None
        assert tracer.wait_written(10)
    assert messages_in(text_of(output)) == [1]
    assert caplog.messages == [
        f"trace of user:alice is on for 3600 s, into {output.text_file}",
        "trace of user:alice is off (its time is over), messages: 1",
    ]


async def test_two_traces_share_the_files_and_end_each_by_itself(
    output: Output, transports: Transports, clock: MockClock
) -> None:
    async with running(TraceOptions(output=output), transports) as tracer:
        first, _ = tracer.begin([ALICE], 10)
        second, _ = tracer.begin([BOB, ALICE], 20, as_pcap=True)
        assert (first.as_pcap, second.as_pcap, tracer.as_pcap) == (False, True, True)
        transports.receive(INVITE)
        transports.receive(FROM_BOB)
        assert (first.messages, second.messages) == (1, 2)
        await trio.sleep(15)
        assert tracer.traces == (second,)
        transports.receive(FROM_BOB)
        tracer.end(first)  # Again, which is harmless.
        assert tracer.end_all() == [second]
        assert not tracer.as_pcap
    assert messages_in(text_of(output)) == [1, 2, 3]
    capture = output.pcap_file.read_bytes()
    assert [capture.count(octets) for octets in (INVITE, FROM_BOB)] == [1, 2]


async def test_another_trace_begins_files_of_its_own(
    output: Output, transports: Transports
) -> None:
    async with running(TraceOptions(output=output), transports) as tracer:
        for octets in (INVITE, FROM_BOB):
            tracer.begin([])
            transports.receive(octets)
            tracer.end_all()
            assert tracer.wait_written(10)
    assert messages_in(text_of(output)) == [1]
    assert "sip:bob@" in text_of(output)
    assert not output.pcap_file.exists()
    earlier = output.text_file.with_name("messages.1.log").read_text(encoding="utf-8")
    assert "sip:alice@" in earlier


async def test_how_many_traces_and_filters_there_can_be(
    output: Output, transports: Transports
) -> None:
    options = TraceOptions(output=output, from_start=())
    async with running(options, transports) as tracer:
        with pytest.raises(TraceRefused, match=f"{MAX_FILTERS} filters"):
            tracer.begin([ALICE] * (MAX_FILTERS + 1))
        for _ in range(MAX_TRACES):
            tracer.begin([ALICE])
        with pytest.raises(TraceRefused, match=f"{MAX_TRACES} traces are on"):
            tracer.begin([ALICE])
        tracer.end_all()
        tracer.begin([ALICE])


async def test_a_fault_of_the_trace_puts_it_off_and_reaches_nobody(
    output: Output, transports: Transports, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(TraceOptions(output=output), transports) as tracer:
        tracer.begin([parse_filter("address:192.0.2.1")])
        trace = transports.trace
        assert trace is not None
        trace(True, INVITE, parse_message(INVITE), Flow("udp", LOCAL, ("no address", 1)))
        assert tracer.traces == ()
    (record,) = caplog.records
    assert record.getMessage() == "a message could not be traced: everything is put off"


LINK = WatchedLink("tcp", ("192.0.2.9", 2855), ("192.0.2.1", 40000))
FRAME = (
    b"MSRP abcd SEND\r\nTo-Path: msrp://a:1/ours;tcp\r\nFrom-Path: msrp://b:1/b;tcp\r\n"
    b"Message-ID: 1\r\nContent-Type: text/plain\r\n\r\nwords\r\n-------abcd$\r\n"
)
OTHER = FRAME.replace(b"/ours;", b"/another;")


async def test_msrp_is_traced_where_it_is_wanted_and_by_the_call_of_its_session(
    output: Output, transports: Transports
) -> None:
    async with running(TraceOptions(output=output), transports) as tracer:
        tracer.begin([BOB])
        assert transports.msrp is None
        trace, _ = tracer.begin([ALICE], with_msrp=True, as_pcap=True)
        assert str(trace) == "user:alice (SIP and MSRP)"
        assert transports.msrp is not None
        transports.msrp(True, FRAME[:50], LINK)
        transports.msrp(True, FRAME[50:] + OTHER, LINK)
        transports.msrp(False, b"GET", LINK)
        assert trace.messages == 1
        tracer.end(trace)
        assert transports.msrp is None
        assert transports.trace is not None
    text = text_of(output)
    assert " MSRP received tcp 192.0.2.1:40000 -> 192.0.2.9:2855 " in text
    assert "    | words\n    | -------abcd$\n" in text
    assert messages_in(text) == [1]


async def test_the_settings_trace_msrp_alone(output: Output, transports: Transports) -> None:
    options = TraceOptions(output=output, msrp_from_start=())
    async with running(options, transports):
        assert transports.trace is None
        assert transports.msrp is not None
        large = FRAME.replace(b"words", b"y" * 100_000)
        transports.msrp(False, large, LINK)
        transports.msrp(True, b"MSRP x 200 OK\r\n-------x$\r\nnoise", LINK)
    text = text_of(output)
    assert "begins, until the server ends, as trace_msrp says\n" in text
    assert f" {len(large)} bytes\n" in text
    left_out = len(large) - 16 * 1024 - len("\r\n-------abcd$\r\n")
    assert f"    ({left_out} bytes of a body before the end-line are left out)\n" in text
    assert "malformed (not MSRP): noise" in text
    assert messages_in(text) == [1, 2, 3]


async def test_a_fault_of_the_trace_of_msrp_puts_it_off(
    output: Output, transports: Transports, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(TraceOptions(output=output, msrp_from_start=()), transports):
        assert transports.msrp is not None
        transports.msrp(True, FRAME, WatchedLink("tcp", LINK.local, ()))  # pyright: ignore[reportArgumentType] - wrong on purpose
        assert transports.msrp is None
    assert "a message could not be traced: everything is put off" in caplog.text
