"""Calling out: an INVITE of ours, with a chat."""

from collections.abc import Callable
from dataclasses import dataclass

import trio

from sylk.session.chat import Chat
from sylk.session.endpoint import Endpoint
from sylk.session.establish import establish
from sylk.session.identity import identity_of
from sylk.sip.address import NameAddr
from sylk.sip.flow import Flow
from sylk.sip.message import make_request
from sylk.sip.uri import SipURI


@dataclass(slots=True)
class Destination:
    """Whom to call, as whom, and which way; `transport` None leaves that to URI and DNS."""

    uri: SipURI
    caller: NameAddr
    transport: str | None = None
    proxy: SipURI | None = None
    """Where the INVITE goes in place of the URI's own host."""
    domain: str | None = None
    """Whose certificate a TLS server must show, where that is not the host that it goes to."""


class Dialled:
    """An outgoing call: `async with Dialled(endpoint, destination) as chat`.

    Entering raises SessionEnded with the reason and status when the call does not come to
    stand, and TransportError when the peer cannot be reached at all. Leaving ends the call.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        destination: Destination,
        *,
        accept_types: tuple[str, ...] = ("message/cpim", "text/*"),
        accept_wrapped_types: tuple[str, ...] = ("*",),
        on_ringing: Callable[[int], None] | None = None,
        invite_timeout: float = 90.0,
    ) -> None:
        self._endpoint = endpoint
        self._destination = destination
        self._accept_types = accept_types
        self._accept_wrapped_types = accept_wrapped_types
        self._on_ringing = on_ringing
        self._invite_timeout = invite_timeout
        self._chat: Chat | None = None

    async def __aenter__(self) -> Chat:
        flow = await self._open_flow()
        chat = self._start(flow)
        self._chat = chat
        try:
            with trio.move_on_after(self._invite_timeout) as patience:
                await chat.call.settled.wait()
            if patience.cancelled_caught:
                chat.call.hang_up(f"no answer within {self._invite_timeout:g} s", 408)
            await establish(self._endpoint, chat)
        except BaseException:
            self._close("given up")
            raise
        return chat

    async def __aexit__(self, *exception: object) -> None:
        self._close("")
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _open_flow(self) -> Flow:
        target = self._destination
        transports = () if target.transport is None else (target.transport,)
        return await self._endpoint.open_flow(target.proxy or target.uri, transports, target.domain)

    def _start(self, flow: Flow) -> Chat:
        endpoint, target = self._endpoint, self._destination
        session, negotiation = endpoint.open_session(
            flow, self._accept_types, secure=endpoint.offers_tls
        )
        negotiation.capabilities.accept_types = self._accept_types
        negotiation.capabilities.accept_wrapped_types = self._accept_wrapped_types
        contact = endpoint.contact_for(flow, _user_of(target.caller))
        request = make_request(
            "INVITE",
            target.uri,
            target.caller.with_tag(endpoint.core.new_tag()),
            NameAddr(target.uri.aor),
            f"{endpoint.core.new_tag()}@{flow.local[0]}",
            1,
            headers=[("Contact", contact)],
            body=negotiation.make_offer(),
            content_type="application/sdp",
        )
        call = endpoint.outgoing_call(request, negotiation, contact, flow)
        chat = Chat(call, session, identity_of(target.caller), identity_of(NameAddr(target.uri)))
        call.on_end = chat.call_ended
        call.on_ringing = self._on_ringing
        endpoint.msrp.add(session, chat)
        return chat

    def _close(self, reason: str) -> None:
        chat = self._chat
        if chat is not None:
            if not chat.call.is_over:
                chat.call.hang_up(reason)
            self._endpoint.release(chat.call, chat.session)


def _user_of(caller: NameAddr) -> str | None:
    return caller.uri.user if isinstance(caller.uri, SipURI) else None
