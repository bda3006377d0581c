"""Two transaction layers back to back, over a wire that loses, repeats and reorders.

Whatever the wire does: a request reaches the user of the server once, the user of the client hears
of one outcome, and in the end nothing is left on either side.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from sylk.sip.flow import Flow
from sylk.sip.layer_events import (
    LayerEvent,
    ResponseReceived,
    TransactionEnded,
    TransactionFailed,
    UnmatchedRequest,
)
from sylk.sip.message import Message, Request, Response
from sylk.sip.timers import Timers
from sylk.sip.transaction import ClientTransaction, ServerTransaction
from sylk.sip.transaction_layer import TransactionLayer
from sylk.sip.transaction_tables import State
from tests.sip.user_agents import make, over_the_wire, tokens

ALICE, BOB = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
MAX_REQUESTS = 2  # few, so that much happens to each
MAX_REPEATED = 8  # messages, for the wire would double with each step
CLIENT_PATIENCE = 64 * Timers().t1  # seconds
LIFE = Timers().t4  # of a message in the network, in seconds


@dataclass
class Side:
    """One end of the wire, with what its user has heard."""

    name: str
    flow: Flow
    layer: TransactionLayer = field(init=False)
    heard: dict[str, int] = field(default_factory=dict[str, int])
    first_heard: dict[str, float] = field(default_factory=dict[str, float])
    # Server transactions by the Call-ID of their request; each request of a test has its own.
    served: dict[str, ServerTransaction] = field(default_factory=dict[str, ServerTransaction])
    outcomes: dict[ClientTransaction, list[int]] = field(
        default_factory=dict[ClientTransaction, list[int]]
    )
    ended: int = 0

    def __post_init__(self) -> None:
        self.layer = TransactionLayer(make_branch=tokens(f"z9hG4bK{self.name}"))

    def run(self, now: float) -> None:
        while (event := self.layer.next_event()) is not None:
            self.hear(event, now)

    def hear(self, event: LayerEvent, now: float) -> None:
        match event:
            case UnmatchedRequest(request) if request.method in ("ACK", "CANCEL"):
                if request.method == "CANCEL":
                    transaction = self.layer.accept_request(event, "mine", now)
                    answer = Response.to_request(request, 200, to_tag="mine")
                    self.layer.respond(transaction, answer, now)
            case UnmatchedRequest(request):
                first = self.first_heard.setdefault(request.call_id, now)
                # By then the client has given up and the server forgotten (timers F, J and L):
                # a retransmission that was still on its way is a new request.
                if now - first < CLIENT_PATIENCE:
                    self.heard[request.call_id] = self.heard.get(request.call_id, 0) + 1
                transaction = self.layer.accept_request(event, "mine", now)
                self.served[request.call_id] = transaction
            case ResponseReceived(transaction, response):
                if response.status >= 200:
                    self.outcomes.setdefault(transaction, []).append(response.status)
            case TransactionFailed(transaction, status):
                if isinstance(transaction, ClientTransaction):
                    self.outcomes.setdefault(transaction, []).append(status)
            case TransactionEnded():
                self.ended += 1
            case _:
                pass


class Pair(RuleBasedStateMachine):
    requests: Bundle[ClientTransaction] = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.count = 0
        self.started: list[ClientTransaction] = []

    @initialize(transport=st.sampled_from(["udp", "udp", "tcp"]), cut=st.booleans())
    def connect(self, transport: str, cut: bool) -> None:
        self.transport = transport
        self.cut = cut  # whether the wire is cut at the end
        self.alice = Side("a", Flow(transport, ALICE, BOB))
        self.bob = Side("b", Flow(transport, BOB, ALICE))
        # What is on its way: when it was sent, where to, and the octets.
        self.wire: list[tuple[float, Side, bytes]] = []

    def collect(self) -> None:
        for side, other in ((self.alice, self.bob), (self.bob, self.alice)):
            side.run(self.now)
            for message, flow in side.layer.messages_to_send():
                assert flow == side.flow
                self.wire.append((self.now, other, message.render()))

    def deliver(self, index: int, *, keep: bool = False) -> None:
        entry = self.wire[index] if keep else self.wire.pop(index)
        _, side, data = entry
        message = over_the_wire(_Octets(data))
        side.layer.receive_message(message, side.flow, self.now)
        self.collect()

    @precondition(lambda self: len(self.started) < MAX_REQUESTS)
    @rule(target=requests, method=st.sampled_from(["INVITE", "INVITE", "BYE"]))
    def send(self, method: str) -> ClientTransaction:
        self.count += 1
        request = make(method, call_id=f"call{self.count}")
        request.pop_via()
        transaction = self.alice.layer.send_request(request, self.alice.flow, ALICE, self.now)
        self.started.append(transaction)
        self.collect()
        return transaction

    @rule(transaction=requests)
    def cancel(self, transaction: ClientTransaction) -> None:
        if transaction.is_invite:
            self.alice.layer.cancel(transaction, self.now)
            self.collect()

    @rule(transaction=requests, status=st.sampled_from([200, 200, 486, 180]))
    def respond(self, transaction: ClientTransaction, status: int) -> None:
        served = self.bob.served.get(transaction.request.call_id)
        if served is None or not served.is_pending or (status < 200 and not served.is_invite):
            return
        response = Response.to_request(served.request, status, to_tag="mine")
        self.bob.layer.respond(served, response, self.now)
        self.collect()

    @rule(transaction=requests)
    def respond_again(self, transaction: ClientTransaction) -> None:
        served = self.bob.served.get(transaction.request.call_id)
        if served is not None and served.state is State.ACCEPTED and served.last_response:
            self.bob.layer.respond(served, served.last_response, self.now)
            self.collect()

    @rule(data=st.data())
    def deliver_any(self, data: st.DataObject) -> None:
        if self.wire:
            last = 0 if self.transport == "tcp" else len(self.wire) - 1
            self.deliver(data.draw(st.integers(0, last)))

    @rule(data=st.data())
    def duplicate(self, data: st.DataObject) -> None:
        if self.wire and self.transport == "udp":
            self.deliver(data.draw(st.integers(0, len(self.wire) - 1)), keep=True)

    @rule()
    def deliver_what_is_there(self) -> None:
        for _ in range(len(self.wire)):
            self.deliver(0)

    @rule()
    def repeat_what_is_there(self) -> None:
        if self.transport == "udp" and len(self.wire) < MAX_REPEATED:
            self.wire += self.wire

    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        if self.wire and self.transport == "udp":
            self.wire.pop(data.draw(st.integers(0, len(self.wire) - 1)))

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 4.0, 10.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.run_clock(self.now + seconds)

    def run_clock(self, until: float) -> None:
        while True:
            deadlines = [side.layer.next_deadline() for side in (self.alice, self.bob)]
            when = min((due for due in deadlines if due is not None), default=until)
            if when > until:
                break
            self.now = max(self.now, when)
            for side in (self.alice, self.bob):
                side.layer.handle_deadline(self.now)
            self.collect()
            if not any(due is not None and due <= until for due in deadlines):
                break
        self.now = until
        # T4 is how long the network keeps a message, RFC 3261 17.1.2.2. A connection keeps it.
        if self.transport == "udp":
            self.wire = [entry for entry in self.wire if entry[0] + LIFE > self.now]

    @invariant()
    def each_request_is_heard_once(self) -> None:
        if self.started:
            assert all(times == 1 for times in self.bob.heard.values())

    @invariant()
    def each_client_has_one_outcome(self) -> None:
        for transaction in self.started:
            outcomes = self.alice.outcomes.get(transaction, [])
            if transaction.is_invite and outcomes and 200 <= outcomes[0] < 300:
                assert set(outcomes) == {outcomes[0]}
            else:
                assert len(outcomes) <= 1
            if not transaction.is_pending:
                assert outcomes

    def teardown(self) -> None:
        if not self.started:
            return
        # The users answer what is left, and give up on what is not answered; then all must end.
        for _ in range(3):
            self.run_clock(self.now + 1.0)
            if self.cut:
                self.wire.clear()
            while self.wire:
                self.deliver(0)
            for served in self.bob.served.values():
                if served.is_pending:
                    response = Response.to_request(served.request, 480, to_tag="mine")
                    self.bob.layer.respond(served, response, self.now)
            self.collect()
        for transaction in self.started:
            if transaction.is_invite:
                self.alice.layer.cancel(transaction, self.now)
        self.collect()
        self.wire.clear()
        for _ in range(4):
            self.run_clock(self.now + 40.0)
            self.wire.clear()
        for side in (self.alice, self.bob):
            assert side.layer.is_empty
        assert all(transaction.is_terminated for transaction in self.started)
        assert all(self.alice.outcomes[transaction] for transaction in self.started)


class _Octets(Message):
    """Octets that pass for a message on the wire."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def render(self) -> bytes:
        return self.data


TestPair = Pair.TestCase
TestPair.settings = settings(max_examples=400, stateful_step_count=50, deadline=None)


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_quiet_exchange(method: str, transport: str) -> None:
    pair = Pair()
    pair.connect(transport, cut=False)
    transaction = pair.send(method)
    pair.deliver(0)
    pair.respond(transaction, 486)
    while pair.wire:
        pair.deliver(0)
    assert pair.alice.outcomes == {transaction: [486]}
    assert isinstance(pair.bob.served["call1"].request, Request)
    pair.teardown()
