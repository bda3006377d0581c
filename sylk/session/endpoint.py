"""The endpoint: one SIP user agent with its sockets, clock and calls, at run time.

A server has one and a client has one. It moves messages between the transports and the core, gives
what belongs to a call to that call, and hands every request that belongs to none to its owner.
"""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import trio

from sylk.call.media import CLEAR_PROTOCOL, TLS_PROTOCOL
from sylk.call.offer_answer import Negotiation
from sylk.call.usage import InviteUsage
from sylk.errors import TransportError
from sylk.msrp.session import MsrpSession
from sylk.msrp.uri import MsrpURI, Path
from sylk.net.alarm import AlarmClock
from sylk.net.msrp_port import MsrpPort, MsrpPortSettings
from sylk.net.sip_transports import SipTransports, SipTransportSettings
from sylk.net.tls import TlsContexts
from sylk.session.call import Call
from sylk.session.dialog_user import DialogUser
from sylk.session.dialog_users import DialogUsers
from sylk.session.dispatcher import Dispatcher
from sylk.session.sending import RequestSender
from sylk.session.subscription import Referral, Subscription
from sylk.sip.core import (
    IncomingRequest,
    UserAgentCore,
)
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.notifier import NotifierUsage
from sylk.sip.parser import MalformedMessage
from sylk.sip.refer_notifier import ReferNotifier
from sylk.sip.uri import SipURI

logger = logging.getLogger("sylk.session")

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "SUBSCRIBE", "REFER", "MESSAGE")
SUPPORTED = ("norefersub", "gruu")
ACCEPTED_BODIES: Mapping[str, Sequence[str]] = {"INVITE": ("application/sdp",)}

MEDIA_GRACE = 2.0
"""Seconds for which the media of a call outlive our BYE at most."""

ANSWER_TIMEOUT = 180.0
"""Seconds in which an INVITE must be answered: proxies wait no longer (RFC 3261 Timer C)."""

_RETRY_AFTER = 30
"""Seconds after which a subscriber may ask again, once we are back."""

_MEDIA = "media"
_ANSWER = "answer"


@dataclass(slots=True)
class EndpointSettings:
    """What an endpoint is told when it is made."""

    name: str = "Sylk"
    """The product token of User-Agent and Server, and the SDP session name."""
    tls: TlsContexts | None = None
    """Our certificate and whom we trust; without it there is no TLS."""
    sip: SipTransportSettings = field(default_factory=SipTransportSettings)
    msrp: MsrpPortSettings = field(default_factory=MsrpPortSettings)


class Endpoint:
    """A SIP user agent that runs.

    `on_request` gets each INVITE, SUBSCRIBE, REFER and MESSAGE outside a dialog.
    """

    def __init__(
        self, settings: EndpointSettings, on_request: Callable[[IncomingRequest], None]
    ) -> None:
        """Bind all ports; raises TransportError."""
        self.settings = settings
        self.clock = AlarmClock()
        self._users = DialogUsers()
        self.core = UserAgentCore(
            methods=METHODS,
            supported=SUPPORTED,
            accept=ACCEPTED_BODIES,
            server_name=settings.name,
            random_token=lambda: secrets.token_hex(10),
        )
        self.transports = SipTransports(
            settings.sip,
            self._receive,
            self._flow_failed,
            in_use=self._users.carried_by,
            tls=settings.tls,
        )
        try:
            self.msrp = MsrpPort(settings.msrp, self.clock, settings.tls)
        except TransportError:
            self.transports.close()
            raise
        self.sender = RequestSender(self.core, self.transports, self._users, self.flush)
        self._dispatcher = Dispatcher(self._users, on_request)
        self._closing: dict[Call, MsrpSession] = {}
        self._flushing = False

    @property
    def call_count(self) -> int:
        """How many calls stand or are being set up or ended."""
        return self._users.call_count

    @property
    def subscription_count(self) -> int:
        """How many subscriptions and referrals there are."""
        return len(self._users) - self._users.call_count

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.clock.run)
            await nursery.start(self.sender.run)
            await nursery.start(self.transports.run)
            await nursery.start(self.msrp.run)
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

    @property
    def msrp_protocols(self) -> tuple[str, ...]:
        """The protocols of m= lines that can be carried."""
        return (CLEAR_PROTOCOL, TLS_PROTOCOL) if self.msrp.speaks_tls else (CLEAR_PROTOCOL,)

    @property
    def offers_tls(self) -> bool:
        """Tell whether an offer of ours is for MSRP over TLS."""
        return self.settings.msrp.use_tls and self.msrp.speaks_tls

    def open_session(
        self, flow: Flow, accept_types: Sequence[str], *, secure: bool
    ) -> tuple[MsrpSession, Negotiation]:
        """Make the MSRP session and the negotiation of a new call over `flow`."""
        host, port = self.msrp.path_address(flow.local[0], secure=secure)
        session_id = self.msrp.registry.new_session_id()
        path = (MsrpURI(secure=secure, user=None, host=host, port=port, session_id=session_id),)
        fingerprint = self.msrp.fingerprint if secure else None
        negotiation = Negotiation(path, host, self.settings.name, secrets.randbits(31), fingerprint)
        return self.session_on(path, accept_types), negotiation

    def session_on(self, path: Path, accept_types: Sequence[str]) -> MsrpSession:
        """Make the MSRP session of our own `path`; other types than these are refused with 415."""
        return MsrpSession(
            path,
            active=False,
            accept_types=accept_types,
            max_message_size=self.settings.msrp.max_message_size,
            keepalive_interval=self.settings.msrp.keepalive_interval,
        )

    def incoming_call(
        self, incoming: IncomingRequest, negotiation: Negotiation, contact: str
    ) -> Call:
        """Make the call of an INVITE that has come."""
        usage = InviteUsage(
            self.core,
            negotiation,
            incoming.request,
            contact,
            server_transaction=incoming.transaction,
        )
        call = Call(self, usage, incoming.flow)
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
        usage = InviteUsage(self.core, negotiation, request, contact)
        call = Call(self, usage, flow)
        self._users.add(call)
        usage.client_transaction = self.sender.send(call, request, flow)
        self.flush()
        return call

    def open_subscription(self, incoming: IncomingRequest, user: str | None) -> Subscription:
        """Make the subscription of a SUBSCRIBE; raises RemoteProtocolError."""
        contact = self.contact_for(incoming.flow, user)
        usage = NotifierUsage(self.core, incoming, contact)
        subscription = Subscription(self, usage, incoming.flow)
        self._users.add(subscription)
        return subscription

    def open_referral(self, incoming: IncomingRequest, user: str | None) -> Referral:
        """Make the referral of a REFER; raises RemoteProtocolError."""
        contact = self.contact_for(incoming.flow, user)
        referral = Referral(self, ReferNotifier(self.core, incoming, contact), incoming.flow)
        self._users.add(referral)
        return referral

    def end_subscriptions(self) -> None:
        """Tell every subscriber that it is over for now (RFC 6665 section 4.1.3)."""
        for user in self._users:
            if isinstance(user, Subscription):
                user.end("probation", retry_after=_RETRY_AFTER)

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

    def _cancel_if_wanted(self, call: Call) -> None:
        usage = call.usage
        if usage.cancel_wanted and usage.client_transaction is not None:
            usage.cancel_wanted = False
            self.core.cancel(usage.client_transaction, trio.current_time())

    def forget(self, user: DialogUser, /) -> None:
        """Drop every reference to a user that is finished."""
        if not self._users.remove(user):
            return
        self.clock.set(user, None, user.ring_alarm)
        if isinstance(user, Call):
            self._remove_media(user)

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
                    self.transports.send(message, flow)
        finally:
            self._flushing = False
        self.clock.set(self.core, self.core.next_deadline(), self._ring_core)
