"""One connection: frames to sessions, and all that they say into one write.

Several sessions may share a connection (RFC 4975 section 5.4). A frame is brought to its session by
the raw bytes of its To-Path, which are the same in each frame of a session, so that the URI is
parsed once. What a read brings is answered with one piece of bytes: all that sessions queue gathers
here until `data_to_send` takes it. It is as large as what was read needs answers, plus what the
users send: whoever writes it out bounds what waits.
"""

from collections.abc import Callable

from sylk.errors import RemoteProtocolError
from sylk.msrp.answers import answer
from sylk.msrp.events import SessionEvent
from sylk.msrp.frame import AUTH, REPORT, Frame
from sylk.msrp.link import FrameTaker
from sylk.msrp.outgoing_stream import OutgoingStream
from sylk.msrp.parser import DEFAULT_LIMITS, FrameParser, Limits
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_table import SessionState
from sylk.msrp.uri import MsrpURI

MAX_ROUTES = 64
"""Different To-Paths remembered for one connection; more are parsed again."""

MAX_REFUSALS = 4
"""Refused requests remembered until somebody takes them; of a storm the first ones tell enough."""


def _nothing_waits() -> int:
    return 0


class MsrpConnection:
    """The protocol side of one TCP or TLS connection."""

    __slots__ = (
        "_doubted",
        "_open_stream",
        "_out",
        "_parser",
        "_ready",
        "_refusals",
        "_registry",
        "_routes",
        "_sessions",
        "_taker",
        "backlog",
        "close_reason",
        "closed",
        "ignored_frames",
        "secure",
        "source",
    )

    def __init__(
        self,
        registry: SessionRegistry,
        limits: Limits = DEFAULT_LIMITS,
        *,
        secure: bool | None = None,
        taker: "FrameTaker[MsrpConnection] | None" = None,
    ) -> None:
        """Take frames for the sessions of `registry`.

        `secure` tells whether the connection is over TLS: then it carries only sessions whose path
        says so, and else only others. None carries both. `taker` is asked first about frames that
        are not plainly for a session.
        """
        self._registry = registry
        self._taker = taker
        self.secure = secure
        self.backlog: Callable[[], int] = _nothing_waits
        """How many bytes wait to be written out; whoever writes them can tell."""
        self.source = ""
        """By what the limits of a source count the peer; empty where they do not hold for it."""
        self._parser = FrameParser(limits)
        self._sessions: dict[MsrpSession, None] = {}
        self._routes: dict[bytes, MsrpSession] = {}
        # A session stands here if it may have events.
        # A list, as an empty deque takes ten times the memory.
        self._ready: list[MsrpSession] = []
        self._out: list[bytes] = []
        self._open_stream: OutgoingStream | None = None
        self.closed = False
        self.close_reason = ""
        self.ignored_frames = 0
        """Responses and REPORTs that belonged to no session."""
        self._refusals: list[tuple[int, bytes]] = []
        self._doubted: list[MsrpSession] = []

    @property
    def sessions(self) -> list[MsrpSession]:
        """The sessions bound to this connection, or binding."""
        return list(self._sessions)

    def receive_data(self, data: bytes, now: float) -> None:
        """Take what one read brought.

        Raises RemoteProtocolError when the stream cannot be framed any more. The connection is
        closed then, and its sessions have told so; their events and the answers to what came
        before the fault can still be taken.
        """
        if self.closed:
            return
        parser = self._parser
        parser.receive_data(data)
        ready = self._ready
        while ready and not ready[0].has_events:
            ready.pop(0)
        try:
            while (frame := parser.next_event()) is not None:
                session = self._routes.get(frame.to_path)
                if session is not None and session.connection is self and not frame.fault:
                    session.receive_frame(frame, now)
                else:
                    self._route(frame, now)
        except RemoteProtocolError as error:
            self.close(str(error))
            raise

    def next_event(self) -> tuple[MsrpSession, SessionEvent] | None:
        """Return what happened next and to which session, None when all has been told."""
        ready = self._ready
        while ready:
            event = ready[0].next_event()
            if event is not None:
                return ready[0], event
            ready.pop(0)
        return None

    def next_events(self) -> tuple[MsrpSession, list[SessionEvent]] | None:
        """Return a session and all that has happened to it, None when all has been told."""
        ready = self._ready
        while ready:
            session = ready.pop(0)
            if events := session.take_events():
                return session, events
        return None

    def take_refusals(self) -> list[tuple[int, bytes]]:
        """Return, once, status and To-Path of requests that were refused before a session saw them.

        For the log; at most MAX_REFUSALS since the last call.
        """
        refusals = self._refusals
        self._refusals = []
        return refusals

    def take_doubted(self) -> list[MsrpSession]:
        """Return, once, the sessions of other connections that have just asked there for a sign.

        Their peer wanted to bind them to this one; what they say there is to be written.
        """
        doubted, self._doubted = self._doubted, []
        return doubted

    def data_to_send(self) -> bytes:
        """Return all that is to be sent, and forget it."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def frames_to_send(self) -> bytes:
        """Return what `data_to_send` does, with an open chunk ended: any frame may follow."""
        if self._open_stream is not None:
            self.interrupt()
        return self.data_to_send() if self._out else b""

    def close(self, reason: str, now: float | None = None) -> None:
        """End the connection and its sessions.

        With `now` it was lost: those that may get another connection wait for it.
        """
        if self.closed:
            return
        self.closed = True
        self.close_reason = reason
        for session in list(self._sessions):
            if now is None:
                session.close(reason)
            else:
                session.link_lost(reason, now)
        self._routes.clear()

    def next_deadline(self) -> float | None:
        """Return the earliest deadline of the sessions, None for never."""
        deadlines = [session.next_deadline() for session in self._sessions]
        return min((at for at in deadlines if at is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        """Let each session do what is due by `now`."""
        for session in list(self._sessions):
            session.handle_deadline(now)

    # What sessions call

    def queue(self, data: bytes) -> None:
        """Send these bytes, which are whole frames, with what else there is."""
        if self._open_stream is not None:
            self.interrupt()
        self._out.append(data)

    def queue_piece(self, stream: OutgoingStream, data: bytes) -> None:
        """Send bytes of the open chunk of `stream`, or its head; another open chunk is ended."""
        if self._open_stream is not stream:
            self.interrupt()
        self._open_stream = stream if stream.is_open else None
        self._out.append(data)

    def interrupt(self) -> None:
        """End the open chunk, so that other frames may follow; its message goes on after them."""
        if self._open_stream is not None:
            if self._open_stream.is_open:
                self._out.append(self._open_stream.close(b"+"))
            self._open_stream = None

    def announce(self, session: MsrpSession) -> None:
        """Note that the session has one more event."""
        ready = self._ready
        if not ready or ready[-1] is not session:
            ready.append(session)

    def waiting(self) -> int:
        """Return how many bytes wait to be written out."""
        return self.backlog()

    def attach(self, session: MsrpSession) -> None:
        """Take a session that is to be bound to this connection."""
        self._sessions[session] = None

    def release(self, session: MsrpSession) -> None:
        """Let go of a session that is over."""
        self._sessions.pop(session, None)

    # Frames that are not just for the session that had the one before

    def _route(self, frame: Frame, now: float) -> None:
        taker = self._taker
        if taker is not None and not frame.fault and taker.receive_frame(self, frame, now):
            return
        if not frame.method or frame.method == REPORT:
            self._route_unanswered(frame, now)
            return
        session: MsrpSession | None = None
        if frame.fault:
            status = frame.fault
        elif frame.method == AUTH:
            # Where a relay runs, it has taken this (RFC 4976).
            status = 501
        else:
            session, status = self._find(frame)
        if session is not None:
            if session.connection is None:
                self._offer(session, frame, now)
                return
            if session.connection is self:
                session.receive_frame(frame, now)
                return
            status = 506
            if session.doubt(frame, now):
                self._doubted.append(session)
        # A chunk that comes in pieces is refused at its first.
        if frame.offset:
            return
        if len(self._refusals) < MAX_REFUSALS:
            self._refusals.append((status, frame.to_path))
        if data := answer(frame, status):
            self.queue(data)

    def _route_unanswered(self, frame: Frame, now: float) -> None:
        session = None if frame.fault else self._find(frame)[0]
        if session is None or session.connection is not self:
            self.ignored_frames += 1
        else:
            session.receive_frame(frame, now)

    def _find(self, frame: Frame) -> tuple[MsrpSession | None, int]:
        """Return the session that the To-Path names, or the status to refuse it with."""
        try:
            uri = MsrpURI.parse(frame.to_path.partition(b" ")[0])
        except RemoteProtocolError as error:
            return None, error.status
        session = self._registry.get(uri.session_id)
        if session is None or self.secure not in (None, session.local_path[-1].secure):
            return None, 481
        if session.connection is self:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            self._routes[frame.to_path] = session
        return session, 0

    def _offer(self, session: MsrpSession, frame: Frame, now: float) -> None:
        """Hand a session the first request for it; it stays if that has bound it."""
        session.connection = self
        session.receive_frame(frame, now)
        if session.state in (SessionState.IDLE, SessionState.DETACHED):
            session.connection = None
        elif session.connection is self:
            self._sessions[session] = None
