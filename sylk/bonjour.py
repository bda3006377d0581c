"""Bonjour: what the applications announce, told by multicast DNS on each interface.

Names and keys are those that deployed clients look for. Each thing is told once for each transport,
by its SIP URI at the address of the interface, so that who is told can call at once: IPv4 where the
interface has it, and IPv6 otherwise. The name that people see stands in the TXT record. A name in
conflict, which another server at the same address and port would have, gets a number.
"""

import logging
import random
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

import trio

from sylk.errors import TransportError
from sylk.mdns.registration import Registration
from sylk.mdns.responder import Responder
from sylk.mdns.service import Host, Service
from sylk.net.addresses import WILDCARDS
from sylk.net.interfaces import Interface, Network
from sylk.net.mdns_node import MdnsLink, MdnsNode
from sylk.session.announcer import Announced, Announcement, Board
from sylk.sip.flow import Address
from sylk.sip.uri import SipURI

logger = logging.getLogger("sylk.bonjour")

URI_KIND: Final = "_sipuri"
"""What can be called."""

FOCUS_KIND: Final = "_sipfocus"
"""A server of conferences."""

Published = dict[Announcement, dict[str, Registration]]
"""What is published on one link, by transport."""


@dataclass(slots=True)
class BonjourSettings:
    """Where it is told."""

    mode: str = "auto"
    interfaces: tuple[str, ...] = ()
    """Their names; none stands for all but loopback."""
    host_name: str = field(default_factory=socket.gethostname)


class Bonjour:
    """Tells what is on the board; `listening` is where SIP listens, by transport."""

    def __init__(
        self, settings: BonjourSettings, listening: Sequence[tuple[str, Address]], board: Board
    ) -> None:
        self._settings = settings
        self._listening = listening
        self._board = board
        self._published: dict[MdnsLink[Responder], Published] = {}
        self._node = MdnsNode(
            self._is_wanted,
            self._begin,
            on_looked=self._refresh,
            on_progress=self._log_renamed,
            on_gone=self._lose,
        )
        self._random = random.Random(secrets.randbits(64))
        self._is_over = False
        board.on_changed = self._changed

    @property
    def is_wanted(self) -> bool:
        """Tell whether it is to run: not by itself where SIP listens on loopback alone."""
        if self._settings.mode == "auto":
            return any(not _is_loopback(host) for _, (host, _) in self._listening)
        return self._settings.mode == "yes"

    @property
    def interfaces(self) -> list[str]:
        """The names of the interfaces on which it is told now."""
        return [link.interface.name for link in self._node.links.values()]

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell it until cancelled; the server goes on where that fails."""
        started = False
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._node.run)
                task_status.started()
                started = True
        except* TransportError as group:
            logger.warning("no multicast DNS: %s", group.exceptions[0])
        except* Exception:
            logger.exception("multicast DNS has failed; the server goes on without it")
        if not started:
            task_status.started()

    def close(self) -> None:
        """Say goodbye to all, at once."""
        self._board.on_changed = None
        self._is_over = True
        for link in list(self._node.links.values()):
            self._lose(link)

    def _is_wanted(self, interface: Interface) -> bool:
        names = self._settings.interfaces
        if names:
            is_named = interface.name in names
        elif interface.is_loopback:
            is_named = all(_is_loopback(host) for _, (host, _) in self._listening)
        else:
            is_named = interface.takes_multicast
        return (
            not self._is_over
            and is_named
            and any(self._host_on(interface, host) for _, (host, _) in self._listening)
        )

    def _begin(self, interface: Interface) -> Responder:
        logger.info("announced on %s, %s", interface.name, ", ".join(interface.addresses))
        # A name of our own: that of the machine is told by whoever tells it, such as avahi-daemon.
        label = f"{self._settings.host_name.partition('.')[0][:40]}-sylk-{secrets.token_hex(3)}"
        host = Host(label, interface.addresses)
        return Responder(host, self._random.uniform, trio.current_time())

    def _lose(self, link: MdnsLink[Responder]) -> None:
        self._published.pop(link, None)
        link.engine.close(trio.current_time())
        link.flush()

    def _log_renamed(self, link: MdnsLink[Responder]) -> None:
        while (event := link.engine.next_event()) is not None:
            logger.warning(
                "the name %s is taken on %s, now %s", event.old, link.interface.name, event.new
            )

    def _refresh(self) -> None:
        """Have links that are new tell what is on the board."""
        for link in self._node.links.values():
            if link not in self._published and not self._is_over:
                self._published[link] = {}
                for announcement in self._board:
                    self._tell(link, announcement)
                link.flush()

    def _changed(self, announcement: Announcement) -> None:
        """Have each link tell one thing as it is now, or no more."""
        try:
            for link in self._published:
                self._tell(link, announcement)
                link.flush()
        except Exception:
            # Whoever is announced has nothing to do with it.
            logger.exception("%s could not be announced", announcement.announced.name)

    def _tell(self, link: MdnsLink[Responder], announcement: Announcement) -> None:
        now = trio.current_time()
        published = self._published[link].setdefault(announcement, {})
        if announcement not in self._board:
            del self._published[link][announcement]
            for registration in published.values():
                link.engine.withdraw(registration, now)
            return
        for transport, service in self._services(link.interface, announcement.announced):
            if transport in published:
                link.engine.update(published[transport], service, now)
            else:
                published[transport] = link.engine.publish(service, now)

    def _services(self, interface: Interface, announced: Announced) -> list[tuple[str, Service]]:
        found: list[tuple[str, Service]] = []
        for transport, (bound, port) in self._listening:
            host = self._host_on(interface, bound)
            if host is not None:
                found.append((transport, _service(announced, transport, host, port)))
        return found

    def _host_on(self, interface: Interface, bound: str) -> str | None:
        """Return the address at which what is bound to an address is called on an interface."""
        if bound not in WILDCARDS:
            return bound if bound in interface.addresses else None
        versions = (4, 6) if bound == "::" else (4,)
        networks = sorted(interface.networks, key=lambda network: network.version)
        usable = [one for one in networks if one.version in versions and _can_be_called(one)]
        return str(usable[0].ip) if usable else None


def _service(announced: Announced, transport: str, host: str, port: int) -> Service:
    """Return how something is told for one transport (TLS as TCP, with its own parameter)."""
    params: dict[str, str | None] = {} if transport == "udp" else {"transport": transport}
    if announced.focus:
        params["isfocus"] = None
    uri = SipURI("sip", announced.user or None, None, host, port, params)
    pairs = [
        ("txtvers", "1"),
        ("name", announced.name),
        ("contact", f"<{uri}>"),
        ("instance_id", announced.instance_id),
    ]
    if announced.note:
        pairs += [("state", "available"), ("note", announced.note)]
    kind = URI_KIND if announced.user else FOCUS_KIND
    protocol = "_udp" if transport == "udp" else "_tcp"
    return Service(str(uri), f"{kind}.{protocol}", port, tuple(pairs))


def _is_loopback(host: str) -> bool:
    return host not in WILDCARDS and ip_address(host).is_loopback


def _can_be_called(network: Network) -> bool:
    # A URI cannot say which link a link-local IPv6 address is on (RFC 4007 section 11).
    return not (network.version == 6 and network.ip.is_link_local)
