"""Lists of people, by who they are and where they come from, and the order of two such lists.

An item is a person (`alice@example.com`), a domain (`example.com`, or `@server` for a name without
a dot), an address or network that requests come from (`192.0.2.1`, `10.0.0.0/8`), or `all`. The
address in somebody's URI is never taken for the one that he comes from: that one can be made up.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote, unquote_to_bytes

from sylk.settings import Network, SettingType
from sylk_conference.people import comparable

Order = Literal["allow, deny", "deny, allow"]

_EVERYBODY = ("all", "any", "*")
_NOBODY = "none"
_HOST = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?"
_PERSON = re.compile(rf"(?:sips?:)?[^@\s<>\"]+@(?:{_HOST}|\[[0-9A-Fa-f:.]+\])", re.IGNORECASE)
_DOMAIN = re.compile(rf"@?{_HOST}")
_DIGITS = re.compile(r"[0-9.]+(?:/.*)?")
_USER_SAFE = "!*'()&=+$?/"
"""What needs no escape, and ends no item; RFC 3261 section 25.1 lets a user hold more."""
_WHAT = "all, none, or people, domains, addresses and networks such as alice@example.com"


@dataclass(frozen=True, slots=True)
class AccessList:
    """Whom a list names."""

    users: frozenset[bytes] = frozenset()
    """user@host of each, without escapes, the host in lower case."""
    domains: frozenset[bytes] = frozenset()
    """In lower case."""
    networks: frozenset[Network] = frozenset()
    has_everybody: bool = False

    def names(self, who: bytes, source: str = "") -> bool:
        """Tell whether the list names somebody: `who` is his user@host as `comparable` writes it.

        `source` is the IP address that his request came from; empty where that is not known.
        """
        if self.has_everybody:
            return True
        if (self.users or self.domains) and self._has_user(who):
            return True
        return bool(self.networks) and self._has_address(source)

    def _has_user(self, who: bytes) -> bool:
        who = _canonical(who)
        return who in self.users or who.rpartition(b"@")[2] in self.domains

    def _has_address(self, source: str) -> bool:
        try:
            address = ipaddress.ip_address(source.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)

    def __str__(self) -> str:
        """Return the list as it stands in the settings."""
        domains = (name.decode() for name in self.domains)
        items = [
            *(["all"] if self.has_everybody else []),
            *sorted(map(_written, self.users)),
            *sorted(name if "." in name or name == "localhost" else f"@{name}" for name in domains),
            *sorted(map(str, self.networks)),
        ]
        return ", ".join(items) or _NOBODY


def _canonical(who: bytes) -> bytes:
    """Return user@host with its escapes decoded, and without a dot at the end of the host."""
    user, at, host = who.rpartition(b"@")
    return unquote_to_bytes(user) + at + host.removesuffix(b".")


def _written(who: bytes) -> str:
    user, at, host = who.rpartition(b"@")
    return f"{quote(user, safe=_USER_SAFE)}{at.decode()}{host.decode()}"


EVERYBODY = AccessList(has_everybody=True)
NOBODY = AccessList()


def read_access_list(text: str) -> AccessList:
    """Read a list as it stands in the settings; raises ValueError that says what would be right."""
    items = [item for item in (part.strip() for part in text.split(",")) if item]
    if [item.lower() for item in items] == [_NOBODY]:
        return NOBODY
    if not items:
        raise ValueError(f"must be {_WHAT}")
    users: set[bytes] = set()
    domains: set[bytes] = set()
    networks: set[Network] = set()
    for item in items:
        if item.lower() in _EVERYBODY:
            continue
        if _PERSON.fullmatch(item):
            users.add(_canonical(comparable(item.encode())))
        elif "/" in item or ":" in item or _DIGITS.fullmatch(item):
            networks.add(_read_network(item))
        else:
            domains.add(_read_domain(item))
    has_everybody = any(item.lower() in _EVERYBODY for item in items)
    return AccessList(frozenset(users), frozenset(domains), frozenset(networks), has_everybody)


def _read_domain(item: str) -> bytes:
    name = item.removeprefix("@").removesuffix(".").lower()
    if not _DOMAIN.fullmatch(item) or name == _NOBODY:
        raise ValueError(f"must be {_WHAT}, but has {item!r}")
    if "." not in item.removesuffix(".") and not item.startswith("@") and name != "localhost":
        raise ValueError(
            f"has {item!r}: write {item}@example.com for a person, @{item} for a domain"
        )
    return name.encode()


def _read_network(item: str) -> Network:
    text = item.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        wider = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"must be {_WHAT}, but has {item!r}") from None
    raise ValueError(f"has {item!r}, which is an address inside a network; did you mean {wider}?")


def _read_order(text: str) -> Order:
    match [word.strip().lower() for word in text.split(",")]:
        case ["allow", "deny"]:
            return "allow, deny"
        case ["deny", "allow"]:
            return "deny, allow"
        case _:
            raise ValueError(f"must be `allow, deny` or `deny, allow`, not {text!r}")


People = Annotated[AccessList, SettingType(read_access_list, str)]
"""The type of a setting that is such a list."""

AccessOrder = Annotated[Order, SettingType(_read_order, str)]
"""The type of the setting that says which of two lists has the last word."""
