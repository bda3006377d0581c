"""A subscriber and a notifier on a line in memory: it loses and delays as a test tells it to.

Time is a number that tests move. A message on the line is called by who sent it and what it is:
"alice SUBSCRIBE", "bob 200 SUBSCRIBE", "bob NOTIFY". Alice subscribes, bob notifies.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sylk.sip.address import NameAddr
from sylk.sip.core import (
    Event,
    IncomingRequest,
    IncomingResponse,
    RequestFailed,
    UserAgentCore,
)
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Address, Flow
from sylk.sip.message import Message, Request, Response, make_request
from sylk.sip.notifier import NotifierEvent, NotifierUsage
from sylk.sip.parser import parse_message
from sylk.sip.subscriber import SubscriberEvent, SubscriberUsage
from sylk.sip.subscription_events import Notified, SubscriptionEnded
from sylk.sip.subscription_limits import SubscriptionLimits
from sylk.sip.uri import SipURI
from tests.sip.user_agents import make_core

TEXT = "text/plain"
ALLOW_EVENTS = ("conference", "presence")


class Agent:
    """One user agent with one subscription, and a diary of what happened to it."""

    def __init__(self, name: str, host: str, peer_host: str) -> None:
        self.name = name
        self.core: UserAgentCore = make_core(prefix=name)
        self.address: Address = (host, 5060)
        self.flow = Flow("udp", self.address, (peer_host, 5060))
        self.contact = f"<sip:{name}@{host}>"
        self.notifier: NotifierUsage | None = None
        self.subscriber: SubscriberUsage | None = None
        self.requests: list[IncomingRequest] = []
        """Those outside of a dialog that no usage took."""
        self.events: list[NotifierEvent | SubscriberEvent] = []
        self.refusal: tuple[int, tuple[tuple[str, str], ...]] | None = None
        """How each request in a dialog is answered in place of the usage."""

    @property
    def usage(self) -> NotifierUsage | SubscriberUsage | None:
        return self.notifier or self.subscriber

    @property
    def dialog(self) -> Dialog:
        assert self.usage is not None
        assert self.usage.dialog is not None
        return self.usage.dialog

    @property
    def endings(self) -> list[SubscriptionEnded]:
        return [event for event in self.events if isinstance(event, SubscriptionEnded)]

    @property
    def told(self) -> list[tuple[str, bytes]]:
        """Return what this subscriber was told: state and body of each NOTIFY."""
        return [(event.state, event.body) for event in self.events if isinstance(event, Notified)]

    def make_request(self, method: str, *headers: tuple[str, str]) -> Request:
        return make_request(
            method,
            SipURI.parse("sip:room@192.0.2.2"),
            NameAddr.parse(f"{self.contact};tag={self.core.new_tag()}"),
            NameAddr.parse("<sip:room@192.0.2.2>"),
            f"subscription-of-{self.name}",
            7,
            headers=[("Contact", self.contact), *headers],
        )

    def send(self, request: Request, now: float) -> None:
        """Send a request that no usage makes."""
        self.core.send_request(request, self.flow, self.address, now)

    def work(self, now: float) -> list[Message]:
        """Do what is to be done at once and return what goes out."""
        out: list[Message] = []
        busy = True
        while busy:
            self.take_in(now)
            busy = self._settle(now)
            messages = [message for message, _ in self.core.messages_to_send()]
            out += messages
            busy |= bool(messages)
        return out

    def take_in(self, now: float) -> None:
        """Give out what the core has to tell, as it wants it after each message."""
        while (event := self.core.next_event()) is not None:
            self._give(event, now)

    def _settle(self, now: float) -> bool:
        if self.usage is None:
            return False
        requests = self.usage.requests_to_send()
        for request, _ in requests:
            self.send(request, now)
        while (event := self.usage.next_event()) is not None:
            self.events.append(event)
        return bool(requests)

    def _give(self, event: Event, now: float) -> None:
        usage = self.usage
        match event:
            case IncomingRequest(dialog=None) if event.request.method != "NOTIFY":
                self.requests.append(event)
            case IncomingRequest():
                if self.refusal is not None:
                    status, headers = self.refusal
                    answer = Response.to_request(event.request, status, headers=headers)
                    self.core.respond(event.transaction, answer, now)
                elif usage is not None:
                    usage.receive_request(event, now)
            case IncomingResponse():
                if usage is not None:
                    usage.receive_response(event.response, now)
            case RequestFailed():
                if usage is not None:
                    method = event.transaction.request.method
                    usage.request_failed(method, event.status, now)
            case _:
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
    receiver: Agent


class Line:
    """What lies between the two. `lose` and `delay` are asked for each message."""

    def __init__(self) -> None:
        self.alice = Agent("alice", "192.0.2.1", "192.0.2.2")
        self.bob = Agent("bob", "192.0.2.2", "192.0.2.1")
        self.now = 0.0
        self.lose: Callable[[str], bool] = lambda label: False
        self.delay: Callable[[str], bool] = lambda label: False
        self.waiting: list[Transit] = []
        self.log: list[tuple[float, str]] = []
        self.messages: list[Request | Response] = []

    @property
    def labels(self) -> list[str]:
        return [label for _, label in self.log]

    def all(self, label: str) -> list[Request | Response]:
        """Return all messages of that name."""
        return [
            message
            for message, (_, sent) in zip(self.messages, self.log, strict=True)
            if sent == label
        ]

    def last(self, label: str) -> Request | Response:
        return self.all(label)[-1]

    def notifies(self) -> list[tuple[str, bytes]]:
        """Return Subscription-State and body of each NOTIFY that bob sent."""
        return [
            (message.headers.get("Subscription-State") or "", message.body)
            for message in self.all("bob NOTIFY")
        ]

    def settle(self) -> None:
        """Carry messages until nobody has anything to say."""
        busy = True
        while busy:
            busy = False
            for sender, receiver in ((self.alice, self.bob), (self.bob, self.alice)):
                for message in sender.work(self.now):
                    busy = True
                    self._carry(sender, receiver, message)

    def _carry(self, sender: Agent, receiver: Agent, message: Message) -> None:
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
        agent = transit.receiver
        agent.core.receive_message(parse_message(transit.data), agent.flow, self.now)
        agent.take_in(self.now)

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
            deadlines = [agent.next_deadline() for agent in (self.alice, self.bob)]
            due = min((at for at in deadlines if at is not None), default=end)
            if due >= end:
                break
            self.now = max(self.now, due)
            for agent in (self.alice, self.bob):
                agent.handle_deadline(self.now)
            self.settle()
        self.now = end

    # What most tests begin with

    def ask(self, expires: int | None = 600, *headers: tuple[str, str]) -> None:
        """Let alice send a SUBSCRIBE without a usage of her own."""
        time = [] if expires is None else [("Expires", str(expires))]
        request = self.alice.make_request("SUBSCRIBE", ("Event", "conference"), *time, *headers)
        self.alice.send(request, self.now)
        self.settle()

    def subscribe(
        self, expires: int | None = 600, *headers: tuple[str, str], max_forks: int = 0
    ) -> SubscriberUsage:
        """Let alice subscribe with a usage of her own."""
        time = [] if expires is None else [("Expires", str(expires))]
        request = self.alice.make_request(
            "SUBSCRIBE", ("Event", "conference"), ("Accept", TEXT), *time, *headers
        )
        self.alice.subscriber = SubscriberUsage(
            self.alice.core, request, self.now, max_forks=max_forks
        )
        self.settle()
        return self.alice.subscriber

    def take(self, limits: SubscriptionLimits | None = None) -> NotifierUsage:
        """Make the usage of the last SUBSCRIBE or REFER that came to bob."""
        self.bob.notifier = NotifierUsage(
            self.bob.core,
            self.bob.requests[-1],
            self.bob.contact,
            limits,
            allow_events=ALLOW_EVENTS,
        )
        return self.bob.notifier

    def stand(self, expires: int | None = 600) -> tuple[SubscriberUsage, NotifierUsage]:
        """Let alice subscribe and bob accept."""
        subscriber = self.subscribe(expires)
        notifier = self.take()
        notifier.accept(self.now, b"first", TEXT)
        self.settle()
        return subscriber, notifier
