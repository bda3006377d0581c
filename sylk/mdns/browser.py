"""The browser of one link: who publishes services of some kinds (RFC 6763 section 4).

It asks at once, then more and more seldom, and tells what it knows already with each question. What
is told of a service is asked for once where it did not come by itself.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from dns.name import Name
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.IN.SRV import SRV

from sylk.errors import RemoteProtocolError
from sylk.mdns.answering import PORT, Packet, Source
from sylk.mdns.cache import Cache
from sylk.mdns.message import parse_message, render_query
from sylk.mdns.record import Question, Record, Type, pairs_of
from sylk.mdns.service import kind_name, label_of

FIRST_QUESTION: Final = (0.020, 0.120)
"""Seconds within which the first question goes (RFC 6762 section 5.2)."""

QUESTION_INTERVAL: Final = 1.0
INTERVAL_FACTOR: Final = 3.0
LONGEST_INTERVAL: Final = 3600.0
"""Seconds until the second question, how much longer each next pause is, and the longest."""

MAX_ASKED: Final = 3
"""How often is asked what a service says of itself, before it is given up until it is told anew."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A service that somebody publishes."""

    instance: str
    kind: str
    pairs: tuple[tuple[str, str], ...]
    """What its TXT record says."""
    port: int = 0

    def get(self, key: str) -> str:
        """Return what is told under a key, empty if nothing is."""
        return dict(self.pairs).get(key, "")


@dataclass(frozen=True, slots=True)
class Appeared:
    """A neighbour is there, or says something else of itself."""

    neighbour: Neighbour


@dataclass(frozen=True, slots=True)
class Vanished:
    """A neighbour is gone."""

    neighbour: Neighbour


class Browser:
    """Looks for services of some kinds on one link."""

    def __init__(
        self, kinds: Iterable[str], jitter: Callable[[float, float], float], now: float
    ) -> None:
        """Take the kinds, such as `_sipuri._udp`, and what returns random numbers."""
        self._kinds = {kind_name(kind): kind for kind in kinds}
        self._jitter = jitter
        self._cache = Cache(jitter)
        self._ask_at = now + jitter(*FIRST_QUESTION)
        self._interval = QUESTION_INTERVAL
        self._asked: dict[Name, tuple[int, float]] = {}
        """How often a service was asked what it says, and when it is asked again."""
        self._shown: dict[Name, Neighbour] = {}
        self._out: deque[Packet] = deque()
        self._events: deque[Appeared | Vanished] = deque()

    @property
    def neighbours(self) -> list[Neighbour]:
        """Those who are there now."""
        return list(self._shown.values())

    # The verbs of an engine

    def receive_data(self, data: bytes, source: Source, now: float) -> None:
        """Take a datagram that came to the group; one that makes no sense is ignored."""
        try:
            message = parse_message(data)
        except RemoteProtocolError:
            return
        if not message.is_response or source[1] != PORT:
            return
        for record in (*message.answers, *message.additionals):
            if self._is_wanted(record):
                self._cache.add(record, now)
        self._look(now)

    def data_to_send(self) -> list[Packet]:
        """Return the datagrams that are to be sent now."""
        packets = list(self._out)
        self._out.clear()
        return packets

    def next_event(self) -> Appeared | Vanished | None:
        """Return who has come or gone since, one at a time."""
        return self._events.popleft() if self._events else None

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is to be called."""
        waiting = [when for count, when in self._asked.values() if count < MAX_ASKED]
        if (cached := self._cache.deadline) is not None:
            waiting.append(cached)
        return min([self._ask_at, *waiting])

    def handle_deadline(self, now: float) -> None:
        """Ask what is due, and forget what holds no more."""
        questions: dict[Question, None] = {}
        if self._cache.expire(now):
            self._look(now)
        for question in self._cache.refresh(now):
            questions[question] = None
        if self._ask_at <= now:
            self._ask_at = now + self._interval
            self._interval = min(self._interval * INTERVAL_FACTOR, LONGEST_INTERVAL)
            questions.update((Question(kind, Type.PTR), None) for kind in self._kinds)
        for name, (count, when) in self._asked.items():
            if count < MAX_ASKED and when <= now:
                self._asked[name] = (count + 1, now + 2**count)
                for rdtype in (Type.SRV, Type.TXT):
                    questions[Question(name, rdtype)] = None
        if questions:
            known = [
                record
                for question in questions
                if question.rdtype == Type.PTR
                for record in self._cache.known(question.name, question.rdtype, now)
            ]
            self._out.extend(map(Packet, render_query(list(questions), known)))

    # Inside

    def _is_wanted(self, record: Record) -> bool:
        if record.rdtype == Type.PTR:
            return record.name in self._kinds and self._kind_of_target(record) is not None
        return record.rdtype in (Type.SRV, Type.TXT) and self._kind_of(record.name) is not None

    def _kind_of(self, name: Name) -> str | None:
        """Return of what kind a service of this name is."""
        return self._kinds.get(Name(name.labels[1:])) if len(name.labels) > 2 else None

    def _kind_of_target(self, record: Record) -> str | None:
        return self._kind_of(record.data.target) if isinstance(record.data, PTR) else None

    def _look(self, now: float) -> None:
        """Find out who has come and gone."""
        present: dict[Name, Neighbour] = {}
        missing: dict[Name, tuple[int, float]] = {}
        for kind in self._kinds:
            for record in self._cache.get(kind, Type.PTR):
                assert isinstance(record.data, PTR)
                name = record.data.target
                neighbour = self._resolve(name)
                if neighbour is not None:
                    present[name] = neighbour
                else:
                    first = (0, now + self._jitter(*FIRST_QUESTION))
                    missing[name] = self._asked.get(name, first)
        self._asked = missing
        for name, neighbour in self._shown.items():
            if name not in present:
                self._events.append(Vanished(neighbour))
        for name, neighbour in present.items():
            if self._shown.get(name) != neighbour:
                self._events.append(Appeared(neighbour))
        self._shown = present

    def _resolve(self, name: Name) -> Neighbour | None:
        texts, places = self._cache.get(name, Type.TXT), self._cache.get(name, Type.SRV)
        kind = self._kind_of(name)
        if not texts or not places or kind is None:
            return None
        port = places[0].data.port if isinstance(places[0].data, SRV) else 0
        pairs = tuple(pairs_of(texts[0].data).items())
        return Neighbour(label_of(name), kind, pairs, port)
