"""Whose messages are traced: those of a user, a room or an address, and of the dialogs they begin.

A filter sees a `Subject`, which says of one message whom it is about; so it knows no protocol.
Filters are written as in the settings: `user:alice@example.com`, `room:lobby` (or
`room:lobby@example.com`), `address:192.0.2.1` (or `address:192.0.2.0/24`).
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sylk.errors import RemoteProtocolError
from sylk.sip.uri import SipURI

MAX_CALLS = 4096
"""Dialogs that one selection remembers; the one that was silent for longest is forgotten first."""

MAX_CALL_ID = 512
"""Characters of a Call-ID that is remembered; honest ones are a tenth of it."""

MAX_FILTER = 512
"""The longest filter that is taken, in characters."""

Person = tuple[str, str]
"""The user part of an address, then its host, both in lower case; a tel URI has no host."""

_NO_PERSONS: frozenset[Person] = frozenset()


@dataclass(slots=True)
class Subject:
    """Whom one message is about."""

    remote: str
    """The IP address of the peer."""
    call_id: str | None = None
    people: frozenset[Person] = field(default=_NO_PERSONS)
    """Everybody it names, rooms too."""
    ours: frozenset[Person] = field(default=_NO_PERSONS)
    """Whom it names on our side: the room that is called, or that calls."""


@dataclass(frozen=True, slots=True)
class PersonFilter:
    """Those that concern a user, or a room; without a host, of whatever domain."""

    kind: str
    """"user" or "room"."""
    user: str
    host: str = ""

    def matches(self, subject: Subject) -> bool:
        """Tell whether the message is about this one."""
        people = subject.ours if self.kind == "room" else subject.people
        if self.host:
            return (self.user, self.host) in people
        return any(user == self.user for user, _ in people)

    def __str__(self) -> str:
        return f"{self.kind}:{self.user}{'@' if self.host else ''}{self.host}"


@dataclass(frozen=True, slots=True)
class AddressFilter:
    """Those that came from an address or a network, or go there."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network

    def matches(self, subject: Subject) -> bool:
        """Tell whether the peer is in the network."""
        return ipaddress.ip_address(subject.remote) in self.network

    def __str__(self) -> str:
        single = self.network.prefixlen == self.network.max_prefixlen
        return f"address:{self.network.network_address if single else self.network}"


Filter = PersonFilter | AddressFilter


def parse_filter(text: str) -> Filter:
    """Return the filter that `text` stands for; raises ValueError saying what would be right."""
    if len(text) > MAX_FILTER:
        raise ValueError(f"is longer than {MAX_FILTER} characters")
    kind, _, value = text.strip().partition(":")
    value = value.strip()
    match kind.lower():
        case "user" | "room" if value:
            return _parse_person(kind.lower(), value)
        case "address" if value:
            try:
                return AddressFilter(ipaddress.ip_network(value.strip("[]"), strict=False))
            except ValueError:
                raise ValueError(f"must be an address or a network, not {value!r}") from None
        case _:
            raise ValueError(
                f"must be user:NAME@DOMAIN, room:NAME or address:ADDRESS, not {text!r}"
            )


def _parse_person(kind: str, value: str) -> PersonFilter:
    lower = value.lower()
    if lower.startswith("tel:"):
        return PersonFilter(kind, lower[4:])
    address = lower.removeprefix("sips:").removeprefix("sip:")
    # Without a domain any will do; the URI only needs one to be read.
    uri = address if "@" in address else f"{address}@any"
    try:
        parsed = SipURI.parse(f"sip:{uri}")
    except RemoteProtocolError as error:
        raise ValueError(f"must be an address such as alice@example.com: {error}") from None
    return PersonFilter(kind, parsed.user or "", parsed.host if uri is address else "")


class Selection:
    """Filters, and the dialogs in which one of them has matched; without filters, everything."""

    def __init__(self, filters: Iterable[Filter] = (), max_calls: int = MAX_CALLS) -> None:
        self.filters: Sequence[Filter] = tuple(filters)
        self._max_calls = max_calls
        self._calls: OrderedDict[str, None] = OrderedDict()

    def wants(self, subject: Subject) -> bool:
        """Tell whether a message is traced; one that a filter lets in brings its dialog along."""
        if not self.filters:
            return True
        call_id = subject.call_id
        if call_id is not None and call_id in self._calls:
            self._calls.move_to_end(call_id)
            return True
        if not any(one.matches(subject) for one in self.filters):
            return False
        if call_id is not None and len(call_id) <= MAX_CALL_ID:
            self._calls[call_id] = None
            if len(self._calls) > self._max_calls:
                self._calls.popitem(last=False)
        return True

    def __str__(self) -> str:
        return ", ".join(map(str, self.filters)) or "everything"
