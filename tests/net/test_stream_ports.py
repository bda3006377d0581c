import logging
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from sylk.errors import TransportError
from sylk.net.certificate import ensure_certificate
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.refusal_lines import LINES_A_MINUTE
from sylk.net.stream import ByteStream
from sylk.net.stream_ports import StreamPorts
from sylk.net.tls import TlsContexts

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> TlsContexts:
    folder: Path = tmp_path_factory.mktemp("tls")
    files = ensure_certificate(folder, ["localhost"], [HOST], datetime.now(UTC))
    return TlsContexts(files.certificate, files.private_key)


def make_ports(tcp: int | None, tls: int | None, contexts: TlsContexts | None) -> StreamPorts:
    return StreamPorts(HOST, tcp, tls, contexts, limits=ConnectionLimits(10), handshake_timeout=5.0)


async def say_back(stream: ByteStream) -> None:
    data = await stream.receive()
    assert stream.try_send(data) == len(data)


async def exchange(port: int, context: ssl.SSLContext | None) -> bytes:
    stream: trio.abc.Stream = await trio.open_tcp_stream(HOST, port)
    if context is not None:
        assert isinstance(stream, trio.SocketStream)
        stream = trio.SSLStream(stream, context, https_compatible=True)
    async with stream:
        await stream.send_all(b"hello")
        return bytes(await stream.receive_some())


async def test_both_ports_are_served_alike(contexts: TlsContexts) -> None:
    ports = make_ports(0, 0, contexts)
    addresses = dict(ports.listening)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            ports.start(nursery, say_back)
            client = contexts.client_context(verify=False)
            assert await exchange(addresses["tcp"][1], None) == b"hello"
            assert await exchange(addresses["tls"][1], client) == b"hello"
            ports.close()


def test_without_certificate_there_is_no_tls_port() -> None:
    ports = make_ports(0, 0, None)
    assert [transport for transport, _ in ports.listening] == ["tcp"]
    ports.close()


def test_a_port_that_is_taken_frees_the_other(contexts: TlsContexts) -> None:
    first = make_ports(0, None, contexts)
    taken = dict(first.listening)["tcp"][1]
    with pytest.raises(TransportError, match=f"port|{taken}"):
        make_ports(0, taken, contexts)
    first.close()
    make_ports(taken, None, None).close()


async def test_a_flood_of_failed_handshakes_is_some_lines_and_a_count(
    contexts: TlsContexts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sylk.net")
    ports = make_ports(None, 0, contexts)
    port = dict(ports.listening)["tls"][1]
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            ports.start(nursery, say_back)
            for _ in range(LINES_A_MINUTE + 20):
                async with await trio.open_tcp_stream(HOST, port) as stream:
                    await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
                    with suppress(trio.BrokenResourceError):
                        await stream.receive_some()
            ports.close()
    lines = [record for record in caplog.records if "no TLS with" in record.getMessage()]
    # In the time that it takes there may be room for one line more.
    assert LINES_A_MINUTE <= len(lines) < LINES_A_MINUTE + 20
