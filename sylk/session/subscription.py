"""Subscriptions and referrals at run time: what an application holds once it has accepted one.

Everything here is synchronous but the waiting for the end; what has to be sent goes to the
`Outlet`, which is the endpoint.
"""

from collections.abc import Callable, Sequence

import trio

from sylk.errors import LocalProtocolError, RemoteProtocolError, SessionEnded
from sylk.payload.cpim import Address
from sylk.session.dialog_user import Outlet
from sylk.session.identity import identity_of
from sylk.sip.address import NameAddr
from sylk.sip.core import IncomingRequest
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.notifier import HeaderList, NotifierUsage
from sylk.sip.reasons import REASONS
from sylk.sip.refer import Refer
from sylk.sip.refer_notifier import ReferNotifier
from sylk.sip.subscription_events import Refreshed
from sylk.sip.subscription_table import NotifierState
from sylk.sip.uri import OtherURI, SipURI


class NotifierUser:
    """What a subscription and a referral have in common: they tell until one side has enough."""

    def __init__(self, outlet: Outlet, usage: NotifierUsage, flow: Flow) -> None:
        self.usage = usage
        self.flow = flow
        """The way over which the peer is reached as long as it stands."""
        self.reason = ""
        """Why it ended, in words."""
        self.status: int | None = None
        self.on_end: Callable[[], None] | None = None
        """Called once, synchronously, when nothing can be told any more."""
        self._over = trio.Event()
        self._outlet = outlet

    @property
    def is_over(self) -> bool:
        """True when nothing can be told any more."""
        return self._over.is_set()

    @property
    def backlog(self) -> int:
        """How many bytes wait for the peer, and for all others who are behind the same proxy."""
        return self._outlet.backlog(self.flow)

    @property
    def request(self) -> Request:
        """The SUBSCRIBE or REFER that began it."""
        return self.usage.request

    @property
    def call_id(self) -> str:
        """The Call-ID, by which every log line about it can be found."""
        return self.request.call_id

    @property
    def dialog(self) -> Dialog | None:
        """The dialog, until the last NOTIFY has been answered; that of a call is the call's."""
        usage = self.usage
        is_found = usage.state is not NotifierState.ENDED and not usage.shares_dialog
        return usage.dialog if is_found else None

    async def wait_ended(self) -> str:
        """Wait until nothing can be told any more; return why, in words."""
        await self._over.wait()
        return self.reason

    def reject(self, status: int, headers: HeaderList = ()) -> None:
        """Send a final refusal; nothing happens when the subscriber has gone already."""
        if self.usage.state is not NotifierState.ENDED:
            self.usage.reject(status, trio.current_time(), headers)
            self._outlet.settle(self)

    # Input from the network, and for the endpoint

    def receive_request(self, incoming: IncomingRequest, now: float) -> None:
        """Take a request inside the dialog."""
        self.usage.receive_request(incoming, now)
        self._outlet.settle(self)

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response to a NOTIFY."""
        self.usage.receive_response(response, now)
        self._outlet.settle(self)

    def request_failed(self, method: str, status: int, now: float) -> None:
        """Take it that a NOTIFY came to nothing."""
        self.usage.request_failed(method, status, now)
        self._outlet.settle(self)

    def ring_alarm(self, now: float) -> None:
        """Handle a deadline of the usage."""
        self.usage.handle_deadline(now)
        self._outlet.settle(self)

    def next_deadline(self) -> float | None:
        """Return when to call `ring_alarm`."""
        return self.usage.next_deadline()

    def requests_to_send(self) -> Sequence[tuple[Request, Dialog]]:
        """Return, once, the NOTIFYs to send."""
        return self.usage.requests_to_send()

    def take_events(self) -> None:
        """Turn what the usage has to tell into what tasks wait for."""
        while (event := self.usage.next_event()) is not None:
            if isinstance(event, Refreshed):
                self._refreshed()
            else:
                self.reason, self.status = event.reason, event.status
                self._over.set()
                if self.on_end is not None:
                    self.on_end()
        if self.usage.state is NotifierState.ENDED:
            self._outlet.forget(self)

    def _refreshed(self) -> None:
        """Take it that the peer asked again; the present state is told without our doing."""

    def _accept(self, accept: Callable[[float], None]) -> None:
        """Accept by `accept(now)`; what cannot be accepted is refused and raises SessionEnded."""
        if self.is_over:
            raise SessionEnded(self.reason, self.status)
        now = trio.current_time()
        try:
            accept(now)
        except RemoteProtocolError as error:
            self.usage.reject(error.status, now, error.headers)
            self._outlet.settle(self)
            raise SessionEnded(f"refused: {error}", error.status) from error
        self._outlet.settle(self)


class Subscription(NotifierUser):
    """Somebody is told the state of something, from now on and whenever it changes."""

    def __init__(
        self, outlet: Outlet, usage: NotifierUsage, flow: Flow, sender: NameAddr | None = None
    ) -> None:
        """Take `sender` for the subscriber, or else whom From names."""
        super().__init__(outlet, usage, flow)
        self.subscriber: Address = identity_of(sender or usage.request.from_)
        """Who it is that is told."""
        self.event = usage.event.package.lower()
        """The event package, such as "conference"."""
        self.on_refresh: Callable[[], None] | None = None
        """Called when the subscriber asks again: a good moment for `notify`."""

    def accept(
        self,
        body: bytes = b"",
        content_type: str | None = None,
        *,
        pending: bool = False,
        later: bool = False,
    ) -> None:
        """Accept and tell the state; with `pending`, `body` says nothing until `approve`.

        With `later` only who asks once is told it at once, and all others by the first `notify`.
        Raises SessionEnded when the subscriber asks for too short a time, or has gone already.
        """
        self._accept(
            lambda now: self.usage.accept(now, body, content_type, pending=pending, later=later)
        )

    def approve(self) -> None:
        """Let a pending subscription have the state."""
        self.usage.approve(trio.current_time())
        self._outlet.settle(self)

    def notify(self, body: bytes, content_type: str, difference: bytes = b"") -> None:
        """Say what the state is now; nothing happens once the subscription is over.

        States that follow each other fast are told rarely, the last one always. `difference` is
        told in place of `body` to a subscriber who has the state that was said before.
        """
        self.usage.change(body, content_type, trio.current_time(), difference)
        self._outlet.settle(self)

    def end(
        self, reason: str = "noresource", body: bytes | None = None, retry_after: int | None = None
    ) -> None:
        """End it for a reason of RFC 6665 section 4.1.3; `body` is the last state.

        `retry_after` is in seconds.
        """
        self.usage.end(reason, trio.current_time(), body, retry_after=retry_after)
        self._outlet.settle(self)

    def _refreshed(self) -> None:
        if self.on_refresh is not None:
            self.on_refresh()


class Referral(NotifierUser):
    """Somebody asks us to contact a third party, and may want to hear what becomes of it.

    Being over means only that he does not listen any more: that is no reason to stop (RFC 3515
    section 2.4.4).
    """

    def __init__(
        self, outlet: Outlet, notifier: ReferNotifier, flow: Flow, sender: NameAddr | None = None
    ) -> None:
        """Take `sender` for the referrer, or else whom From names."""
        super().__init__(outlet, notifier.usage, flow)
        self.referrer: Address = identity_of(sender or self.request.from_)
        """Who it is that asks."""
        self._notifier = notifier

    @property
    def refer(self) -> Refer:
        """All that the REFER asks for."""
        return self._notifier.refer

    @property
    def target(self) -> SipURI | OtherURI:
        """Whom to contact; of any scheme, to be judged before it is followed."""
        return self.refer.target

    @property
    def method(self) -> str:
        """How to contact the target: INVITE, BYE and so on, in upper case."""
        return self.refer.method

    @property
    def referred_by(self) -> NameAddr | None:
        """In whose name the target is to be contacted, if the referrer said so (RFC 3892)."""
        return self.refer.referred_by

    def accept(self) -> None:
        """Accept, and tell that it is being tried; raises SessionEnded when that cannot be."""
        self._accept(self._notifier.accept)

    def progress(self, status: int, reason: str = "") -> None:
        """Tell the status of what is being done; one from 200 on is the last.

        Without a reason it is that of the RFC, if it has one.
        """
        reason = reason or REASONS.get(status, "")
        self._notifier.progress(status, reason, trio.current_time())
        self._outlet.settle(self)

    def finish(self, status: int, reason: str = "") -> None:
        """Tell how it ended, with a status from 200 on."""
        if status < 200:
            raise LocalProtocolError(f"{status} is no final status")
        self.progress(status, reason)
