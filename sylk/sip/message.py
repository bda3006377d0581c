"""Requests and responses, with typed access to the header fields that the engines read.

Every typed accessor raises RemoteProtocolError with status 400 for a value that is missing
where it is mandatory, or malformed. What they return is shared with a cache: to change a
message, change its headers. RFC 3261 sections 7, 8.1.1, 8.2.6 and 20.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.multipart import BodyPart
from sylk.sip.address import NameAddr, parse_name_addrs
from sylk.sip.cseq import CSeq
from sylk.sip.grammar import is_token, parse_unsigned, split_commas
from sylk.sip.headers import Headers
from sylk.sip.reasons import REASONS as REASONS
from sylk.sip.uri import OtherURI, SipURI
from sylk.sip.via import Via

MAX_EXPIRES = 2**32 - 1  # in seconds, RFC 3261 section 20.19
MAX_MAX_FORWARDS = 255  # RFC 3261 section 20.22
DEFAULT_MAX_FORWARDS = 70  # RFC 3261 section 8.1.1.6
# Values of Via, Contact, Route or Record-Route in one message; with more it is refused with 400. A
# request takes 70 hops, and reading the thousands that a datagram can hold takes as long as a
# hundred requests.
MAX_VALUES = 128

_DIALOG_METHODS = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})


class Message:
    """What requests and responses have in common."""

    __slots__ = ()

    headers: Headers
    body: bytes

    @property
    def from_(self) -> NameAddr:
        """Who sends the request, with the tag of its side."""
        return self.headers.parsed("From", _one_from)

    @property
    def to(self) -> NameAddr:
        """Whom the request is for; the tag is there once the other side has answered."""
        return self.headers.parsed("To", _one_to)

    @property
    def call_id(self) -> str:
        """The Call-ID, compared octet by octet (RFC 3261 section 20.8)."""
        return self.headers.parsed("Call-ID", _one_call_id)

    @property
    def cseq(self) -> CSeq:
        """The sequence number and method."""
        return self.headers.parsed("CSeq", _one_cseq)

    @property
    def vias(self) -> list[Via]:
        """The hops of the request, the latest first."""
        return list(self.headers.parsed("Via", _all_vias))

    @property
    def top_via(self) -> Via:
        """The hop next to us."""
        return self.headers.parsed("Via", _all_vias)[0]

    @property
    def contacts(self) -> list[NameAddr]:
        """The Contact addresses; none for the `*` of a REGISTER."""
        return list(self.headers.parsed("Contact", _contacts))

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact address."""
        contacts = self.headers.parsed("Contact", _contacts)
        return contacts[0] if contacts else None

    @property
    def routes(self) -> list[NameAddr]:
        """The Route header field, in order."""
        return list(self.headers.parsed("Route", _all_addresses))

    @property
    def record_routes(self) -> list[NameAddr]:
        """The Record-Route header field, in order."""
        return list(self.headers.parsed("Record-Route", _all_addresses))

    @property
    def content_type(self) -> str | None:
        """The media type of the body with its parameters, as written."""
        return self.headers.get("Content-Type")

    @property
    def require(self) -> list[str]:
        """The option tags that the receiver has to support, in lower case."""
        return [tag.lower() for tag in self.headers.values("Require")]

    @property
    def supported(self) -> list[str]:
        """The option tags that the sender supports, in lower case."""
        return [tag.lower() for tag in self.headers.values("Supported")]

    @property
    def expires(self) -> int | None:
        """Expires in seconds; more than 32 bits hold counts as the most they hold."""
        return self.headers.parsed("Expires", _expires)

    @property
    def max_forwards(self) -> int | None:
        """How many more hops the request may take."""
        return self.headers.parsed("Max-Forwards", _max_forwards)

    @property
    def event(self) -> str | None:
        """The event package of Event in lower case, without parameters (RFC 6665)."""
        value = self.headers.get("Event")
        return value.partition(";")[0].strip(" \t").lower() or None if value else None

    def push_via(self, via: Via) -> None:
        """Put a hop on top."""
        self.headers.add_first("Via", str(via))

    def replace_top_via(self, via: Via) -> None:
        """Put `via` in the place of the top hop, the others stay as they are written."""
        self.headers.replace_first("Via", str(via), *self._vias_below_top_on_its_line())

    def pop_via(self) -> None:
        """Take the top hop off."""
        self.headers.replace_first("Via", *self._vias_below_top_on_its_line())

    def start_line(self) -> str:
        """Return the first line without its end."""
        # Requests and responses begin differently; there is no message that is neither.
        raise NotImplementedError

    def render(self) -> bytes:
        """Return the message as octets; Content-Length is always that of `body`.

        It stays in its place among the header fields, or comes last. Raises
        LocalProtocolError for a line break in the first line, and for text that has no octets.
        """
        start_line = self.start_line()
        if "\r" in start_line or "\n" in start_line:
            raise LocalProtocolError("the first line holds a line break")
        lines = [start_line]
        length = f"Content-Length: {len(self.body)}"
        for name, value in self.headers:
            if name == "Content-Length":
                if length:
                    lines.append(length)
                    length = ""
            else:
                lines.append(f"{name}: {value}")
        if length:
            lines.append(length)
        lines.append("\r\n")
        try:
            return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body
        except UnicodeEncodeError as error:
            raise LocalProtocolError("a header field holds a lone surrogate") from error

    def _vias_below_top_on_its_line(self) -> list[str]:
        lines = self.headers.lines("Via")
        rest = split_commas(lines[0])[1:] if lines else []
        return [", ".join(rest)] if rest else []


@dataclass(slots=True)
class Request(Message):
    """A request (RFC 3261 section 7.1)."""

    method: str
    uri: SipURI | OtherURI
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    parts: tuple[BodyPart, ...] = ()
    """What else came in a body of several parts, once the description was taken out of it."""

    def start_line(self) -> str:
        """Return the request line without its end."""
        return f"{self.method} {self.uri} SIP/2.0"


@dataclass(slots=True)
class Response(Message):
    """A response (RFC 3261 section 7.2)."""

    status: int
    reason: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def start_line(self) -> str:
        """Return the status line without its end."""
        return f"SIP/2.0 {self.status} {self.reason}"

    @classmethod
    def to_request(
        cls,
        request: Request,
        status: int,
        reason: str | None = None,
        *,
        to_tag: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Self:
        """Return the answer to `request`, with all that it has to repeat (RFC 3261 section 8.2.6).

        Fields are copied as they are written, malformed or missing ones too, so that a request
        which breaks the rules can still be answered. `to_tag` is added unless there is a tag.
        """
        old = request.headers
        items = [("Via", value) for value in old.lines("Via")]
        if 100 < status < 300 and request.method in _DIALOG_METHODS:
            items += [("Record-Route", value) for value in old.lines("Record-Route")]
        items += [("From", value) for value in old.lines("From")[:1]]
        tag = f";tag={to_tag}" if to_tag is not None and _lacks_tag(request) else ""
        items += [("To", value + tag) for value in old.lines("To")[:1]]
        items += [("Call-ID", value) for value in old.lines("Call-ID")[:1]]
        items += [("CSeq", value) for value in old.lines("CSeq")[:1]]
        if status == 100:
            items += [("Timestamp", value) for value in old.lines("Timestamp")[:1]]
        answer = Headers.from_wire(items)
        for name, value in headers:
            answer.add(name, value)
        if content_type is not None:
            answer.add("Content-Type", content_type)
        if reason is None:
            reason = REASONS.get(status, "")
        return cls(status, reason, answer, body)


def make_request(
    method: str,
    uri: SipURI | OtherURI,
    from_: NameAddr,
    to: NameAddr,
    call_id: str,
    cseq: int,
    *,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
    max_forwards: int = DEFAULT_MAX_FORWARDS,
) -> Request:
    """Return a request with the mandatory fields (RFC 3261 section 8.1.1) except Via.

    The transaction that sends it adds the Via. `cseq` is the number alone. Raises
    LocalProtocolError for a method that is no token.
    """
    if not is_token(method):
        raise LocalProtocolError(f"{method!r} cannot be a method")
    items = [
        ("Max-Forwards", str(max_forwards)),
        ("From", str(from_)),
        ("To", str(to)),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} {method}"),
        *headers,
    ]
    if content_type is not None:
        items.append(("Content-Type", content_type))
    return Request(method, uri, Headers(items), body)


def _lacks_tag(request: Request) -> bool:
    try:
        return request.to.tag is None
    except RemoteProtocolError:
        return False  # Nothing can be added to a To that nobody can read.


def _first(lines: list[str], name: str) -> str:
    if not lines:
        raise RemoteProtocolError(f"no {name} header field")
    return lines[0]


def _one_from(lines: list[str]) -> NameAddr:
    return NameAddr.parse(_first(lines, "From"))


def _one_to(lines: list[str]) -> NameAddr:
    return NameAddr.parse(_first(lines, "To"))


def _one_call_id(lines: list[str]) -> str:
    call_id = _first(lines, "Call-ID")
    if not call_id or " " in call_id or "\t" in call_id:
        raise RemoteProtocolError("malformed Call-ID")
    return call_id


def _one_cseq(lines: list[str]) -> CSeq:
    return CSeq.parse(_first(lines, "CSeq"))


def _all_vias(lines: list[str]) -> list[Via]:
    _check_count(lines, "Via")
    vias = [Via.parse(value) for line in lines for value in split_commas(line)]
    if not vias:
        raise RemoteProtocolError("no Via header field")
    return vias


def _all_addresses(lines: list[str]) -> list[NameAddr]:
    _check_count(lines, "address")
    return [address for line in lines for address in parse_name_addrs(line)]


def _check_count(lines: list[str], what: str) -> None:
    # A comma inside quotes counts too: nobody means as many.
    if len(lines) + sum(line.count(",") for line in lines) > MAX_VALUES:
        raise RemoteProtocolError(f"too many {what} values")


def _contacts(lines: list[str]) -> list[NameAddr]:
    return [] if lines == ["*"] else _all_addresses(lines)


def _expires(lines: list[str]) -> int | None:
    if not lines:
        return None
    if not (lines[0].isascii() and lines[0].isdigit()):
        raise RemoteProtocolError("malformed Expires")
    digits = lines[0].lstrip("0") or "0"
    return min(int(digits), MAX_EXPIRES) if len(digits) <= len(str(MAX_EXPIRES)) else MAX_EXPIRES


def _max_forwards(lines: list[str]) -> int | None:
    return parse_unsigned(lines[0], MAX_MAX_FORWARDS, "Max-Forwards") if lines else None
