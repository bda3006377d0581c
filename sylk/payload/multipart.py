"""Bodies made of bodies: multipart/mixed, multipart/alternative and their kin (RFC 2046 5.1).

A boundary counts only as a whole line: `--b` is no boundary in the line `--bc`, so that one body
may hold another whose boundary begins like its own. Parts that are multipart again are read too,
to a bounded depth, each within what its parent gave it.

COMPAT: bare LF, a missing blank line before the content, and a missing last boundary are accepted;
RFC examples and clients show all three. How long a body is, is known before it is read.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.content_type import ContentType, matches_any
from sylk.payload.cpim_headers import (
    CONTROLS,
    MAX_HEADER_SIZE,
    MAX_HEADERS,
    is_name,
    read_block,
)
from sylk.payload.cpim_text import decode, encode

MAX_PARTS = 32  # parts of a body, those inside parts counted too; one with more is refused
MAX_DEPTH = 4  # multiparts inside each other; a deeper body is refused
MAX_BOUNDARY = 70  # characters, RFC 2046 5.1.1; a longer boundary is refused
DEFAULT_CONTENT_TYPE = "text/plain"  # of a part that does not tell

_CONTROL_TO_SPACE = dict.fromkeys(CONTROLS, " ")
_BOUNDARY_CHARACTERS = frozenset(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=? "
)


@dataclass(slots=True)
class BodyPart:
    """One body with its MIME headers; `parts` are those of a part that is multipart itself.

    `content` is what stands in the body, with its transfer encoding if it has one.
    """

    headers: list[tuple[str, str]]
    content: bytes
    parts: list["BodyPart"] = field(default_factory=list["BodyPart"])

    def header(self, name: str) -> str | None:
        """Return the first header `name`, in any letter case, None if there is none."""
        name = name.lower()
        return next((value for each, value in self.headers if each.lower() == name), None)

    @property
    def content_type(self) -> str:
        """The media type with its parameters; text/plain if not told."""
        return self.header("Content-Type") or DEFAULT_CONTENT_TYPE

    @property
    def disposition(self) -> str:
        """What the part is for, such as `recipient-list`, in lower case; empty if not told."""
        return (self.header("Content-Disposition") or "").partition(";")[0].strip(" \t").lower()

    @property
    def optional(self) -> bool:
        """Whether a receiver may pass over the part that does not know it. RFC 3261 20.11."""
        value = self.header("Content-Disposition")
        if value is None:
            return False
        try:
            # A disposition has the parameters of a media type, and no type before its name.
            params = ContentType.parse(f"disposition/{value}").params
        except RemoteProtocolError:
            return False
        return params.get("handling", "").lower() == "optional"


@dataclass(slots=True)
class Multipart:
    """A body of several parts; `subtype` is mixed, alternative, related or another one."""

    subtype: str
    parts: list[BodyPart]

    @classmethod
    def parse(
        cls,
        data: bytes,
        content_type: str,
        *,
        max_parts: int = MAX_PARTS,
        max_depth: int = MAX_DEPTH,
        max_headers: int = MAX_HEADERS,
        max_header_size: int = MAX_HEADER_SIZE,
    ) -> Self:
        """Read a body of which the Content-Type is `content_type`.

        Bounds are in parts of all levels, levels, and header lines and octets of each part. Raises
        RemoteProtocolError (400) past one, for what is no multipart, for a boundary that is none,
        and for a body without parts.
        """
        media = ContentType.parse(content_type)
        if media.type != "multipart":
            raise RemoteProtocolError("the body is no multipart")
        reader = _Reader(max_parts, max_headers, max_header_size)
        return cls(media.subtype, reader.read(data, media, max_depth))

    def leaves(self) -> Iterator[BodyPart]:
        """Yield the parts that hold no other parts, in order."""
        waiting = self.parts[::-1]
        while waiting:
            part = waiting.pop()
            if part.parts:
                waiting += part.parts[::-1]
            else:
                yield part

    def part_of_type(self, patterns: Iterable[str]) -> BodyPart | None:
        """Return the part to take of those whose type is accepted, None if there is none.

        That is the last one of an alternative, the first one else. RFC 2046 5.1.4.
        """
        patterns = list(patterns)
        found = [part for part in self.leaves() if matches_any(part.content_type, patterns)]
        if not found:
            return None
        return found[-1] if self.subtype == "alternative" else found[0]

    def render(self) -> tuple[str, bytes]:
        """Return the Content-Type and the body.

        The boundary is made of what the parts hold, so that it stands in none of them. Raises
        LocalProtocolError for a header name that is none and for a body without parts.
        """
        if not self.parts:
            raise LocalProtocolError("a multipart body needs a part")
        written = [_render_part(part) for part in self.parts]
        boundary = _boundary_for(written)
        delimiter = f"--{boundary}".encode()
        pieces = [delimiter + b"\r\n" + part + b"\r\n" for part in written]
        content_type = ContentType("multipart", self.subtype, {"boundary": boundary})
        return content_type.render(), b"".join([*pieces, delimiter, b"--\r\n"])


class _Reader:
    """Reads parts and those inside them, and counts them."""

    def __init__(self, max_parts: int, max_headers: int, max_header_size: int) -> None:
        self._parts_left = max_parts
        self._max_headers = max_headers
        self._max_header_size = max_header_size

    def read(self, data: bytes, media: ContentType, depth_left: int) -> list[BodyPart]:
        if depth_left == 0:
            raise RemoteProtocolError("too many multiparts inside each other")
        boundary = media.params.get("boundary", "").rstrip(" ")
        if not 0 < len(boundary) <= MAX_BOUNDARY or not _BOUNDARY_CHARACTERS.issuperset(boundary):
            raise RemoteProtocolError("a multipart body without a boundary that can be one")
        parts: list[BodyPart] = []
        for content in _split(data, f"--{boundary}".encode()):
            if self._parts_left == 0:
                raise RemoteProtocolError("too many parts in a multipart body")
            self._parts_left -= 1
            parts.append(self._read_part(content, depth_left))
        if not parts:
            raise RemoteProtocolError("a multipart body without parts")
        return parts

    def _read_part(self, data: bytes, depth_left: int) -> BodyPart:
        block = read_block(data, 0, self._max_headers, self._max_header_size)
        headers = [(decode(line.name), decode(line.value).strip(" ")) for line in block.lines]
        part = BodyPart(headers, data[block.end :])
        media = part.content_type.lstrip(" \t")
        if media[:10].lower() == "multipart/":
            part.parts = self.read(part.content, ContentType.parse(media), depth_left - 1)
        return part


def _split(data: bytes, delimiter: bytes) -> Iterator[bytes]:
    """Yield what stands between boundaries, up to the last one or to the end of the data.

    The line end before a boundary belongs to it. RFC 2046 5.1.1.
    """
    begin: int | None = None  # of the part that is open
    position = 0
    while (found := data.find(delimiter, position)) >= 0:
        position = found + len(delimiter)
        if found > 0 and data[found - 1] != 0x0A:
            continue
        closes = data.startswith(b"--", position)
        newline = data.find(b"\n", position)
        line_end = len(data) if newline < 0 else newline
        # A line may be padded, and nothing else may stand in it.
        if data[position + 2 * closes : line_end].strip(b" \t\r"):
            continue
        if begin is not None:
            yield data[begin : max(begin, _before_line_end(data, found))]
        if closes:
            return
        # The search goes on at the line end, which may be the beginning of the next boundary.
        begin = position = min(line_end + 1, len(data))
    if begin is not None:
        yield data[begin:]


def _before_line_end(data: bytes, position: int) -> int:
    """Return the offset of the line end that stands before `position`."""
    return position - (2 if data[position - 2 : position] == b"\r\n" else 1)


def _render_part(part: BodyPart) -> bytes:
    lines: list[bytes] = []
    for name, value in part.headers:
        if not is_name(encode(name)):
            raise LocalProtocolError("not a MIME header name")
        lines.append(encode(f"{name}: {value.translate(_CONTROL_TO_SPACE)}") + b"\r\n")
    return b"".join([*lines, b"\r\n", part.content])


def _boundary_for(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    parts = list(parts)
    for part in parts:
        digest.update(part)
    # Nobody can write a text that holds its own digest; should chance do so, the next one is taken.
    while any(digest.hexdigest()[:32].encode() in part for part in parts):
        digest.update(b".")
    return digest.hexdigest()[:32]
