"""Tests of sylk.net.stream, over real sockets on loopback."""

import resource
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing

import pytest
import trio
import trio.testing

from sylk.errors import TransportError
from sylk.net.stream import UNSENT_SIZE, TcpStream, connect_tcp, transport_error


@asynccontextmanager
async def connected(host: str = "127.0.0.1") -> AsyncGenerator[tuple[TcpStream, TcpStream]]:
    """Give the two ends of a connection: ours, then that of the peer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind((host, 0))
        listener.listen()
        ours = await connect_tcp((host, listener.getsockname()[1]))
        theirs = TcpStream(listener.accept()[0])
    try:
        yield ours, theirs
    finally:
        ours.close()
        theirs.close()


def reset(stream: TcpStream, sock: socket.socket) -> None:
    """Close a connection so that the peer gets a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_bytes_go_both_ways(host: str) -> None:
    async with connected(host) as (ours, theirs):
        assert ours.remote == theirs.local
        assert theirs.remote == ours.local
        assert ours.remote[0] == host
        assert ours.try_send(b"hello") == 5
        assert await theirs.receive() == b"hello"
        assert theirs.try_send(memoryview(b"and back")) == 8
        assert await ours.receive() == b"and back"


async def test_a_read_waits_and_is_a_checkpoint() -> None:
    async with connected() as (ours, theirs):
        with trio.move_on_after(0) as scope:
            await ours.receive()
        assert scope.cancelled_caught
        ours.try_send(b"x")
        with trio.testing.assert_checkpoints():
            await theirs.receive()


async def test_the_end_is_told() -> None:
    async with connected() as (ours, theirs):
        theirs.close()
        assert await ours.receive() == b""


async def test_a_full_network_takes_nothing_until_it_is_read() -> None:
    async with connected() as (ours, theirs):
        sent = 0
        while size := ours.try_send(bytes(1_000_000)):
            sent += size
        got = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.wait_sendable)
            while got < sent:
                got += len(await theirs.receive())
        assert ours.try_send(b"more") == 4


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="the system has no such bound")
async def test_little_waits_in_the_kernel_for_a_peer_that_does_not_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        ours = await connect_tcp(("127.0.0.1", listener.getsockname()[1]))
        peer, _ = listener.accept()
    piece = bytes(16 * 1024)
    taken = 0
    with peer, closing(ours):
        while True:
            with trio.move_on_after(0.2) as patience:
                await ours.wait_sendable()
            if patience.cancelled_caught:
                break
            taken += ours.try_send(piece)
    # Linux doubles the size of a receive buffer.
    assert UNSENT_SIZE <= taken <= UNSENT_SIZE + 2 * 64 * 1024 + len(piece)


async def test_a_reset_is_a_transport_error() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ours = await connect_tcp(listener.getsockname())
        peer = listener.accept()[0]
    reset(TcpStream(peer), peer)
    with pytest.raises(TransportError, match="ECONNRESET"):
        await ours.receive()
    with pytest.raises(TransportError, match="EPIPE"):
        ours.try_send(b"x")
    ours.close()


async def test_closing_wakes_whoever_waits() -> None:
    async with connected() as (ours, _theirs):
        while ours.try_send(bytes(1_000_000)):
            pass

        async def wait_for_end(which: str) -> None:
            with pytest.raises(TransportError, match="closed"):
                await (ours.receive() if which == "read" else ours.wait_sendable())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_end, "read")
            nursery.start_soon(wait_for_end, "write")
            await trio.testing.wait_all_tasks_blocked()
            ours.close()
        ours.close()
        with pytest.raises(TransportError):
            ours.try_send(b"x")


async def test_a_socket_without_peer_makes_no_stream() -> None:
    with socket.socket() as sock, pytest.raises(TransportError, match="ENOTCONN"):
        TcpStream(sock)


async def test_a_connection_leaves_from_the_address_that_was_asked_for() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        stream = await connect_tcp(listener.getsockname(), local_host="127.0.0.2")
        assert stream.local[0] == "127.0.0.2"
        stream.close()


async def test_a_refused_connection_says_so() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host, port = unused.getsockname()
        with pytest.raises(TransportError, match=f"cannot connect to {host}:{port}: .*refused"):
            await connect_tcp((host, port))


async def test_an_ipv6_address_is_told_from_its_port() -> None:
    # Port 0 can be reached nowhere, with or without IPv6.
    with pytest.raises(TransportError, match=r"cannot connect to \[::1\]:0: "):
        await connect_tcp(("::1", 0))


async def test_an_address_that_is_not_ours_cannot_be_left_from() -> None:
    with pytest.raises(TransportError, match="cannot connect"):
        await connect_tcp(("127.0.0.1", 9), local_host="192.0.2.1")


async def test_without_descriptors_there_is_no_connection() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(TransportError, match="EMFILE"):
            await connect_tcp(("127.0.0.1", 9))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_connection_can_be_given_up(autojump_clock: trio.testing.MockClock) -> None:
    """The backlog of the port is full, so that nothing answers and the caller loses patience."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filling = [socket.socket() for _ in range(4)]
        for sock in filling:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        with trio.move_on_after(10) as scope:
            await connect_tcp(listener.getsockname())
        for sock in filling:
            sock.close()
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(111, "Connection refused"), "Connection refused (ECONNREFUSED)"),
        (OSError("no number"), "no number"),
    ],
)
def test_errors_are_told_in_words(error: OSError, text: str) -> None:
    assert str(transport_error(error)) == text
