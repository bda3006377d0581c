r"""Cuts a stream of bytes into frames (RFC 4975 sections 7.1 and 9).

A frame has no length field: it ends at `CRLF ------- transaction-id flag CRLF`, and anything else
that looks like an end-line is body. What follows the start line tells which of two forms it has:

    MSRP d93k SEND CRLF headers CRLF CRLF body CRLF -------d93k$ CRLF      with a body
    MSRP d93k 200 OK CRLF headers CRLF -------d93k$ CRLF                   without

So two marks matter: the first blank line and the first `CRLF -------`. The one that comes first
decides. Each search keeps the place up to which it has looked, so that a byte is looked at once
for each mark, however the stream is cut into reads. Bytes of a body leave the buffer as soon as
they cannot be part of the end-line; a chunk that is larger than `max_held` leaves in pieces of
just that size, so that memory stays bounded and the pieces do not depend on the reads either.
"""

import re
from dataclasses import dataclass, replace

from sylk.errors import RemoteProtocolError
from sylk.msrp.frame import Frame, is_byte_range

MAX_HEADER_LINE = 16384
"""Bytes in one header line; a longer one ends the connection."""

MAX_HEADERS = 64
"""Header lines in one frame, the two paths among them; more end the connection."""

MAX_HEAD = 65536
"""Bytes in the start line and all header lines; more end the connection."""

MAX_HELD = 65536
"""Bytes of a body held until its end has come; a larger one is handed out in pieces."""

_DASHES = b"\r\n-------"
_BLANK = b"\r\n\r\n"
_START = b"MSRP "

# RFC 4975 wants 4 to 32 characters. COMPAT: clients write UUIDs, which have 36, and short counters.
_TRANSACTION_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9.\-+%=]{0,63}")
# A method, a status with its comment, or what is neither but leaves the framing intact.
_START_LINE = re.compile(
    rb"MSRP ([A-Za-z0-9][A-Za-z0-9.\-+%=]{0,63}) "
    rb"(?:([A-Z_]{1,32})|([0-9]{3})(?: ([^\r\n]*))?|([^ \r].*?))\r\n",
    re.DOTALL,
)
_ENDS = frozenset((b"$\r\n", b"+\r\n", b"#\r\n"))
# Header lines that a connection repeats in each frame are read once and looked up after that.
_REPEATED = frozenset((b"content-type", b"failure-report", b"success-report", b"keep-alive"))
_KNOWN_LINES = 64
_KNOWN_LINE = 1024
# What no frame that is worth anything has in the place of its paths.
_NO_PATHS = b"To-Path: \r\n\r\n"


@dataclass(slots=True)
class Limits:
    """What one peer may make a parser hold; see the constants of this module for the units."""

    max_header_line: int = MAX_HEADER_LINE
    max_headers: int = MAX_HEADERS
    max_head: int = MAX_HEAD
    max_held: int = MAX_HELD


DEFAULT_LIMITS = Limits()


class FrameParser:
    """The frames of one connection, one after the other."""

    __slots__ = (
        "_blank_from",
        "_body",
        "_buffer",
        "_end",
        "_error",
        "_frame",
        "_from_path",
        "_known",
        "_limits",
        "_line_from",
        "_needle",
        "_offset",
        "_path_lines",
        "_position",
        "_scan_from",
        "_skip",
        "_to_path",
    )

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._error: RemoteProtocolError | None = None
        self._buffer = b""
        # Where in the buffer the frame at hand starts, or what is left of its body.
        self._position = 0
        # Up to where the blank line, and `CRLF -------` or the end-line, have been looked for.
        self._blank_from = 0
        self._scan_from = 0
        # Up to where the header lines have been found short enough.
        self._line_from = 0
        # The frame whose body is coming in, its end-line without flag, where that was found (or
        # -1), how many bytes before the body are still in the buffer, the body so far, and how
        # much of it has been handed out.
        self._frame: Frame | None = None
        self._needle = b""
        self._end = -1
        self._skip = 0
        self._body = bytearray()
        self._offset = 0
        # What the frames before this one have taught: single lines, and the two path lines.
        self._path_lines = _NO_PATHS
        self._to_path = b""
        self._from_path = b""
        self._known: dict[bytes, tuple[bytes, bytes]] = {}

    def receive_data(self, data: bytes) -> None:
        """Take what one read brought."""
        position = self._position
        if position == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[position:] + data
        self._position = 0
        self._blank_from -= position
        self._scan_from -= position
        self._line_from -= position
        if self._end >= 0:
            self._end -= position

    def next_event(self) -> Frame | None:
        """Return the next frame or piece of one, None when more bytes are wanted.

        Raises RemoteProtocolError when the stream cannot be framed any more; the connection must
        be closed then, and each later call raises the same.
        """
        if self._error is not None:
            raise self._error
        if self._frame is not None:
            return self._continue_body(self._frame)
        try:
            return self._begin_frame()
        except RemoteProtocolError as error:
            self._error = error
            self._buffer = b""
            self._position = 0
            raise

    def _begin_frame(self) -> Frame | None:
        buffer = self._buffer
        start = self._position
        if not buffer.startswith(_START, start):
            start = self._check_start(start)
            if start < 0:
                return None
        scan_from = self._scan_from if self._scan_from > start else start
        blank_from = self._blank_from if self._blank_from > start else start
        while True:
            dashes = buffer.find(_DASHES, scan_from)
            if dashes < 0:
                return self._await_marks(start, blank_from)
            blank = buffer.find(_BLANK, blank_from, dashes + 2)
            if blank >= 0:
                return self._begin_body(start, blank, dashes)
            after = self._end_of_headers(start, dashes)
            if after > 0:
                frame = self._read_head(start, dashes)
                frame.flag = buffer[after - 3 : after - 2]
                self._position = after
                return frame
            if after == 0:
                self._scan_from = self._blank_from = dashes
                self._check_head_size(start, dashes)
                return None
            scan_from = blank_from = dashes + 2

    def _check_start(self, start: int) -> int:
        """Skip blank lines between frames; raises when what follows is not MSRP."""
        buffer = self._buffer
        # COMPAT: clients send CRLF to keep a NAT binding alive.
        while buffer.startswith(b"\r\n", start):
            start += 2
        self._position = start
        seen = buffer[start : start + 5]
        if seen != b"\r" and not _START.startswith(seen):
            raise RemoteProtocolError("not MSRP", 400)
        return start if len(seen) == 5 else -1

    def _await_marks(self, start: int, blank_from: int) -> Frame | None:
        """No `CRLF -------` has come yet: this frame has a body, or its head is not whole."""
        buffer = self._buffer
        size = len(buffer)
        blank = buffer.find(_BLANK, blank_from)
        if blank >= 0:
            return self._begin_body(start, blank, max(blank + 2, size - len(_DASHES) + 1))
        self._blank_from = size - len(_BLANK) + 1
        self._scan_from = size - len(_DASHES) + 1
        # The head is at least this long, whatever comes next.
        self._check_head_size(start, self._scan_from)
        return None

    def _end_of_headers(self, start: int, dashes: int) -> int:
        """Whether the headers end at `dashes`: where the frame ends, 0 to wait, -1 if not."""
        buffer = self._buffer
        space = buffer.find(b" ", start + 5, start + 70)
        if space < 0:
            raise RemoteProtocolError("malformed start line", 400)
        transaction_id = buffer[start + 5 : space]
        if not _TRANSACTION_ID.fullmatch(transaction_id):
            raise RemoteProtocolError("malformed start line", 400)
        needle = _DASHES + transaction_id
        after = dashes + len(needle) + 3
        if buffer.startswith(needle, dashes):
            if buffer[after - 3 : after] in _ENDS:
                return after
            return 0 if _may_become_end(buffer[after - 3 : after]) else -1
        return 0 if needle.startswith(buffer[dashes : after - 3]) else -1

    def _check_head_size(self, start: int, end: int) -> None:
        """Raise when the head up to `end`, or a line in it, is too long."""
        limits = self._limits
        if end - start > limits.max_head:
            raise RemoteProtocolError("header section too large", 400)
        line_from = max(start, self._line_from)
        if end - line_from > limits.max_header_line:
            *whole, last = self._buffer[line_from:end].split(b"\r\n")
            longest = max((len(line) for line in whole), default=0)
            # A CR at the end may be half of a line end.
            if max(longest, len(last) - last.endswith(b"\r")) > limits.max_header_line:
                raise RemoteProtocolError("header line too long", 400)
            self._line_from = end - len(last)

    def _begin_body(self, start: int, blank: int, scan_from: int) -> Frame | None:
        """Read the head, which ends at `blank`, and the body too when it is here and small."""
        buffer = self._buffer
        frame = self._read_head(start, blank)
        needle = _DASHES + frame.transaction_id
        body = blank + 4
        end = buffer.find(needle, scan_from)
        if end >= 0:
            after = end + len(needle) + 3
            if buffer[after - 3 : after] in _ENDS and end - body <= self._limits.max_held:
                frame.body = buffer[body:end]
                frame.flag = buffer[after - 3 : after - 2]
                self._position = after
                return frame
        self._frame = frame
        self._needle = needle
        self._end = -1
        # COMPAT: an end-line right after the blank line ends an empty body, so the CRLF of the
        # blank line stays in the buffer: some leave out the one that should precede the end-line.
        self._position = blank + 2
        self._skip = 2
        self._offset = 0
        self._scan_from = end if end >= 0 else max(blank + 2, len(buffer) - len(needle) + 1)
        return self._continue_body(frame)

    def _continue_body(self, frame: Frame) -> Frame | None:
        """Go on with a body that was not whole at once, or is too large to be held."""
        if self._end < 0:
            self._find_end()
        buffer = self._buffer
        held = self._body
        begin = self._position + self._skip
        known = self._end if self._end >= 0 else self._scan_from
        room = self._limits.max_held - len(held)
        if known - begin > room:
            held += buffer[begin : begin + room]
            self._position = begin + room
            self._skip = 0
            return self._piece(frame, b"")
        if known > begin:
            held += buffer[begin:known]
            self._position = known
            self._skip = 0
        if self._end < 0:
            return None
        after = self._end + len(self._needle) + 3
        self._position = after
        self._frame = None
        return self._piece(frame, buffer[after - 3 : after - 2])

    def _find_end(self) -> None:
        buffer, needle = self._buffer, self._needle
        scan_from = self._scan_from
        while True:
            end = buffer.find(needle, scan_from)
            if end < 0:
                self._scan_from = max(scan_from, len(buffer) - len(needle) + 1)
                return
            after = end + len(needle) + 3
            if buffer[after - 3 : after] in _ENDS:
                self._end = end
                return
            if _may_become_end(buffer[after - 3 : after]):
                self._scan_from = end
                return
            scan_from = end + 2

    def _piece(self, frame: Frame, flag: bytes) -> Frame:
        body = bytes(self._body)
        self._body.clear()
        offset = self._offset
        if flag and not offset:
            frame.body = body
            frame.flag = flag
            return frame
        self._offset += len(body)
        return replace(frame, body=body, flag=flag, offset=offset)

    def _read_head(self, start: int, end: int) -> Frame:
        """Read the start line and the headers; raises RemoteProtocolError when they lose us."""
        buffer = self._buffer
        match = _START_LINE.match(buffer, start, end + 2)
        if match is None:
            raise RemoteProtocolError("malformed start line", 400)
        if end - start > self._limits.max_header_line:
            self._check_head_size(start, end)
        transaction_id, method, status, comment, odd = match.groups()
        if method is not None:
            frame = Frame(transaction_id, method, 0, b"", b"", b"", {}, None, b"")
        elif status is not None:
            text = comment or b""
            frame = Frame(transaction_id, b"", int(status), text, b"", b"", {}, None, b"")
        else:
            frame = Frame(transaction_id, odd, 0, b"", b"", b"", {}, None, b"", 0, 400)
        after = match.end()
        if buffer.startswith(self._path_lines, after):
            after += len(self._path_lines)
            frame.to_path = self._to_path
            frame.from_path = self._from_path
        if after < end:
            lines = buffer[after:end].split(b"\r\n")
            if len(lines) + (2 if frame.to_path else 0) > self._limits.max_headers:
                raise RemoteProtocolError("too many header lines", 400)
            new_paths = not frame.to_path
            self._read_headers(frame, lines)
            if new_paths:
                self._keep_paths(frame, lines)
        if not frame.to_path or not frame.from_path:
            frame.fault = 400
        return frame

    def _read_headers(self, frame: Frame, lines: list[bytes]) -> None:
        headers, known = frame.headers, self._known
        for line in lines:
            entry = known.get(line)
            if entry is None:
                name, _, value = line.partition(b": ")
                # The two that are new in each frame, as everyone writes them.
                if name == b"Message-ID" and value.isalnum():
                    name = b"message-id"
                elif name == b"Byte-Range" and is_byte_range(value):
                    name = b"byte-range"
                else:
                    entry = self._read_header(frame, line)
                    if entry is None:
                        continue
                    name, value = entry
            else:
                name, value = entry
            if name not in headers:
                headers[name] = value
            elif name == b"www-authenticate":  # One list, whether on one line or on several.
                headers[name] += b", " + value

    def _read_header(self, frame: Frame, line: bytes) -> tuple[bytes, bytes] | None:
        """Read one line; None when it is a path, which goes to its own place, or malformed."""
        name, colon, value = line.partition(b":")
        name = name.lower()
        value = value.strip(b" \t")
        # A bare CR or LF must not reach an answer, where it would make a new line.
        if not colon or b"\n" in line or b"\r" in line:
            frame.fault = 400
        elif name == b"to-path":
            frame.to_path = frame.to_path or value
        elif name == b"from-path":
            frame.from_path = frame.from_path or value
        elif name == b"byte-range" and not is_byte_range(value):
            frame.fault = 400
        else:
            if name in _REPEATED and len(line) <= _KNOWN_LINE:
                if len(self._known) >= _KNOWN_LINES:
                    self._known.clear()
                self._known[line] = (name, value)
            return name, value
        return None

    def _keep_paths(self, frame: Frame, lines: list[bytes]) -> None:
        """Remember the path lines: all frames of one session start with the same two."""
        paths = [line.partition(b":") for line in lines[:2]]
        if [name for name, _, _ in paths] == [b"To-Path", b"From-Path"] and not frame.fault:
            self._path_lines = b"%b\r\n%b\r\n" % (lines[0], lines[1])
            self._to_path = frame.to_path
            self._from_path = frame.from_path


def _may_become_end(seen: bytes) -> bool:
    """Whether what follows a transaction id, cut off by the end of a read, may be an end-line."""
    return len(seen) < 3 and any(end.startswith(seen) for end in _ENDS)
