"""One room for all addresses of this server that have its name.

People of a LAN come to sip:lobby@192.168.1.5, and those at the machine itself to
sip:lobby@127.0.0.1: that is one room. It is kept under a host that stays when the machine gets
another address, and shown with one that leads here from elsewhere. Rooms of other hosts, which a
proxy sends here, are rooms of their own. Without a server each address is a room of its own.

A client tells what is said to all from what is said to it alone by comparing the CPIM To with the
address that it has called. So once somebody is in a room who has called it by another address than
the one shown, what is said to all there has no To (RFC 3862 section 4.2).
"""

from typing import Protocol

from sylk.payload.cpim import Address
from sylk.settings import AddressSettings, T
from sylk.share import Share, user_of
from sylk_conference.people import comparable, key_of


class Hosts(Protocol):
    """What must be known of the hosts of this server."""

    @property
    def lasting(self) -> str:
        """The host that rooms are kept under."""
        ...

    @property
    def shown(self) -> str:
        """The host that rooms are shown with."""
        ...

    def is_own(self, host: str) -> bool:
        """Tell whether a host is this server."""
        ...


class Home:
    """By what the rooms of this server are known."""

    def __init__(self, hosts: Hosts | None = None) -> None:
        self.hosts = hosts
        self.share = Share()
        """Which of them are ours, where several workers are one server."""

    def has(self, key: str) -> bool:
        """Tell whether the room with a key, user@host, is in this worker."""
        return self.has_user(user_of(key))

    def has_user(self, user: str | None) -> bool:
        """Tell whether rooms whose address has this user part are in this worker."""
        return self.share.owns(user)

    def key_of(self, address: Address) -> bytes:
        """Return by what a room is told from others: user@host, one host for all of ours."""
        return self.lasting_key(key_of(address))

    def lasting_key(self, key: bytes) -> bytes:
        """Return user@host with one host for all of ours."""
        user, at, host = key.rpartition(b"@")
        if self.hosts is None or not self.hosts.is_own(host.decode("utf-8", "replace")):
            return key
        return user + at + _in_uri(self.hosts.lasting).encode()

    def is_room(self, uri: bytes, key: bytes) -> bool:
        """Tell whether a URI is that of the room that has this key."""
        named = comparable(uri)
        return named == key or self.lasting_key(named) == key

    def is_at_home(self, address: Address) -> bool:
        """Tell whether a room is one of this server itself."""
        host = key_of(address).rpartition(b"@")[2].decode("utf-8", "replace")
        return self.hosts is not None and self.hosts.is_own(host)

    def shown(self, address: Address) -> Address:
        """Return the address of a room that people are shown."""
        if self.hosts is None or not self.is_at_home(address):
            return address
        user = address.uri.rpartition("@")[0]
        host = _in_uri(self.hosts.shown)
        uri = f"{user}@{host}" if user else f"{address.uri.partition(':')[0]}:{host}"
        return Address(uri, address.display_name)

    def settings(self, settings: AddressSettings[T]) -> AddressSettings[T]:
        """Return the settings of each room by its key."""
        own = {self._settings_key(key): each for key, each in settings.own.items()}
        return AddressSettings(settings.default, own)

    def _settings_key(self, key: str) -> str:
        user, at, host = key.rpartition("@")
        if self.hosts is None or not self.hosts.is_own(host):
            return key
        return user + at + self.hosts.lasting


def _in_uri(host: str) -> str:
    return f"[{host}]" if ":" in host else host
