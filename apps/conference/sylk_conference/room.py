"""The room: who is in it, and what becomes of each message. No I/O, no clock, no tasks.

Every method finishes in one step and returns what is to be delivered, so there is neither a lock
nor a half-done state, and the order in which `post` is called is the order that everybody sees.

What the room changes in a message is the CPIM header block alone: From becomes the participant as
the room knows him, a missing To becomes the room, a missing DateTime is stamped. A message that has
all this right, as most have, is passed on as the very bytes that came.
"""

from dataclasses import dataclass, field

from sylk.errors import RemoteProtocolError
from sylk.payload.content_type import ContentType
from sylk.payload.cpim import Address, Envelope
from sylk.payload.cpim_envelope import line_uri, render_envelope, wrapped_content_type

TYPES = ("text/*", "image/*", "application/im-iscomposing+xml")
"""What may be wrapped: deployed clients refuse anything else."""

_UTF_8 = ("utf-8", "utf8")
_USUAL_TYPES = frozenset(
    (b"text/plain", b"text/plain; charset=utf-8", b'text/plain; charset="utf8"', b"text/html")
)
_LIKE_ASCII = ("us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252")

_FORBIDDEN = 403
_ABSENT = 404
_UNWANTED = 413
_UNSUPPORTED = 415


class Refusal(RemoteProtocolError):
    """The room does not take a message; `as_report` tells that 200 comes first, then a REPORT.

    COMPAT: deployed clients know refusals of the content only as a REPORT.
    """

    def __init__(self, message: str, status: int, *, as_report: bool = False) -> None:
        super().__init__(message, status)
        self.as_report = as_report


@dataclass(slots=True, eq=False)
class Participant:
    """One session in the room; a person with two clients is there twice."""

    address: Address
    key: bytes
    """user@host of the URI, by which people are compared."""
    from_line: bytes
    """The CPIM From line of everything that he says."""
    claimed_key: bytes
    """user@host of what he calls himself, which `from_line` takes the place of."""


@dataclass(slots=True)
class Delivery:
    """A message/cpim body and who gets it; None stands for everybody but its sender."""

    body: bytes
    recipients: list[Participant] | None = None


def comparable(uri: bytes) -> bytes:
    """Return user@host of a SIP URI, the host in lower case (RFC 3261 section 19.1.4)."""
    rest = uri.partition(b":")[2] if uri[:4].lower() in (b"sip:", b"sips") else uri
    # A user may hold "?" and ";" as they are (RFC 3261 section 25.1), but no "@".
    user, at, host = rest.partition(b"@") if b"@" in rest else (b"", b"", rest)
    host = host.partition(b"?")[0].partition(b";")[0]
    host = host.partition(b"]")[0] + b"]" if host.startswith(b"[") else host.partition(b":")[0]
    return user + at + host.lower()


def _fits_charset(body: bytes, header_end: int, content_type: bytes) -> bool:
    """Tell whether the content, which is UTF-8, can be read in the charset that it names."""
    if b"charset" not in content_type.lower():
        return True
    parsed = ContentType.parse(content_type.decode("utf-8", "replace"))
    charset = (parsed.params.get("charset") or _UTF_8[0]).lower()
    return charset in _UTF_8 or (charset in _LIKE_ASCII and body[header_end:].isascii())


@dataclass(slots=True)
class Room:
    """One room, from the first participant to the last."""

    address: Address
    people: dict[bytes, list[Participant]] = field(default_factory=dict[bytes, list[Participant]])
    """The sessions of each person, by user@host, in the order of joining."""
    key: bytes = field(init=False)
    to_line: bytes = field(init=False)
    _usual_to_line: bytes = field(init=False)
    # The last To that named the room: clients write it without our display name, each in one way.

    def __post_init__(self) -> None:
        self.key = comparable(self.address.uri.encode())
        self._usual_to_line = self.to_line = b"To: " + self.address.render().encode()

    # Who is here

    def join(self, address: Address, claimed: Address | None = None) -> Participant:
        """Let somebody in, who may call himself by another address than we know him by."""
        participant = Participant(
            address,
            comparable(address.uri.encode()),
            b"From: " + address.render().encode("utf-8", "replace"),
            comparable((claimed or address).uri.encode()),
        )
        self.people.setdefault(participant.key, []).append(participant)
        return participant

    def leave(self, participant: Participant) -> None:
        """Let somebody out."""
        sessions = self.people.get(participant.key, [])
        if participant in sessions:
            sessions.remove(participant)
        if not sessions:
            self.people.pop(participant.key, None)

    def is_present(self, key: bytes) -> bool:
        """Tell whether a person is here with any client."""
        return key in self.people

    # What is said

    def post(
        self,
        sender: Participant,
        body: bytes,
        envelope: Envelope,
        now: bytes,
        *,
        whole: bool = True,
    ) -> Delivery:
        """Decide what becomes of a message; `now` is the DateTime for one that has none.

        Of a message that is not `whole` only the beginning is here; that its text is UTF-8 is for
        the caller to see.

        Raises Refusal: 403 for a From that is not the sender's, 404 for a private message to
        somebody who is not here, 413 and 415 for content that is not passed on.
        """
        from_line = envelope.from_line
        if from_line is not None and from_line != sender.from_line:
            self._check_from(sender, from_line)
        self._check_content(body, envelope.header_end, whole=whole)
        recipients = self._recipients(sender, envelope.to_lines)
        if (
            from_line == sender.from_line
            and envelope.date_time is not None
            and len(envelope.to_lines) == 1
            # COMPAT: clients want each header on a line with CRLF, and a blank line after them.
            and body.count(b"\r\n", 0, envelope.header_end) == len(envelope.other_lines) + 4
        ):
            return Delivery(body, recipients)
        to_line = envelope.to_lines[0] if recipients is not None else self.to_line
        head = render_envelope(
            sender.from_line, to_line, envelope.date_time or now, envelope.other_lines
        )
        return Delivery(head + body[envelope.header_end :], recipients)

    def _check_from(self, sender: Participant, from_line: bytes) -> None:
        if comparable(line_uri(from_line)) not in (sender.key, sender.claimed_key):
            raise Refusal("the CPIM From is not the sender's", _FORBIDDEN)

    def _check_content(self, body: bytes, header_end: int, *, whole: bool) -> None:
        content_type = wrapped_content_type(body, header_end)
        if content_type[:5] != b"text/":
            parsed = ContentType.parse(content_type.decode("utf-8", "replace"))
            if not parsed.matches(TYPES):
                raise Refusal(f"{parsed} is not passed on", _UNWANTED, as_report=True)
        # COMPAT: content that is not UTF-8, or that its charset does not fit, ends the session of
        # deployed clients that get it.
        if whole:
            try:
                body.decode()
            except UnicodeDecodeError:
                raise Refusal("the body is not UTF-8", _UNSUPPORTED, as_report=True) from None
        if content_type not in _USUAL_TYPES and not _fits_charset(body, header_end, content_type):
            raise Refusal("the charset is not UTF-8", _UNSUPPORTED, as_report=True)

    def _recipients(self, sender: Participant, to_lines: list[bytes]) -> list[Participant] | None:
        if len(to_lines) != 1 or to_lines[0] == self._usual_to_line:
            return None
        key = comparable(line_uri(to_lines[0]))
        if key == self.key:
            self._usual_to_line = to_lines[0]
            return None
        sessions = self.people.get(key)
        if sessions is None:
            raise Refusal("the recipient is not here", _ABSENT)
        # The sender's other clients show what he whispered too.
        own = self.people.get(sender.key, []) if key != sender.key else []
        return [other for other in [*sessions, *own] if other is not sender]
