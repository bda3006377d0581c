"""What the DNS says about SIP servers: questions, records, and the order which records ask for.

Names are in lower case and have no dot at the end. Records come from other people's zones: what
cannot be meant for us is passed over, never an error.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from itertools import accumulate
from typing import Literal

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask the DNS."""

    name: str
    kind: Kind

    def __str__(self) -> str:
        return f"the {self.kind} record of {self.name}"


@dataclass(frozen=True, slots=True)
class NaptrRecord:
    """Which service of a domain is found under which name (RFC 3403 section 4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


@dataclass(frozen=True, slots=True)
class SrvRecord:
    """A host and port that give a service (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """An IPv4 or IPv6 address, as text."""

    address: str


Record = NaptrRecord | SrvRecord | AddressRecord


@dataclass(frozen=True, slots=True)
class NoSuchName:
    """The name does not exist, with no record of any kind."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Nobody knows: the question has no answer; `reason` says why."""

    reason: str


Answer = Sequence[Record] | NoSuchName | Failure
"""Records, none if the name exists without any of that kind; or why there are none."""


@dataclass(frozen=True, slots=True)
class Service:
    """How the DNS names one transport, and which port it has when the DNS says none."""

    naptr: str
    srv: str
    port: int
    secure: bool


SERVICES = {
    "udp": Service("SIP+D2U", "_sip._udp", 5060, secure=False),
    "tcp": Service("SIP+D2T", "_sip._tcp", 5060, secure=False),
    "tls": Service("SIPS+D2T", "_sips._tcp", 5061, secure=True),
}
"""The transports that have a way through the DNS (RFC 3263 section 4.1)."""

_NAME = re.compile(r"(?!.{254})[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")


def host_name(text: str) -> str | None:
    """Return `text` as a name to ask for, None if it can be none."""
    name = text.removesuffix(".")
    return name.lower() if _NAME.fullmatch(name) else None


def is_address(text: str) -> bool:
    """Tell whether `text` is an IPv4 or IPv6 address, without a scope."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_address_of(kind: Kind, text: str) -> bool:
    """Tell whether `text` is an address that a record of `kind` can hold."""
    return is_address(text) and isinstance(ip_address(text), IPv4Address) == (kind == "A")


def offered_services(records: Iterable[Record], transports: Sequence[str]) -> list[tuple[str, str]]:
    """Return the transports that NAPTR records offer, each with the name of its SRV records.

    The best comes first, by order, then preference, then our own order in `transports`. Only
    records with flag "s" and no expression are for SIP (RFC 3263 section 4.1).
    """
    by_service = {SERVICES[transport].naptr: transport for transport in reversed(transports)}
    offers: list[tuple[int, int, int, str, str]] = []
    for record in records:
        if not isinstance(record, NaptrRecord) or record.flags.lower() != "s" or record.regexp:
            continue
        transport = by_service.get(record.service.upper())
        name = host_name(record.replacement)
        if transport is not None and name is not None:
            rank = transports.index(transport)
            offers.append((record.order, record.preference, rank, transport, name))
    return [(transport, name) for *_, transport, name in sorted(offers)]


def srv_order(records: Iterable[Record], random: Callable[[], float]) -> list[SrvRecord]:
    """Return SRV records in the order in which to try them (RFC 2782, "Weight").

    Low priorities come first. Within one priority a record comes first as often as its share of
    the weights says; `random` gives numbers from 0 to 1.
    """
    by_priority: dict[int, list[SrvRecord]] = {}
    for record in records:
        if isinstance(record, SrvRecord):
            by_priority.setdefault(record.priority, []).append(record)
    ordered: list[SrvRecord] = []
    for _, rest in sorted(by_priority.items()):
        # Those without weight stand in front: they are drawn only by a zero.
        rest.sort(key=lambda record: record.weight > 0)
        while rest:
            ordered.append(rest.pop(_draw([record.weight for record in rest], random)))
    return ordered


def _draw(weights: Sequence[int], random: Callable[[], float]) -> int:
    """Return the index of the first weight at which the running sum reaches a drawn number."""
    running = list(accumulate(weights))
    return bisect_left(running, min(int(random() * (running[-1] + 1)), running[-1]))
