"""Tests of sylk.net.listener, over real sockets on loopback."""

import logging
import os
import resource
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from sylk.errors import TransportError
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.listener import TcpListener
from sylk.net.stream import ByteStream


async def echo(stream: ByteStream) -> None:
    while data := await stream.receive():
        stream.try_send(data)


@asynccontextmanager
async def listening(
    *, max_connections: int = 10, host: str = "127.0.0.1"
) -> AsyncGenerator[TcpListener]:
    listener = TcpListener(host, 0, ConnectionLimits(max_connections))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.run, nursery, echo)
        yield listener
        nursery.cancel_scope.cancel()
    listener.close()


async def connect(listener: TcpListener) -> trio.SocketStream:
    return await trio.open_tcp_stream(*listener.local)


async def ask(stream: trio.SocketStream, data: bytes = b"hello") -> bytes:
    await stream.send_all(data)
    return await stream.receive_some()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_connections_are_served(host: str) -> None:
    async with listening(host=host) as listener:
        first, second = await connect(listener), await connect(listener)
        assert await ask(first) == b"hello"
        assert await ask(second) == b"hello"
        assert listener.connections == 2
        await first.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert listener.connections == 1
        await second.aclose()


async def test_one_connection_too_many_is_closed_and_counted() -> None:
    async with listening(max_connections=1) as listener:
        first = await connect(listener)
        assert await ask(first) == b"hello"
        second = await connect(listener)
        assert await second.receive_some() == b""
        assert listener.refused == 1
        assert await ask(first) == b"hello"
        await first.aclose()
        await second.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        third = await connect(listener)
        assert await ask(third) == b"hello"
        await third.aclose()


@pytest.mark.parametrize(
    ("error", "level"), [(TransportError("gone"), "DEBUG"), (RuntimeError("a bug"), "ERROR")]
)
async def test_a_connection_that_fails_harms_no_other(
    error: Exception, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "sylk.net")

    async def serve(stream: ByteStream) -> None:
        if await stream.receive() == b"fail":
            raise error
        stream.try_send(b"fine")

    listener = TcpListener("127.0.0.1", 0, ConnectionLimits(10))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.run, nursery, serve)
        bad, good = await connect(listener), await connect(listener)
        assert await ask(bad, b"fail") == b""
        assert await ask(good) == b"fine"
        for stream in (bad, good):
            await stream.aclose()
        nursery.cancel_scope.cancel()
    listener.close()
    assert listener.connections == 0
    assert [record.levelname for record in caplog.records] == [level]


async def test_a_connection_that_was_reset_before_we_came_to_it_is_left_out() -> None:
    listener = TcpListener("127.0.0.1", 0, ConnectionLimits(10))
    hasty = socket.create_connection(listener.local)
    hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    hasty.close()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.run, nursery, echo)
        patient = await connect(listener)
        assert await ask(patient) == b"hello"
        await patient.aclose()
        nursery.cancel_scope.cancel()
    listener.close()
    assert listener.connections == 0


async def test_a_port_in_use_says_which_and_why() -> None:
    listener = TcpListener("127.0.0.1", 0, ConnectionLimits(1))
    port = listener.local[1]
    with pytest.raises(TransportError) as caught:
        TcpListener("127.0.0.1", port, ConnectionLimits(1))
    listener.close()
    text = str(caught.value)
    assert text == f"cannot listen on tcp 127.0.0.1:{port}: Address already in use (EADDRINUSE)"


async def test_closing_ends_the_run() -> None:
    listener = TcpListener("127.0.0.1", 0, ConnectionLimits(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.run, nursery, echo)
        await trio.testing.wait_all_tasks_blocked()
        listener.close()
    listener.close()
    await listener.run(nursery, echo)


def test_a_port_can_be_closed_before_anything_runs() -> None:
    TcpListener("127.0.0.1", 0, ConnectionLimits(1)).close()


async def test_used_up_descriptors_are_waited_for(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The limit is lowered to what is open, so that the next accept fails with EMFILE."""
    listener = TcpListener("127.0.0.1", 0, ConnectionLimits(10))
    served = trio.Event()

    async def serve(stream: ByteStream) -> None:
        served.set()
        await trio.lowlevel.checkpoint()

    client = socket.create_connection(listener.local)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with trio.open_nursery() as nursery:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free_descriptor(), hard))
        try:
            nursery.start_soon(listener.run, nursery, serve)
            await trio.sleep(1.0)
            assert not served.is_set()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await served.wait()
        nursery.cancel_scope.cancel()
    client.close()
    listener.close()
    (record,) = caplog.records
    assert "Too many open files" in record.getMessage()


def lowest_free_descriptor() -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


async def test_a_source_with_too_many_connections_is_closed_at_once() -> None:
    limits = ConnectionLimits(100, max_per_source=2)
    listener = TcpListener("127.0.0.1", 0, limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.run, nursery, echo)
        first, second, third = [await connect(listener) for _ in range(3)]
        assert await ask(first) == await ask(second) == b"hello"
        assert await third.receive_some() == b""
        other = socket.create_connection(listener.local, source_address=("127.0.0.2", 0))
        elsewhere = trio.SocketStream(trio.socket.from_stdlib_socket(other))
        assert await ask(elsewhere) == b"hello"
        await first.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        fourth = await connect(listener)
        assert await ask(fourth) == b"hello"
        assert (listener.connections, listener.refused) == (3, 1)
        for stream in (second, third, fourth, elsewhere):
            await stream.aclose()
        nursery.cancel_scope.cancel()
    listener.close()
