"""Who asked for what, and when he is answered (RFC 6762 sections 5 to 7).

What only we can have is answered at once; what others may have too waits for a moment, in which
they may answer, or more may be asked. A record is told to the group at most once a second, however
many ask. Who knows a record already is not told it again.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dns.name import Name
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.IN.SRV import SRV

from sylk.mdns.message import Message, render_response, render_unicast
from sylk.mdns.record import Key, Question, Record, Type
from sylk.mdns.service import RecordSet

PORT: Final = 5353

Source = tuple[str, int]
"""The host and port that a datagram came from."""

SHARED_DELAY: Final = (0.020, 0.120)
"""Seconds within which shared records are answered (section 6)."""

TRUNCATED_DELAY: Final = (0.400, 0.500)
"""Seconds in which the rest of the known answers may come (section 7.2)."""

REPEAT_INTERVAL: Final = 1.0
"""Seconds for which a record is not told to the group again (section 6)."""

DEFENCE_INTERVAL: Final = 0.25
"""The same where somebody probes for its name."""

LEGACY_TTL: Final = 10
"""Seconds for which a resolver that knows no multicast DNS may keep an answer (section 6.7)."""

MAX_ASKERS: Final = 32
"""Those whose known answers are waited for; over it others are answered without a wait."""

MAX_KNOWN: Final = 4000
"""Known answers that are taken of one asker."""

MAX_UNICAST: Final = 50
"""Unicast answers in one second; over it others get none."""

MAX_ADDITIONAL: Final = 20
"""Answers of which it is looked up what may be asked next: one message has no room for more."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A datagram to be sent: to the group, or to one address."""

    data: bytes
    destination: Source | None = None


@dataclass(slots=True)
class _Asker:
    """Somebody whose known answers come in several messages."""

    questions: list[Question]
    known: dict[Key, int]
    due: float
    is_probe: bool = False


class Answering:
    """The records that are answered for, and the answers that wait for their time."""

    def __init__(self, jitter: Callable[[float, float], float]) -> None:
        self._jitter = jitter
        self._sets: dict[Hashable, RecordSet] = {}
        self._by_name: dict[Name, dict[Key, Record]] = {}
        self._counts: dict[Key, int] = {}
        """How many sets a record is in; those that are shared may be in many."""
        self._denials: dict[Name, Record] = {}
        self._pending: dict[Key, float] = {}
        """When each is to be told to the group."""
        self._told_at: dict[Key, float] = {}
        self._askers: dict[Source, _Asker] = {}
        self._packets: list[Packet] = []
        self._unicast_window = (-1.0, 0)

    def put(self, owner: Hashable, records: RecordSet | None) -> list[Record]:
        """Answer for these records of somebody, and no more for those that he had.

        Returns what nobody has any more. Costs what the two sets have, however many others there
        are.
        """
        old = self._sets.pop(owner, None)
        if records is not None:
            self._sets[owner] = records
            for record in (*records.unique, *records.shared):
                self._counts[record.key] = self._counts.get(record.key, 0) + 1
                self._by_name.setdefault(record.name, {})[record.key] = record
        gone = [] if old is None else list(filter(self._give_up, (*old.unique, *old.shared)))
        for record in () if old is None else old.extra:
            self._denials.pop(record.name, None)
        for record in () if records is None else records.extra:
            self._denials[record.name] = record
        return gone

    def _give_up(self, record: Record) -> bool:
        """Take a record out of one set; tells whether it is in no other."""
        key = record.key
        self._counts[key] -= 1
        if self._counts[key]:
            return False
        del self._counts[key]
        of_name = self._by_name[record.name]
        del of_name[key]
        if not of_name:
            del self._by_name[record.name]
        self._told_at.pop(key, None)
        self._pending.pop(key, None)
        return True

    def close(self) -> None:
        """Answer nothing any more."""
        for owner in list(self._sets):
            self.put(owner, None)
        self._pending.clear()
        self._askers.clear()

    @property
    def deadline(self) -> float | None:
        """When something is due, None for never."""
        waiting = [asker.due for asker in self._askers.values()]
        return min([*self._pending.values(), *waiting], default=None)

    def told(self, records: Iterable[Record], now: float) -> None:
        """Take it that records are told to the group now."""
        for record in records:
            self._told_at[record.key] = now
            self._pending.pop(record.key, None)

    def tell_again(self, record: Record, now: float) -> None:
        """Have a record told to the group, as soon as it may be."""
        self._schedule(record, now, REPEAT_INTERVAL)

    def heard(self, message: Message) -> None:
        """Take what another has answered: it need not be said again (section 7.4)."""
        for record in message.answers:
            due = self._pending.get(record.key)
            mine = None if due is None else self._find(record.key)
            if mine is not None and record.ttl >= mine.ttl and not mine.is_unique:
                del self._pending[record.key]

    def ask(self, message: Message, source: Source, now: float) -> None:
        """Take a query."""
        known = {record.key: record.ttl for record in message.answers[:MAX_KNOWN]}
        if source[1] != PORT:
            self._answer_legacy(message, source, now)
            return
        asker = self._askers.get(source)
        if asker is not None:
            asker.questions.extend(message.questions[: MAX_KNOWN - len(asker.questions)])
            if len(asker.known) < MAX_KNOWN:
                asker.known.update(known)
            return
        asker = _Asker(message.questions, known, now, bool(message.authorities))
        if message.is_truncated and len(self._askers) < MAX_ASKERS:
            asker.due = now + self._jitter(*TRUNCATED_DELAY)
            self._askers[source] = asker
            return
        self._answer(asker, source, now)

    def due(self, now: float) -> tuple[list[Packet], list[bytes]]:
        """Return what is to be sent now: to single addresses, and to the group."""
        for source in [one for one, asker in self._askers.items() if asker.due <= now]:
            self._answer(self._askers.pop(source), source, now)
        keys = [key for key, when in self._pending.items() if when <= now]
        found = [record for record in map(self._find, keys) if record is not None]
        for key in keys:
            del self._pending[key]
        additionals = self._additionals(found)
        messages = render_response(found, additionals)
        for record in found:
            self._told_at[record.key] = now
        packets, self._packets = self._packets, []
        return packets, messages

    def _answer(self, asker: _Asker, source: Source, now: float) -> None:
        unicast: dict[Key, Record] = {}
        for question in dict.fromkeys(asker.questions):
            for record in self._answers_to(question):
                if 2 * asker.known.get(record.key, -1) >= record.ttl:
                    continue
                told_at = self._told_at.get(record.key)
                is_fresh = told_at is not None and now - told_at < record.ttl / 4
                if question.wants_unicast and is_fresh:
                    # Section 5.4: the others have it anyway.
                    unicast[record.key] = record
                elif asker.is_probe:
                    self._schedule(record, now, DEFENCE_INTERVAL)
                elif record.is_unique:
                    self._schedule(record, now, REPEAT_INTERVAL)
                else:
                    self._schedule(record, now + self._jitter(*SHARED_DELAY), REPEAT_INTERVAL)
        if unicast and self._may_send_unicast(now):
            answers = list(unicast.values())
            for data in render_response(answers, self._additionals(answers)):
                self._packets.append(Packet(data, source))

    def _answer_legacy(self, message: Message, source: Source, now: float) -> None:
        found = {
            record.key: record.with_ttl(min(record.ttl, LEGACY_TTL))
            for question in message.questions[:1]
            for record in self._answers_to(question)
        }
        if found and self._may_send_unicast(now):
            answers = list(found.values())
            more = [one.with_ttl(min(one.ttl, LEGACY_TTL)) for one in self._additionals(answers)]
            data = render_unicast(answers, more, message.id, message.questions[:1])
            self._packets.append(Packet(data, source))

    def _may_send_unicast(self, now: float) -> bool:
        second, count = self._unicast_window
        if now - second >= 1.0:
            second, count = now, 0
        self._unicast_window = (second, count + 1)
        return count < MAX_UNICAST

    def _schedule(self, record: Record, when: float, interval: float) -> None:
        told_at = self._told_at.get(record.key)
        if told_at is not None:
            when = max(when, told_at + interval)
        self._pending[record.key] = min(when, self._pending.get(record.key, when))

    def _answers_to(self, question: Question) -> Sequence[Record]:
        records = self._by_name.get(question.name, {})
        found = [record for record in records.values() if record.answers(question)]
        denial = self._denials.get(question.name)
        if not found and denial is not None:
            return [denial]
        return found

    def _additionals(self, answers: Sequence[Record]) -> list[Record]:
        """Return what an asker will want to know next (RFC 6763 section 12)."""
        found: dict[Key, Record] = {}
        told = {record.key for record in answers}
        names: dict[Name, None] = {}
        for record in answers[:MAX_ADDITIONAL]:
            if isinstance(record.data, PTR | SRV):
                names[record.data.target] = None
            elif record.rdtype in (Type.A, Type.AAAA):
                names[record.name] = None
        places = [
            record.data.target
            for name in names
            for record in self._by_name.get(name, {}).values()
            if isinstance(record.data, SRV)
        ]
        names.update(dict.fromkeys(places))
        for name in names:
            for record in self._by_name.get(name, {}).values():
                if record.is_unique:
                    found[record.key] = record
            denial = self._denials.get(name)
            if denial is not None:
                found[denial.key] = denial
        return [record for key, record in found.items() if key not in told]

    def _find(self, key: Key) -> Record | None:
        denial = self._denials.get(key.name)
        if denial is not None and denial.key == key:
            return denial
        return self._by_name.get(key.name, {}).get(key)
