"""From the octets before the empty line to a start line and header fields.

Everything here must mean the same to us and to whoever forwarded the message. So a bare CR or
LF, a NUL outside a quoted pair and a line of nothing but white space are errors: programs
disagree on what they end, and a field that only one of two programs sees gets past the other
one's checks. Reading goes on after an error with what is harmless, so that the sender can be
answered. RFC 3261 sections 7.3 and 25.1.
"""

import re
from dataclasses import dataclass

from sylk.errors import RemoteProtocolError
from sylk.sip.grammar import is_token, parse_unsigned
from sylk.sip.headers import Headers, canonical_name

MAX_MESSAGE = 65536  # in octets: more than a datagram holds
MAX_HEADERS = 256  # header fields in a message
MAX_HEADER_LINE = 8192  # in octets, unfolded; as common HTTP servers have it
MAX_BODY = 65536  # in octets
MAX_CONTENT_LENGTH = 2**63 - 1  # in octets; up to here it is large, beyond it is nonsense

_STRAY = re.compile(rb"\r(?!\n)|(?<!\r)\n|(?<!\\)\x00")
_FOLD = re.compile(rb"\r\n[ \t]++")
_BLANK_LINE = re.compile(rb"\r\n[ \t]++(?=\r\n|\Z)")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one message we are ready to hold; beyond it is 413, 414 or 513.

    `max_message` counts octets from the start line to the end of the body, `max_header_line`
    the octets of the start line or an unfolded header field, `max_body` those of the body.
    """

    max_message: int = MAX_MESSAGE
    max_headers: int = MAX_HEADERS
    max_header_line: int = MAX_HEADER_LINE
    max_body: int = MAX_BODY


DEFAULT_LIMITS = Limits()


@dataclass(slots=True)
class Head:
    """A start line and header fields; `problem` is the first error among the fields."""

    start_line: str
    headers: Headers
    problem: RemoteProtocolError | None


def split_head(head: bytes, limits: Limits = DEFAULT_LIMITS) -> Head:
    """Split the octets before the empty line, given without the CRLF of the last line.

    Never raises: what is wrong is in `problem`, and is left out of the headers.
    """
    problem: RemoteProtocolError | None = None
    if _has_stray_octets(head):
        problem = RemoteProtocolError("bare CR, LF or NUL among the header fields")
        # The answer repeats fields, and what is in them must not break its lines.
        head = _STRAY.sub(b" ", head)
    start_line, _, rest = head.partition(b"\r\n")
    if b"\r\n " in rest or b"\r\n\t" in rest:
        if _BLANK_LINE.search(rest):
            problem = problem or RemoteProtocolError("a line of nothing but white space")
            rest = _BLANK_LINE.sub(b"", rest)
        rest = _FOLD.sub(b" ", rest)
    items: list[tuple[str, str]] = []
    lines = rest.decode("utf-8", "surrogateescape").split("\r\n") if rest else []
    if len(lines) > limits.max_headers:
        problem = problem or RemoteProtocolError("too many header fields", 513)
        del lines[limits.max_headers :]
    for line in lines:
        name, colon, value = line.partition(":")
        name = canonical_name(name) or _odd_name(name)
        if not colon or not name:
            problem = problem or RemoteProtocolError("malformed header field")
        elif len(line) > limits.max_header_line:
            problem = problem or RemoteProtocolError("header field too long", 513)
        else:
            items.append((name, value.strip(" \t")))
    text = start_line.decode("utf-8", "surrogateescape")
    return Head(text, Headers.from_wire(items), problem)


def content_length(headers: Headers, limits: Limits = DEFAULT_LIMITS) -> int | None:
    """Return Content-Length, None if there is none.

    Raises RemoteProtocolError: 413 over the limit, 400 if malformed or there twice, be it with
    the same number. It ends the message, so there must be no two ways to read it.
    """
    lines = headers.lines("Content-Length")
    if not lines:
        return None
    if len(lines) > 1:
        raise RemoteProtocolError("more than one Content-Length")
    length = parse_unsigned(lines[0], MAX_CONTENT_LENGTH, "Content-Length")
    if length > limits.max_body:
        raise RemoteProtocolError("body too large", 413)
    return length


def _has_stray_octets(head: bytes) -> bool:
    ends = head.count(b"\r\n")
    return (
        head.count(b"\n") != ends
        or head.count(b"\r") != ends
        or (b"\0" in head and _STRAY.search(head) is not None)
    )


def _odd_name(name: str) -> str | None:
    # White space before the colon is legal (HCOLON); forgetting it hid fields from checks.
    name = name.rstrip(" \t")
    return canonical_name(name) or (name if is_token(name) else None)
