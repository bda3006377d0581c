"""The neighbourhood as `sylk-chat` sees it: rooms, people and servers that advertise themselves.

One thing is told once for each transport and on each link; here it is one neighbour, known by the
`instance_id` that is the same in all of them, and called by the first way that works: UDP, then
TCP, then TLS. Whatever comes from the network is made harmless before it is shown.
"""

import random
import secrets
import unicodedata
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import trio

from sylk.cli.harmless import harmless, harmless_name
from sylk.errors import RemoteProtocolError, TransportError
from sylk.mdns.browser import Browser, Neighbour
from sylk.net.interfaces import Interface
from sylk.net.mdns_node import MdnsLink, MdnsNode
from sylk.sip.address import NameAddr
from sylk.sip.uri import SipURI

KINDS: Final = ("_sipuri._udp", "_sipuri._tcp")
"""What can be called (behaves as deployed clients do: servers of conferences are no choice)."""

FIND_TIME: Final = 3.0
"""Seconds in which a neighbour of a name must be found."""

MAX_SHOWN: Final = 500
"""Neighbours that are listed at most."""

Result = TypeVar("Result")

_ORDER = {"udp": 0, "tcp": 1, "tls": 2}


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One neighbour to be called."""

    name: str
    user: str
    """The user part of its address."""
    note: str
    is_room: bool
    uri: SipURI = field(compare=False)

    @property
    def line(self) -> str:
        """Return it as one line: what it is called, where, and what it says of itself."""
        return "\t".join((self.name, bare(self.uri), self.note))


def bare(uri: SipURI) -> str:
    """Return an address as a person would write it: without what can be found out again."""
    params = {"transport": uri.params["transport"]} if uri.transport not in (None, "udp") else {}
    port = None if uri.port == 5060 and not params else uri.port
    return harmless(str(SipURI(uri.scheme, uri.user, None, uri.host, port, params)))


def entry_of(neighbour: Neighbour) -> tuple[str, Entry] | None:
    """Return a neighbour by its id, None for one that says too little of itself."""
    instance_id = neighbour.get("instance_id")
    try:
        uri = NameAddr.parse(neighbour.get("contact")).uri
    except RemoteProtocolError:
        return None
    if not instance_id or not isinstance(uri, SipURI) or not uri.user:
        return None
    is_room = "isfocus" in uri.params
    name = harmless_name(neighbour.get("name") or uri.user)
    called = SipURI(
        uri.scheme,
        uri.user,
        None,
        uri.host,
        uri.port,
        {key: value for key, value in uri.params.items() if key == "transport"},
    )
    return instance_id, Entry(name, uri.user, harmless(neighbour.get("note")), is_room, called)


def entries_of(neighbours: Iterable[Neighbour]) -> list[Entry]:
    """Return each once, rooms first, by name."""
    found: dict[str, Entry] = {}
    for neighbour in neighbours:
        named = entry_of(neighbour)
        if named is None:
            continue
        key, entry = named
        best = found.get(key)
        if best is None or _rank(entry) < _rank(best):
            found[key] = entry
    ordered = sorted(found.values(), key=lambda one: (not one.is_room, _folded(one.name), one))
    return ordered[:MAX_SHOWN]


def named(entries: Iterable[Entry], name: str) -> list[Entry]:
    """Return the neighbours of a name: that of the address, or else the one that is shown."""
    wanted = _folded(name)
    every = list(entries)
    return [one for one in every if _folded(one.user) == wanted] or [
        one for one in every if _folded(one.name) == wanted
    ]


def _rank(entry: Entry) -> tuple[int, bool, str]:
    # IPv4 first, as the others are called by it too.
    return _ORDER.get(entry.uri.transport or "udp", 9), ":" in entry.uri.host, entry.uri.host


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold().strip()


class Neighbourhood:
    """Looks for neighbours on every interface; `run` it.

    `on_changed` is called when somebody has come or gone.
    """

    def __init__(self, on_changed: Callable[[], None] = lambda: None) -> None:
        self._on_changed = on_changed
        self._random = random.Random(secrets.randbits(64))
        self._node = MdnsNode(_is_wanted, self._begin, on_progress=self._look, on_gone=self._look)
        self._news = trio.Event()

    @property
    def entries(self) -> list[Entry]:
        """Those who are there now."""
        links = self._node.links.values()
        return entries_of(one for link in links for one in link.engine.neighbours)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look until cancelled; raises TransportError where there is no multicast DNS."""
        await self._node.run(task_status)

    async def find(self, name: str, seconds: float = FIND_TIME) -> list[Entry]:
        """Return those of a name, as soon as there is one; nobody where the time is over."""
        with trio.move_on_after(seconds):
            while not (found := named(self.entries, name)):
                await self._news.wait()
            # The same may be there by a better way.
            await trio.sleep(0.2)
            return named(self.entries, name) or found
        return []

    def _begin(self, interface: Interface) -> Browser:
        return Browser(KINDS, self._random.uniform, trio.current_time())

    def _look(self, link: MdnsLink[Browser]) -> None:
        has_news = False
        while link.engine.next_event() is not None:
            has_news = True
        if has_news:
            news, self._news = self._news, trio.Event()
            news.set()
            self._on_changed()


def _is_wanted(interface: Interface) -> bool:
    # On loopback a server that is for this machine alone may be told.
    return interface.takes_multicast or interface.is_loopback


async def look(neighbourhood: Neighbourhood, work: Callable[[], Awaitable[Result]]) -> Result:
    """Look while `work` is done; raises TransportError where there is no multicast DNS."""
    fault, results = "", list[Result]()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(neighbourhood.run)
            results.append(await work())
            nursery.cancel_scope.cancel()
    except* TransportError as group:
        fault = _first_of(group)
    if fault:
        raise TransportError(fault)
    return results[0]


def _first_of(group: BaseExceptionGroup[TransportError]) -> str:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else str(first)


async def find_neighbours(name: str, seconds: float = FIND_TIME) -> list[Entry]:
    """Return the neighbours of a name; raises TransportError where there is no multicast DNS."""
    neighbourhood = Neighbourhood()
    return await look(neighbourhood, partial(neighbourhood.find, name, seconds))
