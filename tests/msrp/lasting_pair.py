"""Two people whose one session outlives its connections; the network between them is a script.

What a side writes waits in its outbox, then in the network, then arrives. When a connection breaks,
all that has not arrived is lost, whoever had it; each side notices when the test says so.
"""

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import (
    Closed,
    FanOutAnswered,
    MessageAccepted,
    MessageFailed,
    MessageReceived,
    PieceReceived,
    Rebound,
    SessionEvent,
    StreamAborted,
)
from sylk.msrp.fanout import FanOut
from sylk.msrp.frame import new_message_id
from sylk.msrp.outgoing_stream import OutgoingStream
from sylk.msrp.parser import Limits
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_limits import SessionLimits
from sylk.msrp.session_table import SessionState
from sylk.msrp.strays import Strays
from sylk.msrp.uri import parse_path

TEXT = b"text/plain"
RECONNECT = 20.0
LIMITS = SessionLimits(
    max_message_size=600, stream_above=200, max_stream_size=5000, reconnect_timeout=RECONNECT
)
PARSER = Limits(max_held=128)
EVERYTHING = 1_000_000


class Line:
    """One end of one connection."""

    def __init__(self, registry: SessionRegistry) -> None:
        self.connection = MsrpConnection(registry, PARSER)
        self.outbox = b""
        self.network = b""
        self.is_broken = False
        self.connection.backlog = lambda: len(self.outbox)

    def flush(self) -> None:
        self.outbox += self.connection.data_to_send()


class Person:
    """One side of the session: what it has said, and what it has learnt."""

    def __init__(self, name: str, peer: str, *, active: bool, limits: SessionLimits) -> None:
        self.registry = SessionRegistry()
        path = parse_path(f"msrp://{name}:1/{name};tcp")
        self.session = MsrpSession(path, active=active, limits=limits)
        self.session.remote_path = parse_path(f"msrp://{peer}:1/{peer};tcp")
        self.session.strays = Strays()
        self.registry.add(self.session)
        self.lines: list[Line] = []
        self.said: dict[bytes, bytes] = {}
        self.accepted: list[bytes] = []
        self.failed: set[bytes] = set()
        self.open: dict[bytes, OutgoingStream] = {}
        self.in_pieces: set[bytes] = set()
        self.delivered: dict[bytes, bytes] = {}
        self.heard: list[bytes] = []
        """What came, in its order, be it delivered yet or not, or refused."""
        self.refused: set[bytes] = set()
        self.undecided: list[MessageReceived] = []
        self.coming: dict[bytes, bytearray] = {}
        self.rebound = 0
        self.closed = 0
        self.is_slow = False
        """Whether the user decides later about what comes."""

    @property
    def state(self) -> SessionState:
        return self.session.state

    @property
    def may_talk(self) -> bool:
        return self.state is SessionState.BOUND or self.session.is_detached

    def new_line(self) -> Line:
        line = Line(self.registry)
        self.lines.append(line)
        return line

    def settle(self) -> None:
        """Take what there is to learn, and hand what there is to write to the outboxes."""
        for line in self.lines:
            while (told := line.connection.next_event()) is not None:
                self.note(told[1])
        while (event := self.session.next_event()) is not None:
            self.note(event)
        for line in self.lines:
            line.flush()

    def note(self, event: SessionEvent) -> None:
        match event:
            case MessageReceived():
                self.heard.append(event.message.message_id)
                self.undecided.append(event)
                if not self.is_slow:
                    self.decide()
            case MessageAccepted(message_id):
                # Of a message in pieces each chunk is accepted, and it may fail after that.
                if message_id not in self.in_pieces:
                    assert message_id not in self.accepted, "it was told twice"
                    self.accepted.append(message_id)
            case MessageFailed(message_id) | FanOutAnswered(message_id):
                self.failed.add(message_id)
            case PieceReceived(stream, start, body, _, completes):
                so_far = self.coming.setdefault(stream.message_id, bytearray())
                assert start == len(so_far), "a piece is missing, or came twice"
                so_far += body
                if completes:
                    self.heard.append(stream.message_id)
                    self._deliver(stream.message_id, bytes(self.coming.pop(stream.message_id)))
            case StreamAborted(stream):
                self.coming.pop(stream.message_id, None)
            case Rebound():
                self.rebound += 1
            case Closed():
                self.closed += 1
            case _:
                pass

    def decide(self) -> None:
        for event in self.undecided:
            message = event.message
            if message.body.startswith(b"refuse"):
                assert message.message_id not in self.refused, "it came twice"
                self.refused.add(message.message_id)
                self.session.refuse(message, 403)
            else:
                self._deliver(message.message_id, message.body)
                self.session.accept(message)
        self.undecided.clear()

    def _deliver(self, message_id: bytes, body: bytes) -> None:
        assert message_id not in self.delivered, "it was delivered twice"
        self.delivered[message_id] = body

    def say(self, body: bytes, now: float, failure_report: bytes = b"yes") -> bytes:
        message_id = self.session.send_message(body, TEXT, now, failure_report=failure_report)
        self.said[message_id] = body
        self.settle()
        return message_id

    def say_to_many(self, bodies: list[bytes], now: float) -> None:
        batch = FanOut()
        for body in bodies:
            self.said[batch.add(body, TEXT)] = body
        self.session.deliver(batch, now)
        self.settle()

    def begin(self, now: float) -> bytes:
        """Begin a message that leaves in pieces."""
        stream = OutgoingStream(new_message_id(), TEXT, None, failure_report=b"yes")
        self.session.streams.begin(stream)
        self.open[stream.message_id] = stream
        self.in_pieces.add(stream.message_id)
        self.said[stream.message_id] = b""
        self.go_on(stream.message_id, b"take " + b"x" * 250, now)
        return stream.message_id

    def go_on(self, message_id: bytes, piece: bytes, now: float, *, ends: bool = False) -> None:
        stream, link = self.open[message_id], self.session.connection
        if link is None or stream.failed:
            del self.open[message_id]
            return
        self.session.streams.write(link, stream, stream.position, piece, now)
        self.said[message_id] += piece
        if ends:
            self.session.streams.end(link, stream, b"$", now)
            del self.open[message_id]
        self.settle()


class Pair:
    """Alice, who connects, and Bob."""

    def __init__(self, limits: SessionLimits = LIMITS) -> None:
        self.now = 0.0
        self.people = [
            Person("alice", "bob", active=True, limits=limits),
            Person("bob", "alice", active=False, limits=limits),
        ]
        self.alice, self.bob = self.people
        self.bob.session.await_connection(self.now)
        self.connect()
        self.carry_all()

    def connect(self) -> None:
        """Let Alice open a connection and name the session on it."""
        line = self.alice.new_line()
        self.bob.new_line()
        self.alice.session.connected(line.connection, self.now)
        self.alice.settle()

    def write_out(self, end: int, size: int) -> None:
        """Let the network take some of what one side has written."""
        for line in self.people[end].lines:
            line.network += line.outbox[:size]
            line.outbox = line.outbox[size:]

    def carry(self, end: int, size: int) -> None:
        """Let some of what one side has written arrive, on each connection that stands."""
        source, sink = self.people[end], self.people[1 - end]
        self.write_out(end, size)
        for line, other in zip(source.lines, sink.lines, strict=True):
            data, line.network = line.network[:size], line.network[size:]
            if data and not line.is_broken:
                other.connection.receive_data(data, self.now)
                for session in other.connection.take_doubted():
                    assert session is sink.session
        sink.settle()

    def carry_all(self) -> None:
        for _ in range(4):
            for end in (0, 1):
                self.carry(end, EVERYTHING)

    def break_off(self, *, noticed_by: tuple[int, ...] = (0, 1)) -> None:
        """Break all connections; who notices closes them."""
        for person in self.people:
            for line in person.lines:
                line.is_broken = True
        for end in noticed_by:
            self.notice(end)

    def notice(self, end: int) -> None:
        person = self.people[end]
        for line in person.lines:
            if line.is_broken:
                line.connection.close("lost", self.now)
        person.settle()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for person in self.people:
            person.session.handle_deadline(self.now)
            person.settle()

    def reopen(self) -> None:
        """Have it all well again: both notice, Alice connects, and everything arrives."""
        for end in (0, 1):
            self.notice(end)
        self.connect()
        self.carry_all()
