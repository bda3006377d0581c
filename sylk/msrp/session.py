"""One MSRP session: binding, messages in and out, reports, keep-alive (RFC 4975 sections 5 and 7).

A session belongs to one media line of an SDP exchange and lives on one connection at a time. What
it wants to send goes straight into the queue of that connection, or is kept while there is none.
Its user takes events with `next_event` (of the session, or of the connection for all its sessions),
answers messages with `accept` or `refuse`, and calls `handle_deadline` when `next_deadline` has
come.
"""

from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.events import (
    IncomingMessage,
    MessageFailed,
    NicknameRequested,
    ReportReceived,
)
from sylk.msrp.fanout import FanOut
from sylk.msrp.frame import NICKNAME, REPORT, SEND, Frame, new_message_id
from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.link import SessionLink
from sylk.msrp.nickname import read_request
from sylk.msrp.outgoing import event_of_answer
from sylk.msrp.outstanding import Purpose, SentMessage
from sylk.msrp.session_binding import SessionBinding
from sylk.msrp.session_table import SessionAction, SessionInput, SessionState, advance
from sylk.msrp.uri import Path

_BOUND = SessionState.BOUND


class MsrpSession(SessionBinding):
    """What is said in one session; see the module, `session_binding` and `session_table`."""

    __slots__ = ()

    @property
    def local_path(self) -> Path:
        """Our path as our SDP gives it: our relays, then ourselves."""
        return self._paths.local

    @property
    def remote_path(self) -> Path:
        """The path of the peer as its SDP gave it, empty while unknown."""
        return self._paths.remote

    @remote_path.setter
    def remote_path(self, path: Path) -> None:
        self._paths.remote = path

    def receive_frame(self, frame: Frame, now: float) -> None:
        """Take a frame without fault whose To-Path names this session."""
        refusal = self._paths.admit(frame)
        if refusal:
            self._answer(frame, refusal)
            return
        self._timers.heard = now
        method = frame.method
        if method == SEND:
            if self.state is _BOUND or self._bind(frame, now):
                self._receiver.receive(frame)
        elif not method:
            self._receive_response(frame, now)
        elif method == REPORT:
            self._receive_report(frame)
        else:
            self._receive_other(frame)

    def _receive_response(self, frame: Frame, now: float) -> None:
        transaction = self._outstanding.answered(frame.transaction_id)
        if transaction is None:
            self.ignored_frames += 1
            self._emit(self.strays and self.strays.answer(frame))
        elif transaction.purpose is Purpose.BIND:
            if frame.status != 200:
                elsewhere = frame.status == 506
                refused = SessionInput.BOUND_ELSEWHERE if elsewhere else SessionInput.BIND_REFUSED
                self._lose(refused, f"the peer refused to bind: {frame.status}", now)
                return
            action, self.state = advance(self.state, SessionInput.BIND_ACCEPTED)
            if action is SessionAction.ANNOUNCE:
                self._bound(now)
        else:
            if self.unconfirmed is not None:
                self.unconfirmed.confirm(transaction.sent)
            event = event_of_answer(transaction, frame)
            if isinstance(event, MessageFailed):
                self.streams.refused(event.message_id, event.status)
            self._emit(event)

    def _receive_report(self, frame: Frame) -> None:
        events = self._reported.take(frame)
        for event in events:
            if isinstance(event, ReportReceived) and event.status != 200:
                self.streams.refused(event.message_id, event.status)
            self._emit(event)
        if not events:
            self.ignored_frames += 1
            if self.strays is not None and not self._reported.expects(frame):
                self._emit(self.strays.report(frame))

    def _receive_other(self, frame: Frame) -> None:
        action, self.state = advance(self.state, SessionInput.OTHER_REQUEST)
        if action is SessionAction.REFUSE:
            self._answer(frame, 481)
        elif frame.method != NICKNAME:
            self._answer(frame, 501)
        else:
            try:
                self._emit(read_request(frame))
            except RemoteProtocolError as error:
                self._answer(frame, error.status)

    def accept(self, message: IncomingMessage, *, report: bool = True) -> None:
        """Answer that a message is taken, and report success if the sender asked for it.

        Without `report` that is left to `reports`. Does nothing but note it when the session is
        over; raises LocalProtocolError when the message was answered before.
        """
        self._receiver.accept(message, report=report)

    def refuse(
        self,
        message: IncomingMessage,
        status: int,
        comment: bytes | None = None,
        *,
        as_report: bool = False,
    ) -> None:
        """Answer that a message is not taken: by a response, or by 200 and a REPORT.

        COMPAT: deployed clients expect refusals of what is inside a message `as_report`.
        """
        self._receiver.refuse(message, status, comment, as_report=as_report)

    def refuse_stream(self, stream: IncomingStream, status: int) -> None:
        """Take no more of such a message: its sender gets a REPORT, and `status` for the rest."""
        self._receiver.refuse_stream(stream, status)
        self.reports.send(self.reports.receipt_of(stream), status)

    def answer_nickname(
        self, event: NicknameRequested, status: int, comment: bytes | None = None
    ) -> None:
        """Answer a NICKNAME: 200, or a refusal of RFC 7701 section 7."""
        self._queue(self._answers.answer(event.frame, status, comment))

    # Sending

    def send_message(
        self,
        body: bytes,
        content_type: bytes,
        now: float,
        *,
        message_id: bytes | None = None,
        success_report: bool = False,
        failure_report: bytes = b"yes",
    ) -> bytes:
        """Send a message in one chunk and return its Message-ID.

        Deployed clients cannot put chunks together. A detached session keeps it. Raises
        LocalProtocolError when the session is not bound, or too much waits in it.
        """
        link = self._bound_link()
        message = SentMessage(body, content_type, success_report, failure_report)
        message_id = message_id or new_message_id()
        if link is not None:
            link.queue(self._outgoing.message(message, message_id, now))
        elif self.unconfirmed is not None:
            self.unconfirmed.keep_message(message, message_id, now)
        return message_id

    def deliver(self, batch: FanOut, now: float) -> None:
        """Send a batch of messages that others get as well; as `send_message`.

        No answer is waited for.
        """
        link = self._bound_link()
        batch.sent = now
        if link is not None:
            link.queue(batch.render_for(self._paths.request_lines))
        if self.unconfirmed is not None:
            self.unconfirmed.note(batch) if link is not None else self.unconfirmed.keep(batch)
        for message_id, size in batch.reported:
            self._reported.expect(message_id, size)

    def set_nickname(self, nickname: str, now: float, *, quoted: bool = True) -> bytes:
        """Ask for a nickname, or give it up if empty; return the id in `NicknameAnswered`.

        Raises LocalProtocolError when the session is not bound or the name cannot be written.
        """
        link = self._bound_link()
        if link is None:
            raise LocalProtocolError("the session has no connection now")
        return self._outgoing.ask_nickname(link.queue, nickname, now, quoted=quoted)

    def _bound_link(self) -> SessionLink[Self] | None:
        """Return what carries the session, None while it is detached; raises LocalProtocolError."""
        if self.state is _BOUND:
            return self.connection
        advance(self.state, SessionInput.MESSAGE_TO_SEND)
        return None
