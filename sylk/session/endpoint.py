"""The endpoint: one SIP user agent with its sockets, clock and calls, at run time.

A server has one and a client has one. It moves messages between the transports and the core, gives
what belongs to a call to that call, and hands every request that belongs to none to its owner.
"""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import trio

from sylk.call.offer_answer import Negotiation
from sylk.call.session_timer import SessionTimerSettings
from sylk.call.usage import InviteUsage
from sylk.errors import TransportError
from sylk.msrp.session import MsrpSession
from sylk.net.alarm import AlarmClock
from sylk.net.fronted_transports import FrontSettings, open_transports
from sylk.net.msrp_port import MsrpPort
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.relay_path import RelayAccount
from sylk.net.resolver import Resolver
from sylk.net.sip_transports import SipTransportSettings
from sylk.net.standing_path import StandingPath
from sylk.net.tls import TlsContexts
from sylk.session.call import Call
from sylk.session.dialog_user import DialogUser
from sylk.session.dialog_users import DialogUsers
from sylk.session.dispatcher import Dispatcher
from sylk.session.media import MediaSessions
from sylk.session.refusal_log import LINES_A_MINUTE
from sylk.session.sending import RequestSender
from sylk.session.subscription import Referral, Subscription
from sylk.session.subscription_counts import SubscriptionBounds, SubscriptionCounts
from sylk.session.takeover import EndedCalls, Takeover, find_takeover
from sylk.session.watch import Watch
from sylk.sip.core import IncomingRequest, UserAgentCore
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.notifier import NotifierUsage
from sylk.sip.parser import MalformedMessage
from sylk.sip.reason_header import reason_headers
from sylk.sip.refer_notifier import ReferNotifier
from sylk.sip.request_checks import Admit, Screen
from sylk.sip.transaction_bounds import TransactionBounds
from sylk.sip.uri import SipURI

logger = logging.getLogger("sylk.session")

METHODS = (
    *("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE"),
    *("SUBSCRIBE", "REFER", "MESSAGE", "NOTIFY"),
)
SUPPORTED = ("norefersub", "gruu", "timer")
ACCEPTED_BODIES: Mapping[str, Sequence[str]] = {
    "INVITE": ("application/sdp",),
    "UPDATE": ("application/sdp",),
}

MEDIA_GRACE = 2.0
"""Seconds for which the media of a call outlive our BYE at most."""

ANSWER_TIMEOUT = 180.0
"""Seconds in which an INVITE must be answered: proxies wait no longer (RFC 3261 Timer C)."""

STOPPING = "The server stops"
"""What the peer of a call is told when the whole endpoint goes."""

_RETRY_AFTER = 30
"""Seconds after which a subscriber may ask again, once we are back."""

_RANDOM = secrets.SystemRandom()

_MEDIA = "media"
_ANSWER = "answer"


@dataclass(slots=True)
class EndpointSettings:
    """What an endpoint is told when it is made."""

    name: str = "Sylk"
    """The product token of User-Agent and Server, and the SDP session name."""
    extensions: tuple[str, ...] = ()
    """The option tags of what whoever answers calls here supports by himself."""
    tls: TlsContexts | None = None
    """Our certificate and whom we trust; without it there is no TLS."""
    outbound_proxy: SipURI | None = None
    """Through whom our requests outside a dialog go; None sends them straight to their servers."""
    resolver: Resolver | None = None
    """Who finds those servers; None asks the DNS that the machine is set up with."""
    sip: SipTransportSettings = field(default_factory=SipTransportSettings)
    msrp: MsrpPortSettings = field(default_factory=MsrpPortSettings)
    session_timer: SessionTimerSettings = field(default_factory=SessionTimerSettings)
    """How long a call lives that is not refreshed (RFC 4028)."""
    refusal_lines: int = LINES_A_MINUTE
    subscriptions: SubscriptionBounds = field(default_factory=SubscriptionBounds)
    transactions: TransactionBounds = field(default_factory=TransactionBounds)
    relay: RelayAccount | None = None
    """Through whose relay the calls that we make have their messages carried, each by its path."""
    front: FrontSettings | None = None
    """Who has the sockets of SIP where several workers share them; None has us have our own."""
    standing_relay: RelayAccount | None = None
    """Through whose relay all our calls have their messages carried, by one path."""


class Endpoint:
    """A SIP user agent that runs.

    `on_request` gets each INVITE, SUBSCRIBE, REFER and MESSAGE outside a dialog.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        on_request: Callable[[IncomingRequest], None],
        event_packages: Sequence[str] = (),
        admit: Admit | None = None,
        screen: Screen | None = None,
    ) -> None:
        """Bind all ports; raises TransportError.

        `event_packages` are all those whose state is told here. `admit` is asked first about each
        request outside a dialog, `screen` last; without them everybody is welcome.
        """
        self.settings = settings
        self.clock = AlarmClock()
        self.is_stopping = False
        """Set when the whole endpoint goes, so that peers are told why their calls end."""
        self._users = DialogUsers()
        self._ended = EndedCalls()
        self._subscriptions = SubscriptionCounts(settings.subscriptions)
        mark = "" if settings.front is None else settings.front.token_mark
        self.core = UserAgentCore(
            methods=METHODS,
            supported=(*SUPPORTED, *settings.extensions),
            accept=ACCEPTED_BODIES,
            server_name=settings.name,
            random_token=lambda: mark + secrets.token_hex(10),
            event_packages=event_packages,
            admit=admit,
            screen=screen,
            bounds=settings.transactions,
        )
        on_failure, in_use = self._flow_failed, self._users.carried_by
        self.transports = open_transports(
            settings.sip, settings.front, settings.tls, self._receive, on_failure, in_use
        )
        try:
            self.msrp = MsrpPort(settings.msrp, self.clock, settings.tls)
        except TransportError:
            self.transports.close()
            raise
        standing = settings.standing_relay
        self._standing = None if standing is None else StandingPath(self.msrp, standing)
        self.media = MediaSessions(self.msrp, settings.name, settings.relay, self._standing)
        self.sender = RequestSender(
            self.core, self.transports, self._users, self.flush, settings.resolver
        )
        self._dispatcher = Dispatcher(
            self._users, on_request, self._refuse_stray, settings.refusal_lines
        )
        self._dispatcher.on_flood = self.transports.pause
        self._closing: dict[Call, MsrpSession] = {}
        self._flushing = False
        self.messages_received = self.messages_sent = 0
        """How many SIP messages came and went."""

    @property
    def is_idle(self) -> bool:
        """True when nothing is kept of any call, subscription or request."""
        return self._users.is_empty and not self.sender.is_waiting

    @property
    def call_count(self) -> int:
        """How many calls stand or are being set up or ended."""
        return self._users.call_count

    @property
    def subscription_count(self) -> int:
        """How many subscriptions and referrals there are, and requests of ours under way."""
        return len(self._users) - self._users.call_count

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.clock.run)
            await nursery.start(self.sender.run)
            await nursery.start(self.transports.run)
            await nursery.start(self.msrp.run)
            if self._standing is not None:
                nursery.start_soon(self._standing.run)
            task_status.started()

    async def wait_calls_over(self) -> None:
        """Wait until no call or subscription stands or is being ended."""
        await self._users.wait_empty()

    # Making calls

    def contact_for(self, flow: Flow, user: str | None, scheme: str = "sip") -> str:
        """Return the URI, in angle brackets, at which the peer of `flow` reaches us."""
        host, port = self.transports.sent_by(flow)
        params: dict[str, str | None] = {}
        if flow.transport != "udp" and scheme != "sips":
            # A sips URI says by its scheme what transport=tls would (RFC 5630 section 3.1.4).
            params["transport"] = flow.transport
        return f"<{SipURI(scheme, user, None, host, port, params)}>"

    def incoming_call(
        self, incoming: IncomingRequest, negotiation: Negotiation, contact: str
    ) -> Call:
        """Make the call of an INVITE that has come."""
        usage = InviteUsage(
            self.core,
            negotiation,
            incoming.request,
            contact,
            random=_RANDOM.random,
            server_transaction=incoming.transaction,
            session_timer=self.settings.session_timer,
        )
        call = Call(self, usage, incoming.flow)
        call.peer = incoming.sender
        self._users.add(call)
        deadline = trio.current_time() + ANSWER_TIMEOUT
        self.clock.set((_ANSWER, call), deadline, lambda _now: self._give_up_waiting(call))
        return call

    def _give_up_waiting(self, call: Call) -> None:
        if not call.is_over:
            logger.warning("no answer was given within %g s to %s", ANSWER_TIMEOUT, call.call_id)
            call.hang_up("not answered", 480)

    def outgoing_call(
        self, request: Request, negotiation: Negotiation, contact: str, flow: Flow
    ) -> Call:
        """Send an INVITE over `flow` and return its call."""
        usage = InviteUsage(
            self.core,
            negotiation,
            request,
            contact,
            random=_RANDOM.random,
            session_timer=self.settings.session_timer,
        )
        call = Call(self, usage, flow)
        self._users.add(call)
        usage.client_transaction = self.sender.send(call, request, flow)
        self.flush()
        return call

    def adopt(self, user: DialogUser, /) -> None:
        """Take up a request or subscription of ours and send what it has to send."""
        self._users.add(user)
        if isinstance(user, Watch) and user.asks:
            self._users.expect_notify(user)
        self.settle(user)

    def open_subscription(
        self, incoming: IncomingRequest, user: str | None, event_packages: Sequence[str] = ()
    ) -> Subscription:
        """Make the subscription of a SUBSCRIBE; raises RemoteProtocolError.

        `event_packages` are those that can be subscribed to at the same place.
        """
        self._subscriptions.check(incoming.source)
        contact = self.contact_for(incoming.flow, user)
        usage = NotifierUsage(self.core, incoming, contact, allow_events=event_packages)
        subscription = Subscription(self, usage, incoming.flow, incoming.sender)
        self._users.add(subscription)
        self._subscriptions.add(subscription, incoming.source)
        return subscription

    def open_referral(self, incoming: IncomingRequest, user: str | None) -> Referral:
        """Make the referral of a REFER, inside a call too; raises RemoteProtocolError."""
        self._subscriptions.check(incoming.source)
        own = None if incoming.dialog is None else incoming.dialog.contact
        contact = self.contact_for(incoming.flow, user) if own is None else str(own)
        notifier = ReferNotifier(self.core, incoming, contact)
        referral = Referral(self, notifier, incoming.flow, incoming.sender)
        self._users.add(referral)
        self._subscriptions.add(referral, incoming.source)
        return referral

    def end_subscriptions(self) -> None:
        """Tell every subscriber that it is over for now (RFC 6665 section 4.1.3)."""
        for user in self._users:
            if isinstance(user, Subscription):
                user.end("probation", retry_after=_RETRY_AFTER)

    def end_calls(self) -> None:
        """End all calls that still stand, or ring: those that we have made."""
        for user in self._users:
            if isinstance(user, Call) and not user.is_over:
                user.hang_up(STOPPING, 503)

    def _refuse_stray(self, incoming: IncomingRequest) -> None:
        """Answer a request for a subscription or a call that nobody here holds any more."""
        response = Response.to_request(incoming.request, 481)
        self.core.respond(incoming.transaction, response, trio.current_time())

    # What a user of a dialog asks for

    def settle(self, user: DialogUser, /) -> None:
        """Send what a user of a dialog and the core have ready, and set the user's alarm."""
        if self._users.follow(user):
            self.clock.set((_ANSWER, user), None, user.ring_alarm)
        if isinstance(user, Call):
            self._cancel_if_wanted(user)
        for request, dialog in user.requests_to_send():
            self.sender.send_in_dialog(user, request, dialog)
        self.clock.set(user, user.next_deadline(), user.ring_alarm)
        user.take_events()
        self.flush()

    def backlog(self, flow: Flow, /) -> int:
        """Return how many bytes wait for whoever is at the other end of a flow."""
        return self.transports.backlog(flow)

    def _cancel_if_wanted(self, call: Call) -> None:
        usage = call.usage
        if usage.cancel_wanted and usage.client_transaction is not None:
            usage.cancel_wanted = False
            usage.client_transaction.cancel_headers = reason_headers(call.status, call.reason)
            self.core.cancel(usage.client_transaction, trio.current_time())
        request = usage.request_to_cancel()
        reinvite = None if request is None else self._users.find_sent(call, request)
        if reinvite is not None:
            self.core.cancel(reinvite, trio.current_time())

    def forget(self, user: DialogUser, /) -> None:
        """Drop every reference to a user that is finished."""
        if not self._users.remove(user):
            return
        self.clock.set(user, None, user.ring_alarm)
        self._subscriptions.remove(user)
        if isinstance(user, Call):
            self._remove_media(user)
            if user.usage.dialog is not None:
                self._ended.add(user.usage.dialog.key)

    def find_takeover(self, request: Request) -> Takeover | None:
        """Return what an INVITE wants with a call that there is; raises RemoteProtocolError."""
        return find_takeover(request, self._users, self._ended)

    def release(self, call: Call, session: MsrpSession) -> None:
        """Let go of the media of a call that is over for its user.

        While the BYE is under way the media stay, for a short time: a peer that saw them go first
        would take it for a fault.
        """
        if call not in self._users:
            self.msrp.remove(session)
            return
        self._closing[call] = session
        deadline = trio.current_time() + MEDIA_GRACE
        self.clock.set((_MEDIA, call), deadline, lambda _now: self._remove_media(call))

    def _remove_media(self, call: Call) -> None:
        session = self._closing.pop(call, None)
        if session is not None:
            self.clock.set((_MEDIA, call), None, lambda _now: None)
            self.msrp.remove(session)

    # Between the transports and the core

    def _receive(self, message: Request | Response | MalformedMessage, flow: Flow) -> None:
        self.messages_received += 1
        self.core.receive_message(message, flow, trio.current_time())
        self.flush()

    def _flow_failed(self, flow: Flow) -> None:
        self.core.transport_failed(flow, trio.current_time())
        self.flush()

    def _ring_core(self, now: float) -> None:
        self.core.handle_deadline(now)
        self.flush()

    def flush(self) -> None:
        """Give out what the core has to tell, then send what it has to send, until it is idle."""
        if self._flushing:
            return
        self._flushing = True
        try:
            busy = True
            while busy:
                busy = False
                while (event := self.core.next_event()) is not None:
                    self._dispatcher.dispatch(event)
                for message, flow in self.core.messages_to_send():
                    busy = True
                    self.messages_sent += 1
                    self.transports.send(message, flow)
        finally:
            self._flushing = False
        self.clock.set(self.core, self.core.next_deadline(), self._ring_core)
