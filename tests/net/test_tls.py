import random
import re
import shutil
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sylk.errors import ConfigError, LocalProtocolError, TransportError
from sylk.net.certificate import CertificateFiles, ensure_certificate, read_certificate
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.listener import TcpListener
from sylk.net.outbox import Outbox
from sylk.net.stream import ByteStream, TcpStream, connect_tcp
from sylk.net.tls import TlsContexts, TlsStream, tls_handshake
from sylk.sip.flow import Address

PATIENCE = 20  # seconds after which a test is given up

Make = Callable[..., CertificateFiles]
Pair = tuple[TlsStream, TlsStream]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a certificate for `name`, as if `age` ago."""

    def make(name: str = "localhost", age: timedelta = timedelta(0)) -> CertificateFiles:
        folder = tmp_path / f"{name} {age.days}"
        return ensure_certificate(folder, [name], ["127.0.0.1"], datetime.now(UTC) - age)

    return make


@pytest.fixture
def contexts(make: Make) -> TlsContexts:
    files = make()
    return TlsContexts(files.certificate, files.private_key)


async def tcp_pair(send_buffer: int | None = None) -> tuple[TcpStream, TcpStream]:
    """Return both ends of a TCP connection; `send_buffer` is asked for at both, in bytes."""
    with socket.socket() as listener:
        if send_buffer is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, send_buffer)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = await connect_tcp(listener.getsockname())
        return client, TcpStream(listener.accept()[0])


class BlockableStream:
    """A stream over another, whose network can be made to take nothing."""

    def __init__(self, stream: ByteStream) -> None:
        self.local: Address = stream.local
        self.remote: Address = stream.remote
        self.stream = stream
        self.is_blocked = False

    def try_send(self, data: bytes | memoryview) -> int:
        return 0 if self.is_blocked else self.stream.try_send(data)

    async def wait_sendable(self) -> None:
        await self.stream.wait_sendable()

    async def receive(self) -> bytes:
        return await self.stream.receive()

    def try_receive(self) -> bytes | None:
        return self.stream.try_receive()

    def fileno(self) -> int:
        return self.stream.fileno()

    def close(self) -> None:
        self.stream.close()


class NarrowStream(BlockableStream):
    """A stream that takes a few bytes at a time, or nothing, as a random number has it."""

    def __init__(self, stream: ByteStream, seed: int) -> None:
        super().__init__(stream)
        self.rng = random.Random(seed)

    def try_send(self, data: bytes | memoryview) -> int:
        size = self.rng.choice([0, 1, 5, 700, 16_000, 16_500, 70_000])
        return super().try_send(memoryview(data)[:size]) if size else 0


class CorkedStream(BlockableStream):
    """A stream that lets a number of writes through and keeps the rest until uncorked."""

    passes = 1
    kept = b""

    def try_send(self, data: bytes | memoryview) -> int:
        if self.passes:
            self.passes -= 1
            return super().try_send(data)
        self.kept += bytes(data)
        return len(data)

    def uncork(self) -> None:
        assert self.kept
        assert super().try_send(self.kept) == len(self.kept)


class ScriptedStream:
    """A peer that says what is written beforehand and then hangs up."""

    def __init__(self, *parts: bytes) -> None:
        self.local: Address = ("127.0.0.1", 5061)
        self.remote: Address = ("127.0.0.1", 40000)
        self.parts = list(parts)
        self.sent = b""
        self.is_closed = False

    def try_send(self, data: bytes | memoryview) -> int:
        self.sent += bytes(data)
        return len(data)

    async def wait_sendable(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.parts.pop(0) if self.parts else b""

    def try_receive(self) -> bytes | None:
        return self.parts.pop(0) if self.parts else b""

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.is_closed = True


@asynccontextmanager
async def tls_pair(
    contexts: TlsContexts,
    client_context: ssl.SSLContext | None = None,
    *,
    server_context: ssl.SSLContext | None = None,
    streams: tuple[ByteStream, ByteStream] | None = None,
    server_hostname: str | None = None,
    sip_domain: str | None = None,
) -> AsyncGenerator[Pair]:
    """Connect (client, server); closes both at the end."""
    below = streams or await tcp_pair()
    made: dict[str, TlsStream] = {}

    async def serve() -> None:
        made["server"] = await tls_handshake(
            below[1], server_context or contexts.server_context, server_side=True
        )

    try:
        with trio.fail_after(PATIENCE):
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(serve)
                    made["client"] = await tls_handshake(
                        below[0],
                        client_context or contexts.client_context(verify=False),
                        server_side=False,
                        server_hostname=server_hostname,
                        sip_domain=sip_domain,
                    )
            except ExceptionGroup as group:
                # Not with `except*`: what is raised in there comes out as a group again.
                raise group.exceptions[0] from None
            yield made["client"], made["server"]
    finally:
        for stream in (*made.values(), *below):
            stream.close()


def bios() -> tuple[ssl.MemoryBIO, ssl.MemoryBIO]:
    return ssl.MemoryBIO(), ssl.MemoryBIO()


async def receive_exactly(stream: ByteStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await stream.receive()
        assert part, "the stream ended too early"
        data += part
    assert len(data) == size
    return data


async def refusal(stream: ByteStream, contexts: TlsContexts, *, server_side: bool = True) -> str:
    """Return why the handshake fails; the stream is closed then."""
    context = contexts.server_context if server_side else contexts.client_context(verify=False)
    with pytest.raises(TransportError) as caught, trio.fail_after(PATIENCE):
        await tls_handshake(stream, context, server_side=server_side)
    return str(caught.value)


# Handshake


async def test_both_sides_agree(contexts: TlsContexts) -> None:
    async with tls_pair(contexts) as (client, server):
        assert client.version == server.version == "TLSv1.3"
        assert client.cipher == server.cipher != ""
        assert client.local == server.remote
        assert client.remote == server.local
        assert client.peer_certificate is not None
        assert client.peer_fingerprint() == contexts.fingerprint()
        assert client.peer_fingerprint("sha-1") == contexts.fingerprint("sha-1")
        # No client is asked for one.
        assert server.peer_certificate is None
        assert server.peer_fingerprint() is None


async def test_a_client_presents_its_certificate_when_asked(make: Make) -> None:
    files = make()
    contexts = TlsContexts(files.certificate, files.private_key)
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asking.load_cert_chain(files.certificate, files.private_key)
    asking.load_verify_locations(files.certificate)
    asking.verify_mode = ssl.CERT_REQUIRED
    async with tls_pair(contexts, server_context=asking) as (_, server):
        assert server.peer_fingerprint() == contexts.fingerprint()


async def test_tls_1_2_works_and_older_is_not_spoken(contexts: TlsContexts) -> None:
    old = contexts.client_context(verify=False)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with tls_pair(contexts, old) as (client, server):
        assert client.version == server.version == "TLSv1.2"
        assert client.try_send(b"hello") == 5
        assert await server.receive() == b"hello"
    for context in (contexts.server_context, old, contexts.client_context(verify=True)):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_COMPRESSION
        assert context.options & ssl.OP_NO_RENEGOTIATION


async def test_says_that_there_is_no_common_version(contexts: TlsContexts) -> None:
    new = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    new.minimum_version = ssl.TLSVersion.TLSv1_3
    old = contexts.client_context(verify=False)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(TransportError, match=r"versions that are too old|refused our TLS version"):
        async with tls_pair(contexts, old, server_context=new):
            raise AssertionError("it was agreed to")


async def test_bytes_that_come_with_the_end_of_the_handshake_are_not_lost(
    contexts: TlsContexts,
) -> None:
    below, server_below = await tcp_pair()
    corked = CorkedStream(below)
    block = bytes(range(256)) * 400
    received = b""

    async def serve() -> None:
        nonlocal received
        server = await tls_handshake(server_below, contexts.server_context, server_side=True)
        received = await receive_exactly(server, len(block))
        server.close()

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            client = await tls_handshake(
                corked, contexts.client_context(verify=False), server_side=False
            )
            assert client.try_send(block) == len(block)
            corked.uncork()
    client.close()
    assert received == block


# Who does not speak TLS, or not to the end


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"OPTIONS sip:bob@example.com SIP/2.0\r\n", "'OPTIONS sip:bob@'"),
        (b"GET / HTTP/1.1\r\n\r\n", "'GET / HTTP/1.1"),
        (b"MSRP a786hjs2 SEND\r\n", "'MSRP a786hjs2 SE'"),
        (b"\r\n\r\n", ""),
        (b"\x80\x2e\x01\x00\x02", ""),
        (b"\0" * 50, ""),
    ],
)
@pytest.mark.parametrize("server_side", [True, False])
async def test_says_what_a_peer_without_tls_began_with(
    contexts: TlsContexts, data: bytes, shown: str, server_side: bool
) -> None:
    stream = ScriptedStream(data)
    reason = await refusal(stream, contexts, server_side=server_side)
    assert reason.startswith("the peer does not speak TLS, it began with b" + shown)
    assert "\n" not in reason
    assert stream.is_closed
    if server_side:
        assert stream.sent == b""


def client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    engine = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        engine.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 6, 60, -1, None])
async def test_a_handshake_that_stops_is_given_up(contexts: TlsContexts, cut: int | None) -> None:
    hello = client_hello()[:cut]
    whole, byte_by_byte = ScriptedStream(hello), ScriptedStream(*(bytes([b]) for b in hello))
    for stream in (whole, byte_by_byte):
        reason = await refusal(stream, contexts)
        assert reason == "the peer closed the connection during the TLS handshake"
        assert stream.is_closed


# The contexts are only read here, so one is enough for all examples.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
async def test_garbage_ends_in_a_transport_error(
    contexts: TlsContexts, data: st.DataObject
) -> None:
    hello = bytearray(client_hello())
    for at in data.draw(st.lists(st.integers(0, len(hello) - 1), max_size=4)):
        hello[at] = data.draw(st.integers(0, 255))
    hello += data.draw(st.binary(max_size=64))
    for server_side in (True, False):
        stream = ScriptedStream(bytes(hello))
        assert await refusal(stream, contexts, server_side=server_side)
        assert stream.is_closed


async def test_a_silent_peer_costs_until_the_deadline(
    contexts: TlsContexts, autojump_clock: trio.testing.MockClock
) -> None:
    """Connections that say nothing, or stop in the handshake, leave nothing behind."""
    listener = TcpListener("127.0.0.1", 0, ConnectionLimits(200))
    reasons: list[str] = []

    async def serve(stream: ByteStream) -> None:
        with trio.move_on_after(30) as patience:
            await tls_handshake(stream, contexts.server_context, server_side=True)
        reasons.append("late" if patience.cancelled_caught else "agreed")

    hello = client_hello()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.run, nursery, serve)
        clients = [await connect_tcp(listener.local) for _ in range(90)]
        for number, client in enumerate(clients):
            client.try_send((b"", hello[:7], hello)[number % 3])
        for client in clients:
            # The server closed each of them.
            while await client.receive():
                pass
            client.close()
        assert listener.connections == 0
        listener.close()
        nursery.cancel_scope.cancel()
    assert reasons == ["late"] * len(clients)


# Bytes


@pytest.mark.parametrize("seed", range(4))
async def test_the_outbox_brings_every_byte_through_a_narrow_network(
    contexts: TlsContexts, seed: int
) -> None:
    rng = random.Random(seed)
    below = await tcp_pair(send_buffer=16 * 1024)
    streams = NarrowStream(below[0], seed), NarrowStream(below[1], seed + 100)
    failures: list[str] = []
    async with tls_pair(contexts, streams=streams) as (client, server):
        messages = [
            rng.randbytes(rng.choice([1, 600, 600, 600, 16_384, 40_000, 200_000]))
            for _ in range(60)
        ]
        received = bytearray()

        async def write(nursery: trio.Nursery, stream: ByteStream) -> None:
            outbox = Outbox(stream, nursery, failures.append, limit=64 * 1024 * 1024)
            for message in messages:
                outbox.write(message)
                if rng.random() < 0.3:
                    await trio.lowlevel.checkpoint()
                if rng.random() < 0.1:
                    await outbox.wait_empty()
            await outbox.wait_empty()
            assert outbox.pending == 0

        async with trio.open_nursery() as nursery:
            for one, other in ((client, server), (server, client)):
                received.clear()
                nursery.start_soon(write, nursery, one)
                while len(received) < sum(map(len, messages)):
                    received += await other.receive()
                    for _ in range(rng.choice([0, 0, 0, 50])):
                        await trio.lowlevel.checkpoint()
                assert received == b"".join(messages)
    assert failures == []


async def test_bytes_that_were_counted_need_no_further_call(contexts: TlsContexts) -> None:
    below = await tcp_pair()
    narrow = NarrowStream(below[0], seed=7)
    async with tls_pair(contexts, streams=(narrow, below[1])) as (client, server):
        block = random.Random(7).randbytes(150_000)
        counted = 0
        received = b""
        while counted < len(block):
            # The rest may come with more behind it, or cut shorter than what is encrypted already.
            more = narrow.rng.choice([0, 1, 10_000])
            taken = client.try_send(memoryview(block)[counted : counted + 100_000 - more])
            counted += taken
            while len(received) < counted:
                received += await server.receive()
        assert received == block


async def test_a_blocked_network_takes_nothing_more(contexts: TlsContexts) -> None:
    below = await tcp_pair()
    narrow = NarrowStream(below[0], seed=7)
    async with tls_pair(contexts, streams=(narrow, below[1])) as (client, server):
        narrow.is_blocked = True
        block = bytes(600)
        for _ in range(1000):
            assert client.try_send(block) == 0
        narrow.is_blocked = False
        rest = memoryview(block)
        while rest:
            rest = rest[client.try_send(rest) :]
        assert await receive_exactly(server, 600) == block
        assert client.try_send(b"") == 0


@pytest.mark.parametrize("size", [600, 9600, 38_400])
async def test_one_read_brings_all_that_came(contexts: TlsContexts, size: int) -> None:
    below = await tcp_pair()
    corked = CorkedStream(below[0])
    corked.passes = 100
    async with tls_pair(contexts, streams=(corked, below[1])) as (client, server):
        corked.passes = 0
        for _ in range(38_400 // size):
            assert client.try_send(bytes(size)) == size
        corked.uncork()
        assert len(await server.receive()) == 38_400


# The end


async def test_a_goodbye_ends_the_data(contexts: TlsContexts) -> None:
    async with tls_pair(contexts) as (client, server):
        client.try_send(b"last")
        client.close()
        client.close()
        assert await server.receive() == b"last"
        assert await server.receive() == b""
        assert await server.receive() == b""


async def test_the_rest_can_be_said_to_a_peer_that_has_finished(contexts: TlsContexts) -> None:
    below, server_below = await tcp_pair()
    context, incoming, outgoing = contexts.client_context(verify=False), *bios()
    engine = context.wrap_bio(incoming, outgoing)
    server: list[TlsStream] = []

    async def serve() -> None:
        server.append(await tls_handshake(server_below, contexts.server_context, server_side=True))

    async def pump(step: Callable[[], object]) -> None:
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                below.try_send(outgoing.read())
                incoming.write(await below.receive())
            else:
                below.try_send(outgoing.read())
                return

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            await pump(engine.do_handshake)
        with pytest.raises(ssl.SSLWantReadError):
            engine.unwrap()
        below.try_send(outgoing.read())
        assert await server[0].receive() == b""
        assert server[0].try_send(b"rest") == 4
        heard: list[bytes] = []
        await pump(lambda: heard.append(engine.read(100)))
        assert heard == [b"rest"]
        server[0].close()
        below.close()


@pytest.mark.parametrize("rest", [b"", b"\x17\x03\x03\x01\x00half a record"])
async def test_a_missing_goodbye_ends_the_data_too(contexts: TlsContexts, rest: bytes) -> None:
    below = await tcp_pair()
    async with tls_pair(contexts, streams=below) as (client, server):
        client.try_send(b"last")
        assert below[0].try_send(rest) == len(rest)
        below[0].close()
        received = b""
        while part := await server.receive():
            received += part
        assert received == b"last"


async def test_damage_is_an_error(contexts: TlsContexts) -> None:
    below = await tcp_pair()
    async with tls_pair(contexts, streams=below) as (_, server):
        below[0].try_send(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(TransportError, match="what the peer sent was damaged on its way"):
            await server.receive()


async def test_plain_text_in_the_middle_is_an_error(contexts: TlsContexts) -> None:
    below = await tcp_pair()
    async with tls_pair(contexts, streams=below) as (_, server):
        below[0].try_send(b"BYE sip:bob@example.com SIP/2.0\r\n\r\n")
        with pytest.raises(TransportError, match="does not speak TLS"):
            await server.receive()


async def test_closing_wakes_who_waits(contexts: TlsContexts) -> None:
    async with tls_pair(contexts) as (client, _):
        reasons: list[str] = []

        async def wait() -> None:
            try:
                await client.receive()
            except TransportError as error:
                reasons.append(str(error))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            client.close()
        assert reasons == ["the connection was closed"]
        with pytest.raises(TransportError, match="the connection was closed"):
            client.try_send(b"late")


async def test_closing_drops_what_the_network_does_not_take(contexts: TlsContexts) -> None:
    below = await tcp_pair()
    narrow = NarrowStream(below[0], seed=7)
    async with tls_pair(contexts, streams=(narrow, below[1])) as (client, server):
        narrow.is_blocked = True
        assert client.try_send(bytes(600)) == 0
        client.close()
        assert await server.receive() == b""


async def test_a_reset_is_an_error_for_both_directions(contexts: TlsContexts) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sock = socket.create_connection(listener.getsockname())
        # A close now resets the connection.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        below = TcpStream(sock), TcpStream(listener.accept()[0])
    async with tls_pair(contexts, streams=below) as (_, server):
        below[0].close()
        with pytest.raises(TransportError):
            await receive_exactly(server, 1)
        with pytest.raises(TransportError):
            server.try_send(b"more")


# Whom we trust


async def verify(
    make: Make,
    files: CertificateFiles,
    *,
    trusted: CertificateFiles | None = None,
    server_hostname: str | None = None,
    sip_domain: str | None = None,
) -> None:
    """Connect to a server that has `files`, verifying with `trusted` or what the system trusts."""
    own = make("client.example.com")
    ca_file = None if trusted is None else trusted.certificate
    client = TlsContexts(own.certificate, own.private_key, ca_file=ca_file)
    async with tls_pair(
        TlsContexts(files.certificate, files.private_key),
        client.client_context(verify=True, sip=sip_domain is not None),
        server_hostname=server_hostname,
        sip_domain=sip_domain,
    ) as (stream, server):
        stream.try_send(b"hello")
        assert await server.receive() == b"hello"


@pytest.mark.parametrize("name", ["chat.example.com", "127.0.0.1"])
async def test_verifies_name_and_authority(make: Make, name: str) -> None:
    files = make("chat.example.com")
    await verify(make, files, trusted=files, server_hostname=name)
    await verify(make, files, trusted=files, sip_domain=name)


@pytest.mark.parametrize("by_sip", [False, True])
async def test_says_why_a_certificate_is_refused(make: Make, by_sip: bool) -> None:
    good, other = make("chat.example.com"), make("other.example.com")
    expired = make("old.example.com", timedelta(days=900))
    early = make("new.example.com", timedelta(days=-5))
    cases = [
        (good, None, "chat.example.com", r"self-signed and not among the trusted ones"),
        (good, other, "chat.example.com", r"self-signed and not among the trusted ones"),
        (other, other, "chat.example.com", r"not (valid )?for '?chat\.example\.com"),
        (other, other, "192.0.2.77", r"not (valid )?for '?192\.0\.2\.77"),
        (expired, expired, "old.example.com", r"the peer's certificate has expired"),
        (early, early, "new.example.com", r"the peer's certificate is not valid yet"),
    ]
    for files, trusted, name, words in cases:
        named = {"sip_domain" if by_sip else "server_hostname": name}
        with pytest.raises(TransportError, match=words):
            await verify(make, files, trusted=trusted, **named)


async def test_the_server_hears_that_its_certificate_was_refused(make: Make) -> None:
    files, other = make(), make("other.example.com")
    verifying = TlsContexts(files.certificate, files.private_key, ca_file=files.certificate)
    serving = TlsContexts(other.certificate, other.private_key)
    client_below, server_below = await tcp_pair()
    reasons: list[str] = []

    async def serve() -> None:
        reasons.append(await refusal(server_below, serving))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(TransportError):
            await tls_handshake(
                client_below,
                verifying.client_context(verify=True),
                server_side=False,
                server_hostname="other.example.com",
            )
    assert reasons == ["the peer does not know who signed our certificate"]


async def test_verifying_needs_a_name(contexts: TlsContexts) -> None:
    for sip in (False, True):
        stream = ScriptedStream()
        context = contexts.client_context(verify=True, sip=sip)
        with pytest.raises((LocalProtocolError, TransportError)):
            await tls_handshake(stream, context, server_side=False)
        assert stream.is_closed
        assert stream.sent == b""


@pytest.mark.parametrize("name", ["", ".example.com", "a" * 64 + ".example.com", "a\0b"])
async def test_a_name_that_is_none_is_a_transport_error(contexts: TlsContexts, name: str) -> None:
    stream = ScriptedStream()
    with pytest.raises(TransportError, match="is no host name for TLS"):
        await tls_handshake(
            stream, contexts.client_context(verify=False), server_side=False, server_hostname=name
        )
    assert stream.is_closed


# Files that change


async def test_reload_leaves_old_connections_alone(make: Make) -> None:
    files, renewed = make(), make(age=timedelta(days=100))
    contexts = TlsContexts(files.certificate, files.private_key)
    old_fingerprint = contexts.fingerprint()
    assert old_fingerprint == read_certificate(files.certificate).fingerprint
    async with tls_pair(contexts) as (client, server):
        files.certificate.write_bytes(renewed.certificate.read_bytes())
        with pytest.raises(ConfigError, match="does not belong to the certificate"):
            contexts.reload()
        assert contexts.fingerprint() == old_fingerprint
        async with tls_pair(contexts) as (again, _):
            assert again.peer_fingerprint() == old_fingerprint
        files.private_key.write_bytes(renewed.private_key.read_bytes())
        contexts.reload()
        assert contexts.fingerprint() != old_fingerprint
        async with tls_pair(contexts) as (new_client, _):
            assert new_client.peer_fingerprint() == contexts.fingerprint()
        assert client.peer_fingerprint() == old_fingerprint
        client.try_send(b"still here")
        assert await server.receive() == b"still here"


def test_says_which_file_of_authorities_is_wrong(make: Make, tmp_path: Path) -> None:
    files = make()
    with pytest.raises(ConfigError, match=r"absent\.pem: there is no such file of authorities"):
        TlsContexts(files.certificate, files.private_key, ca_file=tmp_path / "absent.pem")
    with pytest.raises(ConfigError, match="holds no certificate of an authority in PEM form"):
        TlsContexts(files.certificate, files.private_key, ca_file=files.private_key)


# Another implementation's programs


@asynccontextmanager
async def openssl(*arguments: str | Path, stderr: int = DEVNULL) -> AsyncGenerator[trio.Process]:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    process = await trio.lowlevel.open_process(
        ["openssl", *map(str, arguments)], stdin=PIPE, stdout=PIPE, stderr=stderr
    )
    try:
        with trio.fail_after(PATIENCE):
            yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            assert process.stdin is not None
            assert process.stdout is not None
            await process.stdin.aclose()
            await process.stdout.aclose()


@asynccontextmanager
async def openssl_client(
    contexts: TlsContexts, *arguments: str | Path, stderr: int = DEVNULL
) -> AsyncGenerator[tuple[trio.Process, TlsStream, BlockableStream]]:
    """Let OpenSSL's program connect to us; it must be read until it has gone."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        async with openssl("s_client", "-connect", where, *arguments, stderr=stderr) as process:
            await trio.lowlevel.wait_readable(listener)
            below = BlockableStream(TcpStream(listener.accept()[0]))
            server = await tls_handshake(below, contexts.server_context, server_side=True)
            try:
                yield process, server, below
            finally:
                server.close()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_talks_to_an_openssl_client(make: Make, version: str) -> None:
    files = make()
    contexts = TlsContexts(files.certificate, files.private_key)
    trust = ["-CAfile", files.certificate, "-verify_return_error", "-verify_hostname", "localhost"]
    block = random.Random(3).randbytes(500_000)
    heard = b""
    async with openssl_client(contexts, "-quiet", version, *trust) as (process, server, _):
        assert process.stdin is not None
        assert process.stdout is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.stdin.send_all, block)
            assert await receive_exactly(server, len(block)) == block
            Outbox(server, nursery, pytest.fail).write(block)
            while len(heard) < len(block):
                heard += await process.stdout.receive_some()
        assert heard == block
        server.close()
        assert await process.stdout.receive_some() == b""


@pytest.mark.parametrize("command", [b"k\n", b"K\n"])
async def test_new_keys_are_taken(contexts: TlsContexts, command: bytes) -> None:
    async with openssl_client(contexts, "-tls1_3", stderr=STDOUT) as (process, server, _):
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            await process.stdin.send_all(b"one\n")
            assert await receive_exactly(server, 4) == b"one\n"
            await process.stdin.send_all(command)
            printed = b""
            while b"KEYUPDATE\n" not in printed:
                printed += await process.stdout.receive_some()
            server.try_send(b"two\n")
            while b"two\n" not in printed:
                printed += await process.stdout.receive_some()


async def test_a_peer_that_asks_for_ever_and_reads_nothing_is_given_up(
    contexts: TlsContexts,
) -> None:
    async with openssl_client(contexts, "-tls1_3", stderr=STDOUT) as (process, server, below):
        assert process.stdin is not None
        assert process.stdout is not None
        below.is_blocked = True
        async with trio.open_nursery() as nursery:

            async def receive() -> None:
                with pytest.raises(TransportError, match="makes TLS answer and takes no answer"):
                    await server.receive()
                nursery.cancel_scope.cancel()

            nursery.start_soon(receive)
            while True:
                await process.stdin.send_all(b"K\n")
                printed = b""
                while b"KEYUPDATE\n" not in printed:
                    printed += await process.stdout.receive_some()


async def test_renegotiation_is_refused(contexts: TlsContexts) -> None:
    async with openssl_client(contexts, "-tls1_2") as (process, server, _):
        assert process.stdin is not None
        await process.stdin.send_all(b"one\n")
        assert await receive_exactly(server, 4) == b"one\n"
        await process.stdin.send_all(b"R\n")
        # OpenSSL's client gives up when nobody renegotiates with it.
        with pytest.raises(TransportError):
            await receive_exactly(server, 1)
        assert await process.wait() == 1


async def test_talks_to_an_openssl_server(make: Make) -> None:
    files, own = make(), make("client.example.com")
    contexts = TlsContexts(own.certificate, own.private_key, ca_file=files.certificate)
    pair = ["-cert", files.certificate, "-key", files.private_key]
    async with openssl(
        "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev", *pair, "-verify", "1"
    ) as process:
        assert process.stdout is not None
        printed = b""
        while not (found := re.search(rb"ACCEPT 127\.0\.0\.1:(\d+)\n", printed)):
            printed += await process.stdout.receive_some()
        below = await connect_tcp(("127.0.0.1", int(found[1])))
        client = await tls_handshake(
            below,
            contexts.client_context(verify=True),
            server_side=False,
            server_hostname="localhost",
        )
        assert client.peer_fingerprint() == read_certificate(files.certificate).fingerprint
        line = bytes(random.Random(5).choices(b"abcdefgh", k=10_000))
        assert client.try_send(line + b"\n") == 10_001
        assert await receive_exactly(client, 10_001) == line[::-1] + b"\n"
        client.close()
        while b"client.example.com" not in printed:
            part = await process.stdout.receive_some()
            if not part:
                break
            printed += part


# Without waiting


async def try_receive(stream: TlsStream) -> bytes:
    """Read as one does who waits for many streams at a time."""
    while (data := stream.try_receive()) is None:
        await trio.lowlevel.wait_readable(stream.fileno())
    return data


async def test_what_has_come_is_read_without_waiting(contexts: TlsContexts) -> None:
    async with tls_pair(contexts) as (client, server):
        with trio.fail_after(PATIENCE):
            assert server.try_receive() is None
            client.try_send(b"hello")
            assert await try_receive(server) == b"hello"
            assert server.try_receive() is None
            client.try_send(b"x" * 50_000)
            received = b""
            while len(received) < 50_000:
                received += await try_receive(server)
            assert received == b"x" * 50_000
            client.close()
            assert await try_receive(server) == b""
            assert server.is_ended
            assert server.try_receive() == b""


async def test_half_a_record_is_nothing_yet(contexts: TlsContexts) -> None:
    below = await tcp_pair()
    corked = CorkedStream(below[0])
    corked.passes = 100
    async with tls_pair(contexts, streams=(corked, below[1])) as (client, server):
        with trio.fail_after(PATIENCE):
            corked.passes = 0
            client.try_send(b"hello")
            below[0].try_send(corked.kept[:10])
            await trio.lowlevel.wait_readable(server.fileno())
            assert server.try_receive() is None
            below[0].try_send(corked.kept[10:])
            assert await try_receive(server) == b"hello"
