"""The responder of one link: has names, tells what they say, and answers who asks (RFC 6762).

The verbs are those of the other engines. Whoever has the sockets gives each datagram that came to
the group, and sends what is to be sent to the group, or to one address. We never ask for a unicast
answer: beside another responder on this machine, which has the same port, that would reach only one
of the two.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Final

from dns.name import Name

from sylk.errors import RemoteProtocolError
from sylk.mdns.answering import PORT, Answering, Packet, Source
from sylk.mdns.message import Message, parse_message, render_probe, render_response
from sylk.mdns.record import Key, Question, Record, Type, name_of, rdata_wire
from sylk.mdns.registration import Action, Input, Registration
from sylk.mdns.service import (
    Host,
    RecordSet,
    Service,
    instance_name,
    label_of,
    numbered,
    numbered_host,
    records_of_host,
    records_of_service,
)

PROBE_JITTER: Final = 0.25
"""Seconds within which the first probe goes, so that all who get power at once do not collide."""

REMEMBERED: Final = 64
"""Messages of ours that are known again when the link brings them back."""

BATCH: Final = 20
"""Names that are probed for or told at one time, so that many keep nobody waiting."""

MAX_EVENTS: Final = 100
"""Events that wait to be asked for; over it the oldest is forgotten."""

Jitter = Callable[[float, float], float]
"""Returns a number between two."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """A name was taken: what we wanted to be called, and what we are called now."""

    old: str
    new: str


class Responder:
    """What we publish on one link."""

    def __init__(self, host: Host, jitter: Jitter, now: float) -> None:
        """Take the host that the services are at, and what returns random numbers."""
        self._jitter = jitter
        self._start = now
        self._addresses = host.addresses
        self._services: dict[Registration, Service] = {}
        self._by_name: dict[Name, Registration] = {}
        self._out: deque[Packet] = deque()
        self._own: deque[bytes] = deque(maxlen=REMEMBERED)
        self._events: deque[Renamed] = deque(maxlen=MAX_EVENTS)
        self._answering = Answering(jitter)
        self._host = self._register(lambda number: name_of(numbered_host(host.label, number)), now)

    # What is published

    def publish(self, service: Service, now: float) -> Registration:
        """Publish a service; it takes about a second until it is told."""

        def make_name(number: int) -> Name:
            return instance_name(numbered(service.instance, number), service.kind)

        registration = self._register(make_name, now)
        self._services[registration] = service
        return registration

    def update(self, registration: Registration, service: Service, now: float) -> None:
        """Say something else of a service that keeps its name."""
        if registration in self._services and self._services[registration] != service:
            self._services[registration] = service
            self._changed(registration, now)

    def withdraw(self, registration: Registration, now: float) -> None:
        """Publish a service no more."""
        if registration not in self._services:
            return
        action = registration.handle(Input.WITHDRAW, now)
        gone = self._answering.put(registration, None)
        del self._services[registration]
        if self._by_name.get(registration.name) is registration:
            del self._by_name[registration.name]
        if action is Action.GOODBYE:
            self._send(render_response([record.with_ttl(0) for record in gone]))

    def set_addresses(self, addresses: Sequence[str], now: float) -> None:
        """Take it that the host has other addresses on this link."""
        if tuple(addresses) != self._addresses:
            self._addresses = tuple(addresses)
            self._changed(self._host, now)

    def close(self, now: float) -> None:
        """Say goodbye to all."""
        gone: list[Record] = []
        for registration in self._all():
            gone += self._answering.put(registration, None)
            registration.handle(Input.WITHDRAW, now)
        self._services.clear()
        self._by_name.clear()
        self._answering.close()
        self._send(render_response([record.with_ttl(0) for record in gone]))

    # The verbs of an engine

    def receive_data(self, data: bytes, source: Source, now: float) -> None:
        """Take a datagram that came to the group; one that makes no sense is ignored."""
        if _digest(data) in self._own:
            return
        try:
            message = parse_message(data)
        except RemoteProtocolError:
            return
        if message.is_response:
            # Section 6: a response from another port is none.
            if source[1] == PORT:
                self._heed(message, now)
            return
        self._break_ties(message, now)
        self._answering.ask(message, source, now)
        self._answer(now)

    def data_to_send(self) -> list[Packet]:
        """Return the datagrams that are to be sent now."""
        packets = list(self._out)
        self._out.clear()
        return packets

    def next_event(self) -> Renamed | None:
        """Return what has happened since, one at a time."""
        return self._events.popleft() if self._events else None

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is to be called, None for never."""
        deadlines = [one.deadline for one in self._all() if one.deadline is not None]
        if (answer_at := self._answering.deadline) is not None:
            deadlines.append(answer_at)
        return min(deadlines, default=None)

    def handle_deadline(self, now: float) -> None:
        """Send what is due."""
        probed: list[Registration] = []
        announced: list[Registration] = []
        for registration in self._all():
            if registration.deadline is None or registration.deadline > now:
                continue
            if len(probed) + len(announced) >= BATCH:
                # The others are due still, and have their turn when everybody else had his.
                break
            action = registration.handle(Input.DUE, now)
            (probed if action is Action.PROBE else announced).append(registration)
        if announced:
            records: dict[Key, Record] = {}
            for registration in announced:
                each = self._set_of(registration)
                self._answering.put(registration, each)
                for record in (*each.unique, *each.shared, *each.extra):
                    records[record.key] = record
            self._answering.told(records.values(), now)
            self._send(render_response(records.values()))
        if probed:
            self._send(
                render_probe(
                    (Question(one.name, Type.ANY), self._set_of(one).unique) for one in probed
                )
            )
        self._answer(now)

    # Inside

    def _all(self) -> Iterator[Registration]:
        yield self._host
        yield from self._services

    def _set_of(self, registration: Registration) -> RecordSet:
        service = self._services.get(registration)
        if service is None:
            return records_of_host(self._addresses, registration.name)
        return records_of_service(service, registration.name, self._host.name)

    def _register(self, make_name: Callable[[int], Name], now: float) -> Registration:
        # What begins at about the same time begins together, in one message.
        if self._start <= now:
            self._start = now + self._jitter(0, PROBE_JITTER)
        registration = Registration(partial(self._free_name, make_name), self._start)
        self._by_name[registration.name] = registration
        return registration

    def _free_name(self, make_name: Callable[[int], Name], number: int) -> Name:
        """Return a name that nothing else of ours has."""
        while make_name(number) in self._by_name:
            number += 1
        return make_name(number)

    def _changed(self, registration: Registration, now: float) -> None:
        registration.handle(Input.CHANGE, now)
        if registration.is_ours:
            self._answering.put(registration, self._set_of(registration))

    def _heed(self, message: Message, now: float) -> None:
        """Look whether somebody else tells of a name of ours."""
        for record in (*message.answers, *message.additionals):
            registration = self._by_name.get(record.name)
            if registration is None or record.rdtype == Type.NSEC:
                continue
            own = self._set_of(registration).unique
            mine = next((one for one in own if one.data == record.data), None)
            if mine is not None:
                if registration.is_ours and record.ttl < mine.ttl / 2:
                    # Section 6.6: somebody would have it forgotten.
                    self._answering.tell_again(mine, now)
            elif record.ttl and (
                registration.is_probed or record.rdtype in {one.rdtype for one in own}
            ):
                self._give_way(registration, now)
        self._answering.heard(message)

    def _give_way(self, registration: Registration, now: float) -> None:
        old = registration.name
        action = registration.handle(Input.CONFLICT, now)
        self._answering.put(registration, None)
        if action is not Action.RENAME:
            return
        del self._by_name[old]
        self._by_name[registration.name] = registration
        self._events.append(Renamed(label_of(old), label_of(registration.name)))
        if registration is self._host:
            for service in self._services:
                self._changed(service, now)

    def _break_ties(self, message: Message, now: float) -> None:
        """Let somebody go first who probes for the same name with greater data (section 8.2)."""
        wanted: dict[Name, list[Record]] = {}
        for record in message.authorities:
            wanted.setdefault(record.name, []).append(record)
        for name, records in wanted.items():
            registration = self._by_name.get(name)
            if registration is None or not registration.is_probed:
                continue
            if _sortable(records) > _sortable(self._set_of(registration).unique):
                registration.handle(Input.TIE_LOST, now)

    def _answer(self, now: float) -> None:
        packets, multicast = self._answering.due(now)
        self._out.extend(packets)
        self._send(multicast)

    def _send(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            self._own.append(_digest(message))
            self._out.append(Packet(message))


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def _sortable(records: Sequence[Record]) -> list[tuple[int, bytes]]:
    return sorted((int(record.rdtype), rdata_wire(record.data)) for record in records)
