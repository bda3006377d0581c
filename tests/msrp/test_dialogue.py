"""Two sessions back to back over a wire that cuts anywhere: nothing is lost, doubled or reordered.

One side sends by hand-cut chunks as well as by `send_message`, the other accepts or refuses. At any
time each message that was sent has been delivered once and whole, is on its way, or its sender has
been told that it failed.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import (
    Bound,
    Closed,
    MessageAccepted,
    MessageFailed,
    MessageReceived,
    MessageReported,
    ReportReceived,
    SessionEvent,
)
from sylk.msrp.fanout import FanOut
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_limits import SessionLimits
from sylk.msrp.session_table import SessionState
from sylk.msrp.uri import parse_path

MAX_SIZE = 400
TRICKY = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([b"\r\n", b"-------", b"$\r\n", b"MSRP ", b"x" * 99])).map(b"".join),
)


class Side:
    """One end: its session and connection, and what it has learnt."""

    def __init__(self, name: str, peer: str, *, active: bool) -> None:
        registry = SessionRegistry()
        self.name = name.encode()
        self.session = MsrpSession(
            parse_path(f"msrp://{name}:1/{name};tcp"),
            active=active,
            limits=SessionLimits(max_message_size=MAX_SIZE),
        )
        self.session.remote_path = parse_path(f"msrp://{peer}:1/{peer};tcp")
        registry.add(self.session)
        self.connection = MsrpConnection(registry)
        self.wire = b""
        self.bound = 0
        self.closed = 0
        self.received: list[bytes] = []
        self.accepted: list[bytes] = []
        self.failed: list[bytes] = []
        self.reported: list[bytes] = []

    def flush(self) -> None:
        self.wire += self.connection.data_to_send()

    def learn(self) -> None:
        while (told := self.connection.next_event()) is not None:
            session, event = told
            assert session is self.session
            self._note(event)

    def _note(self, event: SessionEvent) -> None:
        match event:
            case Bound():
                self.bound += 1
            case Closed():
                self.closed += 1
            case MessageReceived(message):
                self.received.append(message.body)
                if message.body.startswith(b"refuse"):
                    self.session.refuse(message, 403)
                else:
                    self.session.accept(message)
            case MessageAccepted(message_id):
                self.accepted.append(message_id)
            case MessageFailed(message_id):
                self.failed.append(message_id)
            case ReportReceived(_, status):
                assert status == 200
            case MessageReported(message_id):
                self.reported.append(message_id)
            case _:
                raise AssertionError(event)


class TwoSessions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.count = 0
        self.ends = [
            Side("alice", "bob", active=True),
            Side("bob", "alice", active=False),
        ]
        self.bodies: list[list[bytes]] = [[], []]
        self.ids: list[dict[bytes, bytes]] = [{}, {}]
        self.success: list[list[bytes]] = [[], []]

    @initialize()
    def connect(self) -> None:
        alice, bob = self.ends
        bob.session.await_connection(self.now)
        alice.session.connected(alice.connection, self.now)
        alice.flush()

    def is_bound(self, end: int) -> bool:
        return self.ends[end].session.state is SessionState.BOUND

    @rule(end=st.integers(0, 1), size=st.integers(1, 300))
    def carry(self, end: int, size: int) -> None:
        source, sink = self.ends[end], self.ends[1 - end]
        data, source.wire = source.wire[:size], source.wire[size:]
        if data:
            sink.connection.receive_data(data, self.now)
            sink.learn()
            sink.flush()

    @precondition(lambda self: self.is_bound(0) or self.is_bound(1))
    @rule(end=st.integers(0, 1), body=TRICKY, success=st.booleans(), refuse=st.booleans())
    def say(self, end: int, body: bytes, success: bool, refuse: bool) -> None:
        side = self.ends[end]
        if not self.is_bound(end):
            return
        body = (b"refuse" if refuse else b"take") + b"%d:" % self.count + body
        self.count += 1
        message_id = side.session.send_message(
            body, b"text/plain", self.now, success_report=success
        )
        self.ids[end][message_id] = body
        if success and not refuse and len(body) <= MAX_SIZE:
            self.success[end].append(message_id)
        if len(body) <= MAX_SIZE:
            self.bodies[end].append(body)
        side.flush()

    @precondition(lambda self: self.is_bound(0) or self.is_bound(1))
    @rule(end=st.integers(0, 1), body=TRICKY, cuts=st.lists(st.integers(0, 400), max_size=4))
    def say_in_chunks(self, end: int, body: bytes, cuts: list[int]) -> None:
        side = self.ends[end]
        if not self.is_bound(end) or len(body) > 300:
            return
        body = b"chunked%d:" % self.count + body
        self.count += 1
        marks = sorted({0, len(body), *(cut % len(body) for cut in cuts)})
        for i, start in enumerate(marks[:-1]):
            side.connection.queue(
                b"MSRP zq%dqz%d SEND\r\n%bMessage-ID: chunk%d\r\nByte-Range: %d-*/%d\r\n"
                b"Failure-Report: no\r\nContent-Type: text/plain\r\n\r\n%b\r\n-------zq%dqz%d%b\r\n"
                % (
                    self.count,
                    i,
                    side.session.path_lines,
                    self.count,
                    start + 1,
                    len(body),
                    body[start : marks[i + 1]],
                    self.count,
                    i,
                    b"$" if marks[i + 1] == len(body) else b"+",
                )
            )
        self.bodies[end].append(body)
        side.flush()

    @precondition(lambda self: self.is_bound(0) or self.is_bound(1))
    @rule(end=st.integers(0, 1), bodies=st.lists(TRICKY, max_size=3))
    def fan_out(self, end: int, bodies: list[bytes]) -> None:
        side = self.ends[end]
        if not self.is_bound(end):
            return
        batch = FanOut()
        for body in bodies:
            if len(body) <= MAX_SIZE:
                batch.add(body, b"text/plain")
                self.bodies[end].append(body)
        side.session.deliver(batch, self.now)
        side.flush()

    @invariant()
    def nothing_is_doubled_or_reordered(self) -> None:
        for end in (0, 1):
            received = self.ends[1 - end].received
            assert received == self.bodies[end][: len(received)]
            assert len(set(self.ends[end].accepted)) == len(self.ends[end].accepted)
            assert self.ends[end].bound <= 1
            assert self.ends[end].closed == 0

    def teardown(self) -> None:
        for _ in range(10):
            for end in (0, 1):
                self.carry(end, 1_000_000)
        for end in (0, 1):
            side = self.ends[end]
            assert side.bound == 1
            assert self.ends[1 - end].received == self.bodies[end]
            assert set(side.accepted) | set(side.failed) == set(self.ids[end])
            for message_id, body in self.ids[end].items():
                failed = body.startswith(b"refuse") or len(body) > MAX_SIZE
                assert (message_id in side.failed) is failed
            assert side.reported == self.success[end]


TwoSessions.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestTwoSessions = TwoSessions.TestCase


def test_the_wire_may_break_at_any_byte() -> None:
    """Cut one dialogue off after each number of bytes: every message is answered, or has failed."""
    for cut in range(900):
        alice, bob = Side("alice", "bob", active=True), Side("bob", "alice", active=False)
        alice.session.connected(alice.connection, 0.0)
        alice.flush()
        bob.connection.receive_data(alice.wire, 0.0)
        bob.flush()
        alice.connection.receive_data(bob.wire, 0.0)
        alice.wire = bob.wire = b""
        ids = [alice.session.send_message(b"x" * 100, b"text/plain", 0.0) for _ in range(3)]
        alice.flush()
        bob.connection.receive_data(alice.wire[:cut], 0.0)
        bob.learn()
        bob.flush()
        alice.connection.receive_data(bob.wire, 0.0)
        bob.connection.close("lost")
        alice.connection.close("lost")
        alice.learn()
        assert sorted(alice.accepted + alice.failed) == sorted(ids)
        assert len(alice.accepted) == len(bob.received)
        assert alice.closed == 1
