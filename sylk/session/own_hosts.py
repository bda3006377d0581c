"""Which hosts are this server: its domains, the addresses of the machine, its name.

People of a LAN call one server by whatever leads there: sip:lobby@192.168.1.5, sip:lobby@127.0.0.1
on the machine itself, sip:lobby@myhost.local. For an application that keeps something for each
address, such as rooms, these are one.
"""

import ipaddress
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Final

from sylk.errors import TransportError
from sylk.net.addresses import WILDCARDS
from sylk.net.interfaces import Interface, list_interfaces

REFRESH_INTERVAL: Final = 5.0
"""Seconds for which the addresses of the machine are taken to be what they were."""

LOCALHOST: Final = "localhost"


class OwnHosts:
    """The hosts that are this server."""

    def __init__(
        self,
        bound: str,
        domains: tuple[str, ...] = (),
        *,
        advertised: str | None = None,
        host_name: str | None = None,
        interfaces: Callable[[], list[Interface]] = list_interfaces,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the address that SIP listens on, and what else it is told to be."""
        name = (socket.gethostname() if host_name is None else host_name).lower().rstrip(".")
        self._domains = tuple(domain.lower() for domain in domains)
        self._bound = bound
        self._advertised = advertised
        short = name.partition(".")[0]
        self._names = {LOCALHOST, *self._domains, name, short, f"{short}.local"} - {""}
        self._interfaces = interfaces
        self._clock = clock
        self._addresses: tuple[str, ...] = ()
        self._fresh_until = -1.0

    @property
    def lasting(self) -> str:
        """The host under which to keep something: it stays when the machine moves."""
        return self._domains[0] if self._domains else LOCALHOST

    @property
    def shown(self) -> str:
        """The host by which others reach this server, as far as it can know."""
        if self._domains:
            return self._domains[0]
        if self._advertised is not None:
            return self._advertised
        if self._bound not in WILDCARDS:
            return self._bound
        version = None if self._bound == "::" else 4
        for text in self._current():
            address = ipaddress.ip_address(text)
            local_only = address.is_loopback or address.is_link_local
            if not local_only and version in (None, address.version):
                return text
        return "127.0.0.1"

    def is_own(self, host: str) -> bool:
        """Tell whether a host, as a URI has it, is this server."""
        host = host.lower().strip("[]").rstrip(".")
        if host in self._names or host == self._advertised:
            return True
        address = _address(host)
        return address is not None and (address.is_loopback or str(address) in self._current())

    def _current(self) -> tuple[str, ...]:
        now = self._clock()
        if now >= self._fresh_until:
            self._fresh_until = now + REFRESH_INTERVAL
            with suppress(TransportError):
                found = [one for one in self._interfaces() if one.is_up]
                self._addresses = tuple(host for one in found for host in one.addresses)
        return self._addresses


# The same few hosts are asked about for each request.
@lru_cache(maxsize=128)
def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
