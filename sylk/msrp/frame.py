"""One MSRP request or response as bytes and as an object (RFC 4975 sections 7 and 9).

Everything stays raw bytes: a server that passes messages on has no need to decode them. A chunk is
framed by its end-line alone; Byte-Range is a hint that deployed clients get wrong.
"""

import re
import secrets
from dataclasses import dataclass

from sylk.errors import LocalProtocolError, RemoteProtocolError

COMMENTS: dict[int, bytes] = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    408: b"Request Timeout",
    413: b"Message too large",
    415: b"Unsupported media type",
    423: b"Interval out of bounds",
    424: b"Malformed nickname",
    425: b"Nickname reserved or already in use",
    428: b"Private messages not supported",
    481: b"No such session",
    501: b"Method unknown",
    506: b"Session already bound",
}
"""The text behind a status (RFC 4975 section 10, RFC 4976 section 9, RFC 7701 section 10)."""

SEND = b"SEND"
REPORT = b"REPORT"
NICKNAME = b"NICKNAME"
AUTH = b"AUTH"

INTERRUPTIBLE_SIZE = 2048
"""Bytes of a body above which the range-end must be `*` (RFC 4975 section 7.1.1)."""

# Nineteen digits hold 2^63; nobody sends a longer message.
_BYTE_RANGE = re.compile(rb"([0-9]{1,19})-([0-9]{1,19}|\*)/([0-9]{1,19}|\*)")

# Namespace 000 is that of the status codes of RFC 4975.
_STATUS = re.compile(rb"000 ([0-9]{3})(?: (.*)|$)")

is_byte_range = _BYTE_RANGE.fullmatch


@dataclass(slots=True)
class Frame:
    """One request or response, or a piece of a chunk that is too large to be held.

    `method` is empty for a response, `status` 0 for a request. `headers` has lower-cased names, the
    first of a name wins, and the two paths are kept apart. `body` is None when there was no blank
    line. `flag` is `$`, `+` or `#`, or empty when more pieces of this chunk follow: they come as
    frames of the same transaction id whose `offset` counts the bytes of the body before them.
    `fault` is the status to answer when the frame breaks a rule but its end was found, else 0.
    """

    transaction_id: bytes
    method: bytes
    status: int
    comment: bytes
    to_path: bytes
    from_path: bytes
    headers: dict[bytes, bytes]
    body: bytes | None
    flag: bytes
    offset: int = 0
    fault: int = 0


@dataclass(slots=True)
class ByteRange:
    """The value of a Byte-Range header; positions count from one, None stands for `*`."""

    start: int
    end: int | None
    total: int | None

    @classmethod
    def parse(cls, value: bytes) -> "ByteRange":
        """Read a value; raises RemoteProtocolError 400 when it is none or starts at zero."""
        match = _BYTE_RANGE.fullmatch(value)
        if match is None:
            raise RemoteProtocolError("malformed Byte-Range", 400)
        start, end, total = match.groups()
        if int(start) == 0:
            raise RemoteProtocolError("Byte-Range starts at zero", 400)
        return cls(
            int(start), None if end == b"*" else int(end), None if total == b"*" else int(total)
        )

    def render(self) -> bytes:
        """Write the value."""
        return b"%d-%b/%b" % (self.start, _number(self.end), _number(self.total))


def is_empty_send(frame: Frame) -> bool:
    """Whether a SEND carries no content; an empty text has a Content-Type (RFC 4975 7.1)."""
    if frame.offset or frame.body:
        return False
    return frame.body is None or b"content-type" not in frame.headers


def _number(value: int | None) -> bytes:
    return b"*" if value is None else b"%d" % value


def new_transaction_id(body: bytes | None = None) -> bytes:
    """Return 64 random bits in hex that do not occur in `body` (RFC 4975 section 7.1)."""
    while True:
        transaction_id = secrets.token_hex(8).encode()
        if body is None or transaction_id not in body:
            return transaction_id


def new_message_id() -> bytes:
    """Return a Message-ID that nobody else will choose (RFC 4975 section 7.1.1)."""
    return secrets.token_hex(8).encode()


def whole_range(size: int) -> bytes:
    """Return the Byte-Range of a body of `size` bytes that is sent in one chunk."""
    if size <= INTERRUPTIBLE_SIZE:
        return b"1-%d/%d" % (size, size)
    return b"1-*/%d" % size


def render_request(
    transaction_id: bytes,
    method: bytes,
    to_path: bytes,
    from_path: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes | None = None,
    flag: bytes = b"$",
) -> bytes:
    """Write a request; the last of `headers` must be Content-Type when there is a body.

    Raises LocalProtocolError when the end-line would occur in the body (RFC 4975 section 7.1).
    """
    lines = b"To-Path: %b\r\nFrom-Path: %b\r\n" % (to_path, from_path)
    return render_with_paths(transaction_id, method, lines, headers, body, flag)


def render_with_paths(
    transaction_id: bytes,
    method: bytes,
    path_lines: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes | None = None,
    flag: bytes = b"$",
) -> bytes:
    """Write a request whose two path lines, each with its CRLF, are at hand."""
    parts = [b"MSRP %b %b\r\n" % (transaction_id, method), path_lines]
    parts += [b"%b: %b\r\n" % header for header in headers]
    if body is not None:
        if b"-------" + transaction_id in body:
            raise LocalProtocolError("the end-line of this transaction occurs in the body")
        parts += [b"\r\n", body, b"\r\n"]
    parts.append(b"-------%b%b\r\n" % (transaction_id, flag))
    return b"".join(parts)


def answer_path_lines(to_path: bytes, from_path: bytes, *, whole: bool) -> bytes:
    """Return the path lines of the answer to a request that had these paths.

    The answer to SEND goes one hop back, any other the `whole` way (RFC 4975 section 7.2). A path
    that the request lacked is left out: only a request that is refused can lack one.
    """
    back = from_path if whole else from_path.partition(b" ")[0]
    own = to_path.partition(b" ")[0]
    lines = b"To-Path: %b\r\n" % back if back else b""
    return lines + b"From-Path: %b\r\n" % own if own else lines


def render_response(frame: Frame, status: int, comment: bytes | None = None) -> bytes:
    """Write the answer to the request `frame` (RFC 4975 section 7.2)."""
    lines = answer_path_lines(frame.to_path, frame.from_path, whole=frame.method != SEND)
    return render_answer(frame.transaction_id, status, lines, comment)


def render_answer(
    transaction_id: bytes,
    status: int,
    path_lines: bytes,
    comment: bytes | None = None,
    header_lines: bytes = b"",
) -> bytes:
    """Write an answer whose path lines, and other header lines with their CRLF, are at hand."""
    if comment is None:
        comment = COMMENTS.get(status, b"")
    text = b" " + comment if comment else b""
    return b"MSRP %b %03d%b\r\n%b%b-------%b$\r\n" % (
        transaction_id,
        status,
        text,
        path_lines,
        header_lines,
        transaction_id,
    )


def render_report(
    transaction_id: bytes,
    path_lines: bytes,
    message_id: bytes,
    status: int,
    byte_range: bytes,
    comment: bytes | None = None,
) -> bytes:
    """Write a REPORT in the order that clients write it (RFC 4975 section 7.1.2)."""
    return (
        b"MSRP %b REPORT\r\n%bStatus: 000 %03d %b\r\nMessage-ID: %b\r\nByte-Range: %b\r\n"
        b"-------%b$\r\n"
        % (
            transaction_id,
            path_lines,
            status,
            COMMENTS.get(status, b"") if comment is None else comment,
            message_id,
            byte_range,
            transaction_id,
        )
    )


def reported_status(frame: Frame) -> int | None:
    """Return the status in a REPORT, None when there is none that we understand."""
    match = _STATUS.match(frame.headers.get(b"status", b""))
    return None if match is None else int(match[1])


def reported_comment(frame: Frame) -> bytes:
    """Return the text behind the status in a REPORT, maybe empty."""
    match = _STATUS.match(frame.headers.get(b"status", b""))
    return (match[2] or b"") if match is not None else b""


def reported_range(frame: Frame) -> ByteRange | None:
    """Return the range that a REPORT is about, None when it has none that makes sense."""
    try:
        return ByteRange.parse(frame.headers.get(b"byte-range", b""))
    except RemoteProtocolError:
        return None


def covered(claim: bytes, size: int) -> bytes:
    """Return the range to report for `size` bytes, with the total that the sender claimed."""
    try:
        total = ByteRange.parse(claim).total
    except RemoteProtocolError:
        total = None
    return b"1-%d/%d" % (size, size if total is None else total)
