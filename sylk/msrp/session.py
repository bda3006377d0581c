"""One MSRP session: binding, messages in and out, reports, keep-alive (RFC 4975 sections 5 and 7).

A session belongs to one media line of an SDP exchange and lives on one connection at a time. What
it wants to send goes straight into the queue of that connection. Its user takes events with
`next_event` (of the session, or of the connection for all its sessions), answers messages with
`accept` or `refuse`, and calls `handle_deadline` when `next_deadline` has come.
"""

from collections.abc import Sequence

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.answers import Answers
from sylk.msrp.events import (
    Bound,
    Closed,
    IncomingMessage,
    MessageFailed,
    MessageReceived,
    NicknameRequested,
    ReportReceived,
    SessionEvent,
)
from sylk.msrp.fanout import FanOut
from sylk.msrp.frame import NICKNAME, REPORT, SEND, Frame, is_empty_send, new_message_id
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.inbox import Inbox, StreamTaken, failure_report_of, success_report_of
from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.link import SessionIndex, SessionLink
from sylk.msrp.nickname import read_request
from sylk.msrp.outgoing import Outgoing, event_of_answer, event_of_silence
from sylk.msrp.outstanding import Outstanding, Purpose
from sylk.msrp.report_table import ReportTable
from sylk.msrp.reporter import Reporter
from sylk.msrp.session_limits import DEFAULT_LIMITS, SessionLimits
from sylk.msrp.session_paths import SessionPaths
from sylk.msrp.session_table import SessionAction, SessionInput, SessionState, advance
from sylk.msrp.session_timers import SessionTimers
from sylk.msrp.strays import Strays
from sylk.msrp.stream_sender import StreamSender
from sylk.msrp.uri import Path

_BOUND = SessionState.BOUND


class MsrpSession:
    """The state and the rules of one session; see the module and `session_table`."""

    __slots__ = (
        "_answered_transaction",
        "_answers",
        "_events",
        "_inbox",
        "_outgoing",
        "_outstanding",
        "_paths",
        "_reported",
        "_timers",
        "accept_types",
        "accept_wrapped_types",
        "active",
        "connection",
        "ignored_frames",
        "registry",
        "reports",
        "session_id",
        "state",
        "strays",
        "streams",
    )

    def __init__(
        self,
        local_path: Path,
        *,
        active: bool,
        accept_types: Sequence[str] = ("*",),
        accept_wrapped_types: Sequence[str] = ("*",),
        limits: SessionLimits = DEFAULT_LIMITS,
    ) -> None:
        self._paths = SessionPaths(local_path)
        self.session_id = local_path[-1].session_id
        self.active = active
        self.accept_types = tuple(accept_types)
        self.accept_wrapped_types = tuple(accept_wrapped_types)
        self.state = SessionState.IDLE
        self.connection: SessionLink[MsrpSession] | None = None
        self.registry: SessionIndex[MsrpSession] | None = None
        self.ignored_frames = 0
        """Responses and REPORTs that belonged to nothing."""
        self._events: list[SessionEvent] = []
        self._inbox = Inbox(accept_types, limits)
        self._outstanding = Outstanding(limits.transaction_timeout, limits.max_transactions)
        transaction_ids = TransactionIds()
        self._reported = ReportTable()
        outgoing = self._paths, transaction_ids, self._outstanding, self._reported
        self._outgoing = Outgoing(*outgoing)
        self.streams = StreamSender(*outgoing, self._emit)
        self._answers = Answers(self._paths, transaction_ids)
        self.reports = Reporter(self._answers, self._queue)
        self.strays: Strays | None = None
        """Set by who sends to many: then answers that belong to nothing here are told."""
        self._timers = SessionTimers(limits.bind_timeout, limits.keepalive_interval)
        # The SEND that bound us is answered before its content is looked at, or is even whole.
        self._answered_transaction = b""

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

    @property
    def path_lines(self) -> bytes:
        """The two path lines of our requests, each with its CRLF."""
        return self._paths.request_lines

    # Binding and ending

    def await_connection(self, now: float) -> None:
        """Start the bind time-out of a passive session: the peer is to connect from now on."""
        if self.state is SessionState.IDLE:
            self._timers.await_binding(now)

    def connected(self, connection: "SessionLink[MsrpSession]", now: float) -> None:
        """Bind an active session to the connection just opened (RFC 4975 section 5.4).

        Raises LocalProtocolError when it is passive, already bound, or has no remote path.
        """
        _, state = advance(self.state, SessionInput.CONNECTED)
        if not self.active or not self.path_lines:
            raise LocalProtocolError("only an active session with a remote path connects")
        self.state = state
        self.connection = connection
        connection.attach(self)
        self._timers.heard = now
        self._timers.await_binding(now)
        connection.queue(self._outgoing.empty(Purpose.BIND, now))

    def close(self, reason: str) -> None:
        """End the session at once: what is unanswered fails with 408, then Closed follows.

        Whether the connection is to be closed as well is for its owner to decide.
        """
        self._end(SessionInput.ENDED, reason)

    def _end(self, session_input: SessionInput, reason: str) -> None:
        action, self.state = advance(self.state, session_input)
        if action is not SessionAction.END:
            return
        self._timers.stop()
        self._reported.clear()
        for transaction in self._outstanding.clear():
            self._emit(event_of_silence(transaction, b"Session closed"))
        for event in self._inbox.abort_streams():
            self._emit(event)
        self._emit(Closed(reason))
        if self.connection is not None:
            self.connection.release(self)
            self.connection = None
        if self.registry is not None:
            self.registry.remove(self)

    def _bind(self, frame: Frame, now: float) -> bool:
        """Take a SEND before the session is bound; whether its content is to be looked at."""
        empty = is_empty_send(frame)
        action, self.state = advance(
            self.state, SessionInput.EMPTY_SEND if empty else SessionInput.CONTENT_SEND
        )
        if action is SessionAction.REFUSE:
            self._answer(frame, 481)
            return False
        # The answer comes before all that the user may send once it knows.
        if empty:
            self._receive_send(frame)
        else:
            self._answer(frame, 200)
            self._answered_transaction = frame.transaction_id
        if self.state is _BOUND:
            self._bound(now)
        return not empty

    def _bound(self, now: float) -> None:
        self._timers.bound(now)
        self._emit(Bound())

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
                self._receive_send(frame)
        elif not method:
            self._receive_response(frame, now)
        elif method == REPORT:
            self._receive_report(frame)
        else:
            self._receive_other(frame)

    def _receive_send(self, frame: Frame) -> None:
        if not frame.body and is_empty_send(frame):
            self._answer(frame, 200)
            if success_report_of(frame.headers):
                self._queue(self._answers.report_chunk(frame, 200))
            return
        taken = self._inbox.take(frame)
        answered = frame.transaction_id == self._answered_transaction
        if isinstance(taken, IncomingMessage):
            taken.answered = answered
            self._emit(MessageReceived(taken))
            return
        if isinstance(taken, StreamTaken):
            for event in taken.events:
                self._emit(event)
            taken = taken.status
        if taken and not answered:
            self._answer(frame, taken)
        elif taken and taken != 200 and failure_report_of(frame.headers) != b"no":
            self._queue(self._answers.report_chunk(frame, taken))
        for assembly in self._inbox.dropped():
            if assembly.failure_report != b"no":
                self._queue(self._answers.drop(assembly.message_id, assembly.reached))

    def _receive_response(self, frame: Frame, now: float) -> None:
        transaction = self._outstanding.answered(frame.transaction_id)
        if transaction is None:
            self.ignored_frames += 1
            self._emit(self.strays and self.strays.answer(frame))
        elif transaction.purpose is Purpose.BIND:
            if frame.status != 200:
                reason = f"the peer refused to bind: {frame.status}"
                self._end(SessionInput.BIND_REFUSED, reason)
                return
            action, self.state = advance(self.state, SessionInput.BIND_ACCEPTED)
            if action is SessionAction.ANNOUNCE:
                self._bound(now)
        else:
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
        self._queue(self._answers.accept(message, report=report))

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
        self._queue(self._answers.refuse(message, status, comment, as_report=as_report))

    def refuse_stream(self, stream: IncomingStream, status: int) -> None:
        """Take no more of such a message: its sender gets a REPORT, and `status` for the rest."""
        self._inbox.refuse_stream(stream, status)
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

        Deployed clients cannot put chunks together. Raises LocalProtocolError when the session is
        not bound or too many messages wait for an answer.
        """
        link = self._bound_link()
        message_id = message_id or new_message_id()
        render = self._outgoing.message
        link.queue(render(body, content_type, now, message_id, success_report, failure_report))
        return message_id

    def deliver(self, batch: FanOut) -> None:
        """Send a batch of messages that others get as well.

        No answer is waited for. Raises LocalProtocolError when the session is not bound.
        """
        self._bound_link().queue(batch.render_for(self._paths.request_lines))
        for message_id, size in batch.reported:
            self._reported.expect(message_id, size)

    def set_nickname(self, nickname: str, now: float, *, quoted: bool = True) -> bytes:
        """Ask for a nickname, or give it up if empty; return the id in `NicknameAnswered`.

        Raises LocalProtocolError when the session is not bound or the name cannot be written.
        """
        return self._outgoing.ask_nickname(self._bound_link().queue, nickname, now, quoted=quoted)

    def _bound_link(self) -> "SessionLink[MsrpSession]":
        if self.state is not _BOUND or self.connection is None:
            advance(self.state, SessionInput.MESSAGE_TO_SEND)
            raise LocalProtocolError("the session has no connection")
        return self.connection

    def _answer(self, frame: Frame, status: int) -> None:
        self._queue(self._answers.answer(frame, status))

    def _queue(self, data: bytes) -> None:
        if data and self.connection is not None:
            self.connection.queue(data)

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is to be called, None for never."""
        of_timers = self._timers.next_deadline()
        of_transactions = self._outstanding.next_deadline()
        if of_timers is None or of_transactions is None:
            return of_transactions if of_timers is None else of_timers
        return min(of_timers, of_transactions)

    def handle_deadline(self, now: float) -> None:
        """Do what is due by `now`: fail what was not answered, ask a silent peer, give up."""
        if self._timers.bind_overdue(now):
            self._end(SessionInput.TIMED_OUT, "not bound in time")
            return
        for transaction in self._outstanding.expired(now):
            if transaction.purpose is not Purpose.KEEP_ALIVE:
                self._emit(event_of_silence(transaction, b"Timed out"))
            elif self._timers.heard <= transaction.sent:
                self._end(SessionInput.TIMED_OUT, "the peer does not answer")
                return
        if self._timers.keepalive_due(now) and self.connection is not None:
            self.connection.queue(self._outgoing.empty(Purpose.KEEP_ALIVE, now))

    def next_event(self) -> SessionEvent | None:
        """Return what happened next, None when all has been told."""
        return self._events.pop(0) if self._events else None

    @property
    def has_events(self) -> bool:
        """Whether `next_event` has something to tell."""
        return bool(self._events)

    def _emit(self, event: SessionEvent | None) -> None:
        if event is not None:
            self._events.append(event)
            if self.connection is not None:
                self.connection.announce(self)
