"""The short way through a CPIM message, for a switch that forwards it.

A switch reads From, To and DateTime, replaces the CPIM header block (a room gives the
sender its nickname there, and stamps a missing DateTime), and forwards MIME headers and
content untouched: `render_envelope(...) + data[envelope.header_end:]`. It does so once for
each chat message, hence raw bytes, and no decoding.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.cpim_address import Address
from sylk.payload.cpim_headers import (
    CONTROLS,
    DEFAULT_CONTENT_TYPE,
    MAX_HEADER_SIZE,
    MAX_HEADERS,
    is_mime_name,
    is_name,
    read_cpim_block,
    read_entity,
)
from sylk.payload.cpim_text import decode, encode, split_parameters


@dataclass(slots=True)
class Envelope:
    """What a switch reads of a message; lines are whole raw lines without line ends.

    `header_end` is where the MIME headers begin: behind the blank line, or at the first MIME
    header of a message that lacks it. `date_time` is the value of DateTime, None if empty.
    """

    from_line: bytes | None
    to_lines: list[bytes]
    date_time: bytes | None
    header_end: int
    other_lines: list[bytes]


# What clients write when somebody has typed a line: the three headers, and nothing that needs care.
_USUAL = re.compile(
    rb"(From: [^\x00-\x1f\x7f]*)\r\n(To: [^\x00-\x1f\x7f]*)\r\n"
    rb"DateTime: ([^\x00-\x20\x7f]+)\r\n\r\n"
)
_USUAL_LINES = 3
# The headers that nearly all messages have; looking them up is cheaper than checking them.
_FORWARDED = frozenset(
    b"NS Subject cc Require agp.Message-Type imdn.Message-ID imdn.Disposition-Notification".split()
)
_ENVELOPE_NAMES = frozenset((b"from", b"to", b"datetime"))
_CONTENT_TYPE_LINE = re.compile(
    rb"(?:MIME-Version:[^\x00-\x1f\x7f]*\r?\n)?Content-[Tt]ype:([^\x00-\x1f\x7f]*)\r?\n(?![ \t])"
)


def split_envelope(
    data: bytes, *, max_headers: int = MAX_HEADERS, max_header_size: int = MAX_HEADER_SIZE
) -> Envelope:
    """Find what a switch must read, and where the part begins that it forwards untouched.

    The bounds are in lines and bytes of the CPIM header block. Of several DateTime the first
    counts. Raises RemoteProtocolError (400) as CpimMessage.parse does, and for a From or To
    among MIME headers. Well-formed messages take a short way through bytes.split; all that is
    odd is left to the reader that CpimMessage.parse uses.
    """
    usual = _USUAL.match(data, 0, max_header_size)
    if usual is not None and max_headers >= _USUAL_LINES:
        from_line, to_line, date_time = usual.groups()
        return Envelope(from_line, [to_line], date_time, usual.end(), [])
    end = data.find(b"\r\n\r\n", 0, max_header_size)
    if end <= 0:
        return _split_odd(data, max_headers, max_header_size)
    block = data[:end]
    lines = block.split(b"\r\n")
    # The line ends must be the only control characters, or a line may hide another one.
    if len(lines) > max_headers or len(block.translate(None, CONTROLS)) != end + 2 - 2 * len(lines):
        return _split_odd(data, max_headers, max_header_size)
    return _split_lines(lines, end) or _split_odd(data, max_headers, max_header_size)


def _split_lines(lines: list[bytes], end: int) -> Envelope | None:
    """Read the lines of a header block that ends at `end`; None where one of them is odd."""
    from_line: bytes | None = None
    date_time: bytes | None = None
    to_lines: list[bytes] = []
    other_lines: list[bytes] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            return None
        if name == b"From" and from_line is None:
            from_line = line
        elif name == b"To":
            to_lines.append(line)
        elif name == b"DateTime" and date_time is None:
            date_time = value.strip()
        elif name in _FORWARDED or _is_forwarded(name):
            other_lines.append(line)
        else:
            return None
    return Envelope(from_line, to_lines, date_time or None, end + 4, other_lines)


def _is_forwarded(name: bytes) -> bool:
    return is_name(name) and name.lower() not in _ENVELOPE_NAMES and not is_mime_name(name)


def _split_odd(data: bytes, max_headers: int, max_header_size: int) -> Envelope:
    """Do what split_envelope does for a message that is not by the book."""
    block, merged = read_cpim_block(data, max_headers, max_header_size)
    envelope = Envelope(None, [], None, block.end, [])
    for line in block.lines:
        kind = line.name.lower()
        if merged and envelope.header_end == block.end and is_mime_name(kind):
            envelope.header_end = line.start
        raw = line.name + b":" + line.value
        if envelope.header_end != block.end:
            if kind in (b"from", b"to"):
                raise RemoteProtocolError("From or To among the MIME headers of a CPIM message")
        elif kind == b"from":
            envelope.from_line = raw
        elif kind == b"to":
            envelope.to_lines.append(raw)
        elif kind == b"datetime":
            envelope.date_time = envelope.date_time or line.value.strip() or None
        else:
            envelope.other_lines.append(raw)
    return envelope


def render_envelope(
    from_line: bytes | None,
    to_line: bytes | None,
    date_time: bytes | None,
    other_lines: Sequence[bytes],
) -> bytes:
    """Write a CPIM header block and its blank line, to stand before `data[header_end:]`.

    `from_line` and `to_line` are whole lines without line end, as Header.render makes them;
    `date_time` is a value alone; None leaves a header out. Raises LocalProtocolError for a
    control character, and when there is no line at all.
    """
    lines: list[bytes] = []
    if from_line is not None:
        lines.append(from_line)
    if to_line is not None:
        lines.append(to_line)
    if date_time is not None:
        lines.append(b"DateTime: " + date_time)
    lines += other_lines
    block = b"\r\n".join(lines)
    if len(block.translate(None, CONTROLS)) != len(block) + 2 - 2 * len(lines):
        raise LocalProtocolError("no CPIM header, or a control character in one")
    return block + b"\r\n\r\n"


def line_uri(line: bytes) -> bytes:
    """Return the URI of a From or To line of an Envelope.

    Raises RemoteProtocolError (400) for a malformed address.
    """
    _, _, bracketed = line.partition(b"<")
    uri, closing, tail = bracketed.partition(b">")
    if uri and closing and not tail and b"<" not in uri and b" " not in uri and b'"' not in line:
        return uri
    _, value = split_parameters(decode(line.partition(b":")[2]))
    return encode(Address.parse(value).uri)


def wrapped_content_type(
    data: bytes, header_end: int, *, max_header_size: int = MAX_HEADER_SIZE
) -> bytes:
    """Return the media type of the content of a message that was split; text/plain if not told.

    The bound is in bytes of the MIME headers. Raises RemoteProtocolError (400) past it.
    """
    match = _CONTENT_TYPE_LINE.match(data, header_end, header_end + max_header_size)
    if match is not None:
        return match[1].strip() or DEFAULT_CONTENT_TYPE.encode()
    for line in read_entity(data, header_end, max_size=max_header_size).lines:
        if line.name.lower() == b"content-type" and line.value.strip():
            return line.value.strip()
    return DEFAULT_CONTENT_TYPE.encode()
