"""An INVITE that came in, for an application to accept or refuse."""

from collections.abc import Sequence
from types import TracebackType

import trio

from sylk.call.media import ChatCapabilities, RemoteChat, find_chat, read_description
from sylk.call.usage_table import State
from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import Address
from sylk.session.chat import Chat
from sylk.session.endpoint import Endpoint
from sylk.session.establish import establish
from sylk.session.identity import identity_of
from sylk.sip.core import IncomingRequest
from sylk.sip.headers import Headers
from sylk.sip.uri import SipURI

_FAILED = 500


class Invitation:
    """An INVITE outside a dialog; it must be accepted or rejected, once."""

    def __init__(self, endpoint: Endpoint, incoming: IncomingRequest) -> None:
        request = incoming.request
        assert isinstance(request.uri, SipURI)
        self.request_uri: SipURI = request.uri
        self.sender: Address = identity_of(request.from_)
        """Who calls: display name and URI of the From header."""
        self.recipient: Address = identity_of(request.to)
        self.source = incoming.flow.remote
        """Host and port that the INVITE came from."""
        self.call_id = request.call_id
        self._endpoint = endpoint
        self._request = request
        self._offer = _read_offer(request.body, endpoint.msrp_protocols)
        secure = (
            self._offer.is_secure if isinstance(self._offer, RemoteChat) else endpoint.offers_tls
        )
        self._session, self._negotiation = endpoint.open_session(incoming.flow, (), secure=secure)
        contact = endpoint.contact_for(
            incoming.flow, self.request_uri.user, self.request_uri.scheme
        )
        self._contact = contact
        self._call = endpoint.incoming_call(incoming, self._negotiation, contact)

    @property
    def headers(self) -> Headers:
        """The header fields of the INVITE."""
        return self._request.headers

    @property
    def offers_chat(self) -> bool:
        """Tell whether a chat can be set up: one is offered, or the offer is left to us."""
        return self.fault is None

    @property
    def offers_cpim(self) -> bool:
        """Tell whether the chat that is offered takes CPIM; True when the offer is left to us."""
        return (
            self._offer.takes_cpim if isinstance(self._offer, RemoteChat) else self._offer is None
        )

    @property
    def fault(self) -> RemoteProtocolError | None:
        """Why the offer holds no chat that can be taken; None when it holds one."""
        return self._offer if isinstance(self._offer, RemoteProtocolError) else None

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
    ) -> "Acceptance":
        """Accept with a chat: `async with invitation.accept() as chat`.

        A conference focus says `focus` (isfocus in the Contact, RFC 4579) and gives the tokens of
        the `chatroom` attribute (RFC 7701). `local` is who we are in the chat, by default whom
        the INVITE was addressed to. Entering raises SessionEnded when the chat does not come to
        stand: the offer cannot be taken, the caller gives up, no ACK or no media in time.
        """
        self._call.usage.contact = f"{self._contact};isfocus" if focus else self._contact
        capabilities = ChatCapabilities(accept_types, accept_wrapped_types, chatroom)
        self._session = self._endpoint.session_on(self._session.local_path, accept_types)
        chat = Chat(self._call, self._session, local or self.recipient, self.sender)
        return Acceptance(self._endpoint, chat, capabilities)


def _read_offer(body: bytes, protocols: Sequence[str]) -> RemoteChat | RemoteProtocolError | None:
    """Return the chat that is offered, or why there is none; None when the offer is left to us."""
    if not body:
        return None
    try:
        return find_chat(read_description(body), protocols)
    except RemoteProtocolError as error:
        return error


class Acceptance:
    """The time in which a chat stands; leaving it ends the chat with a BYE."""

    def __init__(self, endpoint: Endpoint, chat: Chat, capabilities: ChatCapabilities) -> None:
        self._endpoint = endpoint
        self._chat = chat
        self._capabilities = capabilities

    async def __aenter__(self) -> Chat:
        chat = self._chat
        # The port must know the session before the peer learns of it.
        self._endpoint.msrp.add(chat.session, chat)
        chat.call.on_end = chat.call_ended
        try:
            chat.call.accept(self._capabilities)
            await establish(self._endpoint, chat)
        except BaseException:
            self._close("the session did not come to stand")
            raise
        return chat

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and not self._chat.call.is_over:
            self._chat.call.hang_up("the application failed", _FAILED)
        self._close("")
        await trio.lowlevel.cancel_shielded_checkpoint()

    def _close(self, reason: str) -> None:
        chat = self._chat
        if not chat.call.is_over:
            chat.call.hang_up(reason)
        self._endpoint.release(chat.call, chat.session)
