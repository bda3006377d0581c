"""Calling out: an INVITE of ours, with a chat.

Each sending of the INVITE (see `attempts`) is a call of its own, with a media session and a Contact
for the way that it takes; what they share is the Call-ID and the From tag.
"""

from collections.abc import Callable, Sequence
from types import TracebackType

import trio

from sylk.call.session_timer import first_headers, read_min_se
from sylk.errors import RemoteProtocolError, SessionEnded
from sylk.net.msrp_watch import SessionCall
from sylk.net.relay_path import RelayPath
from sylk.session.attempts import Attempts, Destination, Outcome
from sylk.session.call import Call
from sylk.session.challenges import Credentials
from sylk.session.chat import Chat
from sylk.session.endpoint import Endpoint
from sylk.session.establish import establish
from sylk.session.identity import identity_of
from sylk.sip.address import NameAddr
from sylk.sip.core import IncomingRequest
from sylk.sip.message import Response
from sylk.sip.uri import SipURI

_INTERVAL_TOO_SMALL = 422


class Dialled:
    """An outgoing call: `async with Dialled(endpoint, destination) as chat`.

    `headers` are further header fields of the INVITE, `on_refer` gets the REFERs inside the call.
    A conference focus says `focus` (isfocus in the Contact, RFC 4579) and gives the tokens of the
    `chatroom` attribute (RFC 7701). With `streams`, large messages come in pieces.

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
        headers: Sequence[tuple[str, str]] = (),
        focus: bool = False,
        chatroom: tuple[str, ...] | None = None,
        on_ringing: Callable[[int], None] | None = None,
        invite_timeout: float = 90.0,
        credentials: Credentials | None = None,
        streams: bool = False,
        on_refer: Callable[[Call, IncomingRequest], None] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._destination = destination
        self._accept_types = accept_types
        self._accept_wrapped_types = accept_wrapped_types
        self._headers = headers
        self._focus = focus
        self._chatroom = chatroom
        self._on_ringing = on_ringing
        self._invite_timeout = invite_timeout
        self._credentials = credentials
        self._streams = streams
        self._on_refer = on_refer
        self._was_heard = False
        self._least_interval = 0
        """The Min-SE of a 422, in seconds."""
        self._chat: Chat | None = None
        self._via: RelayPath | None = None

    async def __aenter__(self) -> Chat:
        reason = f"no answer within {self._invite_timeout:g} s"
        try:
            with trio.move_on_after(self._invite_timeout) as patience:
                await self._call()
            chat = self._chat
            if chat is None:
                raise SessionEnded(reason, 408)
            if patience.cancelled_caught:
                chat.call.hang_up(reason, 408)
            await establish(self._endpoint, chat)
        except BaseException:
            self._close("given up")
            raise
        return chat

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        chat = self._chat
        try:
            if error is None and chat is not None and not chat.call.is_over:
                await chat.wait_answered()
        finally:
            self._close("")
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _call(self) -> None:
        """Send the INVITE, again where that makes sense, until there is a last answer."""
        attempts = Attempts(self._endpoint, self._destination, self._credentials)
        await attempts.open()
        self._via = await self._endpoint.media.reserve_path(attempts.flow)
        while True:
            chat = await self._start(attempts)
            await chat.call.settled.wait()
            if not await self._goes_on(attempts, chat.call):
                return
            # A call that was refused has no media to wait for, and the next has the same path.
            self._endpoint.msrp.remove(chat.session)

    async def _goes_on(self, attempts: Attempts, call: Call) -> bool:
        """Tell whether to send the INVITE once more, now that this call has settled."""
        if call.is_established:
            return False
        if self._raise_interval(call.refusal):
            return await attempts.repeat(call.request)
        outcome = Outcome(call.request, call.refusal, call.status, self._was_heard)
        return await attempts.go_on(outcome)

    def _raise_interval(self, refusal: Response | None) -> bool:
        """Take the Min-SE of a 422, once; tells whether there is one (RFC 4028 section 7.3)."""
        if refusal is None or refusal.status != _INTERVAL_TOO_SMALL or self._least_interval:
            return False
        try:
            self._least_interval = read_min_se(refusal)
        except RemoteProtocolError:
            # The call stays refused, which its user is told.
            return False
        return self._least_interval > 0

    async def _start(self, attempts: Attempts) -> Chat:
        endpoint, target, flow = self._endpoint, self._destination, attempts.flow
        session, negotiation = endpoint.media.open_session(
            flow, self._accept_types, secure=endpoint.media.offers_tls, via=self._via
        )
        if self._streams:
            path = session.local_path
            session = endpoint.media.session_on(path, self._accept_types, streams=True)
        capabilities = negotiation.capabilities
        capabilities.accept_types = self._accept_types
        capabilities.accept_wrapped_types = self._accept_wrapped_types
        capabilities.chatroom = self._chatroom
        contact = endpoint.contact_for(flow, _user_of(target.caller))
        if self._focus:
            contact = f"{contact};isfocus"
        timer = first_headers(endpoint.settings.session_timer, self._least_interval)
        request = attempts.make_request(
            "INVITE",
            [("Contact", contact), *timer, *self._headers],
            negotiation.make_offer(),
            "application/sdp",
        )
        flow = await attempts.fit(request)
        self._was_heard = False
        call = endpoint.outgoing_call(request, negotiation, contact, flow)
        call.usage.make_answers = attempts.new_answers
        chat = Chat(call, session, identity_of(target.caller), identity_of(NameAddr(target.uri)))
        self._chat = chat
        call.on_end = chat.call_ended
        call.on_ringing = self._ring
        call.on_refer = self._on_refer
        endpoint.msrp.add(
            session, chat, SessionCall(chat.call.call_id, chat.local.uri, chat.remote.uri)
        )
        return chat

    def _ring(self, status: int) -> None:
        self._was_heard = True
        if self._on_ringing is not None:
            self._on_ringing(status)

    def _close(self, reason: str) -> None:
        chat = self._chat
        if chat is not None:
            if not chat.call.is_over:
                chat.call.hang_up(reason)
            self._endpoint.release(chat.call, chat.session)
        if self._via is not None:
            self._endpoint.msrp.give_back(self._via)


def _user_of(caller: NameAddr) -> str | None:
    return caller.uri.user if isinstance(caller.uri, SipURI) else None
