"""An INVITE that came in, for an application to accept or refuse."""

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType

import trio

from sylk.call.media import ChatCapabilities, ChatOffer, read_offer
from sylk.call.usage_table import State
from sylk.errors import RemoteProtocolError, SessionEnded
from sylk.net.msrp_watch import SessionCall
from sylk.payload.cpim import Address
from sylk.payload.multipart import BodyPart
from sylk.session.call import Call
from sylk.session.chat import Chat
from sylk.session.endpoint import STOPPING, Endpoint
from sylk.session.establish import establish
from sylk.session.identity import identity_of
from sylk.session.takeover import REPLACED, Takeover
from sylk.sip.core import IncomingRequest
from sylk.sip.event_headers import allow_events_headers
from sylk.sip.headers import Headers
from sylk.sip.uri import SipURI

_FAILED = 500


class Invitation:
    """An INVITE outside a dialog; it must be accepted or rejected, once."""

    __slots__ = (
        "_call",
        "_caller",
        "_contact",
        "_endpoint",
        "_headers",
        "_path",
        "_request",
        "_takeover",
        "call_id",
        "fault",
        "offers_cpim",
        "recipient",
        "request_uri",
        "sender",
        "source",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        incoming: IncomingRequest,
        takeover: Takeover | None = None,
        event_packages: Sequence[str] = (),
    ) -> None:
        """Take an INVITE, what it wants with another call, and what can be subscribed to here."""
        request = incoming.request
        assert isinstance(request.uri, SipURI)
        self.request_uri: SipURI = request.uri
        self.sender: Address = identity_of(incoming.sender)
        """Who calls: the user who gave his password, or whom a trusted proxy names, or From."""
        self.recipient: Address = identity_of(request.to)
        self.source = incoming.flow.remote
        """Host and port that the INVITE came from."""
        self.call_id = request.call_id
        self._endpoint = endpoint
        self._request = request
        self.fault: RemoteProtocolError | None = None
        """Why the offer holds no chat that can be taken; None when it holds one."""
        offer = self._read_offer()
        self.offers_cpim = self.fault is None if offer is None else offer.chat.takes_cpim
        """Whether the chat that is offered takes CPIM; True when the offer is left to us."""
        media = endpoint.media
        secure = media.offers_tls if offer is None else offer.chat.is_secure
        self._path, negotiation = media.negotiate(incoming.flow, secure=secure)
        if offer is not None:
            negotiation.expect(offer)
        self._takeover = takeover
        self._caller = incoming.sender
        self._headers = allow_events_headers(event_packages)
        user = _contact_user(self.request_uri, takeover)
        contact = endpoint.contact_for(incoming.flow, user, self.request_uri.scheme)
        self._contact = contact
        self._call = endpoint.incoming_call(incoming, negotiation, contact)

    @property
    def headers(self) -> Headers:
        """The header fields of the INVITE."""
        return self._request.headers

    @property
    def recipient_lists(self) -> tuple[BodyPart, ...]:
        """The lists of people whom the caller wants called (RFC 5366), until the call stands.

        Only applications with recipient-list-invite among their `extensions` get any.
        """
        return self._request.parts

    @property
    def offers_chat(self) -> bool:
        """Tell whether a chat can be set up: one is offered, or the offer is left to us."""
        return self.fault is None

    @property
    def call(self) -> Call:
        """The call that begins; a later INVITE may want to replace or join it."""
        return self._call

    @property
    def replaces(self) -> Call | None:
        """The call whose place the caller wants to take, None for most (RFC 3891).

        That call is ended as soon as the chat of this one stands, and left alone until then. It
        may be over before that: then this one stands all the same.
        """
        return None if self._takeover is None else self._takeover.replaces

    @property
    def joins(self) -> Call | None:
        """The call into whose conversation the caller wants to come, None for most (RFC 3911)."""
        return None if self._takeover is None else self._takeover.joins

    @property
    def is_answered(self) -> bool:
        """True once it was accepted or rejected, or the caller has given up."""
        return self._call.usage.state is not State.INCOMING

    async def ring(self) -> None:
        """Send 180 Ringing."""
        self._call.ring()
        await trio.lowlevel.checkpoint()

    async def reject(self, status: int, reason: str | None = None) -> None:
        """Refuse with a SIP status code; harmless when the caller has given up already."""
        self.reject_nowait(status, reason)
        await trio.lowlevel.checkpoint()

    def reject_nowait(self, status: int, reason: str | None = None) -> None:
        """Refuse without giving other tasks a turn."""
        fault = self.fault
        headers = fault.headers if fault is not None and status == fault.status else ()
        self._call.reject(status, reason, headers)

    def accept(
        self,
        *,
        focus: bool = False,
        chatroom: tuple[str, ...] | None = None,
        accept_types: tuple[str, ...] = ("message/cpim",),
        accept_wrapped_types: tuple[str, ...] = ("*",),
        local: Address | None = None,
        streams: bool = False,
        allow_replaces: bool = False,
        allow_join: bool = False,
    ) -> "Acceptance":
        """Accept with a chat: `async with invitation.accept() as chat`.

        A conference focus says `focus` (isfocus in the Contact, which has the user part of `local`,
        RFC 4579) and gives the tokens of
        the `chatroom` attribute (RFC 7701). `local` is who we are in the chat, by default whom
        the INVITE was addressed to. With `streams`, messages above `[MSRP] stream_above` come to
        `Chat.batches` in pieces, as they arrive. Entering raises SessionEnded when the chat does
        not come to stand: the offer cannot be taken, the caller gives up, no ACK or no media in
        time.

        One who wants to replace a call must be the user of that call, or is refused with 403;
        `allow_replaces` says that the application has made sure that this caller may. One who
        wants to join a call is refused with 488 unless the application says with `allow_join` that
        he may, and brings him into the conversation of that call.
        """
        self._call.usage.contact = self._contact
        if focus:
            self._call.usage.contact = f"{self._focus_contact(local)};isfocus"
        capabilities = ChatCapabilities(accept_types, accept_wrapped_types, chatroom)
        session = self._endpoint.media.session_on(self._path, accept_types, streams=streams)
        chat = Chat(self._call, session, local or self.recipient, self.sender)
        # A client behind a proxy does not know by what name the proxy knows it.
        chat.claimed = identity_of(self._request.from_)
        acceptance = Acceptance(self._endpoint, chat, capabilities, self._headers)
        if self._takeover is not None:
            acceptance.replaced = self._takeover.replaces
            acceptance.check = partial(
                self._takeover.check_accepted,
                self._caller,
                focus=focus,
                allow_replaces=allow_replaces,
                allow_join=allow_join,
            )
        return acceptance

    def _read_offer(self) -> ChatOffer | None:
        """Return what is offered; None where there is a fault, or the offer is left to us."""
        if not self._request.body:
            return None
        try:
            return read_offer(self._request.body, self._endpoint.media.protocols)
        except RemoteProtocolError as error:
            self.fault = error
            return None

    def _focus_contact(self, local: Address | None) -> str:
        if local is None:
            return self._contact
        user = SipURI.parse(local.uri).user
        return self._endpoint.contact_for(self._call.flow, user, self.request_uri.scheme)


def _contact_user(request_uri: SipURI, takeover: Takeover | None) -> str | None:
    """Return the user part of our Contact: that of the other call, where the caller comes to it."""
    other = None if takeover is None or takeover.call is None else takeover.call.dialog
    contact = None if other is None else other.contact
    if contact is None or not isinstance(contact.uri, SipURI):
        return request_uri.user
    return contact.uri.user


class Acceptance:
    """The time in which a chat stands; leaving it ends the chat with a BYE."""

    __slots__ = ("_capabilities", "_chat", "_endpoint", "_headers", "check", "replaced")

    def __init__(
        self,
        endpoint: Endpoint,
        chat: Chat,
        capabilities: ChatCapabilities,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.check: Callable[[], None] | None = None
        """Raises RemoteProtocolError when the INVITE may not be accepted after all."""
        self.replaced: Call | None = None
        """The call that ends when this one stands."""
        self._endpoint = endpoint
        self._chat = chat
        self._capabilities = capabilities
        self._headers = headers

    async def __aenter__(self) -> Chat:
        chat = self._chat
        self._check(chat.call)
        # The port must know the session before the peer learns of it.
        self._endpoint.msrp.add(
            chat.session, chat, SessionCall(chat.call.call_id, chat.local.uri, chat.remote.uri)
        )
        chat.call.on_end = chat.call_ended
        try:
            chat.call.accept(self._capabilities, self._headers)
            await establish(self._endpoint, chat)
        except BaseException:
            self._close("the session did not come to stand")
            raise
        # In one step with what the user of the chat does first: nobody is absent in between.
        if self.replaced is not None and not self.replaced.is_over:
            self.replaced.hang_up(REPLACED, 200)
        return chat

    def _check(self, call: Call) -> None:
        if self.check is None or call.is_over:
            return
        try:
            self.check()
        except RemoteProtocolError as error:
            call.reject(error.status)
            raise SessionEnded(f"refused: {error}", error.status) from error

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        call = self._chat.call
        if isinstance(error, Exception) and not call.is_over:
            call.hang_up("the application failed", _FAILED)
        try:
            if error is None and not call.is_over:
                await self._chat.wait_answered()
        finally:
            self._close("")
        await trio.lowlevel.cancel_shielded_checkpoint()

    def _close(self, reason: str) -> None:
        chat = self._chat
        if not chat.call.is_over:
            status = None
            if self._endpoint.is_stopping:
                reason, status = STOPPING, 503
            chat.call.hang_up(reason, status)
        self._endpoint.release(chat.call, chat.session)
