"""One MSRP session: binding, messages in and out, reports, keep-alive (RFC 4975 sections 5 and 7).

A session belongs to one media line of an SDP exchange and lives on one connection at a time. What
it wants to send goes straight into the queue of that connection. Its user takes events with
`next_event` (of the session, or of the connection for all its sessions), answers messages with
`accept` or `refuse`, and calls `handle_deadline` when `next_deadline` has come.
"""

from collections import deque
from collections.abc import Sequence

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.assembly import MAX_MESSAGE_SIZE, MAX_OPEN_MESSAGES
from sylk.msrp.events import (
    Bound,
    Closed,
    IncomingMessage,
    MessageAccepted,
    MessageFailed,
    MessageReceived,
    NicknameAnswered,
    NicknameRequested,
    ReportReceived,
    SessionEvent,
)
from sylk.msrp.fanout import FanOut, render_after_paths
from sylk.msrp.frame import (
    NICKNAME,
    REPORT,
    SEND,
    Frame,
    covered_range,
    new_message_id,
    render_answer,
    render_report,
    render_response,
    render_with_paths,
    reported_range,
    reported_status,
)
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.inbox import Inbox, failure_report_of, success_report_of
from sylk.msrp.link import SessionIndex, SessionLink
from sylk.msrp.nickname import read_nickname, render_nickname
from sylk.msrp.outstanding import MAX_TRANSACTIONS, Outstanding, Purpose, Transaction
from sylk.msrp.session_paths import SessionPaths
from sylk.msrp.session_table import SessionAction, SessionInput, SessionState, advance
from sylk.msrp.session_timers import SessionTimers
from sylk.msrp.uri import Path

TRANSACTION_TIMEOUT = 30.0
"""Seconds until a request without an answer has failed (RFC 4975 section 7.1.1)."""

BIND_TIMEOUT = 30.0
"""Seconds within which a session must be bound, or it closes."""

KEEPALIVE_INTERVAL = 60.0
"""Seconds of silence from the peer after which an empty SEND asks whether it is still there."""

_BOUND = SessionState.BOUND


class MsrpSession:
    """The state and the rules of one session; see the module and `session_table`."""

    __slots__ = (
        "_answered_transaction",
        "_events",
        "_inbox",
        "_outstanding",
        "_paths",
        "_timers",
        "_transaction_ids",
        "accept_types",
        "accept_wrapped_types",
        "active",
        "connection",
        "ignored_frames",
        "registry",
        "session_id",
        "state",
    )

    def __init__(
        self,
        local_path: Path,
        *,
        active: bool,
        accept_types: Sequence[str] = ("*",),
        accept_wrapped_types: Sequence[str] = ("*",),
        max_message_size: int = MAX_MESSAGE_SIZE,
        max_open_messages: int = MAX_OPEN_MESSAGES,
        max_transactions: int = MAX_TRANSACTIONS,
        transaction_timeout: float = TRANSACTION_TIMEOUT,
        bind_timeout: float = BIND_TIMEOUT,
        keepalive_interval: float | None = KEEPALIVE_INTERVAL,
    ) -> None:
        self._paths = SessionPaths(local_path)
        self.session_id = local_path[-1].session_id
        self.active = active
        self.accept_types = tuple(accept_types)
        self.accept_wrapped_types = tuple(accept_wrapped_types)
        self.state = SessionState.IDLE
        self.connection: SessionLink | None = None
        self.registry: SessionIndex | None = None
        self.ignored_frames = 0
        """Responses and REPORTs that belonged to nothing."""
        self._events: deque[SessionEvent] = deque()
        self._inbox = Inbox(accept_types, max_message_size, max_open_messages)
        self._outstanding = Outstanding(transaction_timeout, max_transactions)
        self._transaction_ids = TransactionIds()
        self._timers = SessionTimers(bind_timeout, keepalive_interval)
        # The SEND that bound us is answered before its chunk is looked at, or even whole.
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

    def connected(self, connection: SessionLink, now: float) -> None:
        """Bind an active session to the connection just opened (RFC 4975 section 5.4).

        Raises LocalProtocolError when it is passive, already bound, or has no remote path.
        """
        _, state = advance(self.state, SessionInput.CONNECTED)
        if not self.active or not self.path_lines:
            raise LocalProtocolError("only an active session with a remote path connects")
        self.state = state
        self.connection = connection
        self._timers.heard = now
        self._timers.await_binding(now)
        self._send_empty(connection, Purpose.BIND, now)

    def close(self, reason: str, now: float = 0.0) -> None:
        """End the session at once: what is unanswered fails with 408, then Closed follows.

        Whether the connection is to be closed as well is for its owner to decide; `now` is not
        looked at.
        """
        self._end(SessionInput.ENDED, reason)

    def _end(self, session_input: SessionInput, reason: str) -> None:
        action, self.state = advance(self.state, session_input)
        if action is not SessionAction.END:
            return
        self._timers.stop()
        for transaction in self._outstanding.clear():
            self._fail(transaction, b"Session closed")
        self._emit(Closed(reason))
        if self.connection is not None:
            self.connection.release(self)
            self.connection = None
        if self.registry is not None:
            self.registry.remove(self)

    def _bind(self, frame: Frame, now: float) -> bool:
        """Take a SEND before the session is bound; whether its content is to be looked at."""
        empty = _is_empty(frame)
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

    # Receiving

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
        if not frame.body and _is_empty(frame):
            self._answer(frame, 200)
            if success_report_of(frame.headers):
                self._report(frame, 200, 0)
            return
        taken = self._inbox.take(frame)
        answered = frame.transaction_id == self._answered_transaction
        if not isinstance(taken, int):
            taken.answered = answered
            self._emit(MessageReceived(taken))
            return
        if taken and not answered:
            self._answer(frame, taken)
        elif taken and taken != 200 and failure_report_of(frame.headers) != b"no":
            self._report(frame, taken, len(frame.body or b""))
        for assembly in self._inbox.dropped():
            if assembly.failure_report != b"no":
                self._queue_report(assembly.message_id, 413, b"1-%d/*" % assembly.reached)

    def _receive_response(self, frame: Frame, now: float) -> None:
        transaction = self._outstanding.answered(frame.transaction_id)
        if transaction is None:
            self.ignored_frames += 1
        elif transaction.purpose is Purpose.BIND:
            if frame.status != 200:
                reason = f"the peer refused to bind: {frame.status}"
                self._end(SessionInput.BIND_REFUSED, reason)
                return
            action, self.state = advance(self.state, SessionInput.BIND_ACCEPTED)
            if action is SessionAction.ANNOUNCE:
                self._bound(now)
        elif transaction.purpose is Purpose.NICKNAME:
            self._emit(NicknameAnswered(frame.status, frame.comment))
        elif transaction.purpose is not Purpose.KEEP_ALIVE:
            if frame.status == 200:
                self._emit(MessageAccepted(transaction.message_id))
            else:
                message_id = transaction.message_id
                self._emit(MessageFailed(message_id, frame.status, frame.comment))

    def _receive_report(self, frame: Frame) -> None:
        message_id = frame.headers.get(b"message-id", b"")
        status = reported_status(frame)
        if status is None or not self._outstanding.expects_report(message_id):
            self.ignored_frames += 1
            return
        self._emit(ReportReceived(message_id, status, reported_range(frame)))

    def _receive_other(self, frame: Frame) -> None:
        action, self.state = advance(self.state, SessionInput.OTHER_REQUEST)
        if action is SessionAction.REFUSE:
            self._answer(frame, 481)
            return
        if frame.method != NICKNAME:
            self._answer(frame, 501)
            return
        headers = frame.headers
        value = headers.get(b"use-nickname")
        if value is None or b"success-report" in headers or b"failure-report" in headers:
            self._answer(frame, 400)
            return
        try:
            nickname = read_nickname(value)
        except RemoteProtocolError as error:
            self._answer(frame, error.status)
            return
        self._emit(NicknameRequested(nickname, frame))

    # Answering

    def accept(self, message: IncomingMessage) -> None:
        """Answer that a message is taken, and report success if the sender asked for it."""
        self._settle(message)
        if self.connection is None:
            return
        if message.failure_report == b"yes" and not message.answered:
            self._answer(message.frame, 200)
        if message.success_report:
            self._report(message.frame, 200, len(message.body))
