"""Messages of multicast DNS: read from datagrams, and written into as few as they fit in.

The top bit of a class is no part of it here: in a question it asks for a unicast answer, in a
record it says that there are no others (RFC 6762 sections 5.4 and 10.2). A record that cannot be
read is left out; where the message itself makes no sense all of it is.
"""

import io
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import dns.exception
import dns.rdata
import dns.rdataclass
from dns.name import Name
from dns.wire import Parser

from sylk.errors import RemoteProtocolError
from sylk.mdns.record import Question, Record, Type

MAX_SIZE: Final = 1400
"""Bytes of a message that we send, for links of 1500 with room for tunnels (section 17)."""

MAX_RECEIVED: Final = 9000
"""Bytes of a message that is read (section 17)."""

MAX_TTL: Final = 86_400
"""Seconds after which anything is forgotten, whatever it says."""

_TOP_BIT = 0x8000
_RESPONSE = 0x8000
_AUTHORITATIVE = 0x0400
_TRUNCATED = 0x0200
_OPCODE_AND_RCODE = 0x780F
_HEADER = struct.Struct("!HHHHHH")
_CLASSES = (dns.rdataclass.IN, dns.rdataclass.ANY)


@dataclass(slots=True)
class Message:
    """A query or a response."""

    is_response: bool = False
    questions: list[Question] = field(default_factory=list[Question])
    answers: list[Record] = field(default_factory=list[Record])
    """In a query those that the asker knows already."""
    authorities: list[Record] = field(default_factory=list[Record])
    """In a query those that the asker wants to have."""
    additionals: list[Record] = field(default_factory=list[Record])
    is_truncated: bool = False
    """In a query: more known answers come in another message."""
    id: int = 0


def parse_message(data: bytes) -> Message:
    """Read a datagram; raises RemoteProtocolError."""
    if not _HEADER.size <= len(data) <= MAX_RECEIVED:
        raise RemoteProtocolError("a multicast DNS message of an impossible size")
    parser = Parser(data)
    try:
        number, flags, *counts = [parser.get_uint16() for _ in range(6)]
        if flags & _OPCODE_AND_RCODE:
            # Section 18.3 and 18.11: such messages are ignored.
            raise RemoteProtocolError("an operation that multicast DNS does not have")
        message = Message(bool(flags & _RESPONSE), id=number, is_truncated=bool(flags & _TRUNCATED))
        for _ in range(counts[0]):
            name, rdtype = parser.get_name(decompress=True), parser.get_uint16()
            rdclass = parser.get_uint16()
            if rdclass & ~_TOP_BIT in _CLASSES:
                question = Question(name, Type.make(rdtype), bool(rdclass & _TOP_BIT))
                message.questions.append(question)
        sections = (message.answers, message.authorities, message.additionals)
        for count, section in zip(counts[1:], sections, strict=True):
            for _ in range(count):
                record = _read_record(parser)
                if record is not None:
                    section.append(record)
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        raise RemoteProtocolError(f"a broken multicast DNS message: {error}") from None
    return message


def _read_record(parser: Parser) -> Record | None:
    name = parser.get_name(decompress=True)
    rdtype, rdclass = parser.get_uint16(), parser.get_uint16()
    ttl, length = parser.get_uint32(), parser.get_uint16()
    end = parser.current + length
    if end > parser.end:
        raise RemoteProtocolError("a multicast DNS record that is longer than its message")
    record = None
    if rdclass & ~_TOP_BIT == dns.rdataclass.IN:
        try:
            with parser.restrict_to(length):
                data = dns.rdata.from_wire_parser(dns.rdataclass.IN, Type.make(rdtype), parser)
            # Section 10.2: 2^31 and above is a slip of the sender's.
            kept = min(ttl, MAX_TTL) if ttl < 2**31 else 0
            record = Record(name, data, kept, bool(rdclass & _TOP_BIT))
        except (dns.exception.DNSException, ValueError, struct.error):
            record = None
    parser.seek(end)
    return record


class _Writer:
    """Writes one message."""

    def __init__(self) -> None:
        self._file = io.BytesIO(bytes(_HEADER.size))
        self._file.seek(_HEADER.size)
        self._compress: dict[Name, int] = {}

    def question(self, question: Question) -> None:
        question.name.to_wire(self._file, self._compress)
        rdclass = dns.rdataclass.IN | (_TOP_BIT if question.wants_unicast else 0)
        self._file.write(struct.pack("!HH", question.rdtype, rdclass))

    def record(self, record: Record, *, with_flush: bool) -> None:
        record.name.to_wire(self._file, self._compress)
        rdclass = dns.rdataclass.IN | (_TOP_BIT if record.is_unique and with_flush else 0)
        self._file.write(struct.pack("!HHIH", record.rdtype, rdclass, record.ttl, 0))
        start = self._file.tell()
        record.data.to_wire(self._file, self._compress)
        end = self._file.tell()
        self._file.seek(start - 2)
        self._file.write(struct.pack("!H", end - start))
        self._file.seek(end)

    def finish(self, number: int, flags: int, counts: Sequence[int]) -> bytes:
        self._file.seek(0)
        self._file.write(_HEADER.pack(number, flags, *counts))
        return self._file.getvalue()


def _write(message: Message, *, is_legacy: bool = False) -> bytes:
    writer = _Writer()
    for question in message.questions:
        writer.question(question)
    sections = (message.answers, message.authorities, message.additionals)
    # What a query lists as known or wanted, and what an old resolver is told, has no such bit
    # (sections 6.7 and 10.2).
    with_flush = message.is_response and not is_legacy
    for section in sections:
        for record in section:
            writer.record(record, with_flush=with_flush)
    flags = _RESPONSE | _AUTHORITATIVE if message.is_response else 0
    flags |= _TRUNCATED if message.is_truncated else 0
    counts = [len(message.questions), *map(len, sections)]
    return writer.finish(message.id, flags, counts)


def render_response(answers: Iterable[Record], additionals: Iterable[Record] = ()) -> list[bytes]:
    """Return a response, in several messages where one has no room.

    Additional records are a courtesy, and left out where there is no room for them.
    """
    parts = _split(answers)
    known = {record.key for part in parts for record in part}
    messages = [Message(is_response=True, answers=part) for part in parts]
    for record in additionals:
        last = messages[-1] if messages else None
        if last is None or record.key in known:
            continue
        known.add(record.key)
        if sum(one.size for one in (*last.answers, *last.additionals, record)) < MAX_SIZE - 12:
            last.additionals.append(record)
    return [_write(message) for message in messages]


def render_unicast(
    answers: Sequence[Record],
    additionals: Iterable[Record],
    number: int,
    questions: Sequence[Question],
) -> bytes:
    """Return the answer to a resolver that knows no multicast DNS (section 6.7)."""
    message = Message(True, list(questions), list(answers), id=number)
    room = MAX_SIZE - 12 - sum(len(question.name) + 260 for question in questions)
    room -= sum(record.size for record in answers)
    for record in additionals:
        room -= record.size
        if room > 0:
            message.additionals.append(record)
    return _write(message, is_legacy=True)


def render_query(questions: Sequence[Question], known: Iterable[Record] = ()) -> list[bytes]:
    """Return a query, in several messages where the known answers need it (section 7.2)."""
    asked = [_write(Message(questions=part)) for part in _pieces(questions, 4)]
    parts = _split(known)
    if not parts:
        return asked
    room = MAX_SIZE - len(asked[-1]) - sum(record.size for record in parts[0])
    first = Message(questions=_pieces(questions, 4)[-1])
    if room > 0:
        first.answers = parts.pop(0)
    messages = [first, *(Message(answers=part) for part in parts)]
    for message in messages[:-1]:
        message.is_truncated = True
    return [*asked[:-1], *map(_write, messages)]


def render_probe(probes: Iterable[tuple[Question, Sequence[Record]]]) -> list[bytes]:
    """Return the questions whether names are free, with what we want to call so (section 8.1)."""
    messages: list[bytes] = []
    message, room = Message(), MAX_SIZE - _HEADER.size
    for question, records in probes:
        size = sum(record.size for record in records) + 264
        if size > room and message.questions:
            messages.append(_write(message))
            message, room = Message(), MAX_SIZE - _HEADER.size
        message.questions.append(question)
        message.authorities.extend(records)
        room -= size
    return [*messages, _write(message)] if message.questions else messages


def _pieces(questions: Sequence[Question], count: int) -> list[list[Question]]:
    """Return so many questions at a time: each may have 259 bytes, and there are answers too."""
    return [list(questions[start : start + count]) for start in range(0, len(questions), count)]


def _split(records: Iterable[Record]) -> list[list[Record]]:
    parts: list[list[Record]] = []
    room = 0
    for record in records:
        if record.size > room:
            parts.append([])
            room = MAX_SIZE - _HEADER.size
        parts[-1].append(record)
        room -= record.size
    return parts
