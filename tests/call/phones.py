"""Two user agents on a line in memory: it loses, delays and reorders as a test tells it to.

Time is a number that tests move. A message on the line is called by who sent it and what it is,
such as "alice INVITE" or "bob 200 INVITE".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sylk.call.leg import SDP
from sylk.call.media import ChatCapabilities
from sylk.call.offer_answer import Negotiation
from sylk.call.session_timer import SessionTimerSettings, first_headers
from sylk.call.usage import InviteUsage
from sylk.call.usage_events import Ended, Established, UsageEvent
from sylk.call.usage_table import State
from sylk.msrp.uri import parse_path
from sylk.sip.address import NameAddr
from sylk.sip.core import (
    Event,
    IncomingAck,
    IncomingCancel,
    IncomingRequest,
    IncomingResponse,
    Refused,
    RequestFailed,
    UserAgentCore,
)
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Address, Flow
from sylk.sip.message import Message, Request, Response, make_request
from sylk.sip.parser import parse_message
from sylk.sip.transaction import ClientTransaction
from sylk.sip.uri import SipURI
from tests.sip.user_agents import METHODS, tokens

CAPABILITIES = ChatCapabilities()


def path_of(name: str, host: str) -> str:
    return f"msrp://{host}:2855/{name};tcp"


class Phone:
    """One user agent with one call, and a diary of what happened to it."""

    def __init__(
        self, name: str, host: str, peer_host: str, methods: Sequence[str] = METHODS
    ) -> None:
        self.name = name
        self.core = UserAgentCore(
            methods=methods,
            supported=["timer"],
            accept={"INVITE": [SDP], "UPDATE": [SDP]},
            server_name=name,
            random_token=tokens(name),
        )
        self.address: Address = (host, 5060)
        self.flow = Flow("udp", self.address, (peer_host, 5060))
        self.contact = f"<sip:{name}@{host}>"
        self.negotiation = Negotiation(parse_path(path_of(name, host)), host, "Sylk", 7)
        self.usage: InviteUsage | None = None
        self.session_timer = SessionTimerSettings(0)
        self.random: Callable[[], float] = lambda: 0.5
        self.invites: list[IncomingRequest] = []
        self.events: list[UsageEvent] = []
        # A transaction keeps its request, so that no other one gets its id.
        self._sent: dict[int, ClientTransaction] = {}

    @property
    def call(self) -> InviteUsage:
        assert self.usage is not None
        return self.usage

    @property
    def dialog(self) -> Dialog:
        assert self.call.dialog is not None
        return self.call.dialog

    @property
    def state(self) -> State:
        return self.call.state

    @property
    def is_established(self) -> bool:
        return Established() in self.events

    @property
    def endings(self) -> list[Ended]:
        return [event for event in self.events if isinstance(event, Ended)]

    def make_invite(self, target: str, offer: bytes) -> Request:
        headers = [("Contact", self.contact), *first_headers(self.session_timer)]
        return make_request(
            "INVITE",
            SipURI.parse(target),
            NameAddr.parse(f"{self.contact};tag={self.core.new_tag()}"),
            NameAddr.parse(f"<{target}>"),
            f"call-of-{self.name}",
            1,
            headers=headers,
            body=offer,
            content_type="application/sdp" if offer else None,
        )

    def make_call(self, target: str, now: float) -> InviteUsage:
        request = self.make_invite(target, self.negotiation.make_offer())
        self.usage = InviteUsage(
            self.core,
            self.negotiation,
            request,
            self.contact,
            random=self.random,
            session_timer=self.session_timer,
        )
        transaction = self.core.send_request(request, self.flow, self.address, now)
        self.usage.client_transaction = transaction
        return self.usage

    def take_call(self) -> InviteUsage:
        """Make the usage of the first INVITE that came."""
        incoming = self.invites[0]
        self.usage = InviteUsage(
            self.core,
            self.negotiation,
            incoming.request,
            self.contact,
            random=self.random,
            server_transaction=incoming.transaction,
            session_timer=self.session_timer,
        )
        return self.usage

    def send(self, request: Request, now: float) -> None:
        """Send a request that no usage makes."""
        self.core.send_request(request, self.flow, self.address, now)

    def work(self, now: float) -> list[Message]:
        """Do what is to be done at once and return what goes out."""
        out: list[Message] = []
        busy = True
        while busy:
            busy = False
            while (event := self.core.next_event()) is not None:
                busy = True
                self._give(event, now)
            busy |= self._settle(now)
            messages = [message for message, _ in self.core.messages_to_send()]
            out += messages
            busy |= bool(messages)
        return out

    def _settle(self, now: float) -> bool:
        usage = self.usage
        if usage is None:
            return False
        if usage.cancel_wanted and usage.client_transaction is not None:
            usage.cancel_wanted = False
            self.core.cancel(usage.client_transaction, now)
        cancelled = usage.request_to_cancel()
        if cancelled is not None:
            self.core.cancel(self._sent[id(cancelled)], now)
        requests = usage.requests_to_send()
        for request, _ in requests:
            if request.method == "ACK":
                self.core.send_stateless(request, self.flow, self.address)
            else:
                transaction = self.core.send_request(request, self.flow, self.address, now)
                self._sent[id(request)] = transaction
        while (event := usage.next_event()) is not None:
            self.events.append(event)
        return bool(requests)

    def _give(self, event: Event, now: float) -> None:
        match event:
            case IncomingRequest(dialog=None):
                self.invites.append(event)
            case IncomingRequest():
                if self.usage is not None:
                    self.usage.receive_request(event, now)
                else:
                    answer = Response.to_request(event.request, 200)
                    self.core.respond(event.transaction, answer, now)
            case IncomingAck():
                self.call.receive_ack(event.request, now)
            case IncomingCancel():
                usage = self.usage
                if usage is not None and usage.server_transaction is event.transaction:
                    usage.receive_cancel(now)
            case IncomingResponse():
                if self.usage is not None:
                    self.usage.receive_response(event.response, now)
            case RequestFailed():
                if self.usage is not None:
                    method = event.transaction.request.method
                    self.usage.request_failed(method, event.status, now)
            case Refused():
                pass

    def next_deadline(self) -> float | None:
        deadlines = [self.core.next_deadline()]
        if self.usage is not None:
            deadlines.append(self.usage.next_deadline())
        return min((at for at in deadlines if at is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        self.core.handle_deadline(now)
        if self.usage is not None:
            self.usage.handle_deadline(now)

    def knows(self, peer: Dialog, now: float) -> bool:
        """Tell whether this side still has the dialog that the other side calls `peer`."""
        probe = peer.make_request("OPTIONS")
        via = f"SIP/2.0/UDP {self.flow.remote[0]};branch=z9hG4bKprobe{peer.local_cseq}"
        probe.headers.add_first("Via", via)
        self.core.receive_message(parse_message(probe.render()), self.flow, now)
        (answer,) = self.work(now)
        assert isinstance(answer, Response)
        assert answer.status in (200, 481)
        return answer.status == 200


@dataclass(slots=True)
class Transit:
    """A message on the line."""

    label: str
    data: bytes
    receiver: Phone


class Line:
    """What lies between two phones. `lose` and `delay` are asked for each message."""

    def __init__(
        self, methods_of_alice: Sequence[str] = METHODS, methods_of_bob: Sequence[str] = METHODS
    ) -> None:
        self.alice = Phone("alice", "192.0.2.1", "192.0.2.2", methods_of_alice)
        self.bob = Phone("bob", "192.0.2.2", "192.0.2.1", methods_of_bob)
        self.now = 0.0
        self.lose: Callable[[str], bool] = lambda label: False
        self.delay: Callable[[str], bool] = lambda label: False
        self.waiting: list[Transit] = []
        self.log: list[tuple[float, str]] = []
        self.messages: list[Request | Response] = []

    @property
    def labels(self) -> list[str]:
        """What has been sent until now, in order."""
        return [label for _, label in self.log]

    def times(self, label: str) -> list[float]:
        return [at for at, sent in self.log if sent == label]

    def last(self, label: str) -> Request | Response:
        """Return the last message of that name."""
        index = max(i for i, (_, sent) in enumerate(self.log) if sent == label)
        return self.messages[index]

    def settle(self) -> None:
        """Carry messages until nobody has anything to say."""
        busy = True
        while busy:
            busy = False
            for sender, receiver in ((self.alice, self.bob), (self.bob, self.alice)):
                for message in sender.work(self.now):
                    busy = True
                    self._carry(sender, receiver, message)

    def _carry(self, sender: Phone, receiver: Phone, message: Message) -> None:
        data = message.render()
        copy = parse_message(data)
        status = f"{copy.status} " if isinstance(copy, Response) else ""
        label = f"{sender.name} {status}{copy.cseq.method}"
        self.log.append((self.now, label))
        self.messages.append(copy)
        transit = Transit(label, data, receiver)
        if self.delay(label):
            self.waiting.append(transit)
        elif not self.lose(label):
            self.deliver(transit)

    def deliver(self, transit: Transit) -> None:
        phone = transit.receiver
        phone.core.receive_message(parse_message(transit.data), phone.flow, self.now)

    def release(self) -> None:
        """Deliver what was delayed, in order."""
        waiting, self.waiting = self.waiting, []
        for transit in waiting:
            self.deliver(transit)
        self.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass, with everything that falls due meanwhile."""
        end = self.now + seconds
        self.settle()
        while True:
            deadlines = [phone.next_deadline() for phone in (self.alice, self.bob)]
            due = min((at for at in deadlines if at is not None), default=end)
            if due >= end:
                break
            self.now = max(self.now, due)
            for phone in (self.alice, self.bob):
                phone.handle_deadline(self.now)
            self.settle()
        self.now = end

    # What most tests begin with

    def call(self) -> None:
        """Let alice call bob, whose phone knows of it then."""
        self.alice.make_call("sip:bob@192.0.2.2", self.now)
        self.settle()
        self.bob.take_call()

    def call_without_offer(self) -> Dialog:
        """Let bob accept an INVITE that leaves the offer to him; return alice's dialog.

        There is no usage at alice: the ACK with the answer is for the test to send.
        """
        invite = self.alice.make_invite("sip:bob@192.0.2.2", b"")
        self.alice.send(invite, self.now)
        self.settle()
        self.bob.take_call().accept(CAPABILITIES, self.now)
        self.settle()
        response = self.last("bob 200 INVITE")
        assert isinstance(response, Response)
        dialog = Dialog.as_uac(invite, response)
        self.alice.core.add_dialog(dialog)
        return dialog

    def acknowledge(self, dialog: Dialog, number: int, answer: bytes) -> None:
        """Let alice send an ACK that holds an answer."""
        ack = dialog.make_ack(number, body=answer, content_type="application/sdp")
        self.alice.core.send_stateless(ack, self.alice.flow, self.alice.address)
        self.settle()

    def since(self, count: int) -> list[str]:
        """Return what has been sent but for the first `count` messages."""
        return self.labels[count:]

    def establish(self) -> None:
        """Let bob accept the call of alice."""
        self.call()
        self.bob.call.accept(CAPABILITIES, self.now)
        self.settle()
        assert self.alice.is_established
        assert self.bob.is_established
