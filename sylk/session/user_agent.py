"""What an application sends of its own accord: calls, messages, subscriptions and referrals.

The server gives each application its `UserAgent` before it starts. Each request goes to the servers
of its target (RFC 3263), or through the outbound proxy if one is set; a server that is silent or
answers 503 is passed over for the next one, and one that asks for a password is given that of
`credentials`.
"""

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import trio

from sylk.errors import RemoteProtocolError, SessionEnded
from sylk.payload.cpim import Address
from sylk.session.attempts import Attempts, Destination, Outcome
from sylk.session.call import Call
from sylk.session.challenges import ChallengeAnswers, Credentials
from sylk.session.dial import Dialled
from sylk.session.endpoint import Endpoint
from sylk.session.request_client import ask
from sylk.session.requests import PageMessage
from sylk.session.watch import Watch
from sylk.sip.address import NameAddr
from sylk.sip.core import IncomingRequest
from sylk.sip.subscriber import SubscriberUsage
from sylk.sip.uri import SipURI, parse_uri

HeaderList = Sequence[tuple[str, str]]

ACCEPT_TIMEOUT = 90.0
"""Seconds in which a subscription must be accepted, all servers together."""
MAX_FORKS = 8
"""Further notifiers that one subscription may listen to."""

_REFRESH_AT = (0.6, 0.85)
"""Where in its life a subscription is refreshed, drawn so that many do not come back at once."""


class UserAgent:
    """Sends the requests of one application.

    A target is a SIP URI, as text or as the address of a peer; `local` is who we are. Another URI,
    such as tel, raises SessionEnded with 416. `headers` are further header fields. What cannot be
    reached at all raises TransportError.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        on_refer: Callable[[Call, IncomingRequest], None] | None = None,
    ) -> None:
        """Send by way of `endpoint`; `on_refer` gets the REFERs inside the calls that are made."""
        self._endpoint = endpoint
        self._on_refer = on_refer

    def call(
        self,
        target: str | Address,
        *,
        local: Address,
        headers: HeaderList = (),
        focus: bool = False,
        chatroom: tuple[str, ...] | None = None,
        accept_types: tuple[str, ...] = ("message/cpim",),
        accept_wrapped_types: tuple[str, ...] = ("*",),
        on_ringing: Callable[[int], None] | None = None,
        timeout: float = 90.0,
        credentials: Credentials | None = None,
        streams: bool = False,
    ) -> Dialled:
        """Call somebody: `async with user_agent.call(target, local=room) as chat`.

        Entering raises SessionEnded with reason and status when the call does not come to stand
        within `timeout` seconds. `focus` and `chatroom` are what a conference says of itself.
        With `streams`, large messages come in pieces, as in `Invitation.accept`.
        """
        return Dialled(
            self._endpoint,
            self._destination(target, local),
            accept_types=accept_types,
            accept_wrapped_types=accept_wrapped_types,
            headers=headers,
            focus=focus,
            chatroom=chatroom,
            on_ringing=on_ringing,
            invite_timeout=timeout,
            credentials=credentials,
            streams=streams,
            on_refer=self._on_refer,
        )

    def set_alarm(
        self, key: Hashable, deadline: float | None, ring: Callable[[float], None]
    ) -> None:
        """Call `ring(now)` once at `deadline` (trio time), in place of the earlier alarm of `key`.

        None takes the alarm away. It needs no task, so that each room may have one.
        """
        self._endpoint.clock.set(key, deadline, ring)

    async def send_message(
        self,
        target: str | Address,
        *,
        local: Address,
        content: bytes,
        content_type: str = "text/plain; charset=utf-8",
        headers: HeaderList = (),
        answers: PageMessage | None = None,
        credentials: Credentials | None = None,
    ) -> int:
        """Send one MESSAGE (RFC 3428) and return the status of its success, 200 or 202.

        Raises SessionEnded with the status of a refusal, with 408 when there is no answer, and with
        513 when it has more than 1300 bytes and only UDP leads there. `answers` is a message of the
        target that has come: its answer takes the same way, so that it gets through a NAT.
        """
        response = await ask(
            self._endpoint,
            self._destination(target, local, answers),
            "MESSAGE",
            headers,
            content,
            content_type,
            credentials=credentials,
        )
        if not 200 <= response.status < 300:
            raise SessionEnded(response.reason or "refused", response.status)
        return response.status

    def subscribe(
        self,
        target: str | Address,
        *,
        local: Address,
        event: str,
        accept: Sequence[str] = (),
        expires: int = 3600,
        headers: HeaderList = (),
        max_forks: int = 0,
        credentials: Credentials | None = None,
    ) -> "Watching":
        """Ask to be told the state of something (RFC 6665), for as long as inside.

        `async with user_agent.subscribe(...) as watch`, then `async for notification in watch`.
        Entering raises SessionEnded when it is refused. It is refreshed until it is left; `expires`
        is in seconds, and 0 asks for the state once. `max_forks` further notifiers are listened to.
        """
        fields = [("Event", event), ("Expires", str(expires)), *headers]
        if accept:
            fields.append(("Accept", ", ".join(accept)))
        asked = _Asked(self._destination(target, local), "SUBSCRIBE", fields)
        return Watching(self._endpoint, asked, credentials, min(max_forks, MAX_FORKS))

    def refer(
        self,
        target: str | Address,
        *,
        local: Address,
        refer_to: str,
        method: str = "INVITE",
        headers: HeaderList = (),
        credentials: Credentials | None = None,
    ) -> "Watching":
        """Ask `target` to contact the URI `refer_to` (RFC 3515), and hear what becomes of it.

        `method` is that of the request to it: a focus that is told BYE puts somebody out.
        Each notification holds a status line of what it does (message/sipfrag); after the last one
        the iteration ends.
        """
        value = f"<{refer_to}>"
        if method != "INVITE":
            # COMPAT: deployed servers look for the method behind the URI alone.
            value = f"<{refer_to};method={method}>;method={method}"
        fields = [("Refer-To", value), *headers]
        asked = _Asked(self._destination(target, local), "REFER", fields)
        return Watching(self._endpoint, asked, credentials, 0)

    def _destination(
        self, target: str | Address, local: Address, answers: PageMessage | None = None
    ) -> Destination:
        text = target.uri if isinstance(target, Address) else target
        flow = None if answers is None else answers.flow
        return Destination(_sip_uri(text), _name_addr(local), flow=flow)


@dataclass(slots=True)
class _Asked:
    """What a subscription begins with."""

    destination: Destination
    method: str
    headers: HeaderList


class Watching:
    """The time in which we are told the state of something; leaving it unsubscribes."""

    def __init__(
        self, endpoint: Endpoint, asked: _Asked, credentials: Credentials | None, max_forks: int
    ) -> None:
        self._endpoint = endpoint
        self._asked = asked
        self._credentials = credentials
        self._max_forks = max_forks
        self._watch: Watch | None = None

    async def __aenter__(self) -> Watch:
        try:
            with trio.move_on_after(ACCEPT_TIMEOUT):
                return await self._subscribe()
            raise SessionEnded(f"no answer within {ACCEPT_TIMEOUT:g} s", 408)
        except BaseException:
            self._close()
            raise

    async def __aexit__(self, *exception: object) -> None:
        self._close()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _subscribe(self) -> Watch:
        """Send the request, to one server after the other; raises SessionEnded, TransportError."""
        attempts = Attempts(self._endpoint, self._asked.destination)
        await attempts.open()
        while True:
            watch = self._watch = await self._start(attempts)
            await watch.settled.wait()
            if watch.is_accepted:
                return watch
            # A challenge that was answered has taken a number.
            attempts.cseq = watch.request.cseq.number
            outcome = Outcome(watch.request, watch.refusal, watch.status)
            if not await attempts.go_on(outcome):
                if watch.reason and watch.status is None:
                    return watch
                raise watch.ended_error()

    async def _start(self, attempts: Attempts) -> Watch:
        endpoint, asked = self._endpoint, self._asked
        caller = asked.destination.caller
        user = caller.uri.user if isinstance(caller.uri, SipURI) else None
        contact = endpoint.contact_for(attempts.flow, user)
        request = attempts.make_request(asked.method, [("Contact", contact), *asked.headers])
        flow = await attempts.fit(request)
        usage = SubscriberUsage(
            endpoint.core,
            request,
            trio.current_time(),
            refresh_at=random.uniform(*_REFRESH_AT),
            max_forks=self._max_forks,
        )
        watch = Watch(endpoint, usage, flow, self._make_answers)
        endpoint.adopt(watch)
        return watch

    def _make_answers(self) -> ChallengeAnswers:
        caller = self._asked.destination.caller.uri
        realm = caller.host if isinstance(caller, SipURI) else ""
        return ChallengeAnswers(self._credentials, realm, self._endpoint.core.new_tag)

    def _close(self) -> None:
        if self._watch is not None:
            self._watch.unsubscribe()


def _name_addr(address: Address) -> NameAddr:
    return NameAddr(_sip_uri(address.uri), address.display_name)


def _sip_uri(text: str) -> SipURI:
    """Return the SIP URI in `text`; raises SessionEnded (416) for anything else."""
    try:
        uri = parse_uri(text)
    except RemoteProtocolError as error:
        raise SessionEnded(f"{text[:80]!a} is no URI: {error}", 416) from error
    if not isinstance(uri, SipURI):
        raise SessionEnded(f"a {uri.scheme} URI cannot be reached from here", 416)
    return uri
