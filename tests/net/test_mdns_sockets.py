from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
import trio

from sylk.errors import TransportError
from sylk.net.interfaces import Interface, list_interfaces
from sylk.net.mdns_sockets import PORT, MdnsSockets

PATIENCE = 5.0


def loopback() -> Interface:
    return next(one for one in list_interfaces() if one.is_loopback)


async def test_what_is_said_to_the_group_is_heard_by_all_and_by_who_says_it() -> None:
    heard: list[tuple[int, bytes, int]] = []
    news = trio.Event()
    # Other tests may speak there too; nobody understands this.
    words = b"not a message of anybody"

    def hear(number: int, data: bytes, source: tuple[str, int]) -> None:
        if data == words:
            heard.append((number, data, source[1]))
            if {one for one, _, _ in heard} == {0, 1}:
                news.set()

    with closing(MdnsSockets(loopback())) as first, closing(MdnsSockets(loopback())) as second:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.run, partial(hear, 0))
            nursery.start_soon(second.run, partial(hear, 1))
            first.send(words)
            with trio.fail_after(PATIENCE):
                await news.wait()
            first.close()
            second.close()
    assert {port for _, _, port in heard} == {PORT}


async def test_one_address_is_told_from_our_port() -> None:
    with closing(MdnsSockets(loopback())) as sockets, trio.socket.socket(type=2) as other:
        await other.bind(("127.0.0.1", 0))
        sockets.send(b"to you alone", other.getsockname())
        with trio.fail_after(PATIENCE):
            data, source = await other.recvfrom(100)
    assert (data, source[1]) == (b"to you alone", PORT)


def test_an_interface_that_is_not_there_is_an_error() -> None:
    gone = replace(loopback(), index=2**20, name="gone0")
    with pytest.raises(TransportError, match="no multicast DNS on gone0"):
        MdnsSockets(gone)
    with pytest.raises(TransportError, match="has no address"):
        MdnsSockets(replace(loopback(), networks=()))


async def test_what_cannot_be_sent_is_lost() -> None:
    sockets = MdnsSockets(loopback())
    sockets.send(b"x", ("192.0.2.1", 0))
    sockets.close()
    sockets.send(b"x")
    await trio.lowlevel.checkpoint()
