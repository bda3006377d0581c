"""Two sessions and a relay between them, over wires that cut anywhere.

Whatever is sent, and however the bytes are cut: each message comes once and in order, or its sender
is told. The relay and both sessions are the real ones; only the wires are ours.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import (
    MessageAccepted,
    MessageFailed,
    MessageReceived,
    PieceReceived,
    ReportReceived,
)
from sylk.msrp.outgoing_stream import OutgoingStream
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_limits import SessionLimits
from sylk.msrp.session_table import SessionState
from sylk.msrp.uri import parse_path
from tests.msrp.relay_world import End, World


class Party:
    """One session, and its connection to the relay."""

    def __init__(self, world: World, user: str, *, active: bool) -> None:
        self.world = world
        self.end, path, own = world.client(user, user)
        self.session = MsrpSession(
            parse_path(path + b" " + own),
            active=active,
            limits=SessionLimits(stream_above=1000, keepalive_interval=None),
        )
        registry = SessionRegistry()
        registry.add(self.session)
        self.link = MsrpConnection(registry, secure=True)
        self.is_connected = True
        self.got: list[bytes] = []
        self.parts: dict[bytes, bytearray] = {}
        self.told: dict[bytes, int] = {}

    def take(self) -> None:
        while (found := self.link.next_event()) is not None:
            event = found[1]
            if isinstance(event, MessageReceived):
                self.session.accept(event.message)
                self.got.append(event.message.body)
            elif isinstance(event, PieceReceived):
                # A new part begins where the last one ended, or the message is torn.
                whole = self.parts.setdefault(event.stream.message_id, bytearray())
                assert event.start == len(whole)
                whole += event.body
                if event.completes:
                    reports = self.session.reports
                    reports.send(reports.receipt_of(event.stream))
                    self.got.append(bytes(self.parts.pop(event.stream.message_id)))
            elif isinstance(event, MessageAccepted):
                self.told.setdefault(event.message_id, 200)
            elif isinstance(event, MessageFailed | ReportReceived):
                self.told[event.message_id] = event.status


class Wires:
    """Carries bytes between the parties and the relay, in pieces of the sizes drawn."""

    def __init__(self, world: World, parties: list[Party], sizes: list[int]) -> None:
        self._world = world
        self._parties = parties
        self._sizes = sizes
        self._turn = 0
        self._waiting: dict[object, bytearray] = {}

    def _cut(self, key: object, data: bytes) -> bytes:
        waiting = self._waiting.setdefault(key, bytearray())
        waiting += data
        size = self._sizes[self._turn % len(self._sizes)]
        self._turn += 1
        piece = bytes(waiting[:size])
        del waiting[:size]
        return piece

    def carry(self) -> None:
        """Carry until nobody has anything to say."""
        busy = True
        while busy:
            busy = any(self._waiting.values())
            for party in self._parties:
                if not party.is_connected:
                    continue
                outwards = self._cut((party, "out"), party.link.data_to_send())
                if outwards:
                    self._world.send(party.end, outwards)
                inwards = self._cut((party, "in"), party.end.link.data_to_send())
                if inwards:
                    party.link.receive_data(inwards, self._world.now)
                    party.take()
                busy = busy or bool(outwards or inwards)
            for party in self._parties:
                if not party.is_connected:
                    self._waiting.pop((party, "out"), None)
                    self._waiting.pop((party, "in"), None)


def meet(world: World, sizes: list[int]) -> tuple[Party, Party, Wires]:
    alice = Party(world, "alice", active=True)
    bob = Party(world, "bob", active=False)
    alice.session.remote_path = bob.session.local_path
    bob.session.remote_path = alice.session.local_path
    wires = Wires(world, [alice, bob], sizes)
    alice.session.connected(alice.link, 0.0)
    wires.carry()
    assert alice.session.state is SessionState.BOUND
    assert bob.session.state is SessionState.BOUND
    return alice, bob, wires


SIZES = st.lists(st.integers(1, 3000), min_size=1, max_size=20)


def repeat(part: bytes, count: int) -> bytes:
    return part * count


REPEATED = st.builds(repeat, st.binary(min_size=1, max_size=9), st.integers(1, 900))
BODY: st.SearchStrategy[bytes] = st.one_of(
    st.binary(max_size=200), st.just(b"\r\n-------"), REPEATED
)
BODIES = st.lists(BODY, min_size=1, max_size=8)


@given(bodies=BODIES, backwards=BODIES, sizes=SIZES)
@settings(max_examples=60, deadline=None)
def test_every_message_comes_once_and_in_order(
    bodies: list[bytes], backwards: list[bytes], sizes: list[int]
) -> None:
    world = World()
    alice, bob, wires = meet(world, sizes)
    sent = [alice.session.send_message(body, b"a/b", 0.0, success_report=True) for body in bodies]
    for body in backwards:
        bob.session.send_message(body, b"a/b", 0.0)
    wires.carry()
    assert bob.got == bodies
    assert alice.got == backwards
    assert [alice.told[message_id] for message_id in sent] == [200] * len(bodies)
    assert world.relay.next_event() is None
    world.pass_time(60)
    wires.carry()
    assert set(alice.told.values()) == {200}


@given(
    pieces=st.lists(st.integers(1, 70_000), min_size=2, max_size=5),
    shorts=st.lists(st.integers(0, 4), max_size=4),
    sizes=st.lists(st.integers(500, 70_000), min_size=1, max_size=8),
)
@settings(max_examples=30, deadline=None)
def test_long_messages_come_whole_with_short_ones_between(
    pieces: list[int], shorts: list[int], sizes: list[int]
) -> None:
    world = World()
    alice, bob, wires = meet(world, sizes)
    stream = OutgoingStream(b"long", b"a/b", None, failure_report=b"yes")
    alice.session.streams.begin(stream)
    whole = b""
    for turn, size in enumerate(pieces):
        piece = bytes([turn % 256]) * size
        alice.session.streams.write(alice.link, stream, len(whole), piece, 0.0)
        whole += piece
        for short in range(shorts.count(turn)):
            alice.session.send_message(b"short %d %d" % (turn, short), b"a/b", 0.0)
    alice.session.streams.end(alice.link, stream, b"$", 0.0)
    wires.carry()
    longs = [body for body in bob.got if not body.startswith(b"short")]
    assert longs == [whole]
    expected = [
        b"short %d %d" % (turn, n) for turn in range(len(pieces)) for n in range(shorts.count(turn))
    ]
    assert [body for body in bob.got if body.startswith(b"short")] == expected
    assert set(alice.told.values()) == {200}


@given(bodies=BODIES, sizes=SIZES, before=st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_whoever_loses_the_other_is_told(
    bodies: list[bytes], sizes: list[int], before: int
) -> None:
    world = World()
    alice, bob, wires = meet(world, sizes)
    first = [alice.session.send_message(body, b"a/b", 0.0) for body in bodies[:before]]
    wires.carry()
    bob.is_connected = False
    world.relay.closed(bob.end.link, world.now)
    later = [alice.session.send_message(body, b"a/b", 0.0) for body in bodies[before:]]
    wires.carry()
    assert bob.got == bodies[:before]
    assert [alice.told[message_id] for message_id in first] == [200] * len(first)
    assert all(alice.told[message_id] in (408, 481) for message_id in later)


@given(bodies=BODIES, sizes=SIZES)
@settings(max_examples=40, deadline=None)
def test_whoever_is_never_answered_is_told_in_time(bodies: list[bytes], sizes: list[int]) -> None:
    world = World()
    alice, bob, wires = meet(world, sizes)
    bob.is_connected = False
    sent = [alice.session.send_message(body, b"a/b", 0.0) for body in bodies]
    wires.carry()
    world.pass_time(30)
    wires.carry()
    # The relay had said 200; then it said what became of it.
    assert [alice.told[message_id] for message_id in sent] == [408] * len(sent)
    assert bob.got == []
    assert isinstance(bob.end, End)
