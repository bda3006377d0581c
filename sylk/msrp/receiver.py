"""Takes the SENDs of a bound session: what is new is told, what comes again is answered."""

from collections.abc import Callable

from sylk.msrp.answered import AnsweredMessages, Verdict
from sylk.msrp.answers import Answers
from sylk.msrp.events import IncomingMessage, MessageReceived, PieceReceived, SessionEvent
from sylk.msrp.frame import Frame, is_empty_send
from sylk.msrp.inbox import Inbox, StreamTaken, failure_report_of, success_report_of
from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.reporter import Reporter

_OK = 200


class Receiver:
    """The incoming content of one session, and what is said to it."""

    __slots__ = (
        "_answered",
        "_answered_transaction",
        "_answers",
        "_emit",
        "_inbox",
        "_queue",
        "_reports",
    )

    def __init__(
        self,
        inbox: Inbox,
        answers: Answers,
        reports: Reporter,
        queue: Callable[[bytes], None],
        emit: Callable[[SessionEvent | None], None],
        *,
        remembers: bool,
    ) -> None:
        """Answer through `queue`, tell through `emit`.

        `remembers` says that what was answered may come again on another connection.
        """
        self._inbox = inbox
        self._answers = answers
        self._reports = reports
        self._queue = queue
        self._emit = emit
        self._answered = AnsweredMessages() if remembers else None
        # The SEND that bound us is answered before its content is looked at, or is even whole.
        self._answered_transaction = b""

    def bound_by(self, frame: Frame) -> None:
        """Answer the SEND whose content binds the session."""
        self._queue(self._answers.answer(frame, _OK))
        self._answered_transaction = frame.transaction_id

    def receive(self, frame: Frame) -> None:
        """Take one SEND."""
        if not frame.body and is_empty_send(frame):
            self._take_empty(frame)
            return
        answered = frame.transaction_id == self._answered_transaction
        if self._answered is not None:
            known = self._answered.find(frame.headers.get(b"message-id", b""))
            if known is not None:
                self._take_again(frame, known, answered=answered)
                return
        taken = self._inbox.take(frame)
        if isinstance(taken, IncomingMessage):
            taken.answered = answered
            if self._answered is not None:
                self._answered.took(taken)
            self._emit(MessageReceived(taken))
            return
        if isinstance(taken, StreamTaken):
            for event in taken.events:
                self._emit(event)
                if self._answered is not None and isinstance(event, PieceReceived):
                    self._note_end(self._answered, event)
            taken = taken.status
        if taken:
            self._say(frame, taken, answered=answered)
        for assembly in self._inbox.dropped():
            if assembly.failure_report != b"no":
                self._queue(self._answers.drop(assembly.message_id, assembly.reached))

    def _take_empty(self, frame: Frame) -> None:
        self._queue(self._answers.answer(frame, _OK))
        if success_report_of(frame.headers):
            self._queue(self._answers.report_chunk(frame, _OK))
        if b"keep-alive" not in frame.headers:
            # It binds anew: behind a relay the connection of the peer may be another one.
            self.link_lost_behind()

    def link_lost_behind(self) -> None:
        """Take it that what has come so far may come again."""
        if self._answered is not None:
            self._answered.link_lost()

    def _note_end(self, answered: AnsweredMessages, piece: PieceReceived) -> None:
        if piece.completes:
            answered.settle(piece.stream.message_id, _OK)

    def _say(self, frame: Frame, status: int, *, answered: bool) -> None:
        if not answered:
            self._queue(self._answers.answer(frame, status))
        elif status != _OK and failure_report_of(frame.headers) != b"no":
            self._queue(self._answers.report_chunk(frame, status))

    def _take_again(
        self, frame: Frame, known: IncomingMessage | Verdict, *, answered: bool
    ) -> None:
        """Answer a message that was taken on an earlier connection, as it was answered there."""
        if not frame.flag:
            return
        if frame.flag != b"$":
            self._say(frame, _OK, answered=answered)
        elif isinstance(known, IncomingMessage):
            # Its user has not decided yet: the answer goes to whom it reaches.
            known.frame, known.answered = frame, answered
        else:
            status, report = known
            self._say(frame, status, answered=answered)
            wanted = (
                success_report_of(frame.headers)
                if report == _OK
                else failure_report_of(frame.headers) != b"no"
            )
            if report and wanted:
                self._queue(self._answers.report_chunk(frame, report))

    def accept(self, message: IncomingMessage, *, report: bool) -> None:
        """Answer that a message is taken; raises LocalProtocolError the second time."""
        self._queue(self._answers.accept(message))
        if report and message.success_report:
            self._reports.send(self._reports.receipt_of(message))
        if self._answered is not None:
            self._answered.settle(
                message.message_id, _OK, _OK if report and message.success_report else 0
            )

    def refuse(
        self, message: IncomingMessage, status: int, comment: bytes | None, *, as_report: bool
    ) -> None:
        """Answer that a message is not taken; raises LocalProtocolError the second time."""
        self._queue(self._answers.refuse(message, status, comment, as_report=as_report))
        if self._answered is not None:
            if as_report or message.answered:
                self._answered.settle(message.message_id, _OK, status)
            else:
                self._answered.settle(message.message_id, status)

    def refuse_stream(self, stream: IncomingStream, status: int) -> None:
        """Take no more of a message that comes in pieces."""
        self._inbox.refuse_stream(stream, status)

    def link_lost(self) -> None:
        """Give up the messages that come in pieces: nobody sends the rest of them again.

        What is to be put together is kept: the peer may go on with it, and Byte-Range tells where.
        """
        self.abort_streams()
        self.link_lost_behind()

    def abort_streams(self) -> None:
        """Tell that no more comes of what has not come whole."""
        for event in self._inbox.abort_streams():
            self._emit(event)
