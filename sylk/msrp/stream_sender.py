"""Sends messages in pieces for one session: ids, transactions, and the chunk that is open."""

from collections.abc import Callable
from typing import Protocol

from sylk.errors import LocalProtocolError
from sylk.msrp.events import SessionEvent
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.outgoing_stream import OutgoingStream
from sylk.msrp.outstanding import Outstanding, Purpose
from sylk.msrp.report_table import ReportTable
from sylk.msrp.session_paths import SessionPaths

MAX_STREAMS = 32
"""Messages that one session may have on their way in pieces; one more is a LocalProtocolError."""

_LOST = 408


class StreamLink(Protocol):
    """What is needed of the connection."""

    def queue_piece(self, stream: OutgoingStream, data: bytes) -> None:
        """Send bytes of the open chunk of `stream`, or its head; another open chunk is ended."""
        ...


class StreamSender:
    """The messages of one session that leave in pieces."""

    __slots__ = ("_emit", "_outstanding", "_paths", "_reports", "_streams", "_transaction_ids")

    def __init__(
        self,
        paths: SessionPaths,
        transaction_ids: TransactionIds,
        outstanding: Outstanding,
        reports: ReportTable,
        emit: Callable[[SessionEvent | None], None],
    ) -> None:
        """Send in the name of a session, which tells its user what is handed to `emit`."""
        self._paths = paths
        self._transaction_ids = transaction_ids
        self._outstanding = outstanding
        self._reports = reports
        self._emit = emit
        self._streams: dict[bytes, OutgoingStream] = {}

    def begin(self, stream: OutgoingStream) -> None:
        """Take up a message; raises LocalProtocolError for one too many."""
        if len(self._streams) >= MAX_STREAMS:
            raise LocalProtocolError("too many messages are on their way in pieces")
        self._streams[stream.message_id] = stream
        if stream.success_report or stream.failure_report != b"no":
            self._reports.expect(stream.message_id, stream.total, whole=False)

    def write(
        self,
        link: StreamLink,
        stream: OutgoingStream,
        start: int,
        piece: bytes,
        now: float,
        *,
        has_dashes: bool = True,
    ) -> None:
        """Send a piece that begins at `start`, in the open chunk where that fits.

        `has_dashes` is as in `OutgoingStream.take`. What the peer has refused is not sent.
        """
        while piece and not stream.failed:
            if not stream.is_open or stream.position != start:
                self._open(link, stream, start, now)
            taken = stream.take(piece, has_dashes=has_dashes)
            if taken == len(piece):
                link.queue_piece(stream, piece)
                self._outstanding.prolong(stream.transaction_id, now)
                return
            link.queue_piece(stream, piece[:taken])
            link.queue_piece(stream, stream.close(b"+"))
            piece = piece[taken:]
            start += taken

    def end(self, link: StreamLink, stream: OutgoingStream, flag: bytes, now: float) -> None:
        """End a chunk with `+`, the message with `$`, or give it up with `#`."""
        if stream.is_open:
            self._outstanding.prolong(stream.transaction_id, now)
            link.queue_piece(stream, stream.close(flag))
        elif flag != b"+" and not stream.failed:
            self._open(link, stream, stream.position, now)
            link.queue_piece(stream, stream.close(flag))
        if flag != b"+":
            self._streams.pop(stream.message_id, None)
        if flag == b"$" and not stream.failed:
            self._emit(self._reports.end_at(stream.message_id, stream.position))

    def refused(self, message_id: bytes, status: int) -> None:
        """Take it that the peer has refused a chunk, or all of it: it wants no more."""
        stream = self._streams.get(message_id)
        if stream is not None:
            stream.failed = status

    def link_lost(self) -> list[bytes]:
        """Fail what is on its way, as nobody can go on with it; return the Message-IDs."""
        lost = list(self._streams)
        for stream in self._streams.values():
            # Its chunk ended with the connection.
            stream.transaction_id = b""
            stream.failed = _LOST
        self._streams.clear()
        return lost

    def _open(self, link: StreamLink, stream: OutgoingStream, start: int, now: float) -> None:
        if stream.is_open:
            link.queue_piece(stream, stream.close(b"+"))
        transaction_id = self._transaction_ids.take()
        if stream.failure_report != b"no":
            quiet = stream.failure_report == b"partial"
            purpose = Purpose.QUIET_CHUNK if quiet else Purpose.MESSAGE
            if quiet:
                self._outstanding.forget_quiet()
            self._outstanding.add(transaction_id, purpose, stream.message_id, now)
        link.queue_piece(stream, stream.open(transaction_id, self._paths.request_lines, start))
