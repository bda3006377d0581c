"""Media types: what a body is, and whether a list of accepted types takes it.

SIP and MSRP carry them in Content-Type, SDP in `accept-types` and `accept-wrapped-types`
(RFC 2045 5.1, RFC 4975 8.6). Type, subtype and parameter names are kept in lower case,
because all three are compared without regard to case.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError

MAX_LENGTH = 4096  # characters; a longer value is refused
MAX_PARAMETERS = 32  # parameters; a value with more is refused

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SPACE = re.compile(r"[ \t]*")
# A string without its closing quote runs to the end: clients cut long file names.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|\\?\Z)')
_QUOTED_PAIR = re.compile(r"\\(.)")
_SKIPPED = re.compile(r"[^;]*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(slots=True)
class ContentType:
    """A media type with its parameters, as in `text/plain; charset=utf-8`."""

    type: str
    subtype: str
    params: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def parse(
        cls, text: str, *, max_length: int = MAX_LENGTH, max_parameters: int = MAX_PARAMETERS
    ) -> Self:
        """Read a Content-Type value; parameters that make no sense are skipped.

        Of two parameters with one name the first counts. Bounds are in characters and
        parameters. Raises RemoteProtocolError (400) when there is no type and subtype, when a
        control character is inside, or past a bound. RFC 2045 5.1.
        """
        if len(text) > max_length:
            raise RemoteProtocolError("Content-Type is too long")
        if _CONTROL.search(text):
            raise RemoteProtocolError("control character in Content-Type")
        major, minor, position = _read_type(text)
        params: dict[str, str] = {}
        while (position := text.find(";", position)) >= 0:
            name, value, position = _read_parameter(text, position + 1)
            if name is not None:
                params.setdefault(name.lower(), value)
            if len(params) > max_parameters:
                raise RemoteProtocolError("too many parameters in Content-Type")
        return cls(major.lower(), minor.lower(), params)

    def render(self) -> str:
        """Write the value, with quotes only round what is not a token.

        Raises LocalProtocolError for a part that has no written form.
        """
        names = (self.type, self.subtype, *self.params)
        if not all(_TOKEN.fullmatch(name) for name in names):
            raise LocalProtocolError("type, subtype and parameter names must be tokens")
        parts = [f"{self.type}/{self.subtype}"]
        parts += [f"{name}={_render_value(value)}" for name, value in self.params.items()]
        return "; ".join(parts)

    def __str__(self) -> str:
        return self.render()

    def matches(self, patterns: Iterable[str]) -> bool:
        """Tell whether one of the patterns `*`, `type/*` or `type/subtype` takes this type.

        Parameters on either side are ignored. RFC 4975 8.6.
        """
        return matches_any(f"{self.type}/{self.subtype}", patterns)


def matches_any(content_type: str, patterns: Iterable[str]) -> bool:
    """Tell whether one of the patterns `*`, `type/*` or `type/subtype` takes `content_type`.

    Parameters on either side are ignored; what is no media type matches only `*`. RFC 4975 8.6.
    """
    media = content_type.partition(";")[0].strip(" \t").lower()
    major, slash, _ = media.partition("/")
    accepted = {"*", media, "*/*", f"{major}/*"} if slash else {"*"}
    return any(pattern.partition(";")[0].strip(" \t").lower() in accepted for pattern in patterns)


def _read_type(text: str) -> tuple[str, str, int]:
    """Read `type/subtype` and return both and where they end."""
    match = _TOKEN.match(text, _after_space(text, 0))
    if match is None or text[match.end() : match.end() + 1] != "/":
        raise RemoteProtocolError("Content-Type without type/subtype")
    major = match[0]
    match = _TOKEN.match(text, match.end() + 1)
    if match is None:
        raise RemoteProtocolError("Content-Type without subtype")
    end = _after_space(text, match.end())
    if text[end : end + 1] not in ("", ";"):
        raise RemoteProtocolError("unexpected text after the subtype")
    return major, match[0], end


def _read_parameter(text: str, position: int) -> tuple[str | None, str, int]:
    """Read one parameter and return name, value and an offset before the next semicolon."""
    name = _TOKEN.match(text, _after_space(text, position))
    equals = _after_space(text, name.end() if name else position)
    if name is None or text[equals : equals + 1] != "=":
        return None, "", _skip(text, position)
    start = _after_space(text, equals + 1)
    quoted = _QUOTED.match(text, start)
    if quoted:
        return name[0], _QUOTED_PAIR.sub(r"\1", quoted[1]), _skip(text, quoted.end())
    end = _skip(text, start)
    return name[0], text[start:end].rstrip(" \t"), end


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _skip(text: str, position: int) -> int:
    match = _SKIPPED.match(text, position)
    return match.end() if match else position


def _render_value(value: str) -> str:
    if _TOKEN.fullmatch(value):
        return value
    if _CONTROL.search(value):
        raise LocalProtocolError("control character in a parameter of Content-Type")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
