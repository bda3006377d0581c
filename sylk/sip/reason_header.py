"""The Reason header field: why a BYE or CANCEL is sent (RFC 3326).

It tells people and logs something and steers nothing, so what cannot be read of it is left out: a
BYE ends a call however badly its Reason is written. `sylk.sip.reasons` is another thing, the
reason phrases of responses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.grammar import is_token, parse_params, parse_unsigned, quote, split_commas
from sylk.sip.message import Message

SIP = "SIP"
"""The protocol whose causes are status codes."""

MAX_REASONS = 8
"""Values of one message that are read: one for each protocol, and few protocols are known."""

MAX_TEXT = 256
"""Characters of a text that are read or written; the rest is cut off."""

MAX_PROTOCOL = 32
"""Characters of the name of a protocol; what is longer names none."""

_MAX_CAUSE = 65535  # No protocol has causes of more than three digits.
_STATUSES = range(100, 700)


@dataclass(frozen=True, slots=True)
class Reason:
    """One value: a cause in the numbers of a protocol ("SIP", "Q.850"), and a text for people."""

    protocol: str
    cause: int | None = None
    text: str = ""

    @classmethod
    def parse(cls, value: str) -> "Reason":
        """Parse one value. Raises RemoteProtocolError."""
        protocol, semicolon, rest = value.partition(";")
        protocol = protocol.strip(" \t")
        if not is_token(protocol) or len(protocol) > MAX_PROTOCOL:
            raise RemoteProtocolError("malformed Reason")
        params = parse_params(semicolon + rest)
        cause = params.get("cause")
        number = None if cause is None else parse_unsigned(cause, _MAX_CAUSE, "the cause")
        return cls(protocol, number, (params.get("text") or "")[:MAX_TEXT])

    def __str__(self) -> str:
        if not is_token(self.protocol):
            raise LocalProtocolError(f"{self.protocol!r} cannot name a protocol")
        cause = "" if self.cause is None else f";cause={self.cause}"
        text = f";text={quote(self.text[:MAX_TEXT])}" if self.text else ""
        return f"{self.protocol}{cause}{text}"

    @property
    def status(self) -> int | None:
        """The SIP status code that is the cause, None for a cause of another protocol."""
        is_status = self.protocol.upper() == SIP and self.cause in _STATUSES
        return self.cause if is_status else None

    @property
    def words(self) -> str:
        """The value as one reads it: the text, or protocol and cause where there is none."""
        return self.text or f"{self.protocol} {'' if self.cause is None else self.cause}".strip()


def reasons_of(message: Message) -> list[Reason]:
    """Return the reasons that a message gives, the first of each protocol; it never raises."""
    found: dict[str, Reason] = {}
    for value in _values(message.headers.lines("Reason")):
        try:
            reason = Reason.parse(value)
        except RemoteProtocolError:
            continue
        # There has to be one for each protocol; a second one cannot be told from a lie.
        found.setdefault(reason.protocol.upper(), reason)
    return list(found.values())


def _values(lines: Iterable[str]) -> list[str]:
    values: list[str] = []
    for line in lines:
        try:
            values += split_commas(line)
        except RemoteProtocolError:
            continue
    return values[:MAX_REASONS]


def end_of(
    what: str, reasons: Sequence[Reason], status: int | None = None
) -> tuple[str, int | None]:
    """Return, in words and as a SIP status, why something ended by `what`.

    `status` holds where no reason names one. The words are the peer's: whoever shows them must
    make them harmless first.
    """
    words = ", ".join(reason.words for reason in reasons)
    named = next((reason.status for reason in reasons if reason.status is not None), status)
    return (f"{what}: {words}" if words else what), named


def reason_headers(status: int | None, text: str) -> list[tuple[str, str]]:
    """Return the header field for a request that ends a call with a status; none without one."""
    return [] if status is None else [("Reason", str(Reason(SIP, status, text)))]
