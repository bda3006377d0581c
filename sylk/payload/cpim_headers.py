"""Where the header blocks of a CPIM message begin and end, on raw bytes.

Where the CPIM headers end. By RFC 3862 at the first blank line, and that is taken first: a
message whose second block has a Content-Type and its own blank line is read by the book.
Otherwise a line that only MIME knows (`Content-...`, `MIME-Version`) in the first block
means that the blank line before the MIME headers was left out, as the examples of RFC
4975, 5438, 5547, 7701 and 7702 leave it out; clients copied that.

COMPAT: bare LF, folded lines, tabs, and one empty line at the very beginning are accepted.
Any other control character is refused: it could make one header look like two to somebody
else. So is a second From, in any letter case: who speaks must not be open to reading. So is
a message without any CPIM header: an empty block cannot be told from a stray empty line.
"""

from dataclasses import dataclass

from sylk.errors import RemoteProtocolError

MAX_HEADERS = 64  # header lines in one block; a message with more is refused
MAX_HEADER_SIZE = 16384  # bytes of one header block; a message with more is refused
DEFAULT_CONTENT_TYPE = "text/plain"  # of a message that does not tell

CONTROLS = bytes([*range(32), 127])
# NAMECHAR of RFC 3862 3.6, and the dot that ends a namespace prefix.
_NAME_CHARS = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class HeaderLine:
    """One line, unfolded: where it begins in the data, its name, and all after the colon."""

    start: int
    name: bytes
    value: bytes


@dataclass(slots=True)
class HeaderBlock:
    """Lines that follow each other; `end` is the offset of what comes after them.

    `complete` says that a blank line closed the block; `end` is then behind that line.
    """

    lines: list[HeaderLine]
    end: int
    complete: bool


def is_name(name: bytes) -> bool:
    """Tell whether `name` can be a header name, with or without prefix. RFC 3862 3.1."""
    return not (
        not name or name.translate(None, _NAME_CHARS) or name.startswith(b".") or name[-1] == 46
    )


def is_mime_name(name: bytes) -> bool:
    """Tell whether only a MIME header has this name. RFC 2045 3."""
    lowered = name.lower()
    return lowered.startswith(b"content-") or lowered == b"mime-version"


def blank_line_at(data: bytes, position: int) -> int:
    """Return the length of the blank line at `position`: 0 if there is none."""
    if data.startswith(b"\r\n", position):
        return 2
    return 1 if data.startswith(b"\n", position) else 0


def read_cpim_block(
    data: bytes, max_headers: int = MAX_HEADERS, max_size: int = MAX_HEADER_SIZE
) -> tuple[HeaderBlock, bool]:
    """Read the first block, and tell whether MIME headers are mixed into it.

    Raises RemoteProtocolError (400) for a block that is no CPIM header block, has two From,
    or is past a bound (in lines, in bytes).
    """
    start = blank_line_at(data, 0)
    block = read_block(data, start, max_headers, max_size)
    if not block.complete:
        raise RemoteProtocolError("CPIM headers do not end with a blank line")
    if sum(line.name.lower() == b"from" for line in block.lines) > 1:
        raise RemoteProtocolError("CPIM message with two From headers")
    merged = any(is_mime_name(line.name) for line in block.lines) and not _begins_entity(
        data, block.end, max_headers, max_size
    )
    if not block.lines or (merged and all(is_mime_name(line.name) for line in block.lines)):
        raise RemoteProtocolError("CPIM message without any CPIM header")
    return block, merged


def read_entity(
    data: bytes, start: int, max_headers: int = MAX_HEADERS, max_size: int = MAX_HEADER_SIZE
) -> HeaderBlock:
    """Read the MIME headers at `start`; without any of MIME's names all there is content.

    The blank line may be missing where it can be told: content begins at the first line that
    cannot be a header, or there is none. Raises RemoteProtocolError (400) past a bound.
    """
    blank = blank_line_at(data, start)
    if not blank:
        block = read_block(data, start, max_headers, max_size)
        if any(is_mime_name(line.name) for line in block.lines):
            return block
    return HeaderBlock([], start + blank, blank > 0)


def read_block(data: bytes, start: int, max_headers: int, max_size: int) -> HeaderBlock:
    """Read header lines from `start` up to a blank line, a line that is no header, or the end.

    Raises RemoteProtocolError (400) for a control character and past a bound.
    """
    lines: list[HeaderLine] = []
    limit = start + max_size
    position = start
    for _ in range(max_headers + 1):
        newline = data.find(b"\n", position, limit)
        if newline < 0 and limit < len(data):
            raise RemoteProtocolError("header block is too large")
        terminated = newline >= 0
        raw = data[position : newline if terminated else len(data)].removesuffix(b"\r")
        if not raw:
            return HeaderBlock(lines, newline + 1 if terminated else len(data), terminated)
        if raw[0] in b" \t" and lines:
            lines[-1].value += b" " + _cleaned(raw.strip(b" \t"))
        else:
            name, colon, value = raw.partition(b":")
            if not colon or not is_name(name):
                return HeaderBlock(lines, position, False)
            lines.append(HeaderLine(position, name, _cleaned(value)))
        if not terminated:
            return HeaderBlock(lines, len(data), False)
        position = newline + 1
    raise RemoteProtocolError("too many headers")


def _begins_entity(data: bytes, start: int, max_headers: int, max_size: int) -> bool:
    """Tell whether a MIME entity as RFC 3862 2.4 wants it begins at `start`."""
    try:
        block = read_block(data, start, max_headers, max_size)
    except RemoteProtocolError:
        return False
    return block.complete and any(line.name.lower() == b"content-type" for line in block.lines)


def _cleaned(value: bytes) -> bytes:
    value = value.replace(b"\t", b" ")
    if len(value.translate(None, CONTROLS)) != len(value):
        raise RemoteProtocolError("control character in a header")
    return value
