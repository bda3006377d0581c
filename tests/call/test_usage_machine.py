"""Tests of sylk.call.usage against its table: every input in every state, in any order."""

from collections.abc import Callable, Sequence
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sylk.call.session_timer import SessionTimerSettings
from sylk.call.usage import InviteUsage
from sylk.call.usage_events import Ended, Established, HoldChanged
from sylk.call.usage_table import Input, State, transition
from sylk.errors import LocalProtocolError
from sylk.sip.core import IncomingRequest
from sylk.sip.message import Request, Response
from tests.call.phones import CAPABILITIES, Line, Phone
from tests.sip.user_agents import METHODS, receive_one

WITHOUT_UPDATE = tuple(method for method in METHODS if method != "UPDATE")
LONG = 300.0
"""Seconds in which everything that can fall due has done so."""


def subject_in(state: State) -> tuple[Line, Phone]:
    """Return a line on which nothing arrives, and a phone whose call is in `state`."""
    line = Line()
    if state in (State.CALLING, State.EARLY, State.CANCELLING):
        line.call()
        if state is State.EARLY:
            line.bob.call.ring(line.now)
            line.settle()
        elif state is State.CANCELLING:
            line.lose = lambda label: True
            line.alice.call.hang_up(line.now)
        subject = line.alice
    else:
        line.call()
        subject = line.bob
        if state is State.TERMINATED:
            line.bob.call.reject(486, line.now)
        elif state in (State.CONFIRMED, State.ENDING):
            line.bob.call.accept(CAPABILITIES, line.now)
            line.settle()
            send_reinvite(line)
            if state is State.ENDING:
                line.lose = lambda label: True
                line.bob.call.hang_up(line.now)
        elif state is not State.INCOMING:
            line.lose = lambda label: label == "alice ACK"
            line.bob.call.accept(CAPABILITIES, line.now)
            if state is State.HANGING_UP:
                line.bob.call.hang_up(line.now)
    line.settle()
    line.lose = lambda label: True
    assert subject.state is state
    return line, subject


def constant(fraction: float) -> Callable[[], float]:
    return lambda: fraction


def send_update(line: Line, has_offer: bool) -> None:
    request = line.alice.dialog.make_request(
        "UPDATE",
        headers=[("Contact", line.alice.contact)],
        body=line.alice.call.request.body if has_offer else b"",
        content_type="application/sdp" if has_offer else None,
    )
    line.alice.send(request, line.now)
    line.settle()


def send_reinvite(line: Line) -> Request:
    request = line.alice.dialog.make_request(
        "INVITE",
        headers=[("Contact", line.alice.contact)],
        body=line.alice.call.request.body,
        content_type="application/sdp",
    )
    line.alice.send(request, line.now)
    line.settle()
    return request


def ack_for(usage: InviteUsage) -> Request:
    """Return an ACK with the number of the last INVITE."""
    ack = Request("ACK", usage.request.uri)
    number = 2 if usage.state in (State.CONFIRMED, State.ENDING) else 1
    ack.headers.add("CSeq", f"{number} ACK")
    return ack


def bye_from_peer(line: Line) -> IncomingRequest:
    """Return a BYE in a transaction that the core of a third phone took for another request."""
    third = Line().bob
    request = line.alice.call.request
    message = Request("MESSAGE", request.uri)
    message.headers.add("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKbye")
    for name in ("From", "To", "Call-ID"):
        message.headers.add(name, request.headers.get(name) or "")
    message.headers.add("CSeq", "9 MESSAGE")
    taken = receive_one(third.core, message, third.flow)
    bye = Request("BYE", request.uri, message.headers.copy())
    bye.headers.set("CSeq", "9 BYE")
    return IncomingRequest(taken.transaction, bye, taken.flow, None)


def response_for(usage: InviteUsage, status: int, method: str) -> Response:
    response = Response.to_request(usage.request, status, to_tag="bob")
    if method == "BYE" and usage.dialog is not None:
        response.headers.set("To", str(usage.dialog.remote))
    response.headers.set("CSeq", f"1 {method}")
    response.headers.add("Contact", "<sip:bob@192.0.2.2>")
    return response


DEEDS: dict[Input, Callable[[Line, InviteUsage], None]] = {
    Input.RING: lambda line, usage: usage.ring(line.now),
    Input.ACCEPT: lambda line, usage: usage.accept(CAPABILITIES, line.now),
    Input.REJECT: lambda line, usage: usage.reject(486, line.now),
    Input.HANG_UP: lambda line, usage: usage.hang_up(line.now),
    Input.CANCEL: lambda line, usage: usage.receive_cancel(line.now),
    Input.ACK: lambda line, usage: usage.receive_ack(ack_for(usage), line.now),
    Input.ACK_OVERDUE: lambda line, usage: usage.handle_deadline(LONG),
    Input.BYE: lambda line, usage: usage.receive_request(bye_from_peer(line), line.now),
    Input.BYE_ANSWERED: lambda line, usage: usage.receive_response(
        response_for(usage, 200, "BYE"), line.now
    ),
    Input.PROVISIONAL: lambda line, usage: usage.receive_response(
        response_for(usage, 183, "INVITE"), line.now
    ),
    Input.SUCCESS: lambda line, usage: usage.receive_response(
        response_for(usage, 200, "INVITE"), line.now
    ),
    Input.FAILURE: lambda line, usage: usage.request_failed("INVITE", 503, line.now),
}
OUR_VERBS = {Input.RING, Input.ACCEPT, Input.REJECT, Input.HANG_UP}
# A usage that answers has no request of its own to get responses to.
CALLEE_ONLY = {State.INCOMING, State.ANSWERED, State.HANGING_UP, State.CONFIRMED, State.ENDING}
PAIRS = [
    (state, happened)
    for state, happened in product(State, Input)
    if not (happened is Input.SUCCESS and state in CALLEE_ONLY)
]


@pytest.mark.parametrize(("state", "happened"), PAIRS)
def test_every_input_in_every_state(state: State, happened: Input) -> None:
    line, subject = subject_in(state)
    usage = subject.call
    step = transition(state, happened)
    if step is None and happened in OUR_VERBS:
        with pytest.raises(LocalProtocolError):
            DEEDS[happened](line, usage)
    else:
        DEEDS[happened](line, usage)
    line.settle()
    expected = state if step is None else step[1]
    if happened is Input.SUCCESS and expected is State.CONFIRMED:
        # It had no answer in it.
        expected = State.ENDING
    assert usage.state is expected
    assert len(subject.endings) == (expected is State.TERMINATED)


class Calls(RuleBasedStateMachine):
    """A call on a line that reorders, repeats and loses, with users who do what they like."""

    @initialize(
        intervals=st.tuples(*[st.sampled_from([0, 100, 1800])] * 2),
        methods=st.tuples(*[st.sampled_from([METHODS, WITHOUT_UPDATE])] * 2),
        fractions=st.tuples(*[st.floats(0, 1, exclude_max=True)] * 2),
    )
    def call(
        self,
        intervals: tuple[int, int],
        methods: tuple[Sequence[str], Sequence[str]],
        fractions: tuple[float, float],
    ) -> None:
        self.line = Line(*methods)
        for phone, interval, fraction in zip(self.phones, intervals, fractions, strict=True):
            phone.session_timer = SessionTimerSettings(interval)
            phone.random = constant(fraction)
        self.line.delay = lambda label: True
        self.reinvites: list[Request] = []
        self.is_foreign = False
        self.line.alice.make_call("sip:bob@192.0.2.2", self.line.now)
        self.line.settle()

    @property
    def phones(self) -> tuple[Phone, Phone]:
        return self.line.alice, self.line.bob

    def phone(self, is_alice: bool) -> Phone:
        return self.line.alice if is_alice else self.line.bob

    @precondition(lambda self: self.line.waiting)
    @rule(data=st.data(), keep=st.booleans())
    def deliver(self, data: st.DataObject, keep: bool) -> None:
        index = data.draw(st.integers(0, len(self.line.waiting) - 1))
        transit = self.line.waiting[index]
        if not keep:
            del self.line.waiting[index]
        self.line.deliver(transit)
        self.line.settle()
        self.take_call()

    def take_call(self) -> None:
        bob = self.line.bob
        if bob.invites and bob.usage is None:
            bob.take_call()

    @precondition(lambda self: self.line.waiting)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        del self.line.waiting[data.draw(st.integers(0, len(self.line.waiting) - 1))]

    @rule(seconds=st.sampled_from([0.3, 2.0, 10.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.line.advance(seconds)

    @precondition(lambda self: self.line.bob.usage is not None)
    @rule(verb=st.sampled_from([Input.RING, Input.ACCEPT, Input.ACCEPT, Input.REJECT]))
    def answer(self, verb: Input) -> None:
        usage = self.line.bob.call
        if transition(usage.state, verb) is not None:
            DEEDS[verb](self.line, usage)
            self.line.settle()

    @rule(is_alice=st.booleans())
    def hang_up(self, is_alice: bool) -> None:
        phone = self.phone(is_alice)
        if phone.usage is not None:
            phone.usage.hang_up(self.line.now, "enough", 480)
            self.line.settle()

    @rule(is_alice=st.booleans(), verb=st.sampled_from(["hold", "resume", "reoffer"]))
    def change(self, is_alice: bool, verb: str) -> None:
        phone = self.phone(is_alice)
        if phone.usage is not None and phone.state is State.CONFIRMED:
            getattr(phone.usage, verb)(self.line.now)
            self.line.settle()

    @rule()
    def reinvite(self) -> None:
        """Let alice's side send a re-INVITE that her usage knows nothing of."""
        if self.line.alice.state is State.CONFIRMED:
            self.is_foreign = True
            self.reinvites.append(send_reinvite(self.line))

    @rule(has_offer=st.booleans())
    def update(self, has_offer: bool) -> None:
        if self.line.alice.state is State.CONFIRMED:
            self.is_foreign = True
            send_update(self.line, has_offer)

    @precondition(lambda self: self.reinvites)
    @rule()
    def acknowledge(self) -> None:
        alice, request = self.line.alice, self.reinvites.pop()
        ack = alice.dialog.make_ack(request.cseq.number)
        alice.core.send_stateless(ack, alice.flow, alice.address)
        self.line.settle()

    @invariant()
    def each_side_is_told_once(self) -> None:
        for phone in (self.line.alice, self.line.bob):
            told = [type(event) for event in phone.events]
            assert told.count(Ended) <= 1
            assert told.count(Established) <= 1
            assert Ended not in told[:-1]
            assert phone.usage is None or len(phone.usage.early_dialogs) <= 1
            assert (Ended in told) == (
                phone.usage is not None and phone.usage.state is State.TERMINATED
            )

    def both_agree(self) -> None:
        """Once nothing is lost any more, each side knows whether the other one holds it."""
        line = self.line
        line.advance(45.0)
        if self.is_foreign or any(p.usage is None for p in self.phones):
            return
        if all(phone.state is State.CONFIRMED for phone in self.phones):
            assert line.alice.negotiation.holds is line.bob.negotiation.is_held
            assert line.bob.negotiation.holds is line.alice.negotiation.is_held
            for phone in self.phones:
                held = [event.held for event in phone.events if isinstance(event, HoldChanged)]
                assert phone.negotiation.is_held is (held[-1] if held else False)

    def teardown(self) -> None:
        line = self.line
        line.delay = lambda label: False
        line.release()
        self.take_call()
        self.both_agree()
        self.hang_up(is_alice=True)
        self.hang_up(is_alice=False)
        line.advance(LONG)
        self.each_side_is_told_once()
        for phone, peer in ((line.alice, line.bob), (line.bob, line.alice)):
            assert phone.next_deadline() is None
            if phone.usage is not None:
                assert phone.state is State.TERMINATED
            if peer.usage is not None and peer.usage.dialog is not None:
                assert not phone.knows(peer.dialog, line.now)


Calls.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestCalls = Calls.TestCase
