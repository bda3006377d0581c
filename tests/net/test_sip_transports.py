"""Tests of sylk.net.sip_transports, over real sockets on loopback."""

import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
import trio.testing

from sylk.errors import TransportError
from sylk.net.certificate import ensure_certificate
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.sip_transports import SipTransports, SipTransportSettings
from sylk.net.tls import TlsContexts
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.parser import Limits, MalformedMessage
from tests.sip.user_agents import make

Message = Request | Response | MalformedMessage

SETTINGS = SipTransportSettings(host="127.0.0.1", udp_port=0, tcp_port=0)
TLS_SETTINGS = replace(SETTINGS, tls_port=0)
REQUEST = make("OPTIONS").render()
PATIENCE = 20.0
"""Seconds after which a test that waits in vain fails."""

DAY = 86400.0
"""The same for tests in which the clock jumps."""


class Endpoint:
    """What stands above the transports: it writes down what it is told."""

    def __init__(self, settings: SipTransportSettings, tls: TlsContexts | None = None) -> None:
        self._send, self._receive = trio.open_memory_channel[tuple[Message, Flow]](1000)
        self._fail, self._failed = trio.open_memory_channel[Flow](1000)
        self.used: set[str] = set()
        self.transports = SipTransports(
            settings, self._take, self._fail.send_nowait, in_use=self._in_use, tls=tls
        )

    def _take(self, message: Message, flow: Flow) -> None:
        if isinstance(message, Request) and message.method == "BUG":
            raise RuntimeError("a bug")
        self._send.send_nowait((message, flow))

    def _in_use(self, flow: Flow) -> bool:
        return flow.transport in self.used

    async def next(self) -> tuple[Message, Flow]:
        return await self._receive.receive()

    async def next_request(self) -> tuple[Request, Flow]:
        message, flow = await self.next()
        assert isinstance(message, Request)
        return message, flow

    async def next_fault(self) -> MalformedMessage:
        message, _ = await self.next()
        assert isinstance(message, MalformedMessage)
        return message

    async def next_failure(self) -> Flow:
        return await self._failed.receive()

    @property
    def is_quiet(self) -> bool:
        """True when nothing was told that a test has not taken."""
        waiting = self._receive.statistics().current_buffer_used
        return waiting + self._failed.statistics().current_buffer_used == 0

    def address(self, transport: str) -> tuple[str, int]:
        return dict(self.transports.listening)[transport]


@asynccontextmanager
async def running(
    settings: SipTransportSettings = SETTINGS,
    *,
    patience: float = PATIENCE,
    tls: TlsContexts | None = None,
) -> AsyncGenerator[Endpoint]:
    endpoint = Endpoint(settings, tls)
    with trio.fail_after(patience):
        async with trio.open_nursery() as nursery:
            await nursery.start(endpoint.transports.run)
            yield endpoint
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(endpoint: Endpoint) -> AsyncGenerator[trio.SocketStream]:
    stream = await trio.open_tcp_stream(*endpoint.address("tcp"))
    async with stream:
        yield stream


@pytest.fixture
def peer() -> socket.socket:
    """A UDP socket of a peer."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(5)
    return sock


# UDP


async def test_messages_go_in_and_out_over_udp(peer: socket.socket) -> None:
    async with running() as endpoint:
        peer.sendto(REQUEST, endpoint.address("udp"))
        request, flow = await endpoint.next_request()
        assert request.method == "OPTIONS"
        assert flow == Flow("udp", endpoint.address("udp"), peer.getsockname())
        endpoint.transports.send(Response.to_request(request, 200), flow)
        assert peer.recv(1000).startswith(b"SIP/2.0 200 OK\r\n")
        assert endpoint.transports.received == 1
    peer.close()


async def test_keep_alives_are_no_messages(peer: socket.socket) -> None:
    stun = bytes([0, 1, 0, 0]) + bytes.fromhex("2112a442") + bytes(12)
    async with running() as endpoint:
        rtp = bytes([0x80, 0, 0, 1]) + bytes(168)
        for data in (b"", b"\r\n\r\n", b"\0", b"  ", stun, stun + bytes(100), rtp, REQUEST):
            peer.sendto(data, endpoint.address("udp"))
        await endpoint.next_request()
        assert endpoint.is_quiet
        assert endpoint.transports.received == 1
    peer.close()


@pytest.mark.parametrize(
    "data", [b"\x01", b"hello", b"GET / HTTP/1.1\r\n\r\n", bytes(range(4, 256))]
)
async def test_garbage_is_told_once_and_the_port_lives(data: bytes, peer: socket.socket) -> None:
    async with running() as endpoint:
        peer.sendto(data, endpoint.address("udp"))
        await endpoint.next_fault()
        peer.sendto(REQUEST, endpoint.address("udp"))
        await endpoint.next_request()
        assert endpoint.is_quiet
    peer.close()


async def test_a_bug_above_stops_neither_port_nor_connection(
    peer: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    bug = make("BUG").render()
    async with running() as endpoint, connected(endpoint) as stream:
        peer.sendto(bug, endpoint.address("udp"))
        peer.sendto(REQUEST, endpoint.address("udp"))
        await endpoint.next_request()
        await stream.send_all(bug + REQUEST)
        await endpoint.next_request()
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    peer.close()


async def test_what_cannot_be_sent_is_told() -> None:
    async with running() as endpoint:
        flow = Flow("udp", endpoint.address("udp"), ("127.0.0.1", 0))
        endpoint.transports.send(make("OPTIONS"), flow)
        assert await endpoint.next_failure() == flow


async def test_a_way_over_udp_is_always_there() -> None:
    async with running() as endpoint:
        remote = ("127.0.0.1", 5060)
        flow = Flow("udp", endpoint.address("udp"), remote)
        assert endpoint.transports.flow_to("udp", remote) == flow
        assert await endpoint.transports.open_flow("udp", remote) == flow
        assert endpoint.transports.is_alive(flow)
    async with running(replace(SETTINGS, host="0.0.0.0")) as endpoint:
        port = endpoint.address("udp")[1]
        assert endpoint.transports.flow_to("udp", remote) == Flow(
            "udp", ("127.0.0.1", port), remote
        )
        chosen = endpoint.transports.flow_to("udp", remote, "127.0.0.2")
        assert chosen == Flow("udp", ("127.0.0.2", port), remote)


async def test_without_udp_there_is_no_way_over_it() -> None:
    async with running(replace(SETTINGS, udp_port=None)) as endpoint:
        assert [transport for transport, _ in endpoint.transports.listening] == ["tcp"]
        with pytest.raises(TransportError, match="local_udp_port"):
            await endpoint.transports.open_flow("udp", ("127.0.0.1", 5060))


async def test_without_tcp_there_is_udp_alone() -> None:
    async with running(replace(SETTINGS, tcp_port=None)) as endpoint:
        assert [transport for transport, _ in endpoint.transports.listening] == ["udp"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
        busy.bind(("127.0.0.1", 0))
        port = busy.getsockname()[1]
        with pytest.raises(TransportError, match="cannot listen on udp"):
            Endpoint(replace(SETTINGS, udp_port=port))


# TCP


async def test_messages_go_in_and_out_over_tcp() -> None:
    async with running() as endpoint, connected(endpoint) as stream:
        await stream.send_all(REQUEST + REQUEST[:50])
        request, flow = await endpoint.next_request()
        assert flow.transport == "tcp"
        assert flow.local == endpoint.address("tcp")
        assert flow.remote == stream.socket.getsockname()
        assert endpoint.transports.connection_count == 1
        assert endpoint.transports.is_alive(flow)
        await stream.send_all(REQUEST[50:])
        await endpoint.next_request()
        endpoint.transports.send(Response.to_request(request, 200), flow)
        assert (await stream.receive_some()).startswith(b"SIP/2.0 200 OK\r\n")
        await stream.aclose()
        assert await endpoint.next_failure() == flow
        assert not endpoint.transports.is_alive(flow)
        assert endpoint.transports.connection_count == 0
        endpoint.transports.send(Response.to_request(request, 200), flow)
        assert await endpoint.next_failure() == flow


async def test_a_ping_gets_its_pong() -> None:
    async with running() as endpoint, connected(endpoint) as stream:
        await stream.send_all(b"\r\n\r\n")
        assert await stream.receive_some() == b"\r\n"
        await stream.send_all(b"\r\n" + REQUEST)
        await endpoint.next_request()
        assert endpoint.is_quiet


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\xff" * 50,
        b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"OPTIONS sip:x SIP/2.0\r\nX: " + b"y" * 9000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 999999\r\n\r\n",
        b"OPTIONS sip:x SIP/2.0\r\n" + b"X: y\r\n" * 15_000,
    ],
)
async def test_what_cannot_be_framed_is_told_once_and_the_connection_closed(data: bytes) -> None:
    async with running() as endpoint, connected(endpoint) as stream:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_quietly, stream, data)
            await endpoint.next_fault()
            flow = await endpoint.next_failure()
            assert flow.remote == stream.socket.getsockname()
            nursery.cancel_scope.cancel()
        assert endpoint.transports.connection_count == 0
        assert endpoint.is_quiet


async def send_quietly(stream: trio.SocketStream, data: bytes) -> None:
    with suppress(trio.BrokenResourceError):
        await stream.send_all(data)


async def test_the_answer_to_it_still_goes_out() -> None:
    bad = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"

    def answer(message: Message, flow: Flow) -> None:
        transports.send(Response(400, "Bad Request"), flow)

    def ignore(flow: Flow) -> None:
        pass

    transports = SipTransports(SETTINGS, answer, ignore)
    async with trio.open_nursery() as nursery:
        await nursery.start(transports.run)
        async with await trio.open_tcp_stream(*dict(transports.listening)["tcp"]) as stream:
            await stream.send_all(bad)
            answered = b""
            async for data in stream:
                answered += data
        nursery.cancel_scope.cancel()
    assert answered.startswith(b"SIP/2.0 400 ")


async def test_a_malformed_message_with_a_known_end_leaves_the_connection() -> None:
    bad = REQUEST.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1)
    async with running() as endpoint, connected(endpoint) as stream:
        await stream.send_all(bad + REQUEST)
        assert (await endpoint.next_fault()).status == 505
        await endpoint.next_request()
        assert endpoint.transports.connection_count == 1


async def test_a_too_large_message_is_refused() -> None:
    settings = replace(SETTINGS, limits=Limits(max_message=400))
    async with running(settings) as endpoint, connected(endpoint) as stream:
        await stream.send_all(REQUEST + b"OPTIONS sip:x SIP/2.0\r\nX: " + b"y" * 500)
        await endpoint.next_request()
        assert (await endpoint.next_fault()).status == 513
        await endpoint.next_failure()


async def test_a_half_message_is_dropped_when_the_peer_closes() -> None:
    async with running() as endpoint, connected(endpoint) as stream:
        await stream.send_all(REQUEST[:100])
        await stream.aclose()
        await endpoint.next_failure()
        assert endpoint.is_quiet
        assert endpoint.transports.received == 0


async def test_a_reset_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running() as endpoint, connected(endpoint) as stream:
        await stream.send_all(REQUEST)
        await endpoint.next_request()
        linger = b"\1\0\0\0\0\0\0\0"
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await stream.aclose()
        await endpoint.next_failure()
    assert all(record.levelno <= logging.INFO for record in caplog.records)


async def test_too_many_connections() -> None:
    async with (
        running(replace(SETTINGS, connections=ConnectionLimits(1))) as endpoint,
        connected(endpoint) as first,
        connected(endpoint) as second,
    ):
        assert await second.receive_some() == b""
        await first.send_all(REQUEST)
        await endpoint.next_request()


# Time


@pytest.fixture
def jumping(autojump_clock: trio.testing.MockClock) -> trio.testing.MockClock:
    """A clock that jumps once the sockets have been quiet for a moment of real time."""
    autojump_clock.autojump_threshold = 0.01
    return autojump_clock


async def test_a_silent_connection_is_closed(jumping: trio.testing.MockClock) -> None:
    begun = trio.current_time()
    async with running(patience=DAY) as endpoint, connected(endpoint) as stream:
        assert await stream.receive_some() == b""
        await endpoint.next_failure()
    assert trio.current_time() - begun == pytest.approx(3600)


async def test_a_silent_connection_that_carries_a_call_is_kept(
    jumping: trio.testing.MockClock,
) -> None:
    async with running(patience=DAY) as endpoint:
        endpoint.used.add("tcp")
        async with connected(endpoint) as stream:
            await trio.sleep(10_000)
            await stream.send_all(REQUEST)
            await endpoint.next_request()
            endpoint.used.clear()
            assert await stream.receive_some() == b""


@pytest.mark.parametrize("begin", [b"", REQUEST, b"\r\n\r\n"])
async def test_a_message_that_drips_is_cut_off(
    begin: bytes, jumping: trio.testing.MockClock
) -> None:
    """Each byte comes in time, the message as a whole does not, even in a call."""
    async with running(patience=DAY) as endpoint:
        endpoint.used.add("tcp")
        async with connected(endpoint) as stream:
            await stream.send_all(begin)
            begun = trio.current_time()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drip, stream, REQUEST[:-1])
                await endpoint.next_failure()
                nursery.cancel_scope.cancel()
            assert trio.current_time() - begun == pytest.approx(30)
            assert endpoint.transports.received == (begin == REQUEST)


async def drip(stream: trio.SocketStream, data: bytes) -> None:
    for index in range(len(data)):
        await send_quietly(stream, data[index : index + 1])
        await trio.sleep(7)


async def test_a_steady_stream_of_messages_is_not_cut_off(
    jumping: trio.testing.MockClock,
) -> None:
    """Whenever it is looked at, one message is incomplete, but it is never the same."""
    async with running(patience=DAY) as endpoint, connected(endpoint) as stream:
        await stream.send_all(REQUEST[:10])
        for _ in range(5):
            await trio.sleep(20)
            await stream.send_all(REQUEST[10:] + REQUEST[:10])
            await endpoint.next_request()
        assert endpoint.transports.connection_count == 1


async def test_a_peer_that_reads_nothing_is_given_up() -> None:
    settings = replace(SETTINGS, outbox_limit=1000)
    async with running(settings) as endpoint, connected(endpoint) as stream:
        await stream.send_all(REQUEST)
        request, flow = await endpoint.next_request()
        large = Response.to_request(request, 200, body=bytes(60_000))
        while endpoint.transports.is_alive(flow):
            endpoint.transports.send(large, flow)
            await trio.lowlevel.checkpoint()
        assert await endpoint.next_failure() == flow


# Connecting


async def test_a_connection_is_opened_once_and_used_again() -> None:
    async with running() as ours, running() as theirs:
        address = theirs.address("tcp")
        flow = await ours.transports.open_flow("tcp", address)
        assert await ours.transports.open_flow("tcp", address) == flow
        assert ours.transports.flow_to("tcp", address) == flow
        assert ours.transports.flow_to("tls", address) is None
        ours.transports.send(make("OPTIONS"), flow)
        request, back = await theirs.next_request()
        theirs.transports.send(Response.to_request(request, 200), back)
        response, came_over = await ours.next()
        assert isinstance(response, Response)
        assert came_over == flow
        assert theirs.transports.flow_to("tcp", back.remote) == back


async def test_of_two_connections_to_one_place_the_newer_is_used() -> None:
    async with running() as ours, running() as theirs:
        address = theirs.address("tcp")
        flows: list[Flow] = []

        async def open_one() -> None:
            flows.append(await ours.transports.open_flow("tcp", address))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(open_one)
            nursery.start_soon(open_one)
        assert len(set(flows)) == 2
        assert ours.transports.flow_to("tcp", address) in flows


async def test_a_peer_that_goes_away_stops_nothing_else() -> None:
    async with running() as ours:
        async with running() as theirs:
            flow = await ours.transports.open_flow("tcp", theirs.address("tcp"))
        assert await ours.next_failure() == flow
        async with connected(ours) as stream:
            await stream.send_all(REQUEST)
            await ours.next_request()


async def test_a_failing_handler_of_lost_flows_stops_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost: list[Flow] = []

    def fail(flow: Flow) -> None:
        lost.append(flow)
        raise RuntimeError("a bug")

    def ignore(message: Message, flow: Flow) -> None:
        pass

    transports = SipTransports(SETTINGS, ignore, fail)
    async with trio.open_nursery() as nursery:
        await nursery.start(transports.run)
        async with running() as theirs:
            await transports.open_flow("tcp", theirs.address("tcp"))
        while not lost:
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert len(lost) == 1
    assert "failed" in caplog.text


async def test_what_cannot_be_connected_says_so() -> None:
    async with running() as endpoint:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            with pytest.raises(TransportError, match="Connection refused"):
                await endpoint.transports.open_flow("tcp", unused.getsockname())
        with pytest.raises(TransportError, match="sctp"):
            await endpoint.transports.open_flow("sctp", ("127.0.0.1", 5060))


async def test_a_peer_that_does_not_answer_is_not_waited_for(
    jumping: trio.testing.MockClock,
) -> None:
    async with running(patience=DAY) as endpoint:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            filling = [socket.socket() for _ in range(4)]
            for sock in filling:
                sock.setblocking(False)
                sock.connect_ex(full.getsockname())
            with pytest.raises(TransportError, match="no answer"):
                await endpoint.transports.open_flow("tcp", full.getsockname())
            for sock in filling:
                sock.close()


# TLS


def make_contexts(folder: Path, name: str, *, trusts: Path | None = None) -> TlsContexts:
    """Make the certificate of `name`; `trusts` is a file of authorities."""
    files = ensure_certificate(folder / name, [name], ["127.0.0.1"], datetime.now(UTC))
    return TlsContexts(files.certificate, files.private_key, ca_file=trusts)


@pytest.fixture
def tls(tmp_path: Path) -> TlsContexts:
    return make_contexts(tmp_path, "server.test")


async def test_messages_go_in_and_out_over_tls(tls: TlsContexts) -> None:
    async with running(TLS_SETTINGS, tls=tls) as theirs, running(tls=tls) as ours:
        address = theirs.address("tls")
        flow = await ours.transports.open_flow("tls", address)
        assert flow.transport == "tls"
        assert flow.remote == address
        ours.transports.send(make("OPTIONS"), flow)
        request, back = await theirs.next_request()
        assert (back.transport, back.local) == ("tls", address)
        theirs.transports.send(Response.to_request(request, 200), back)
        response, came_over = await ours.next()
        assert isinstance(response, Response)
        assert came_over == flow
        # It is there now, and is no TCP connection for anybody.
        assert await ours.transports.open_flow("tls", address) == flow
        assert ours.transports.flow_to("tcp", address) is None
        assert theirs.transports.flow_to("tls", back.remote) == back


async def test_without_certificate_there_is_no_tls(tls: TlsContexts) -> None:
    async with running(TLS_SETTINGS) as endpoint:
        assert [transport for transport, _ in endpoint.transports.listening] == ["udp", "tcp"]
        with pytest.raises(TransportError, match="tls is not spoken here"):
            await endpoint.transports.open_flow("tls", ("127.0.0.1", 5061))
    async with running(SETTINGS, tls=tls) as endpoint:
        assert [transport for transport, _ in endpoint.transports.listening] == ["udp", "tcp"]
    alone = replace(TLS_SETTINGS, udp_port=None, tcp_port=None)
    async with running(alone, tls=tls) as endpoint:
        assert [transport for transport, _ in endpoint.transports.listening] == ["tls"]


async def test_a_port_for_tls_that_is_in_use_closes_the_others(tls: TlsContexts) -> None:
    async with running(TLS_SETTINGS, tls=tls) as endpoint:
        busy = endpoint.address("tls")[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        with pytest.raises(TransportError, match=f"{busy}"):
            Endpoint(replace(TLS_SETTINGS, udp_port=free, tls_port=busy), tls)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", free))


async def test_where_a_peer_finds_us_over_tls(tls: TlsContexts) -> None:
    flow = Flow("tls", ("127.0.0.1", 1), ("127.0.0.1", 2))
    async with running(TLS_SETTINGS, tls=tls) as endpoint:
        assert endpoint.transports.sent_by(flow) == endpoint.address("tls")


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_peer_that_speaks_no_tls(
    tls: TlsContexts, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each side takes the other for something else: clear on the TLS port, TLS on the clear one."""
    caplog.set_level(logging.INFO)
    async with running(TLS_SETTINGS, tls=tls) as theirs, running(tls=tls) as ours:
        if transport == "tls":
            with pytest.raises(TransportError):
                await ours.transports.open_flow("tls", theirs.address("tcp"))
        else:
            flow = await ours.transports.open_flow("tcp", theirs.address("tls"))
            ours.transports.send(make("OPTIONS"), flow)
            assert await ours.next_failure() == flow
            (record,) = caplog.records
            assert "does not speak TLS, it began with b'OPTIONS " in record.getMessage()
        assert theirs.is_quiet or transport == "tls"
        assert all(record.levelno <= logging.INFO for record in caplog.records)


@pytest.mark.parametrize("begin", [b"", b"\x16\x03\x01\x00"])
async def test_a_handshake_that_stops_is_not_waited_for(
    begin: bytes,
    tls: TlsContexts,
    jumping: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    begun = trio.current_time()
    async with running(TLS_SETTINGS, tls=tls, patience=DAY) as endpoint:
        stream = await trio.open_tcp_stream(*endpoint.address("tls"))
        async with stream:
            await stream.send_all(begin)
            assert await stream.receive_some() == b""
    assert trio.current_time() - begun == pytest.approx(10)
    (record,) = caplog.records
    assert record.getMessage().endswith("no handshake within 10 s")


async def test_a_server_that_does_not_answer_the_handshake_is_given_up(
    tls: TlsContexts, jumping: trio.testing.MockClock
) -> None:
    async with running(tls=tls, patience=DAY) as endpoint:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            with pytest.raises(TransportError, match="no answer"):
                await endpoint.transports.open_flow("tls", silent.getsockname())


@pytest.mark.parametrize("domain", ["server.test", None])
async def test_the_certificate_must_be_that_of_the_domain(
    tls: TlsContexts, tmp_path: Path, domain: str | None
) -> None:
    trusting = make_contexts(
        tmp_path, "client.test", trusts=tmp_path / "server.test" / "self-signed.crt"
    )
    verifying = replace(SETTINGS, verify_peers=True)
    async with running(TLS_SETTINGS, tls=tls) as theirs, running(verifying, tls=trusting) as ours:
        address = theirs.address("tls")
        with pytest.raises(TransportError, match=r"is not for other\.test"):
            await ours.transports.open_flow("tls", address, "other.test")
        assert ours.transports.connection_count == 0
        # Without a domain the address is what the certificate must be for.
        flow = await ours.transports.open_flow("tls", address, domain)
        assert ours.transports.is_alive(flow)


async def test_a_certificate_that_no_authority_knows(tls: TlsContexts, tmp_path: Path) -> None:
    make_contexts(tmp_path, "other.test")
    trusting = make_contexts(
        tmp_path, "client.test", trusts=tmp_path / "other.test" / "self-signed.crt"
    )
    async with running(TLS_SETTINGS, tls=tls) as theirs:
        async with running(replace(SETTINGS, verify_peers=True), tls=trusting) as ours:
            with pytest.raises(TransportError, match="not among the trusted ones"):
                await ours.transports.open_flow("tls", theirs.address("tls"), "server.test")
        # Where nobody asks for authorities it will do.
        async with running(tls=trusting) as ours:
            await ours.transports.open_flow("tls", theirs.address("tls"), "server.test")


# Addresses


async def test_where_a_peer_finds_us() -> None:
    async with running() as endpoint:
        udp = Flow("udp", ("127.0.0.1", 1), ("127.0.0.1", 2))
        tcp = replace(udp, transport="tcp")
        tls = replace(udp, transport="tls")
        assert endpoint.transports.sent_by(udp) == endpoint.address("udp")
        assert endpoint.transports.sent_by(tcp) == endpoint.address("tcp")
        assert endpoint.transports.sent_by(tls) == ("127.0.0.1", 1)
    async with running(replace(SETTINGS, advertised_host="203.0.113.1")) as endpoint:
        assert endpoint.transports.sent_by(udp) == ("203.0.113.1", endpoint.address("udp")[1])


async def test_a_port_in_use_closes_the_others_again() -> None:
    async with running(replace(SETTINGS, udp_port=None)) as endpoint:
        busy = endpoint.address("tcp")[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        with pytest.raises(TransportError, match="cannot listen on tcp"):
            Endpoint(replace(SETTINGS, udp_port=free, tcp_port=busy))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", free))


async def test_closing_closes_connections_too() -> None:
    async with running() as endpoint, connected(endpoint) as stream:
        await stream.send_all(REQUEST)
        await endpoint.next_request()
        endpoint.transports.close()
        assert await stream.receive_some() == b""
        await endpoint.next_failure()


async def test_every_message_can_be_seen_in_the_log(
    peer: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "sylk.sip")
    async with running() as endpoint, connected(endpoint) as stream:
        peer.sendto(REQUEST, endpoint.address("udp"))
        request, flow = await endpoint.next_request()
        endpoint.transports.send(Response.to_request(request, 200), flow)
        await stream.send_all(REQUEST)
        await endpoint.next_request()
    lines = [record.getMessage().split()[0] for record in caplog.records]
    assert lines[:3] == ["received", "sent", "received"]
    peer.close()
