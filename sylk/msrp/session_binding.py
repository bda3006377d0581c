"""How a session gets its connection, keeps it, loses it, and ends.

`session_table` has the states; here is what they do. What is said in a session is in `session`.
"""

from collections.abc import Sequence
from typing import Self

from sylk.errors import LocalProtocolError
from sylk.msrp.answers import Answers
from sylk.msrp.events import Bound, Closed, Detached, Rebound, SessionEvent
from sylk.msrp.frame import SEND, Frame, is_empty_send
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.inbox import Inbox
from sylk.msrp.link import SessionIndex, SessionLink
from sylk.msrp.outgoing import Outgoing, event_of_silence
from sylk.msrp.outstanding import Outstanding, Purpose
from sylk.msrp.receiver import Receiver
from sylk.msrp.report_table import ReportTable
from sylk.msrp.reporter import Reporter
from sylk.msrp.session_limits import DEFAULT_LIMITS, SessionLimits
from sylk.msrp.session_paths import SessionPaths
from sylk.msrp.session_table import SessionAction, SessionInput, SessionState, advance
from sylk.msrp.session_timers import SessionTimers
from sylk.msrp.strays import Strays
from sylk.msrp.stream_sender import StreamSender
from sylk.msrp.unconfirmed import Unconfirmed
from sylk.msrp.uri import Path

_BOUND = SessionState.BOUND


class SessionBinding:
    """A session as far as its connection, its time and its end go."""

    __slots__ = (
        "_answers",
        "_events",
        "_limits",
        "_lost",
        "_outgoing",
        "_outstanding",
        "_paths",
        "_receiver",
        "_reported",
        "_timers",
        "accept_types",
        "accept_wrapped_types",
        "active",
        "connection",
        "fan_outs",
        "ignored_frames",
        "registry",
        "reports",
        "session_id",
        "state",
        "strays",
        "streams",
        "unconfirmed",
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
        self.connection: SessionLink[Self] | None = None
        self.registry: SessionIndex[Self] | None = None
        self.ignored_frames = 0
        """Responses and REPORTs that belonged to nothing."""
        self._events: list[SessionEvent] = []
        self._limits = limits
        self._lost = ""
        outlives = limits.reconnect_timeout > 0
        self._outstanding = Outstanding(
            limits.transaction_timeout, limits.max_transactions, outlives * limits.max_kept
        )
        transaction_ids = TransactionIds()
        self._reported = ReportTable()
        outgoing = self._paths, transaction_ids, self._outstanding, self._reported
        self._outgoing = Outgoing(*outgoing)
        self.streams = StreamSender(*outgoing, self._emit)
        self._answers = Answers(self._paths, transaction_ids)
        self.reports = Reporter(self._answers, self._queue_report)
        self._receiver = Receiver(
            Inbox(accept_types, limits),
            self._answers,
            self.reports,
            self._queue,
            self._emit,
            remembers=outlives,
        )
        self.unconfirmed = Unconfirmed(self._outgoing, limits) if outlives else None
        """What is kept for another connection; None where the session ends with its own."""
        self.fan_outs = None if self.unconfirmed is None else self.unconfirmed.fan_outs
        """The list of `unconfirmed`, at hand for who sends to many."""
        self.strays: Strays | None = None
        """Set by who sends to many: then answers that belong to nothing here are told."""
        self._timers = SessionTimers(limits.bind_timeout, limits.keepalive_interval)

    @property
    def path_lines(self) -> bytes:
        """The two path lines of our requests, each with its CRLF."""
        return self._paths.request_lines

    @property
    def is_detached(self) -> bool:
        """Whether the session waits to be bound to another connection."""
        return self.state in (SessionState.DETACHED, SessionState.REBINDING)

    @property
    def kept(self) -> int:
        """Bytes that wait for another connection, or for their answer on this one."""
        return 0 if self.unconfirmed is None else self.unconfirmed.kept

    def end_with_connection(self) -> None:
        """Wait for no other connection: the peer could not reach us on it."""
        self.unconfirmed = self.fan_outs = None

    def await_connection(self, now: float) -> None:
        """Start the bind time-out of a passive session: the peer is to connect from now on."""
        if self.state is SessionState.IDLE:
            self._timers.await_binding(now)

    def connected(self, connection: SessionLink[Self], now: float) -> None:
        """Bind an active session to the connection just opened (RFC 4975 section 5.4).

        Raises LocalProtocolError when it is passive, already bound, or has no remote path.
        """
        _, state = advance(self.state, SessionInput.CONNECTED)
        if not self.active or not self.path_lines:
            raise LocalProtocolError("only an active session with a remote path connects")
        if state is SessionState.BINDING:
            self._timers.await_binding(now)
        self.state = state
        self.connection = connection
        connection.attach(self)
        self._timers.heard = now
        connection.queue(self._outgoing.empty(Purpose.BIND, now))

    def close(self, reason: str) -> None:
        """End the session at once: what is unanswered fails with 408, then Closed follows.

        Whether the connection is to be closed as well is for its owner to decide.
        """
        self._end(SessionInput.ENDED, reason)

    def link_lost(self, reason: str, now: float) -> None:
        """Take it that the connection is gone: wait for another one, or end, by the table."""
        self._lose(
            SessionInput.ENDED if self.unconfirmed is None else SessionInput.LINK_LOST, reason, now
        )

    def _lose(self, session_input: SessionInput, reason: str, now: float) -> None:
        action, state = advance(self.state, session_input)
        if action is SessionAction.END:
            self._end(session_input, reason)
        elif action is SessionAction.DETACH or action is SessionAction.RELEASE:
            self.state = state
            if action is SessionAction.DETACH:
                self._detach(reason, now)
            self._outstanding.drop_binds()
            self._emit(Detached(reason))
            self._release()

    def _detach(self, reason: str, now: float) -> None:
        """Keep what can be sent again, and fail the rest."""
        assert self.unconfirmed is not None, "only then the table is asked"
        self._lost = reason or "the connection is gone"
        self._timers.await_rebinding(now, self._limits.reconnect_timeout)
        for event in self.unconfirmed.link_lost(self.streams.link_lost(), now):
            self._emit(event)
        self._receiver.link_lost()

    def _end(self, session_input: SessionInput, reason: str) -> None:
        action, self.state = advance(self.state, session_input)
        if action is not SessionAction.END:
            return
        self._timers.stop()
        self._reported.clear()
        if self._lost and self.unconfirmed is not None:
            for event in self.unconfirmed.lost(self.strays is not None):
                self._emit(event)
        for transaction in self._outstanding.clear():
            self._emit(event_of_silence(transaction, b"Session closed"))
        self._receiver.abort_streams()
        self._emit(Closed(reason))
        self._release()
        if self.registry is not None:
            self.registry.remove(self)

    def _release(self) -> None:
        if self.connection is not None:
            self.connection.release(self)
            self.connection = None

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
            self._receiver.receive(frame)
        else:
            self._receiver.bound_by(frame)
        if self.state is _BOUND:
            self._bound(now)
        return not empty

    def _bound(self, now: float) -> None:
        self._timers.bound(now)
        if not self._lost:
            self._emit(Bound())
        else:
            self._lost = ""
            self._emit(Rebound())
        if self.unconfirmed is not None and self.connection is not None:
            self.unconfirmed.backlog = self.connection.waiting
            for data in self.unconfirmed.again(self.path_lines, now):
                self.connection.queue(data)

    def doubt(self, frame: Frame, now: float) -> bool:
        """See to it that the connection proves itself: the peer has named us on another one.

        Whether it was asked for a sign of life. A stranger who does not know both session-ids
        brings about nothing.
        """
        if self.unconfirmed is None or self.state is not _BOUND or self.connection is None:
            return False
        if frame.method != SEND or self._paths.admit(frame) or not self._timers.doubt(now):
            return False
        self.connection.queue(self._outgoing.empty(Purpose.KEEP_ALIVE, now))
        return True

    def _answer(self, frame: Frame, status: int) -> None:
        self._queue(self._answers.answer(frame, status))

    def _queue(self, data: bytes) -> None:
        if data and self.connection is not None:
            self.connection.queue(data)

    def _queue_report(self, data: bytes) -> None:
        if data and self.is_detached and self.unconfirmed is not None:
            self.unconfirmed.keep_report(data)
        else:
            self._queue(data)

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is to be called, None for never."""
        of_timers = self._timers.next_deadline()
        of_transactions = None if self.is_detached else self._outstanding.next_deadline()
        if of_timers is None or of_transactions is None:
            return of_transactions if of_timers is None else of_timers
        return min(of_timers, of_transactions)

    def handle_deadline(self, now: float) -> None:
        """Do what is due by `now`: fail what was not answered, ask a silent peer, give up."""
        if self._timers.bind_overdue(now):
            lost = f"{self._lost}, and there was no other connection" if self._lost else ""
            self._end(SessionInput.TIMED_OUT, f"{lost or 'not bound'} in time")
            return
        if self.is_detached:
            # What waits has all the time that the session has.
            return
        for transaction in self._outstanding.expired(now):
            if transaction.purpose is not Purpose.KEEP_ALIVE:
                self._emit(event_of_silence(transaction, b"Timed out"))
            elif self._timers.heard <= transaction.sent:
                self._give_up(now)
                return
        if self._timers.is_dead(now):
            self._give_up(now)
        elif self._timers.keepalive_due(now) and self.connection is not None:
            self.connection.queue(self._outgoing.empty(Purpose.KEEP_ALIVE, now))

    def _give_up(self, now: float) -> None:
        self.link_lost("the peer does not answer", now)

    def next_event(self) -> SessionEvent | None:
        """Return what happened next, None when all has been told."""
        return self._events.pop(0) if self._events else None

    def take_events(self) -> list[SessionEvent]:
        """Return all that happened, which may be nothing."""
        events = self._events
        if events:
            self._events = []
        return events

    @property
    def has_events(self) -> bool:
        """Whether `next_event` has something to tell."""
        return bool(self._events)

    def _emit(self, event: SessionEvent | None) -> None:
        if event is not None:
            self._events.append(event)
            if self.connection is not None:
                self.connection.announce(self)
