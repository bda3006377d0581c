"""Decides about each SEND with content: a message, a part of one, or a status to answer.

The rules are those of RFC 4975 section 7.3.1. Refusals are final for a message: what still comes
of it is answered with the same status and dropped.
"""

from collections.abc import Sequence

from sylk.errors import RemoteProtocolError
from sylk.msrp.assembly import MAX_MESSAGE_SIZE, MAX_OPEN_MESSAGES, Assembly, MessageAssembler
from sylk.msrp.events import IncomingMessage
from sylk.msrp.frame import ByteRange, Frame

MAX_REFUSED = 32
"""Message-IDs remembered as refused; the oldest is forgotten, and judged anew if it comes again."""

_MAX_KNOWN_TYPES = 64


def failure_report_of(headers: dict[bytes, bytes]) -> bytes:
    """Return `yes`, `no` or `partial`; what is missing or unknown means yes (RFC 4975 7.1.1)."""
    value = headers.get(b"failure-report")
    if value is None or value == b"yes":
        return b"yes"
    value = value.lower()
    return value if value in (b"no", b"partial") else b"yes"


def success_report_of(headers: dict[bytes, bytes]) -> bool:
    """Whether a success report is wanted; the default is no (RFC 4975 section 7.1.1)."""
    value = headers.get(b"success-report")
    return value is not None and value.lower() == b"yes"


class Inbox:
    """The incoming content of one session."""

    __slots__ = (
        "_accept_types",
        "_assembler",
        "_known_types",
        "_max_message_size",
        "_refused_messages",
        "_refused_transaction",
    )

    def __init__(
        self,
        accept_types: Sequence[str],
        max_message_size: int = MAX_MESSAGE_SIZE,
        max_open_messages: int = MAX_OPEN_MESSAGES,
    ) -> None:
        self._accept_types = tuple(pattern.lower().encode() for pattern in accept_types)
        self._known_types: dict[bytes, bool] = {}
        self._max_message_size = max_message_size
        self._assembler = MessageAssembler(max_message_size, max_open_messages)
        self._refused_messages: dict[bytes, int] = {}
        self._refused_transaction = b""

    def take(self, frame: Frame) -> IncomingMessage | int:
        """Return a whole message, a status to answer now, or 0 when there is nothing to answer."""
        headers = frame.headers
        if frame.offset and frame.transaction_id == self._refused_transaction:
            return 0
        content_type = headers.get(b"content-type", b"")
        if not self._accepts(content_type):
            return self._refuse(frame, 415)
        message_id = headers.get(b"message-id")
        if not message_id:
            return self._refuse(frame, 400)
        byte_range = headers.get(b"byte-range")
        if (
            frame.flag == b"$"
            and not frame.offset
            and (byte_range[:2] == b"1-" if byte_range else not self._assembler.has_open)
        ):
            body = frame.body or b""
            if len(body) > self._max_message_size:
                return 413
            if self._assembler.has_open:
                self._assembler.discard(message_id)
            return IncomingMessage(
                message_id,
                content_type,
                body,
                success_report_of(headers),
                failure_report_of(headers),
                frame,
            )
        return self._take_chunk(frame, message_id, content_type)

    def dropped(self) -> list[Assembly]:
        """Return the messages that were given up since the last call, for want of room."""
        dropped = self._assembler.dropped
        if dropped:
            self._assembler.dropped = []
        return dropped

    def _take_chunk(
        self, frame: Frame, message_id: bytes, content_type: bytes
    ) -> IncomingMessage | int:
        assembler = self._assembler
        status = self._refused_messages.get(message_id)
        if status is not None:
            return self._refuse(frame, status)
        if frame.flag == b"#":
            assembler.discard(message_id)
            return 200
        if assembler.is_done(message_id):
            return 200 if frame.flag else 0
        headers = frame.headers
        assembly = assembler.open(
            message_id, success_report_of(headers), failure_report_of(headers)
        )
        try:
            start = self._start_of(frame, assembly)
            whole = assembler.add(assembly, start, frame.body or b"", last=frame.flag == b"$")
        except RemoteProtocolError as error:
            assembler.discard(message_id)
            self._remember_refusal(message_id, error.status)
            return self._refuse(frame, error.status)
        if whole is None:
            return 200 if frame.flag else 0
        return IncomingMessage(
            message_id,
            content_type,
            whole,
            assembly.success_report,
            assembly.failure_report,
            frame,
        )

    def _start_of(self, frame: Frame, assembly: Assembly) -> int:
        """Return where the body of `frame` belongs, from zero; raises RemoteProtocolError."""
        value = frame.headers.get(b"byte-range")
        if value is None:
            # COMPAT: RFC 4975 wants Byte-Range in all chunks but the first; some leave it out.
            return assembly.reached
        byte_range = ByteRange.parse(value)
        if byte_range.total is not None and byte_range.total > self._max_message_size:
            raise RemoteProtocolError("message too large", 413)
        total, end = byte_range.total, byte_range.end
        if (total is not None and byte_range.start > total + 1) or (
            end is not None and end < byte_range.start - 1
        ):
            raise RemoteProtocolError("Byte-Range outside its message", 400)
        return byte_range.start - 1 + frame.offset

    def _refuse(self, frame: Frame, status: int) -> int:
        if frame.flag in (b"$", b"#"):
            self._refused_messages.pop(frame.headers.get(b"message-id", b""), None)
        elif not frame.flag:
            self._refused_transaction = frame.transaction_id
        return status

    def _remember_refusal(self, message_id: bytes, status: int) -> None:
        refused = self._refused_messages
        if len(refused) >= MAX_REFUSED:
            del refused[next(iter(refused))]
        refused[message_id] = status

    def _accepts(self, content_type: bytes) -> bool:
        known = self._known_types.get(content_type)
        if known is None:
            media_type = content_type.partition(b";")[0].strip().lower()
            main_type = media_type.partition(b"/")[0]
            known = bool(media_type) and any(
                pattern in (b"*", b"*/*", media_type, main_type + b"/*")
                for pattern in self._accept_types
            )
            if len(self._known_types) >= _MAX_KNOWN_TYPES:
                self._known_types.clear()
            self._known_types[content_type] = known
        return known
