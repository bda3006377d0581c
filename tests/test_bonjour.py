import secrets
from collections.abc import Callable

import pytest
import trio

from sylk.bonjour import FOCUS_KIND, URI_KIND, Bonjour, BonjourSettings
from sylk.mdns.browser import Browser, Neighbour
from sylk.net.interfaces import Interface
from sylk.net.mdns_node import MdnsNode
from sylk.session.announcer import Announcer, Board
from sylk.sip.flow import Address

PATIENCE = 10.0
HOST = "127.0.0.1"
KINDS = [f"{kind}.{protocol}" for kind in (URI_KIND, FOCUS_KIND) for protocol in ("_udp", "_tcp")]


def low(least: float, most: float) -> float:
    return least


class Onlooker:
    """Sees on loopback what a server tells there."""

    def __init__(self) -> None:
        self._news = trio.Event()
        self._node = MdnsNode(
            lambda interface: interface.is_loopback,
            self._begin,
            on_progress=lambda link: self._see(),
        )

    def _begin(self, interface: Interface) -> Browser:
        return Browser(KINDS, low, trio.current_time())

    def _see(self) -> None:
        news, self._news = self._news, trio.Event()
        news.set()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await self._node.run(task_status)

    def seen(self, name: str) -> list[Neighbour]:
        """Return what is told by a name; other tests may tell something too."""
        links = self._node.links.values()
        found = [one for link in links for one in link.engine.neighbours if one.get("name") == name]
        return sorted(found, key=lambda one: (one.kind, one.instance))

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE):
            while not condition():
                await self._news.wait()


async def test_what_is_announced_is_seen_as_deployed_clients_look_for_it() -> None:
    name, board, onlooker = f"Room {secrets.token_hex(4)}", Board(), Onlooker()
    port = 20000 + secrets.randbelow(40000)
    listening: list[tuple[str, Address]] = [
        ("udp", (HOST, port)),
        ("tcp", (HOST, port)),
        ("tls", (HOST, port + 1)),
    ]
    announcer = Announcer(board, (), is_default=True)
    server = announcer.publish(name, "", focus=True)
    bonjour = Bonjour(BonjourSettings("yes"), listening, board)
    async with trio.open_nursery() as nursery:
        await nursery.start(onlooker.run)
        await nursery.start(bonjour.run)
        room = announcer.publish(name, "my room", focus=True, note="no participants")
        await onlooker.until(lambda: len(onlooker.seen(name)) == 6)
        tcp, tls, udp = [one for one in onlooker.seen(name) if one.kind.startswith(URI_KIND)]
        uri = f"sip:my%20room@{HOST}"
        assert udp.instance == f"{uri}:{port};isfocus"
        assert tcp.instance == f"{uri}:{port};transport=tcp;isfocus"
        assert tls.instance == f"{uri}:{port + 1};transport=tls;isfocus"
        assert [udp.kind, tcp.kind, tls.kind] == ["_sipuri._udp", "_sipuri._tcp", "_sipuri._tcp"]
        assert dict(udp.pairs) == {
            "txtvers": "1",
            "name": name,
            "contact": f"<{uri}:{port};isfocus>",
            "instance_id": room.announced.instance_id,
            "state": "available",
            "note": "no participants",
        }
        focus = [one for one in onlooker.seen(name) if one.kind == "_sipfocus._udp"]
        assert [one.instance for one in focus] == [f"sip:{HOST}:{port};isfocus"]
        assert "note" not in dict(focus[0].pairs)
        room.update("one participant")
        await onlooker.until(
            lambda: {one.get("note") for one in onlooker.seen(name)} == {"one participant", ""}
        )
        room.withdraw()
        await onlooker.until(lambda: len(onlooker.seen(name)) == 3)
        bonjour.close()
        await onlooker.until(lambda: not onlooker.seen(name))
        server.withdraw()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("mode", "host", "is_wanted"),
    [
        ("auto", "0.0.0.0", True),
        ("auto", "192.0.2.1", True),
        ("auto", HOST, False),
        ("auto", "::1", False),
        ("yes", HOST, True),
        ("no", "0.0.0.0", False),
    ],
)
def test_is_off_by_itself_where_nobody_else_can_come(mode: str, host: str, is_wanted: bool) -> None:
    bonjour = Bonjour(BonjourSettings(mode), [("udp", (host, 5060))], Board())
    assert bonjour.is_wanted is is_wanted


@pytest.mark.parametrize(("names", "found"), [((), 1), (("nothing0",), 0)])
async def test_an_interface_that_is_not_named_is_left_alone(
    names: tuple[str, ...], found: int
) -> None:
    bonjour = Bonjour(BonjourSettings("yes", names), [("udp", (HOST, 5060))], Board())
    async with trio.open_nursery() as nursery:
        await nursery.start(bonjour.run)
        assert len(bonjour.interfaces) == found
        nursery.cancel_scope.cancel()
