"""The pieces of grammar that SIP header fields share (RFC 3261 section 25.1).

Values are `str`, decoded from UTF-8 with surrogateescape, so that octets which are no UTF-8
survive a round trip. White space means SP and HTAB only: folding is undone before these run,
and Python's own idea of white space is wider than SIP's.

We read more than the grammar allows where deployed senders need it (names and values of
parameters take any character that cannot end them) and nothing that two readers could
understand differently: a parameter twice, an empty one, a quote that is never closed.
Single characters repeat possessively, so a match takes linear time whatever the peer sends.
"""

import re
from collections.abc import Mapping

from sylk.errors import RemoteProtocolError

TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]++")
"""The `token` of RFC 3261; use with fullmatch."""

FORBIDDEN_IN_LINE = re.compile(r"[\r\n]|(?<!\\)\0")
"""What a header field value never holds; a NUL is legal as a quoted pair (RFC 4475 3.1.1.2)."""

QUOTED_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
"""Source of a pattern for a quoted string with its quotes; needs re.DOTALL."""

_LWS = " \t"
_UNSIGNED = re.compile(r"0*+([0-9]{0,20})", re.ASCII)
_NEEDS_ESCAPE = re.compile(r'(["\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f])')
_LINE_BREAK = re.compile(r"[\r\n]")
# A token, or a host as `received` and `maddr` carry it: IPv6 with or without brackets.
_BARE_VALUE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]]++")
_PARAMETER = re.compile(
    r'[ \t]*+;[ \t]*+([^\x00-\x20\x7f;=,"<>?]++)'
    rf'(?:[ \t]*+=[ \t]*+({QUOTED_STRING}|[^\x00-\x20\x7f;,"<>]*+))?[ \t]*+',
    re.DOTALL,
)
_LIST_ELEMENT = re.compile(rf'(?:[^",<]++|{QUOTED_STRING}|<[^>]*+>)*', re.DOTALL)


def is_token(text: str) -> bool:
    """Return whether `text` is a token: a method, header name or tag may be nothing else."""
    return TOKEN.fullmatch(text) is not None


def quote(text: str) -> str:
    """Return `text` as a quoted string; a line break, which none may hold, becomes a space."""
    return '"' + _NEEDS_ESCAPE.sub(r"\\\1", _LINE_BREAK.sub(" ", text)) + '"'


def unquote(text: str) -> str:
    """Return what the quoted string `text` says, or `text` itself when it has no quotes."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    # A pattern would take a hundred times as long: 50 ms for what a datagram can hold of pairs.
    return "\\".join(part.replace("\\", "") for part in inner.split(r"\\"))


def split_commas(text: str) -> list[str]:
    """Split a header field value at the commas outside quotes and angle brackets.

    Elements are stripped and may be empty; an empty `text` has none. Raises
    RemoteProtocolError if a quote or bracket before a comma is never closed (section 7.3.1).
    """
    if "," not in text:
        text = text.strip(_LWS)
        return [text] if text else []
    if '"' not in text and "<" not in text:
        return [element.strip(_LWS) for element in text.split(",")]
    elements: list[str] = []
    position = 0
    while True:
        match = _LIST_ELEMENT.match(text, position)
        end = match.end() if match is not None else position
        elements.append(text[position:end].strip(_LWS))
        if end == len(text):
            return elements
        if text[end] != ",":
            raise RemoteProtocolError("a quote or bracket is never closed")
        position = end + 1


def parse_params(text: str) -> dict[str, str | None]:
    """Parse `;name=value;name` into a dictionary with lower-case names, quotes taken off.

    A parameter without a value maps to None. Raises RemoteProtocolError for anything else
    than parameters, and for a name that comes twice (RFC 3261 section 7.3.1).
    """
    params: dict[str, str | None] = {}
    position = 0
    end = len(text)
    while position < end:
        match = _PARAMETER.match(text, position)
        if match is None:
            if text[position:].strip(_LWS):
                raise RemoteProtocolError("malformed parameter")
            break
        name, value = match.groups()
        name = name.lower()
        if name in params:
            raise RemoteProtocolError("parameter given twice")
        params[name] = unquote(value) if value else value
        position = match.end()
    return params


def render_params(params: Mapping[str, str | None]) -> str:
    """Return the parameters as `;name=value`, quoted where a value is neither token nor host."""
    parts: list[str] = []
    for name, value in params.items():
        if value is None:
            parts.append(f";{name}")
        elif not value or _BARE_VALUE.fullmatch(value):
            parts.append(f";{name}={value}")
        else:
            parts.append(f";{name}={quote(value)}")
    return "".join(parts)


def parse_unsigned(text: str, maximum: int, what: str) -> int:
    """Return the decimal number in `text`, at most `maximum`; leading zeros are fine.

    Raises RemoteProtocolError, which names `what`, for anything else.
    """
    text = text.strip(_LWS)
    match = _UNSIGNED.fullmatch(text)
    if match is None or not text:
        raise RemoteProtocolError(f"{what} is not a number in range")
    number = int(match[1] or "0")
    if number > maximum:
        raise RemoteProtocolError(f"{what} is too large")
    return number
