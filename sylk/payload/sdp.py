"""Session descriptions (RFC 8866), as offers and answers carry them (RFC 3264).

The model keeps every line. Lines of which the call engine has no need (bandwidth, times,
e-mail and so on) stay in `other_lines` as (letter, value) pairs, in the order of the RFC.

Parsing forgives what deployed clients do: bare LF, no line end after the last line, no
`s=`, `t=` or (in RFC 7702) `o=` line, spaces at the end of a line or before an attribute's
value, an `m=` line without formats. What it fills in (`s=-`, `t=0 0`, an origin of zeros) is
in the model too, so that a parsed description and its rendered form always agree. It
refuses letters that the RFC does not know (RFC 8866 5 demands it), numbers outside their
range, and anything past a bound.

Text is UTF-8 with surrogateescape: bytes in another charset come out as they came in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError

MAX_SIZE = 65536  # bytes; a larger description is refused
MAX_MEDIA = 64  # m= lines; a description with more is refused
MAX_ATTRIBUTES = 256  # a= lines, and again other lines, in the session part or one media part
MAX_FORMATS = 256  # formats in one m= line

_MAX_DIGITS = 20  # 64-bit numbers; what is longer is an attack on somebody's integer
_MAX_PORT = 65535
_NO_ORIGIN = ("-", 0, 0, "0.0.0.0")
_DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})

# Ranks, because times, repeats and zones alternate and must not be sorted apart. `c` stands
# here for its place among the others; the first c= line of a part is not in `other_lines`.
_SESSION_RANK = {"i": 0, "u": 1, "e": 2, "p": 3, "c": 4, "b": 5, "t": 6, "r": 6, "z": 6, "k": 7}
_MEDIA_RANK = {"i": 0, "c": 1, "b": 2, "k": 3}

OtherLine = tuple[str, str]


@dataclass(slots=True)
class Attribute:
    """One `a=` line; `value` is None for a flag such as `a=sendonly`. RFC 8866 5.13."""

    name: str
    value: str | None = None


@dataclass(slots=True)
class Connection:
    """One `c=` line; `address` keeps a multicast suffix such as `/127`. RFC 8866 5.7."""

    address: str
    address_type: str = "IP4"
    network: str = "IN"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value of a `c=` line; raises RemoteProtocolError (400)."""
        words = _words(text)
        if len(words) != 3:
            raise RemoteProtocolError("malformed c= line in SDP")
        return cls(words[2], words[1], words[0])

    def render(self) -> str:
        """Write the value of a `c=` line."""
        return f"{self.network} {self.address_type} {self.address}"


@dataclass(slots=True)
class Origin:
    """The `o=` line: who made the description, and which version it is. RFC 8866 5.2."""

    username: str
    session_id: int
    session_version: int
    address: str
    address_type: str = "IP4"
    network: str = "IN"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value of an `o=` line; raises RemoteProtocolError (400)."""
        words = _words(text)
        if len(words) != 6:
            raise RemoteProtocolError("malformed o= line in SDP")
        username, session_id, version, network, address_type, address = words
        return cls(username, _number(session_id), _number(version), address, address_type, network)

    def render(self) -> str:
        """Write the value of an `o=` line."""
        return (
            f"{self.username} {self.session_id} {self.session_version}"
            f" {self.network} {self.address_type} {self.address}"
        )


@dataclass(slots=True)
class MediaDescription:
    """One `m=` line with the lines that belong to it. RFC 8866 5.14."""

    media: str
    port: int
    protocol: str
    formats: list[str]
    port_count: int | None = None
    connection: Connection | None = None
    attributes: list[Attribute] = field(default_factory=list[Attribute])
    other_lines: list[OtherLine] = field(default_factory=list[OtherLine])

    def attribute(self, name: str) -> str | None:
        """Return the value of the first attribute `name`: "" for a flag, None if absent."""
        return _first(self.attributes, name)

    def attributes_named(self, name: str) -> list[str]:
        """Return the values of all attributes `name`, in order; "" for a flag."""
        return _all(self.attributes, name)

    @property
    def direction(self) -> str:
        """Which way media flows, by this part alone; "sendrecv" if it says nothing.

        RFC 8866 6.7. See SessionDescription.direction_of for the session's default.
        """
        return _direction(self.attributes) or "sendrecv"

    def render_lines(self) -> list[str]:
        """Write the lines of this part, without line ends, in the order of RFC 8866 5."""
        port = str(self.port) if self.port_count is None else f"{self.port}/{self.port_count}"
        lines = ["m=" + " ".join([self.media, port, self.protocol, *self.formats])]
        lines += _render_other(self.other_lines, self.connection, _MEDIA_RANK)
        return lines + _render_attributes(self.attributes)


def _no_time() -> list[OtherLine]:
    return [("t", "0 0")]


@dataclass(slots=True)
class SessionDescription:
    """A whole description: the session part and its media parts, in order."""

    origin: Origin
    name: str = "-"
    connection: Connection | None = None
    attributes: list[Attribute] = field(default_factory=list[Attribute])
    media: list[MediaDescription] = field(default_factory=list[MediaDescription])
    other_lines: list[OtherLine] = field(default_factory=_no_time)

    @classmethod
    def parse(
        cls,
        data: bytes,
        *,
        max_size: int = MAX_SIZE,
        max_media: int = MAX_MEDIA,
        max_attributes: int = MAX_ATTRIBUTES,
        max_formats: int = MAX_FORMATS,
    ) -> Self:
        """Read a description; the bounds are in bytes, m= lines, lines of a part, formats.

        Raises RemoteProtocolError (400) for what cannot be understood and past a bound.
        RFC 8866 5 and 9.
        """
        lines = _read_lines(data, max_size)
        first_media = next((i for i, line in enumerate(lines) if line[0] == "m"), len(lines))
        session = cls._parse_session(lines[:first_media], max_attributes)
        for letter, value in lines[first_media:]:
            if letter == "m":
                if len(session.media) >= max_media:
                    raise RemoteProtocolError("too many m= lines in SDP")
                session.media.append(_parse_media_line(value, max_formats))
            else:
                _add_line(session.media[-1], letter, value, _MEDIA_RANK, max_attributes)
        for media in session.media:
            media.other_lines.sort(key=lambda line: _MEDIA_RANK[line[0]])
        return session

    @classmethod
    def _parse_session(cls, lines: Sequence[OtherLine], max_attributes: int) -> Self:
        if not lines or lines[0] != ("v", "0"):
            raise RemoteProtocolError("SDP does not begin with v=0")
        letters = [letter for letter, _ in lines]
        if max(letters.count(letter) for letter in "vos") > 1:
            raise RemoteProtocolError("more than one v=, o= or s= line in SDP")
        session = cls(Origin(*_NO_ORIGIN), other_lines=[])
        for letter, value in lines:
            if letter == "o":
                session.origin = Origin.parse(value)
            elif letter == "s":
                session.name = value or "-"
            elif letter != "v":
                _add_line(session, letter, value, _SESSION_RANK, max_attributes)
        if "t" not in letters:
            session.other_lines += _no_time()
        session.other_lines.sort(key=lambda line: _SESSION_RANK[line[0]])
        return session

    def render(self) -> bytes:
        """Write the description with CRLF, its lines in the order of RFC 8866 5.

        Raises LocalProtocolError when a value would break its line or cannot be encoded.
        """
        lines = ["v=0", f"o={self.origin.render()}", f"s={self.name or '-'}"]
        lines += _render_other(self.other_lines, self.connection, _SESSION_RANK)
        lines += _render_attributes(self.attributes)
        for media in self.media:
            lines += media.render_lines()
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
            raise LocalProtocolError("line end inside a value of SDP")
        if "\0" in text:
            raise LocalProtocolError("NUL inside a value of SDP")
        try:
            return (text + "\r\n").encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise LocalProtocolError("SDP text that UTF-8 cannot hold") from None

    def attribute(self, name: str) -> str | None:
        """Return the value of the first session attribute `name`: "" for a flag, None if absent."""
        return _first(self.attributes, name)

    def attributes_named(self, name: str) -> list[str]:
        """Return the values of all session attributes `name`, in order; "" for a flag."""
        return _all(self.attributes, name)

    def direction_of(self, media: MediaDescription) -> str:
        """Return the direction of `media`, with the session part as its default. RFC 8866 6.7."""
        return _direction(media.attributes) or _direction(self.attributes) or "sendrecv"

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """Return where `media` is, with the session part as its default. RFC 8866 5.7."""
        return media.connection or self.connection


def _read_lines(data: bytes, max_size: int) -> list[OtherLine]:
    """Cut the bytes into (letter, value) pairs; empty lines are skipped."""
    if len(data) > max_size:
        raise RemoteProtocolError("SDP is too large")
    pairs: list[OtherLine] = []
    # Not splitlines(): it would also cut at characters that are no line ends in SDP.
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        stripped = line.removesuffix("\r").rstrip(" \t")
        if not stripped:
            continue
        if stripped[1:2] != "=" or "\r" in stripped or "\0" in stripped:
            raise RemoteProtocolError("malformed line in SDP")
        pairs.append((stripped[0], stripped[2:].lstrip(" \t")))
    return pairs


def _add_line(
    part: SessionDescription | MediaDescription,
    letter: str,
    value: str,
    known: dict[str, int],
    max_lines: int,
) -> None:
    """Store one line that may stand in either part."""
    if letter == "a":
        name, colon, text = value.partition(":")
        name = name.rstrip(" \t")
        if not name:
            raise RemoteProtocolError("a= line without a name in SDP")
        part.attributes.append(Attribute(name, text.strip(" \t") if colon else None))
    elif letter == "c" and part.connection is None:
        part.connection = Connection.parse(value)
    elif letter in known:
        part.other_lines.append((letter, value))
    else:
        raise RemoteProtocolError("a line in SDP that has no meaning where it stands")
    if len(part.attributes) > max_lines or len(part.other_lines) > max_lines:
        raise RemoteProtocolError("too many lines in one part of SDP")


def _parse_media_line(text: str, max_formats: int) -> MediaDescription:
    words = _words(text)
    if len(words) < 3:
        raise RemoteProtocolError("malformed m= line in SDP")
    media, ports, protocol, *formats = words
    if len(formats) > max_formats:
        raise RemoteProtocolError("too many formats in an m= line of SDP")
    port, slash, count = ports.partition("/")
    number = _number(port)
    if number > _MAX_PORT:
        raise RemoteProtocolError("port number out of range in SDP")
    return MediaDescription(media, number, protocol, formats, _number(count) if slash else None)


def _words(text: str) -> list[str]:
    # Not split(): it would also cut at no-break spaces, which are part of a word here.
    return [word for word in text.replace("\t", " ").split(" ") if word]


def _number(text: str) -> int:
    # isdigit() alone takes digits of every script, which int() would read too.
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise RemoteProtocolError("malformed or overlong number in SDP")
    return int(text)


def _first(attributes: list[Attribute], name: str) -> str | None:
    for attribute in attributes:
        if attribute.name == name:
            return attribute.value or ""
    return None


def _all(attributes: list[Attribute], name: str) -> list[str]:
    return [attribute.value or "" for attribute in attributes if attribute.name == name]


def _direction(attributes: list[Attribute]) -> str | None:
    return next((each.name for each in attributes if each.name in _DIRECTIONS), None)


def _render_attributes(attributes: list[Attribute]) -> list[str]:
    return [
        f"a={each.name}" if each.value is None else f"a={each.name}:{each.value}"
        for each in attributes
    ]


def _render_other(
    lines: list[OtherLine], connection: Connection | None, rank: dict[str, int]
) -> list[str]:
    """Write the lines that are no attributes, each at its place."""
    if not all(letter in rank for letter, _ in lines):
        raise LocalProtocolError("a line in SDP that has no meaning where it stands")
    ordered = list(lines)
    if connection is not None:
        ordered.insert(0, ("c", connection.render()))
    ordered.sort(key=lambda line: rank[line[0]])
    return [f"{letter}={value}" for letter, value in ordered]
