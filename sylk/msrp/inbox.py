"""Decides about each SEND with content: a message, a part of one, or a status to answer.

The rules are those of RFC 4975 section 7.3.1. Refusals are final for a message: what still comes
of it is answered with the same status and dropped.

Where the user takes streams, a message that turns out to be larger than what is put together is
handed on from then on: first what has been kept of it, then each piece as it comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sylk.errors import RemoteProtocolError
from sylk.msrp.assembly import Assembly, MessageAssembler
from sylk.msrp.events import IncomingMessage, PieceReceived, StreamAborted
from sylk.msrp.frame import ByteRange, Frame, reported_range
from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.session_limits import DEFAULT_LIMITS, SessionLimits

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


@dataclass(slots=True)
class StreamTaken:
    """What a frame means to a message that is taken as it comes; `status` 0 wants no answer."""

    events: list[PieceReceived | StreamAborted]
    status: int


Taken = IncomingMessage | StreamTaken | int


class Inbox:
    """The incoming content of one session."""

    __slots__ = (
        "_accept_types",
        "_assembler",
        "_known_types",
        "_limits",
        "_refused_messages",
        "_refused_transaction",
        "_streams",
    )

    def __init__(self, accept_types: Sequence[str], limits: SessionLimits = DEFAULT_LIMITS) -> None:
        self._accept_types = tuple(pattern.lower().encode() for pattern in accept_types)
        self._known_types: dict[bytes, bool] = {}
        self._limits = limits
        self._assembler = MessageAssembler(limits.max_message_size, limits.max_open_messages)
        self._streams: dict[bytes, IncomingStream] = {}
        self._refused_messages: dict[bytes, int] = {}
        self._refused_transaction = b""

    def take(self, frame: Frame) -> Taken:
        """Return a whole message, what comes of a stream, or a status to answer now.

        0 is for what needs no answer.
        """
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
            if len(body) > self._limits.max_message_size:
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

    def refuse_stream(self, stream: IncomingStream, status: int) -> None:
        """Take no more of a message: what still comes of it is answered with `status`."""
        stream.is_over = stream.is_refused = True
        if self._streams.pop(stream.message_id, None) is not None:
            self._remember_refusal(stream.message_id, status)

    def abort_streams(self) -> list[StreamAborted]:
        """Give up what has not come whole: the session is over."""
        streams = list(self._streams.values())
        self._streams.clear()
        return [_aborted(stream) for stream in streams]

    def _take_chunk(self, frame: Frame, message_id: bytes, content_type: bytes) -> Taken:
        assembler = self._assembler
        status = self._refused_messages.get(message_id)
        if status is not None:
            return self._refuse(frame, status)
        stream = self._streams.get(message_id)
        if frame.flag == b"#":
            assembler.discard(message_id)
            if stream is None:
                return 200
            del self._streams[message_id]
            return StreamTaken([_aborted(stream)], 200)
        if assembler.is_done(message_id):
            return 200 if frame.flag else 0
        try:
            if stream is not None:
                start = self._start_of(frame, stream.reached)
                return StreamTaken([self._take_piece(frame, stream, start)], _status_of(frame))
            return self._assemble(frame, message_id, content_type)
        except RemoteProtocolError as error:
            assembler.discard(message_id)
            stream = self._streams.pop(message_id, None)
            self._remember_refusal(message_id, error.status)
            status = self._refuse(frame, error.status)
            return status if stream is None else StreamTaken([_aborted(stream)], status)

    def _assemble(self, frame: Frame, message_id: bytes, content_type: bytes) -> Taken:
        headers = frame.headers
        assembly = self._assembler.open(
            message_id, success_report_of(headers), failure_report_of(headers)
        )
        # Whichever chunk asks for it, it is the whole that is reported on.
        assembly.success_report = assembly.success_report or success_report_of(headers)
        start = self._start_of(frame, assembly.reached)
        if self._is_large(frame, assembly, start):
            return self._begin_stream(frame, assembly, content_type, start)
        whole = self._assembler.add(assembly, start, frame.body or b"", last=frame.flag == b"$")
        if whole is None:
            return _status_of(frame)
        return IncomingMessage(
            message_id,
            content_type,
            whole,
            assembly.success_report,
            assembly.failure_report,
            frame,
        )

    def _is_large(self, frame: Frame, assembly: Assembly, start: int) -> bool:
        """Tell whether a message is too large to be put together; raises RemoteProtocolError."""
        limit = self._limits.stream_above
        if limit is None:
            return False
        held = assembly.held + len(frame.body or b"")
        if start and not assembly.begins:
            # Who it is for stands at its beginning, so that is waited for.
            if held > limit:
                raise RemoteProtocolError("the beginning of the message is missing", 413)
            return False
        total = _total_of(frame)
        return not frame.flag or held > limit or (total is not None and total > limit)

    def _begin_stream(
        self, frame: Frame, assembly: Assembly, content_type: bytes, start: int
    ) -> StreamTaken:
        """Hand on what has been kept of a message, and from now on all that comes of it."""
        if len(self._streams) >= self._limits.max_open_messages:
            raise RemoteProtocolError("too many large messages at one time", 413)
        message_id = assembly.message_id
        stream = IncomingStream(
            message_id,
            content_type,
            _total_of(frame),
            assembly.success_report,
            assembly.failure_report,
        )
        self._assembler.discard(message_id)
        self._streams[message_id] = stream
        pieces = [
            PieceReceived(stream, segment.start, bytes(segment.data), b"+")
            for segment in assembly.segments
        ]
        for piece in pieces:
            end = piece.start + len(piece.body)
            stream.add(piece.start, len(piece.body), last=end == assembly.size)
        pieces.append(self._take_piece(frame, stream, start))
        # Only at the beginning are they put in order: what comes later is told as it comes.
        pieces.sort(key=lambda piece: piece.start)
        for piece in pieces:
            piece.completes = stream.is_complete and piece is pieces[-1]
        return StreamTaken(list(pieces), _status_of(frame))

    def _take_piece(self, frame: Frame, stream: IncomingStream, start: int) -> PieceReceived:
        body = frame.body or b""
        if start + len(body) > self._limits.max_stream_size:
            raise RemoteProtocolError("message too large", 413)
        stream.add(start, len(body), last=frame.flag == b"$")
        if stream.is_complete:
            stream.is_over = True
            del self._streams[stream.message_id]
            self._assembler.finish(stream.message_id)
        return PieceReceived(stream, start, body, frame.flag, stream.is_complete)

    def _start_of(self, frame: Frame, reached: int) -> int:
        """Return where the body of `frame` belongs, from zero; raises RemoteProtocolError."""
        value = frame.headers.get(b"byte-range")
        if value is None:
            # COMPAT: RFC 4975 wants Byte-Range in all chunks but the first; some leave it out.
            return reached
        byte_range = ByteRange.parse(value)
        limits = self._limits
        largest = limits.max_message_size if limits.stream_above is None else limits.max_stream_size
        total, end = byte_range.total, byte_range.end
        if total is not None and total > largest:
            raise RemoteProtocolError("message too large", 413)
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


def _status_of(frame: Frame) -> int:
    """Return what answers a chunk that was taken, 0 while it goes on."""
    return 200 if frame.flag else 0


def _total_of(frame: Frame) -> int | None:
    claimed = reported_range(frame)
    return None if claimed is None else claimed.total


def _aborted(stream: IncomingStream) -> StreamAborted:
    stream.is_over = True
    return StreamAborted(stream)
