"""Decides which application answers a request, and who may ask at all.

The order is that of SylkServer, which deployed proxies rely on: the header X-Sylk-App names the
application outright; else the Request-URI is looked up in `application_map` as user@domain,
as domain, as user; else the default answers. Domains are compared without regard to case (RFC 3261
section 19.1.4), users exactly.
"""

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache

from sylk.errors import ConfigError, RemoteProtocolError
from sylk.setting_types import Network, near_miss

# Makes the error for (section, key, message); `RawConfig.error` also knows file and line.
MakeError = Callable[[str, str, str], ConfigError]


def _error_without_line(section: str, key: str, message: str) -> ConfigError:
    return ConfigError(message, section=section, key=key)


class RoutingTable:
    """Which application answers which address."""

    def __init__(
        self,
        default: str,
        application_map: Mapping[str, str],
        available: Collection[str],
        disabled: Collection[str] = (),
        make_error: MakeError = _error_without_line,
    ) -> None:
        """Take what [Server] says, and the names of the applications that were found.

        `available` may hold the disabled ones too. Raises ConfigError for a default, or an entry of
        the map, that names an application which is not there.
        """

        known = frozenset(available) | frozenset(disabled)

        def check(key: str, name: str) -> None:
            if name not in known:
                listed = ", ".join(sorted(known)) or "none"
                message = f"there is no application {name!r} (there are: {listed})"
                raise make_error("Server", key, message + near_miss(name, known))

        check("default_application", default)
        for name in application_map.values():
            check("application_map", name)
        self._default = default
        self._running = frozenset(available) - frozenset(disabled)
        self._by_user = dict(application_map)
        self._by_domain = {_lower_domain(key): name for key, name in application_map.items()}

    def ways_to(self, name: str) -> tuple[tuple[str, ...], bool]:
        """Return which users lead to an application, and whether what nothing else claims does."""
        users = (key for key, target in self._by_user.items() if target == name)
        # A domain is told from a user by its dot.
        named = tuple(key for key in users if not set(key) & set("@."))
        return named, self._default == name

    def choose(
        self,
        request_uri_user: str | None,
        request_uri_host: str,
        x_sylk_app_header: str | None = None,
    ) -> str:
        """Return the name of the application that a request is for.

        Raises RemoteProtocolError with status 404 where it is unknown or disabled.
        """
        name = (x_sylk_app_header or "").strip()
        if not name:
            name = self.owner_of(request_uri_user, request_uri_host)
        if name not in self._running:
            raise RemoteProtocolError(f"there is no application {name!r}", status=404)
        return name

    def owner_of(self, user: str | None, host: str) -> str:
        """Return the name of the application that an address belongs to, even if it is disabled."""
        domain = host.lower()
        if user is not None and (name := self._by_domain.get(f"{user}@{domain}")):
            return name
        if name := self._by_domain.get(domain):
            return name
        if user is not None and (name := self._by_user.get(user)):
            return name
        return self._default


def _lower_domain(key: str) -> str:
    """Return a key of the map as it is looked up: the domain in lower case, IPv6 unbracketed."""
    user, at, domain = key.rpartition("@")
    return f"{user}{at}{domain.lower().removeprefix('[').removesuffix(']')}"


class TrustedPeers:
    """Who may send requests, by the address that a packet came from."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)
        self._named = tuple(network for network in self._networks if network.prefixlen)

    def allows(self, address: str) -> bool:
        """Tell whether `address` is trusted; an IPv4 peer of an IPv6 socket counts as IPv4."""
        return _is_in(address, self._networks)

    def names(self, address: str) -> bool:
        """Tell whether `address` is trusted by name: a network of all addresses names nobody."""
        return _is_in(address, self._named)


def _is_in(address: str, networks: Iterable[Network]) -> bool:
    peer = _parse(address)
    return peer is not None and any(peer in network for network in networks)


@lru_cache(maxsize=4096)
def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address, an IPv4 one in IPv6 form as IPv4; None for what is none."""
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
        return peer.ipv4_mapped
    return peer
