"""Who is answered with what: responses and REPORTs by the wishes of the sender.

Failure-Report decides about the response to a SEND: `yes` wants each, `partial` only errors, `no`
none (RFC 4975 section 7.2). Success-Report decides about a REPORT on what was taken (7.1.3). Every
other request is answered, but a REPORT or a response never is. Each function returns what is to be
sent, nothing when silence is wanted.
"""

from sylk.errors import LocalProtocolError
from sylk.msrp.events import IncomingMessage
from sylk.msrp.frame import (
    REPORT,
    SEND,
    Frame,
    covered,
    render_answer,
    render_report,
    render_response,
)
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.inbox import failure_report_of
from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.receipt import Receipt, safe_comment
from sylk.msrp.session_paths import SessionPaths


def answer(frame: Frame, status: int, comment: bytes | None = None) -> bytes:
    """Answer a request that belongs to no session, or to none on this connection."""
    return render_response(frame, status, comment) if _wants_answer(frame, status) else b""


def _wants_answer(frame: Frame, status: int) -> bool:
    if not frame.method or frame.method == REPORT:
        return False
    if b"failure-report" not in frame.headers:
        return True
    wish = failure_report_of(frame.headers)
    return wish == b"yes" or (wish == b"partial" and status != 200)


class Answers:
    """The answers of one session."""

    __slots__ = ("_paths", "_transaction_ids")

    def __init__(self, paths: SessionPaths, transaction_ids: TransactionIds) -> None:
        self._paths = paths
        self._transaction_ids = transaction_ids

    def answer(self, frame: Frame, status: int, comment: bytes | None = None) -> bytes:
        """Answer one request."""
        if not _wants_answer(frame, status):
            return b""
        if frame.method != SEND:
            return render_response(frame, status, comment)
        lines = self._paths.answer_lines_for(frame)
        return render_answer(frame.transaction_id, status, lines, comment)

    def receipt_of(self, message: IncomingMessage | IncomingStream) -> Receipt:
        """Return what has to be kept of a message to report on it, the same object each time."""
        if message.receipt is None:
            if isinstance(message, IncomingMessage):
                frame = message.frame
                lines = self._paths.report_lines_for(frame)
                extent = frame.headers.get(b"byte-range", b""), len(message.body)
            else:
                lines, extent = self._paths.request_lines, message
            message.receipt = Receipt(
                message.message_id, lines, extent, message.success_report, message.failure_report
            )
        return message.receipt

    def report(self, receipt: Receipt, status: int, comment: bytes | str | None = None) -> bytes:
        """Report on a message, nothing if its sender does not want to hear that."""
        if not receipt.admits(status):
            return b""
        return render_report(
            self._transaction_ids.take(),
            receipt.path_lines,
            receipt.message_id,
            status,
            receipt.byte_range,
            None if comment is None else safe_comment(comment),
        )

    def report_chunk(self, frame: Frame, status: int) -> bytes:
        """Report on the bytes that came with `frame` alone."""
        return render_report(
            self._transaction_ids.take(),
            self._paths.report_lines_for(frame),
            frame.headers.get(b"message-id", b""),
            status,
            covered(frame.headers.get(b"byte-range", b""), len(frame.body or b"")),
        )

    def drop(self, message_id: bytes, reached: int) -> bytes:
        """Report that a message was given up before all of it had come."""
        return render_report(
            self._transaction_ids.take(),
            self._paths.request_lines,
            message_id,
            413,
            b"1-%d/*" % reached,
        )

    def accept(self, message: IncomingMessage) -> bytes:
        """Answer that a message is taken; raises LocalProtocolError the second time."""
        _settle(message)
        if message.failure_report != b"yes" or message.answered:
            return b""
        frame = message.frame
        return render_answer(frame.transaction_id, 200, self._paths.answer_lines_for(frame))

    def refuse(
        self, message: IncomingMessage, status: int, comment: bytes | None, *, as_report: bool
    ) -> bytes:
        """Answer that a message is not taken; raises LocalProtocolError the second time."""
        _settle(message)
        if message.failure_report == b"no":
            return b""
        if not as_report and not message.answered:
            return self.answer(message.frame, status, comment)
        report = self.report(self.receipt_of(message), status, comment)
        return report if message.answered else self.answer(message.frame, 200) + report


def _settle(message: IncomingMessage) -> None:
    if message.settled:
        raise LocalProtocolError("a message is answered once")
    message.settled = True
