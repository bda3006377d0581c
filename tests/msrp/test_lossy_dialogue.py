"""Two people over connections that cut, delay, overtake each other and break at any byte.

Each calls again when a connection is lost, so several may stand at a time, and what one of them
carries may come after what a later one carries. Messages leave whole and in pieces, alternate,
pause, and are given up or refused half-way. Whatever happens, a message is delivered once and
whole, those of one connection in the order in which they were finished, or its sender is told that
it was not: by an answer, by silence that has lasted too long, or by the end of the session.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import (
    Bound,
    Closed,
    MessageAccepted,
    MessageFailed,
    MessageReceived,
    PieceReceived,
    ReportReceived,
    SessionEvent,
    StreamAborted,
)
from sylk.msrp.frame import new_message_id
from sylk.msrp.outgoing_stream import OutgoingStream
from sylk.msrp.parser import Limits
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_limits import SessionLimits
from sylk.msrp.session_table import SessionState
from sylk.msrp.uri import parse_path

TEXT = b"text/plain"
LIMITS = SessionLimits(max_message_size=300, stream_above=40, max_stream_size=5000)
PARSER = Limits(max_held=64)
MAX_CALLS = 3
EVERYTHING = 1_000_000

WORDS = st.one_of(
    st.binary(max_size=120),
    st.lists(st.sampled_from([b"\r\n", b"-------", b"$\r\n", b"MSRP ", b"y" * 50])).map(b"".join),
)


class Sending:
    """A message that leaves in pieces."""

    def __init__(self, stream: OutgoingStream, body: bytes) -> None:
        self.stream = stream
        self.body = body
        self.position = 0


class End:
    """One end of one connection: what it has sent, and what it has learnt."""

    def __init__(self, name: str, peer: str, *, active: bool) -> None:
        registry = SessionRegistry()
        path = parse_path(f"msrp://{name}:1/{name};tcp")
        self.session = MsrpSession(path, active=active, limits=LIMITS)
        self.session.remote_path = parse_path(f"msrp://{peer}:1/{peer};tcp")
        registry.add(self.session)
        self.connection = MsrpConnection(registry, PARSER)
        self.wire = b""
        self.closed = 0
        # What we have sent: the open ones, and the body of each that is finished, in their order.
        self.open: list[Sending] = []
        self.finished: dict[bytes, bytes] = {}
        self.given_up: set[bytes] = set()
        self.accepted: list[bytes] = []
        self.failed: set[bytes] = set()
        # What the other has sent.
        self.coming: dict[bytes, bytearray] = {}
        self.delivered: dict[bytes, bytes] = {}
        self.aborted: set[bytes] = set()
        self.refused: set[bytes] = set()

    @property
    def is_bound(self) -> bool:
        return self.session.state is SessionState.BOUND

    def flush(self) -> None:
        self.wire += self.connection.data_to_send()

    def learn(self) -> None:
        while (told := self.connection.next_event()) is not None:
            self.note(told[1])

    def note(self, event: SessionEvent) -> None:
        match event:
            case Bound():
                pass
            case Closed():
                self.closed += 1
            case MessageAccepted(message_id):
                self.accepted.append(message_id)
            case MessageFailed(message_id):
                self.failed.add(message_id)
            case MessageReceived(message):
                if message.body.startswith(b"refuse"):
                    self.refused.add(message.message_id)
                    self.session.refuse(message, 403)
                else:
                    self._deliver(message.message_id, message.body)
                    self.session.accept(message)
            case PieceReceived(stream, start, body, _, completes):
                if stream.is_refused:
                    return  # It came in the same read.
                so_far = self.coming.setdefault(stream.message_id, bytearray())
                assert start == len(so_far), "a piece is missing, or came twice"
                so_far += body
                if completes:
                    self._deliver(stream.message_id, bytes(self.coming.pop(stream.message_id)))
                    self.session.reports.send(self.session.reports.receipt_of(stream))
                elif so_far.startswith(b"refuse") and not stream.is_over:
                    del self.coming[stream.message_id]
                    self.refused.add(stream.message_id)
                    self.session.refuse_stream(stream, 413)
            case ReportReceived(message_id, status):
                assert status == 413
                self.failed.add(message_id)
            case StreamAborted(stream):
                self.aborted.add(stream.message_id)
                self.coming.pop(stream.message_id, None)
            case _:
                raise AssertionError(event)

    def _deliver(self, message_id: bytes, body: bytes) -> None:
        assert message_id not in self.delivered, "it was delivered twice"
        self.delivered[message_id] = body


class Call:
    """One connection of the two."""

    def __init__(self, now: float) -> None:
        self.ends = [End("alice", "bob", active=True), End("bob", "alice", active=False)]
        self.is_lost = False
        self.ends[1].session.await_connection(now)
        self.ends[0].session.connected(self.ends[0].connection, now)
        self.ends[0].flush()

    def carry(self, end: int, size: int, now: float) -> None:
        source, sink = self.ends[end], self.ends[1 - end]
        data, source.wire = source.wire[:size], source.wire[size:]
        if data:
            sink.connection.receive_data(data, now)
            sink.learn()
            sink.flush()

    def lose(self) -> None:
        self.is_lost = True
        for end in self.ends:
            end.wire = b""
            end.connection.close("lost")
            end.learn()
            # One that was not bound yet does not know of the connection.
            end.session.close("lost")
            while (event := end.session.next_event()) is not None:
                end.note(event)

    def check(self) -> None:
        for here, there in (self.ends, reversed(self.ends)):
            sent = [key for key in here.finished if key in there.delivered]
            assert list(there.delivered) == sent, "out of order, or never sent"
            for message_id, body in there.delivered.items():
                assert body == here.finished[message_id], "not whole"
            assert not here.given_up & set(there.delivered)
            if not self.is_lost:
                continue
            assert here.closed == 1
            assert not there.coming, "nobody was told that no more comes of it"
            assert set(here.finished) - set(there.delivered) <= here.failed


class LossyDialogue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.count = 0
        self.calls: list[Call] = []

    @initialize()
    def call_first(self) -> None:
        """Let there be somebody to talk to for most of the steps."""
        self.call()
        self.carry_all(0)

    @precondition(lambda self: len(self.calls) < MAX_CALLS)
    @rule()
    def call(self) -> None:
        self.calls.append(Call(self.now))

    def pick(self, number: int) -> Call:
        return self.calls[number % len(self.calls)]

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 2), end=st.integers(0, 1), size=st.integers(1, 400))
    def carry(self, number: int, end: int, size: int) -> None:
        self.pick(number).carry(end, size, self.now)

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 2))
    def carry_all(self, number: int) -> None:
        call = self.pick(number)
        for _ in range(3):
            for end in (0, 1):
                call.carry(end, EVERYTHING, self.now)

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 2), sizes=st.tuples(st.integers(0, 400), st.integers(0, 400)))
    def break_off(self, number: int, sizes: tuple[int, int]) -> None:
        """Lose a connection after some of what is on its way."""
        call = self.pick(number)
        for end in (0, 1):
            call.carry(end, sizes[end], self.now)
        self.lose(call)

    def lose(self, call: Call) -> None:
        call.lose()
        call.check()
        self.calls.remove(call)

    @rule(seconds=st.sampled_from([1.0, 20.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for call in list(self.calls):
            for end in call.ends:
                end.connection.handle_deadline(self.now)
                end.learn()
                end.flush()
            if any(end.closed for end in call.ends):
                self.lose(call)

    def talker(self, number: int, end: int) -> End | None:
        found = self.pick(number).ends[end]
        return found if found.is_bound else None

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 2), end=st.integers(0, 1), words=WORDS, refuse=st.booleans())
    def say(self, number: int, end: int, words: bytes, refuse: bool) -> None:
        side = self.talker(number, end)
        if side is None:
            return
        self.count += 1
        body = (b"refuse %d " if refuse else b"take %d ") % self.count + words
        message_id = side.session.send_message(body[:300], TEXT, self.now)
        side.finished[message_id] = body[:300]
        side.flush()

    @precondition(lambda self: self.calls)
    @rule(
        number=st.integers(0, 2),
        end=st.integers(0, 1),
        words=st.lists(WORDS, min_size=1, max_size=6).map(b"".join),
        refuse=st.sampled_from([False, False, True]),
        announced=st.booleans(),
    )
    def begin(self, number: int, end: int, words: bytes, refuse: bool, announced: bool) -> None:
        side = self.talker(number, end)
        if side is None or len(side.open) == 4:
            return
        self.count += 1
        body = (b"refuse %d " if refuse else b"take %d ") % self.count + words + b"z" * 50
        total = len(body) if announced else None
        stream = OutgoingStream(new_message_id(), TEXT, total, failure_report=b"yes")
        side.session.streams.begin(stream)
        side.open.append(Sending(stream, body))

    @precondition(lambda self: self.calls)
    @rule(
        number=st.integers(0, 2),
        end=st.integers(0, 1),
        which=st.integers(0, 3),
        size=st.integers(1, 300),
        then=st.sampled_from([b"", b"", b"", b"+", b"#"]),
    )
    def go_on(self, number: int, end: int, which: int, size: int, then: bytes) -> None:
        side = self.talker(number, end)
        if side is None or not side.open:
            return
        sending = side.open[which % len(side.open)]
        stream, start = sending.stream, sending.position
        piece = sending.body[start : start + size]
        sending.position += len(piece)
        streams, link = side.session.streams, side.connection
        streams.write(link, stream, start, piece, self.now)
        if stream.failed:
            then = b"#"
        elif sending.position == len(sending.body):
            then = b"$"
        if then:
            streams.end(link, stream, then, self.now)
        if then in (b"$", b"#"):
            side.open.remove(sending)
        if then == b"$":
            side.finished[stream.message_id] = sending.body
        elif then == b"#":
            side.given_up.add(stream.message_id)
        side.flush()

    @invariant()
    def nothing_is_doubled_cut_or_reordered(self) -> None:
        for call in self.calls:
            call.check()

    def teardown(self) -> None:
        """Carry all that is on its way: everything that was not refused has arrived."""
        for call in self.calls:
            for _ in range(6):
                for end in (0, 1):
                    call.carry(end, EVERYTHING, self.now)
            call.check()
            for here, there in (call.ends, reversed(call.ends)):
                assert set(here.finished) == set(there.delivered) | (
                    there.refused & set(here.finished)
                )
                assert there.refused & set(here.finished) <= here.failed
                assert (
                    not set(here.accepted)
                    - here.failed
                    - set(here.finished)
                    - here.given_up
                    - {sending.stream.message_id for sending in here.open}
                )


LossyDialogue.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLossyDialogue = LossyDialogue.TestCase
