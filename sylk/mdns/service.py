"""What is published, and under which names (RFC 6763 sections 4 and 9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dns.name import Name

from sylk.mdns.record import (
    HOST_TTL,
    Record,
    address,
    cut_label,
    location,
    name_of,
    nothing_but,
    pointer,
    text,
)

ALL_KINDS: Final = name_of("_services", "_dns-sd", "_udp")
"""The name that points to each kind of service that there is."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its instance name, which people see, its kind, and what is told of it."""

    instance: str
    """Any text; over 63 bytes it is cut."""
    kind: str
    """Such as `_sipuri._udp`."""
    port: int
    pairs: tuple[tuple[str, str], ...] = ()
    """The keys of the TXT record and their values."""


@dataclass(frozen=True, slots=True)
class Host:
    """The host that services are at: a name for the addresses on one link."""

    label: str
    addresses: tuple[str, ...]


def kind_name(kind: str) -> Name:
    """Return the name of a kind of service such as `_sipuri._udp`."""
    return name_of(*kind.split("."))


def instance_name(instance: str, kind: str) -> Name:
    """Return the name of a service; all of `instance` is one label."""
    return name_of(instance, *kind.split("."))


def label_of(name: Name) -> str:
    """Return the first label of a name as text."""
    return name.labels[0].decode("utf-8", "replace")


def numbered(label: str, number: int) -> str:
    """Return a name for one whose name is taken: the number stands behind it, from 2 on."""
    return cut_label(label, f" ({number})" if number > 1 else "").decode()


def numbered_host(label: str, number: int) -> str:
    """Return the same for a host, whose name has neither spaces nor brackets."""
    return cut_label(label, f"-{number}" if number > 1 else "").decode()


@dataclass(frozen=True, slots=True)
class RecordSet:
    """The records of something published."""

    unique: tuple[Record, ...]
    """Those that nobody else may have: all of one name."""
    shared: tuple[Record, ...] = ()
    extra: tuple[Record, ...] = ()
    """What is told besides: which types the name does not have."""


def records_of_service(service: Service, name: Name, host: Name) -> RecordSet:
    """Return the records of a service that is called `name`."""
    kind = kind_name(service.kind)
    unique = (location(name, host, service.port), text(name, service.pairs))
    types = [record.rdtype for record in unique]
    return RecordSet(
        unique,
        (pointer(kind, name), pointer(ALL_KINDS, kind)),
        (nothing_but(name, types, HOST_TTL),),
    )


def records_of_host(addresses: Sequence[str], name: Name) -> RecordSet:
    """Return the records of a host that is called `name`."""
    unique = tuple(address(name, one) for one in addresses)
    types = sorted({record.rdtype for record in unique})
    return RecordSet(unique, (), (nothing_but(name, types, HOST_TTL),))
