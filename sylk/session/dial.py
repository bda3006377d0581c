"""Calling out: an INVITE of ours, with a chat.

Where the other side asks for a digest, the INVITE goes out once more with it: same Call-ID, same
From tag, the next CSeq (RFC 3261 section 22.2). One challenge is answered, and one more that says
that nothing but the nonce was old: whoever asks again after that does not like the password.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from sylk.errors import RemoteProtocolError
from sylk.session.call import Call
from sylk.session.chat import Chat
from sylk.session.endpoint import Endpoint
from sylk.session.establish import establish
from sylk.session.identity import identity_of
from sylk.sip.address import NameAddr
from sylk.sip.digest import Challenge, answer_challenge, parse_challenges
from sylk.sip.flow import Flow
from sylk.sip.message import Response, make_request
from sylk.sip.uri import SipURI

# Status of a challenge: where it stands, and where its answer goes (RFC 3261 sections 22.2, 22.3).
_CHALLENGES = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to a server that asks for a digest."""

    username: str
    password: str = field(repr=False)


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


@dataclass(slots=True)
class _Invitation:
    """What stays the same, or counts on, when an INVITE goes out again."""

    caller: NameAddr
    call_id: str
    cseq: int = 1
    answer: tuple[str, str] | None = None
    """The header field that answers the challenge."""
    may_answer_stale: bool = True


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
        credentials: Credentials | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._destination = destination
        self._accept_types = accept_types
        self._accept_wrapped_types = accept_wrapped_types
        self._on_ringing = on_ringing
        self._invite_timeout = invite_timeout
        self._credentials = credentials
        self._chat: Chat | None = None

    async def __aenter__(self) -> Chat:
        flow = await self._open_flow()
        endpoint = self._endpoint
        invitation = _Invitation(
            self._destination.caller.with_tag(endpoint.core.new_tag()),
            f"{endpoint.core.new_tag()}@{flow.local[0]}",
        )
        chat = self._chat = self._start(flow, invitation)
        try:
            with trio.move_on_after(self._invite_timeout) as patience:
                await chat.call.settled.wait()
                while self._answer(chat.call, invitation):
                    endpoint.release(chat.call, chat.session)
                    chat = self._chat = self._start(flow, invitation)
                    await chat.call.settled.wait()
            if patience.cancelled_caught:
                chat.call.hang_up(f"no answer within {self._invite_timeout:g} s", 408)
            await establish(endpoint, chat)
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
        return await self._endpoint.sender.open_flow(
            target.proxy or target.uri, transports, target.domain
        )

    def _answer(self, call: Call, invitation: _Invitation) -> bool:
        """Make what is to be sent of a call that was challenged; False if there is no answer."""
        credentials, response = self._credentials, call.refusal
        if credentials is None or response is None or response.status not in _CHALLENGES:
            return False
        request = call.usage.request
        _, header = _CHALLENGES[response.status]
        try:
            challenges = _challenges_of(response, self._destination.caller)
            if invitation.answer is not None:
                if not (invitation.may_answer_stale and any(one.stale for one in challenges)):
                    return False
                invitation.may_answer_stale = False
            value = answer_challenge(
                challenges,
                credentials.username,
                credentials.password,
                request.method,
                str(request.uri),
                1,
                self._endpoint.core.new_tag(),
            )
        except RemoteProtocolError:
            # The call stays refused, which its user is told.
            return False
        invitation.answer = header, value
        invitation.cseq += 1
        return True

    def _start(self, flow: Flow, invitation: _Invitation) -> Chat:
        endpoint, target = self._endpoint, self._destination
        session, negotiation = endpoint.open_session(
            flow, self._accept_types, secure=endpoint.offers_tls
        )
        negotiation.capabilities.accept_types = self._accept_types
        negotiation.capabilities.accept_wrapped_types = self._accept_wrapped_types
        contact = endpoint.contact_for(flow, _user_of(target.caller))
        headers = [("Contact", contact)]
        if invitation.answer is not None:
            headers.append(invitation.answer)
        request = make_request(
            "INVITE",
            target.uri,
            invitation.caller,
            NameAddr(target.uri.aor),
            invitation.call_id,
            invitation.cseq,
            headers=headers,
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


def _challenges_of(response: Response, caller: NameAddr) -> list[Challenge]:
    """Return the challenges of one realm: that of the caller, else the first one's.

    Raises RemoteProtocolError.
    """
    name, _ = _CHALLENGES[response.status]
    challenges = parse_challenges(response.headers.lines(name))
    realms = [challenge.realm for challenge in challenges]
    own = caller.uri.host if isinstance(caller.uri, SipURI) else ""
    wanted = own if own in realms else realms[0] if realms else ""
    return [challenge for challenge in challenges if challenge.realm == wanted]
