"""A session with its connection, and a peer that is nothing but bytes."""

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import MessageReceived, SessionEvent
from sylk.msrp.frame import Frame
from sylk.msrp.parser import FrameParser
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_limits import MAX_STREAM_SIZE, SessionLimits
from sylk.msrp.uri import parse_path

US = b"msrp://us.example.com:1/us;tcp"
THEM = b"msrp://them.example.com:2/them;tcp"


def make_session(
    *,
    active: bool = False,
    session_id: str = "us",
    remote: bytes = THEM,
    accept_types: tuple[str, ...] = ("*",),
    max_message_size: int = 1000,
    stream_above: int | None = None,
    max_stream_size: int = MAX_STREAM_SIZE,
    max_open_messages: int = 4,
    max_transactions: int = 16,
    keepalive_interval: float | None = 60.0,
) -> MsrpSession:
    session = MsrpSession(
        parse_path(f"msrp://us.example.com:1/{session_id};tcp"),
        active=active,
        accept_types=accept_types,
        limits=SessionLimits(
            max_message_size=max_message_size,
            stream_above=stream_above,
            max_stream_size=max_stream_size,
            max_open_messages=max_open_messages,
            max_transactions=max_transactions,
            keepalive_interval=keepalive_interval,
        ),
    )
    if remote:
        session.remote_path = parse_path(remote)
    return session


class Wire:
    """One connection, seen from the other side of the socket."""

    def __init__(self, *sessions: MsrpSession, registry: SessionRegistry | None = None) -> None:
        self.registry = SessionRegistry() if registry is None else registry
        for session in sessions:
            self.registry.add(session)
        self.connection = MsrpConnection(self.registry)
        self._parser = FrameParser()

    def receive(self, *data: bytes, now: float = 0.0) -> list[SessionEvent]:
        """Bring all data in one read and return the events."""
        self.connection.receive_data(b"".join(data), now)
        return self.events()

    def events(self) -> list[SessionEvent]:
        events: list[SessionEvent] = []
        while (event := self.connection.next_event()) is not None:
            events.append(event[1])
        return events

    def sent(self) -> list[Frame]:
        """Return the frames that were sent since the last call."""
        self._parser.receive_data(self.connection.data_to_send())
        frames: list[Frame] = []
        while (frame := self._parser.next_event()) is not None:
            frames.append(frame)
        return frames

    def statuses(self) -> list[int]:
        """Return the statuses of the answers sent since the last call; REPORTs count negative."""
        return [
            -int(frame.headers[b"status"].split()[1]) if frame.method else frame.status
            for frame in self.sent()
        ]


def send(
    body: bytes | None = None,
    *,
    tid: bytes = b"tid1",
    message_id: bytes = b"m1",
    byte_range: bytes | None = None,
    flag: bytes = b"$",
    content_type: bytes = b"text/plain",
    method: bytes = b"SEND",
    to: bytes = US,
    back: bytes = THEM,
    extra: bytes = b"",
) -> bytes:
    """Write a request of the peer by hand."""
    size = len(body or b"")
    head = b"MSRP %b %b\r\nTo-Path: %b\r\nFrom-Path: %b\r\nMessage-ID: %b\r\n" % (
        tid,
        method,
        to,
        back,
        message_id,
    )
    if byte_range is None:
        head += b"Byte-Range: 1-%d/%d\r\n" % (size, size)
    elif byte_range:
        head += b"Byte-Range: %b\r\n" % byte_range
    head += extra
    if body is not None:
        head += b"Content-Type: %b\r\n\r\n%b\r\n" % (content_type, body)
    return head + b"-------%b%b\r\n" % (tid, flag)


def answer(tid: bytes, status: int, *, to: bytes = US, back: bytes = THEM) -> bytes:
    """Write an answer of the peer by hand."""
    return b"MSRP %b %d X\r\nTo-Path: %b\r\nFrom-Path: %b\r\n-------%b$\r\n" % (
        tid,
        status,
        to,
        back,
        tid,
    )


def bound_wire(session: MsrpSession | None = None) -> tuple[MsrpSession, Wire]:
    """Return a passive session that its peer has just bound."""
    if session is None:
        session = make_session()
    wire = Wire(session)
    wire.receive(send())
    wire.sent()
    return session, wire


def bodies(events: list[SessionEvent]) -> list[bytes]:
    """Return the bodies of the messages among the events."""
    return [event.message.body for event in events if isinstance(event, MessageReceived)]
