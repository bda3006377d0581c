"""Records and questions of multicast DNS, on the names and the data of dnspython.

A label is UTF-8 and may hold dots, spaces and whatever else (RFC 6763 section 4.1.1), so names are
made of labels here and never parsed from text that has dots in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, cast

import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.name import Name
from dns.rdtypes.ANY.NSEC import NSEC, Bitmap
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV

LONG_TTL: Final = 4500
"""Seconds for which records without a host in them are kept (RFC 6762 section 10)."""

HOST_TTL: Final = 120
"""Seconds for which those are kept that have a host as their name or in their data."""

MAX_LABEL: Final = 63
"""Bytes of a label (RFC 1035 section 2.3.4)."""

Type = dns.rdatatype.RdataType
_IN = dns.rdataclass.IN


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know."""

    name: Name
    rdtype: Type
    wants_unicast: bool = False
    """Whether the answer may come to him alone (RFC 6762 section 5.4)."""


class Key:
    """A name and data, whose hash is worked out once: dnspython does it letter by letter."""

    __slots__ = ("_hash", "data", "name")

    def __init__(self, name: Name, data: dns.rdata.Rdata) -> None:
        self.name = name
        self.data = data
        self._hash = hash((name, data))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Key) or self._hash != other._hash:
            return False
        return self.name == other.name and self.data == other.data


@dataclass(frozen=True)
class Record:
    """One record; names compare without regard to the case of ASCII letters."""

    name: Name
    data: dns.rdata.Rdata
    ttl: int = LONG_TTL
    """Seconds; 0 says goodbye."""
    is_unique: bool = False
    """Whether it is all that there is of this name and type (the cache-flush bit)."""

    @property
    def rdtype(self) -> Type:
        """The type of the record."""
        return self.data.rdtype

    @cached_property
    def key(self) -> Key:
        """What tells it from other records, whatever its time to live is."""
        return Key(self.name, self.data)

    def answers(self, question: Question) -> bool:
        """Tell whether this is an answer."""
        return question.rdtype in (self.rdtype, Type.ANY) and question.name == self.name

    def with_ttl(self, ttl: int) -> "Record":
        """Return this record with another time to live."""
        return replace(self, ttl=ttl)

    @cached_property
    def size(self) -> int:
        """How many bytes it takes at most."""
        return len(wire_of(self.name)) + 10 + len(rdata_wire(self.data))


def wire_of(name: Name) -> bytes:
    """Return a name as it goes over the wire, not compressed."""
    return cast(bytes, name.to_wire())


def rdata_wire(data: dns.rdata.Rdata) -> bytes:
    """Return the data of a record, with no name in it compressed."""
    return cast(bytes, data.to_wire())


def name_of(*labels: str) -> Name:
    """Return a name in `local.`; each label is cut where it is too long."""
    return Name((*(cut_label(label) for label in labels), b"local", b""))


def cut_label(text: str, suffix: str = "") -> bytes:
    """Return a label of at most 63 bytes that ends in `suffix`, and inside no character."""
    room = MAX_LABEL - len(suffix.encode())
    kept = text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    return (kept + suffix).encode() or b"-"


def pointer(name: Name, target: Name) -> Record:
    """Return a shared record that points from a kind of service to one of it."""
    return Record(name, PTR(_IN, Type.PTR, target))


def location(name: Name, host: Name, port: int) -> Record:
    """Return where a service is."""
    return Record(name, SRV(_IN, Type.SRV, 0, 0, port, host), HOST_TTL, is_unique=True)


def text(name: Name, pairs: Iterable[tuple[str, str]]) -> Record:
    """Return what is told of a service, `key=value` each (RFC 6763 section 6).

    A pair is cut where it is longer than the 255 bytes that there are.
    """
    strings = [f"{key}={value}".encode("utf-8", "replace") for key, value in pairs]
    cut = tuple(one[:255].decode("utf-8", "ignore").encode() for one in strings)
    return Record(name, TXT(_IN, Type.TXT, cut or (b"",)), is_unique=True)


def address(name: Name, host: str) -> Record:
    """Return an address of a host, IPv4 or IPv6."""
    data = AAAA(_IN, Type.AAAA, host) if ":" in host else A(_IN, Type.A, host)
    return Record(name, data, HOST_TTL, is_unique=True)


def nothing_but(name: Name, types: Iterable[Type], ttl: int) -> Record:
    """Return the assertion that a name has no other types (RFC 6762 section 6.1)."""
    windows = Bitmap.from_rdtypes(list(types)).windows
    data = NSEC(_IN, Type.NSEC, name, windows)
    return Record(name, data, ttl, is_unique=True)


def pairs_of(data: dns.rdata.Rdata) -> dict[str, str]:
    """Return what a TXT record says: the first of each key counts, in lower case.

    Strings without a key, and what is no UTF-8, are left out or replaced (RFC 6763 section 6.4).
    """
    found: dict[str, str] = {}
    for string in data.strings if isinstance(data, TXT) else ():
        key, _, value = string.partition(b"=")
        if key:
            found.setdefault(
                key.decode("ascii", "replace").lower(), value.decode("utf-8", "replace")
            )
    return found
