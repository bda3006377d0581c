"""Tests of sylk.net.udp, over real sockets on loopback."""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic

import pytest
import trio
import trio.testing

from sylk.errors import TransportError
from sylk.net.turns import SLICE
from sylk.net.udp import UdpPort, bind_udp
from sylk.sip.flow import Address
from tests.net.loop_turns import done_in_each_turn, turns_in

Datagram = tuple[bytes, Address, Address]


class Received:
    """What a port was given, with a way to wait for it."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Datagram](1000)

    def take(self, data: bytes, local: Address, remote: Address) -> None:
        self._send.send_nowait((data, local, remote))

    async def next(self) -> Datagram:
        return await self._receive.receive()


@contextmanager
def client(host: str = "127.0.0.1") -> Generator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sock.settimeout(5)
        yield sock


@contextmanager
def port_on(host: str) -> Generator[UdpPort]:
    port = bind_udp(host, 0)
    try:
        yield port
    finally:
        port.close()


@pytest.mark.parametrize(
    ("bound", "reached"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.2"),
        ("", "127.0.0.3"),
        ("::1", "::1"),
        ("::", "::1"),
        ("::", "127.0.0.2"),
    ],
)
async def test_the_answer_leaves_from_where_the_question_arrived(bound: str, reached: str) -> None:
    received = Received()
    source = "::1" if ":" in reached else "127.0.0.1"
    with port_on(bound) as port, client(source) as peer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(port.run, received.take)
            peer.sendto(b"question", (reached, port.local[1]))
            data, local, remote = await received.next()
            assert data == b"question"
            assert local == (reached, port.local[1])
            assert remote == peer.getsockname()[:2]
            port.send(b"answer", local, remote)
            answer, sender = peer.recvfrom(100)
            assert (answer, sender[:2]) == (b"answer", local)
            nursery.cancel_scope.cancel()


async def test_many_datagrams_keep_their_order() -> None:
    received = Received()
    with port_on("127.0.0.1") as port, client() as peer:
        async with trio.open_nursery() as nursery:
            for number in range(200):
                peer.sendto(str(number).encode(), port.local)
            nursery.start_soon(port.run, received.take)
            got = [(await received.next())[0] for _ in range(200)]
            nursery.cancel_scope.cancel()
    assert got == [str(number).encode() for number in range(200)]


async def test_a_largest_and_an_empty_datagram() -> None:
    received = Received()
    with port_on("127.0.0.1") as port, client() as peer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(port.run, received.take)
            for data in (b"", bytes(65507)):
                peer.sendto(data, port.local)
                assert (await received.next())[0] == data
            nursery.cancel_scope.cancel()


async def test_a_peer_that_is_gone_does_not_stop_the_port() -> None:
    """The kernel tells of it with an error at the next read, or the next write."""
    received = Received()
    with port_on("127.0.0.1") as port, client() as peer:
        with client() as gone:
            nobody = gone.getsockname()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(port.run, received.take)
            for _ in range(5):
                port.send(b"anybody?", port.local, nobody)
                await trio.testing.wait_all_tasks_blocked()
            peer.sendto(b"I am", port.local)
            assert (await received.next())[0] == b"I am"
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("bound", "remote", "size"),
    [
        ("127.0.0.1", ("127.0.0.1", 9), 70_000),
        ("127.0.0.1", ("127.0.0.1", 0), 1),
        ("127.0.0.1", ("::1", 9), 1),
        ("0.0.0.0", ("::1", 9), 1),
    ],
)
async def test_what_cannot_be_sent_is_a_transport_error(
    bound: str, remote: Address, size: int
) -> None:
    with port_on(bound) as port, pytest.raises(TransportError):
        port.send(bytes(size), ("127.0.0.1", port.local[1]), remote)


async def test_an_address_that_is_not_ours_cannot_be_sent_from() -> None:
    with port_on("0.0.0.0") as port, pytest.raises(TransportError):
        port.send(b"x", ("192.0.2.1", port.local[1]), ("127.0.0.1", 9))


async def test_a_port_in_use_says_which_and_why() -> None:
    with port_on("127.0.0.1") as port:
        number = port.local[1]
        with pytest.raises(TransportError) as caught:
            bind_udp("127.0.0.1", number)
    text = str(caught.value)
    assert text == f"cannot listen on udp 127.0.0.1:{number}: Address already in use (EADDRINUSE)"


async def test_closing_ends_the_run() -> None:
    received = Received()
    with port_on("127.0.0.1") as port:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(port.run, received.take)
            await trio.testing.wait_all_tasks_blocked()
            port.close()
        port.close()
        with pytest.raises(TransportError):
            port.send(b"x", port.local, port.local)


async def test_closing_from_inside_ends_the_run() -> None:
    with port_on("127.0.0.1") as port, client() as peer:
        peer.sendto(b"close", port.local)
        await port.run(lambda data, local, remote: port.close())


def test_a_port_can_be_closed_before_anything_runs() -> None:
    bind_udp("127.0.0.1", 0).close()


async def test_who_is_not_there_is_told_and_nobody_else_suffers() -> None:
    """The system fails the next call, which has nothing to do with it: that one still goes out."""
    with client() as gone:
        nowhere = gone.getsockname()
    told: list[Address] = []
    done = trio.Event()

    def lost(remote: Address) -> None:
        told.append(remote)
        done.set()

    with port_on("127.0.0.1") as port, client() as other:
        for number in range(3):
            port.send(b"x", port.local, nowhere)
            port.send(b"%d" % number, port.local, other.getsockname())
            assert other.recv(10) == b"%d" % number
        async with trio.open_nursery() as nursery:
            nursery.start_soon(port.run, Received().take, lost)
            with trio.fail_after(5):
                await done.wait()
            port.close()
    assert set(told) == {nowhere}


async def test_others_come_in_between_datagrams_that_take_their_time() -> None:
    diary: list[str] = []

    def take_time(data: bytes, local: Address, remote: Address) -> None:
        diary.append("datagram")
        end = monotonic() + SLICE
        while monotonic() < end:
            pass

    with port_on("127.0.0.1") as port, client() as peer:
        for _ in range(5):
            peer.sendto(b"x", port.local)
        async with trio.open_nursery() as nursery:
            with turns_in(diary):
                nursery.start_soon(port.run, take_time)
                while diary.count("datagram") < 5:
                    await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert done_in_each_turn(diary) == 5 * [["datagram"]]
