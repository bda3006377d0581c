"""A relay whose clients, strangers and next hops do anything at all, in any order.

Whatever they do: nothing but a RemoteProtocolError comes out of it, what it writes is MSRP, its
bounds hold, and once all have gone it keeps nothing of them.
"""

import gc
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import AUTH, REPORT, SEND
from sylk.msrp.relay_events import CloseWanted, ConnectWanted
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.relay_login import PathStands
from tests.msrp.relay_world import CHUNK_END, End, World, answer, open_chunk, send

LIMITS = RelayLimits(
    max_clients=3,
    max_paths=2,
    max_next_hops=3,
    max_transactions=8,
    max_waiting=4096,
    idle_timeout=600,
)
GUESSED = b"msrps://relay.example.com:2856/guessed;tcp"
STRANGE = b"msrps://stranger.example.org:1/strange;tcp"

Item = TypeVar("Item")
NUMBERS = st.integers(0, 1_000_000)
METHODS = st.sampled_from([SEND, SEND, SEND, REPORT, AUTH, b"NICKNAME", b"NONSENSE"])
FAILURES = st.sampled_from([b"", b"yes", b"no", b"partial"])
FLAGS = st.sampled_from([b"$", b"$", b"+", b"#"])
RANGES = st.sampled_from([b"", b"1-*/*", b"3-2/2", b"9-99/5", b"x"])


class AnyRelay(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(LIMITS)
        self.ends: list[End] = []
        self.wanted: list[MsrpConnection] = []
        self.paths: list[bytes] = [GUESSED]
        self.owns: list[bytes] = [STRANGE]
        self.rests: dict[End, bytes] = {}

    # Who comes and goes

    @rule(user=st.sampled_from(["alice", "bob"]), number=NUMBERS, password=st.booleans())
    def log_in(self, user: str, number: int, password: bool) -> None:
        end = self.world.end(source="192.0.2.1" if number % 2 else "")
        own = f"msrps://{user}.example.org:1/own{number};tcp"
        given = None if password else "wrong"
        _, outcome = self.world.log_in(end, user, own=own, password=given)
        if isinstance(outcome, PathStands):
            self.paths.append(str(outcome.path[-1]).encode())
        self.owns.append(own.encode())
        self.ends.append(end)

    @rule(secure=st.booleans())
    def come(self, secure: bool) -> None:
        self.ends.append(self.world.end(secure=secure))

    @precondition(lambda self: bool(self.ends))  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType, reportUnknownArgumentType] - hypothesis gives it no type
    @rule(number=NUMBERS)
    def go(self, number: int) -> None:
        self._close(self._one_of(self.ends, number))

    @precondition(lambda self: bool(self.wanted))  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType, reportUnknownArgumentType] - hypothesis gives it no type
    @rule(number=NUMBERS, stands=st.booleans())
    def settle_hop(self, number: int, stands: bool) -> None:
        link = self.wanted.pop(number % len(self.wanted))
        if stands:
            self.world.relay.opened(link)
            self.ends.append(End(link))
        else:
            self.world.relay.closed(link, self.world.now)

    @rule(seconds=st.sampled_from([1, 31, 700, 50_000]))
    def wait(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    # What they say

    @precondition(lambda self: bool(self.ends))  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType, reportUnknownArgumentType] - hypothesis gives it no type
    @rule(
        numbers=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
        hops=st.integers(0, 2),
        method=METHODS,
        failure=FAILURES,
        flag=FLAGS,
        byte_range=RANGES,
        body=st.binary(max_size=2000),
        cut=NUMBERS,
    )
    def say(
        self,
        numbers: tuple[int, int, int, int],
        hops: int,
        method: bytes,
        failure: bytes,
        flag: bytes,
        byte_range: bytes,
        body: bytes,
        cut: int,
    ) -> None:
        end, to, back = self._way(numbers, hops)
        data = send(
            to,
            back,
            body,
            tid=b"t%d" % (numbers[3] % 5),
            message_id=b"m%d" % (numbers[3] % 3),
            failure=failure,
            flag=flag,
            byte_range=byte_range,
            method=method,
        )
        # Now and then the rest comes later, or never.
        if cut % 4 == 0:
            cut = cut % len(data)
            self._put(end, data[:cut])
            self.rests[end] = self.rests.get(end, b"") + data[cut:]
        else:
            self._put(end, data)

    @precondition(lambda self: bool(self.ends))  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType, reportUnknownArgumentType] - hypothesis gives it no type
    @rule(
        numbers=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
        failure=FAILURES,
        pieces=st.lists(st.integers(1, 6000), max_size=3),
        ends=st.booleans(),
    )
    def say_much(
        self, numbers: tuple[int, int, int, int], failure: bytes, pieces: list[int], ends: bool
    ) -> None:
        end, to, back = self._way(numbers, 1)
        data = [open_chunk(to, back, failure=failure), *(b"x" * size for size in pieces)]
        for part in data:
            self._put(end, part)
        if ends:
            self._put(end, CHUNK_END)
        else:
            self.rests[end] = CHUNK_END

    @precondition(lambda self: bool(self.ends))  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType, reportUnknownArgumentType] - hypothesis gives it no type
    @rule(number=NUMBERS, status=st.sampled_from([200, 403, 481, 999]), odd=st.booleans())
    def reply(self, number: int, status: int, odd: bool) -> None:
        end = self._one_of(self.ends, number)
        for frame in end.read():
            if frame.method and frame.flag:
                if odd:
                    frame.transaction_id = b"unknown"
                self._put(end, answer(frame, status))

    @precondition(lambda self: bool(self.ends))  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType, reportUnknownArgumentType] - hypothesis gives it no type
    @rule(number=NUMBERS, noise=st.binary(min_size=1, max_size=60))
    def make_noise(self, number: int, noise: bytes) -> None:
        self._put(self._one_of(self.ends, number), noise)

    # What must hold

    @invariant()
    def it_writes_msrp_and_keeps_its_bounds(self) -> None:
        self._heed()
        self.world.relay.take_written()
        assert self.world.relay.client_count <= LIMITS.max_clients
        assert len(self.wanted) <= LIMITS.max_next_hops
        for end in self.ends:
            # Raises where it is not MSRP; what came is kept for `reply`.
            end.frames = end.read()

    def teardown(self) -> None:
        while self.wanted:
            self.world.relay.closed(self.wanted.pop(), self.world.now)
        while self.ends:
            self._close(self.ends[0])
        self.world.pass_time(100_000)
        self._heed()
        assert self.world.relay.client_count == 0
        assert self.world.relay.next_deadline() is None
        self.world.relay.take_written()
        gc.collect()
        assert not [
            found
            for found in gc.get_objects()
            if isinstance(found, MsrpConnection) and self._is_ours(found)
        ]

    # How it is done

    def _is_ours(self, link: MsrpConnection) -> bool:
        return any(self.world.relay is one for one in gc.get_referents(link))

    def _way(self, numbers: tuple[int, int, int, int], hops: int) -> tuple[End, bytes, bytes]:
        """Return who sends, the To-Path and the From-Path."""
        paths = [self._one_of(self.paths, numbers[1] + hop) for hop in range(hops)]
        far = b"msrps://far%d.example.net:9000/far;tcp" % (numbers[2] % 5)
        last = far if numbers[2] % 2 else self._one_of(self.owns, numbers[2])
        own = self._one_of(self.owns, numbers[3])
        return self._one_of(self.ends, numbers[0]), b" ".join([*paths, last]), own

    def _put(self, end: End, data: bytes) -> None:
        if end not in self.ends:
            return
        data = self.rests.pop(end, b"") + data
        try:
            self.world.send(end, data)
        except RemoteProtocolError:
            self._close(end)
        self._heed()

    def _heed(self) -> None:
        for event in self.world.events():
            if isinstance(event, ConnectWanted):
                self.wanted.append(event.link)
            elif isinstance(event, CloseWanted):
                for end in [end for end in self.ends if end.link is event.link]:
                    self._close(end)

    def _close(self, end: End) -> None:
        if end in self.ends:
            self.ends.remove(end)
            self.rests.pop(end, None)
            self.world.relay.closed(end.link, self.world.now)

    @staticmethod
    def _one_of(items: list[Item], number: int) -> Item:
        return items[number % len(items)]


AnyRelay.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
test_whatever_happens_the_relay_holds = AnyRelay.TestCase
