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
    covered_range,
    render_answer,
    render_report,
    render_response,
)
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.inbox import failure_report_of
from sylk.msrp.incoming_stream import IncomingStream
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

    def report(
        self, frame: Frame, status: int, start: int, size: int, comment: bytes | None = None
    ) -> bytes:
        """Report on `size` bytes from `start`, which came with `frame`."""
        return render_report(
            self._transaction_ids.take(),
            self._paths.report_lines_for(frame),
            frame.headers.get(b"message-id", b""),
            status,
            covered_range(frame, start, size),
            comment,
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

    def report_on(self, stream: IncomingStream, status: int) -> bytes:
        """Report on all that has come of a message that is taken in pieces."""
        reached = stream.reached
        total = stream.total if stream.size is None else stream.size
        return render_report(
            self._transaction_ids.take(),
            self._paths.request_lines,
            stream.message_id,
            status,
            b"1-%d/%b" % (reached, b"*" if total is None else b"%d" % total),
        )

    def accept(self, message: IncomingMessage) -> bytes:
        """Answer that a message is taken; raises LocalProtocolError the second time."""
        _settle(message)
        data = b""
        if message.failure_report == b"yes" and not message.answered:
            frame = message.frame
            lines = self._paths.answer_lines_for(frame)
            data = render_answer(frame.transaction_id, 200, lines)
        if message.success_report:
            data += self.report(message.frame, 200, 1, len(message.body))
        return data

    def refuse(
        self, message: IncomingMessage, status: int, comment: bytes | None, *, as_report: bool
    ) -> bytes:
        """Answer that a message is not taken; raises LocalProtocolError the second time."""
        _settle(message)
        if message.failure_report == b"no":
            return b""
        if not as_report and not message.answered:
            return self.answer(message.frame, status, comment)
        report = self.report(message.frame, status, 1, len(message.body), comment)
        return report if message.answered else self.answer(message.frame, 200) + report


def _settle(message: IncomingMessage) -> None:
    if message.settled:
        raise LocalProtocolError("a message is answered once")
    message.settled = True
