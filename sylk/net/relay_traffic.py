"""The relay on the links of an MSRP port (RFC 4976): what it writes, opens, closes and logs.

A slow recipient slows those who write to it, and them alone: the link of a sender is not read while
much waits for where it writes. How long that can last is bounded by the outbox of the recipient.
"""

import ipaddress
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from sylk.errors import TransportError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.relay import Relay
from sylk.msrp.relay_desk import Access
from sylk.msrp.relay_events import AuthRefused, CloseWanted, ConnectWanted, PathGranted, RelayEvent
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.uri import MsrpURI
from sylk.net.addresses import look_up
from sylk.net.alarm import AlarmClock
from sylk.net.msrp_link import MsrpLink
from sylk.net.outbox import Outbox
from sylk.net.refusal_lines import RefusalLines
from sylk.setting_types import Network
from sylk.sip.flow import Address, show_address
from sylk.sip.source_limits import source_of

logger = logging.getLogger("sylk.relay")

PAUSE = 256 * 1024
"""Bytes that may wait for a recipient before those who write to it are not read any more."""

RESOLVE_TIMEOUT = 10.0
"""Seconds in which the name of a next hop must be found."""

# IPv4 addresses as a translator of RFC 6052 writes them.
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")

PathAddress = Callable[..., Address]
ServeNextHop = Callable[[Sequence[Address], str, MsrpConnection], Awaitable[None]]


@dataclass(slots=True)
class RelaySettings:
    """For whom we are a relay, under what name, and where it leads."""

    access: Access
    host: str
    """Our name in the paths that clients get: it should be the one in our certificate."""
    allows_clear: bool = False
    networks: tuple[Network, ...] = ()
    """Where messages may be carried besides the public Internet."""
    limits: RelayLimits = field(default_factory=RelayLimits)


class RelayTraffic:
    """The relay of one MSRP port."""

    def __init__(
        self,
        settings: RelaySettings,
        registry: SessionRegistry,
        clock: AlarmClock,
        path_address: PathAddress,
        serve_next_hop: ServeNextHop,
        is_exempt: Callable[[str], bool],
    ) -> None:
        """Take what the port can do: tell its addresses, and open connections.

        The limits of a source do not hold for addresses of which `is_exempt` is true.
        """
        self._is_exempt = is_exempt
        self._settings = settings
        self._clock = clock
        self._path_address = path_address
        self._serve_next_hop = serve_next_hop
        self._links: dict[MsrpConnection, MsrpLink] = {}
        self._wanted: set[MsrpConnection] = set()
        self._refusals = RefusalLines(logger)
        self._nursery: trio.Nursery | None = None
        self.engine = Relay(
            registry,
            settings.access,
            self._write_path,
            lambda: secrets.token_hex(10),
            settings.limits,
            allows_clear=settings.allows_clear,
        )

    def start(self, nursery: trio.Nursery) -> None:
        """Open connections as tasks of `nursery` from now on."""
        self._nursery = nursery

    def opened(self, link: MsrpLink) -> None:
        """Take it that a link stands."""
        connection = link.connection
        self._links[connection] = link
        address = link.stream.remote[0]
        connection.source = "" if self._is_exempt(address) else source_of(address)
        if connection in self._wanted:
            self._wanted.discard(connection)
            link.keep()
            self.engine.opened(connection)
            self._settle()

    def attend(self, link: MsrpLink) -> Sequence[Outbox]:
        """Send what a read gave to send, and return the outboxes of recipients who are behind."""
        if not link.is_kept and self.engine.uses(link.connection):
            link.keep()
        recipients = [one for one in self._settle() if one is not link]
        return [one.outbox for one in recipients if one.outbox.pending > PAUSE]

    def closed(self, link: MsrpLink) -> None:
        """Tell the engine that a link has closed, and those whom that concerns."""
        del self._links[link.connection]
        self.engine.closed(link.connection, trio.current_time())
        self._settle()

    def _write_path(self, session_id: str, *, secure: bool) -> str:
        _, port = self._path_address("", secure=secure)
        return str(MsrpURI(secure, None, self._settings.host, port, session_id))

    def _settle(self) -> list[MsrpLink]:
        """Do what the engine wants; returns the links that it has written to."""
        while (event := self.engine.next_event()) is not None:
            self._handle(event)
        written = [self._links.get(one) for one in self.engine.take_written()]
        links = [link for link in written if link is not None]
        for link in links:
            link.flush()
        self._clock.set(self, self.engine.next_deadline(), self._ring)
        return links

    def _ring(self, now: float) -> None:
        self.engine.handle_deadline(now)
        self._settle()

    def _handle(self, event: RelayEvent) -> None:
        if isinstance(event, ConnectWanted):
            assert self._nursery is not None
            self._wanted.add(event.link)
            self._nursery.start_soon(self._connect, event)
            return
        link = self._links.get(event.link)
        if link is None:
            return
        remote = show_address(link.stream.remote)
        match event:
            case PathGranted(_, username, expires):
                logger.info("relay path for %a from %s for %d s", username, remote, expires)
            case AuthRefused(_, status, reason):
                level = self._refusals.level_for(link.stream.remote[0], trio.current_time())
                logger.log(level, "AUTH from %s refused: %d %s", remote, status, reason)
            case CloseWanted(_, reason, if_idle):
                link.is_kept = False
                link.flush()
                # Whoever guesses passwords is not spared for having a session as well.
                if not (if_idle and link.sessions):
                    link.finish(reason)

    async def _connect(self, wanted: ConnectWanted) -> None:
        try:
            addresses = await self._allowed_addresses(wanted.host, wanted.port)
            await self._serve_next_hop(addresses, wanted.host, wanted.link)
        except TransportError as error:
            logger.info("no way to %s:%d for the relay: %s", wanted.host, wanted.port, error)
            self._give_up(wanted)
        except Exception:
            # One connection's bug must not stop all others.
            logger.exception("connecting to %s:%d for the relay failed", wanted.host, wanted.port)
            self._give_up(wanted)

    def _give_up(self, wanted: ConnectWanted) -> None:
        if wanted.link in self._wanted:
            self._wanted.discard(wanted.link)
            self.engine.closed(wanted.link, trio.current_time())
            self._settle()

    async def _allowed_addresses(self, host: str, port: int) -> list[Address]:
        """Return where a connection may go; raises TransportError when nowhere."""
        with trio.move_on_after(RESOLVE_TIMEOUT):
            found = await look_up(host, port)
            allowed = [one for one in found if is_allowed(one[0], self._settings.networks)]
            if not allowed:
                raise TransportError("its address is not among allowed_networks")
            return allowed
        raise TransportError("its name is not found in time")


def is_allowed(address: str, networks: Sequence[Network]) -> bool:
    """Tell whether messages may be carried to an address: a public one, or one of `networks`.

    An IPv4 address that is written as an IPv6 one counts as what it is.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    if any(ip.version == network.version and ip in network for network in networks):
        return True
    return ip.is_global and not ip.is_multicast
