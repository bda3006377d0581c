"""Requests that are no calls: SUBSCRIBE, MESSAGE, and REFER, inside a call too."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import trio

from sylk.errors import RemoteProtocolError, SessionEnded
from sylk.payload.cpim import Address
from sylk.session.call import Call
from sylk.session.endpoint import Endpoint
from sylk.session.identity import identity_of
from sylk.session.subscription import NotifierUser, Referral, Subscription
from sylk.sip.core import IncomingRequest
from sylk.sip.flow import Flow
from sylk.sip.headers import Headers
from sylk.sip.message import Response
from sylk.sip.notifier import HeaderList
from sylk.sip.refer import Refer, parse_refer
from sylk.sip.uri import SipURI

User = TypeVar("User", bound=NotifierUser)


class OutOfDialogRequest:
    """A request that is answered with one final response."""

    def __init__(self, endpoint: Endpoint, incoming: IncomingRequest) -> None:
        request = incoming.request
        assert isinstance(request.uri, SipURI)
        self.request_uri: SipURI = request.uri
        self.sender: Address = identity_of(incoming.sender)
        """Who sent it: the user who gave his password, or whom a trusted proxy names, or From."""
        self.recipient: Address = identity_of(request.to)
        self.source = incoming.flow.remote
        """Host and port that the request came from."""
        self.call_id = request.call_id
        self._is_answered = False
        self._endpoint = endpoint
        self._incoming = incoming

    @property
    def flow(self) -> Flow:
        """The way that it came, by which its sender can be answered through a NAT."""
        return self._incoming.flow

    @property
    def headers(self) -> Headers:
        """The header fields of the request."""
        return self._incoming.request.headers

    @property
    def is_answered(self) -> bool:
        """Tell whether a final response has been sent."""
        return self._is_answered

    def reject_nowait(self, status: int) -> None:
        """Refuse without giving other tasks a turn."""
        self._answer(status, None)

    def _open(self, make: Callable[[IncomingRequest, str | None], User]) -> User:
        """Make what the request asks for; a request that makes no sense is refused."""
        try:
            user = make(self._incoming, self.request_uri.user)
        except RemoteProtocolError as error:
            self._answer(error.status, headers=error.headers)
            raise SessionEnded(f"refused: {error}", error.status) from error
        self._is_answered = True
        return user

    async def reject(
        self, status: int, reason: str | None = None, retry_after: int | None = None
    ) -> None:
        """Refuse with a SIP status code, and perhaps say after how many seconds to come again."""
        headers = [] if retry_after is None else [("Retry-After", str(retry_after))]
        self._answer(status, reason, headers)
        await trio.lowlevel.checkpoint()

    def _answer(self, status: int, reason: str | None = None, headers: HeaderList = ()) -> None:
        """Send the final response; a second one is not sent."""
        if self._is_answered:
            return
        self._is_answered = True
        endpoint, incoming = self._endpoint, self._incoming
        response = Response.to_request(
            incoming.request, status, reason, to_tag=endpoint.core.new_tag(), headers=headers
        )
        endpoint.core.respond(incoming.transaction, response, trio.current_time())
        endpoint.flush()


class SubscriptionRequest(OutOfDialogRequest):
    """A SUBSCRIBE that wants to open a subscription (RFC 6665)."""

    def __init__(
        self, endpoint: Endpoint, incoming: IncomingRequest, event_packages: Sequence[str] = ()
    ) -> None:
        """Take a SUBSCRIBE, and the packages that can be subscribed to at the same place."""
        super().__init__(endpoint, incoming)
        self._event_packages = event_packages

    @property
    def event(self) -> str | None:
        """The event package that is asked for."""
        return self._incoming.request.event

    @property
    def backlog(self) -> int:
        """How many bytes wait for the subscriber, and for all who are behind the same proxy."""
        return self._endpoint.backlog(self.flow)

    async def accept(
        self,
        body: bytes = b"",
        content_type: str | None = None,
        *,
        pending: bool = False,
        later: bool = False,
    ) -> Subscription:
        """Accept, and tell the state at once; with `pending` not until `approve`.

        With `later` it is told by the first `notify`, for which it is high time: RFC 6665 section
        4.2.2 wants it at once. The subscription outlives the handler of the request, until one side
        ends it. Raises SessionEnded, with the request refused, when it cannot be: a bad Event, too
        short a time. What is sent leaves before any other task has a turn.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        subscription = self._open(
            partial(self._endpoint.open_subscription, event_packages=self._event_packages)
        )
        subscription.accept(body, content_type, pending=pending, later=later)
        await trio.lowlevel.cancel_shielded_checkpoint()
        return subscription


class ReferralRequest(OutOfDialogRequest):
    """A REFER (RFC 3515), outside a dialog or inside a call."""

    def __init__(
        self, endpoint: Endpoint, incoming: IncomingRequest, call: Call | None = None
    ) -> None:
        """Take a REFER, and the call that it came in."""
        super().__init__(endpoint, incoming)
        self.call = call
        """The call that it came in; None outside a dialog."""
        if call is not None:
            # Who he is was found out when the call began.
            self.sender = identity_of(call.peer)

    @property
    def refer_to(self) -> str | None:
        """The Refer-To header as it was written."""
        return self.headers.get("Refer-To")

    def read(self) -> Refer:
        """Return what is asked for; raises RemoteProtocolError (400) when it cannot be read."""
        return parse_refer(self._incoming.request)

    async def accept(self) -> Referral:
        """Accept, and tell that it is being tried.

        What then becomes of it is told by `progress` and `finish`. Raises SessionEnded, with the
        request refused, when the REFER makes no sense.
        """
        await trio.lowlevel.checkpoint()
        referral = self._open(self._endpoint.open_referral)
        referral.accept()
        return referral


class PageMessage(OutOfDialogRequest):
    """A MESSAGE outside a dialog (RFC 3428)."""

    @property
    def content(self) -> bytes:
        """The body."""
        return self._incoming.request.body

    @property
    def content_type(self) -> str | None:
        """The type of the body."""
        return self._incoming.request.content_type

    async def accept(self) -> None:
        """Answer 200: the message has arrived."""
        self._answer(200)
        await trio.lowlevel.checkpoint()
