"""Messages out of a stream: framed by Content-Length (RFC 3261 section 18.3).

Between messages there may be CRLFs. Two in a row are a keep-alive that wants one CRLF back,
and a single one is the answer to ours (RFC 5626 section 4.4.1). No octet is looked at twice:
the search for the empty line goes on where it stopped, a body is waited for by its length.

Something that is no SIP is refused at its first octet or line. A browser that was tricked into
talking to us, or a TLS client on the wrong port, gets no further (and no wait for an end).
"""

import re
from dataclasses import dataclass

from sylk.errors import RemoteProtocolError
from sylk.sip.head import DEFAULT_LIMITS, Head, Limits, content_length, split_head
from sylk.sip.message import Request, Response
from sylk.sip.parser import MalformedMessage, build_message, malformed

_TOKEN_OCTETS = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~"
)
_VERSION = re.compile(rb"SIP/[0-9]++\.[0-9]++", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KeepAlivePing:
    """The peer asks whether we are there: answer with one CRLF."""


class StreamParser:
    """Cuts a stream into messages.

    Holds at most one unfinished message of `limits.max_message` octets, besides what has been
    received since `next_event` last returned None.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._searched = 0  # No empty line begins before this offset.
        self._line_checked = False
        self._pending_crlf = False
        self._head: Head | None = None
        self._message_length = 0
        self._body_start = 0
        self._failure: MalformedMessage | None = None
        self.keep_octets = False
        """Whether to keep the octets of each message, which costs a copy; for those who trace."""
        self.octets = b""
        """The octets of the message, or of the fault, that came last, if they are kept."""

    @property
    def is_idle(self) -> bool:
        """Whether the stream stands between two messages."""
        return not self._buffer

    def receive_data(self, data: bytes) -> None:
        """Take octets from the stream; ask for events until there is none after each call."""
        if self._failure is None:
            self._buffer += data

    def next_event(self) -> Request | Response | KeepAlivePing | None:
        """Return the next message or keep-alive, None when more octets are needed.

        Raises MalformedMessage. If its `framing_lost` is true, the connection must be closed
        and every further call raises the same; otherwise the next call goes on behind the
        malformed message.
        """
        if self._failure is not None:
            raise self._failure
        try:
            if self._head is None:
                if self._skip_crlf():
                    return KeepAlivePing()
                if bytes(self._buffer[:2]) in (b"", b"\r"):
                    return None
                if not self._read_head():
                    return None
            return self._read_message()
        except MalformedMessage as error:
            if error.framing_lost:
                self._failure = error
                if self.keep_octets:
                    self.octets = bytes(self._buffer)
                self._buffer.clear()
            raise

    def _skip_crlf(self) -> bool:
        """Skip line ends before a message; return True after two of them."""
        buffer = self._buffer
        while buffer.startswith(b"\r"):
            if len(buffer) == 1:
                return False
            if not buffer.startswith(b"\r\n"):
                raise _lost("CR without LF between messages")
            del buffer[:2]
            self._pending_crlf = not self._pending_crlf
            if not self._pending_crlf:
                return True
        return False

    def _read_head(self) -> bool:
        """Read up to the empty line if it is there; return whether it is."""
        buffer = self._buffer
        if not self._line_checked and not self._check_first_line():
            return False
        limit = self._limits.max_message
        end = buffer.find(b"\r\n\r\n", self._searched, limit)
        if end == -1:
            if len(buffer) >= limit:
                raise _lost("header fields too large", 513)
            self._searched = max(0, len(buffer) - 3)
            return False
        head = split_head(bytes(buffer[:end]), self._limits)
        if head.problem is not None:
            raise malformed(head, head.problem, framing_lost=True)
        try:
            length = content_length(head.headers, self._limits)
        except RemoteProtocolError as error:
            raise malformed(head, error, framing_lost=True) from None
        if length is None:
            error = RemoteProtocolError("no Content-Length on a stream")
            raise malformed(head, error, framing_lost=True)
        self._body_start = end + 4
        self._message_length = end + 4 + length
        if self._message_length > limit:
            raise malformed(head, RemoteProtocolError("too large", 513), framing_lost=True)
        self._head = head
        return True

    def _check_first_line(self) -> bool:
        """Return whether the first line is there; raise if it cannot be SIP's."""
        buffer = self._buffer
        if buffer[0] not in _TOKEN_OCTETS:
            raise _lost("not a SIP message")
        limit = self._limits.max_header_line + 2
        end = buffer.find(b"\r\n", self._searched, limit)
        if end == -1:
            if len(buffer) >= limit:
                raise _lost("first line too long", 414)
            self._searched = max(0, len(buffer) - 1)
            return False
        line = bytes(buffer[:end]).rstrip(b" \t")
        if line[:4].upper() != b"SIP/" and not _VERSION.fullmatch(line[line.rfind(b" ") + 1 :]):
            raise _lost("not a SIP message")
        self._searched = end
        self._line_checked = True
        return True

    def _read_message(self) -> Request | Response | None:
        head = self._head
        if head is None or len(self._buffer) < self._message_length:
            return None
        body = bytes(self._buffer[self._body_start : self._message_length])
        if self.keep_octets:
            self.octets = bytes(self._buffer[: self._message_length])
        del self._buffer[: self._message_length]
        self._head = None
        self._searched = 0
        self._line_checked = False
        self._pending_crlf = False
        return build_message(head, body, self._limits)


def _lost(text: str, status: int = 400) -> MalformedMessage:
    return MalformedMessage(text, status, framing_lost=True)
