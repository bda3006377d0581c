import secrets
from collections.abc import Callable

import trio

from sylk.mdns.browser import Browser
from sylk.mdns.responder import Responder
from sylk.mdns.service import Host, Service
from sylk.net.interfaces import Interface
from sylk.net.mdns_node import MdnsLink, MdnsNode

PATIENCE = 10.0
KIND = "_sylktest._udp"


def low(least: float, most: float) -> float:
    return least


def on_loopback(interface: Interface) -> bool:
    return interface.is_loopback


async def until(condition: Callable[[], bool], news: list[trio.Event]) -> None:
    with trio.fail_after(PATIENCE):
        while not condition():
            news[0] = trio.Event()
            await news[0].wait()


async def test_engines_on_one_interface_find_each_other() -> None:
    # Other tests may be on the loopback interface at this time.
    label = f"room {secrets.token_hex(4)}"
    host = f"host-{secrets.token_hex(4)}"
    news = [trio.Event()]

    def publish(interface: Interface) -> Responder:
        responder = Responder(Host(host, interface.addresses), low, trio.current_time())
        responder.publish(Service(label, KIND, 5060, (("name", "Lobby"),)), trio.current_time())
        return responder

    def look(interface: Interface) -> Browser:
        return Browser([KIND], low, trio.current_time())

    def found() -> list[str]:
        links = browsing.links.values()
        return [one.instance for link in links for one in link.engine.neighbours]

    def goodbye(link: MdnsLink[Responder]) -> None:
        link.engine.close(trio.current_time())
        link.flush()

    publishing = MdnsNode(on_loopback, publish)
    browsing = MdnsNode(on_loopback, look, on_progress=lambda link: news[0].set())
    async with trio.open_nursery() as nursery:
        await nursery.start(browsing.run)
        await nursery.start(publishing.run)
        await until(lambda: label in found(), news)
        for link in publishing.links.values():
            goodbye(link)
        await until(lambda: label not in found(), news)
        nursery.cancel_scope.cancel()


async def test_where_no_interface_is_wanted_nothing_is_done() -> None:
    looked = trio.Event()

    def begin(interface: Interface) -> Browser:
        raise AssertionError(interface.name)

    node = MdnsNode(lambda interface: False, begin, on_looked=looked.set)
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run)
        assert looked.is_set()
        assert node.links == {}
        nursery.cancel_scope.cancel()
