"""A subscription of ours at run time: what we are told, one NOTIFY after the other.

Everything here is synchronous but the waiting; what has to be sent goes to the `Outlet`, which is
the endpoint. A SUBSCRIBE may reach several notifiers (RFC 6665 section 4.4.1): each further one
that is listened to is a dialog of its own, whose NOTIFYs come out here as well.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import trio

from sylk.errors import SessionEnded
from sylk.session.challenges import ChallengeAnswers
from sylk.session.dialog_user import DialogUser, Outlet
from sylk.sip.core import IncomingRequest
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.subscriber import Forked, SubscriberUsage
from sylk.sip.subscription_events import Notified, Subscribed
from sylk.sip.subscription_table import SubscriberState

MAX_WAITING = 100
"""NOTIFYs that may wait for the application; over it the subscription is given up."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What one NOTIFY tells."""

    content: bytes
    content_type: str | None
    state: str
    """The Subscription-State: `active`, `pending`, `terminated`, or an extension."""
    notifier: str = ""
    """The tag of who tells it, by which one that a proxy forked to is told from another."""


class WatchOutlet(Outlet, Protocol):
    """What a watch needs of the endpoint that it lives in."""

    def adopt(self, user: DialogUser, /) -> None:
        """Take up a user of our own making and send what it has to send."""
        ...


class Watch:
    """What an application holds while it is told the state of something.

    `async for notification in watch` ends when the subscription does, after the last NOTIFY.
    """

    def __init__(
        self,
        outlet: WatchOutlet,
        usage: SubscriberUsage,
        flow: Flow,
        make_answers: Callable[[], ChallengeAnswers],
        *,
        first: "Watch | None" = None,
    ) -> None:
        """`first` is the watch that this one is a fork of."""
        self.usage = usage
        self.flow = flow
        """The way over which the peer is reached as long as it stands."""
        self.settled = trio.Event()
        """Set when the subscription was accepted, or has ended before it was."""
        self.is_accepted = False
        self.is_over = False
        """True when nothing can be told any more."""
        self.reason = ""
        """Why it ended: a reason of RFC 6665 section 4.1.3, or in words."""
        self.status: int | None = None
        self.resubscribe_after: int | None = None
        """Seconds after which it makes sense to subscribe anew; None: it does not."""
        self.refusal: Response | None = None
        """The last response that refused a request of ours."""
        self._outlet = outlet
        self._make_answers = make_answers
        self._answers = make_answers()
        self._first = first or self
        self._forks: list[Watch] = []
        self._waiting: deque[Notification] = deque()
        self._changed = trio.Event()

    # What an application uses

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> Notification:
        """Return what the next NOTIFY tells."""
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self.is_over and all(fork.is_over for fork in self._forks):
                raise StopAsyncIteration
            await self._changed.wait()
        return self._waiting.popleft()

    def unsubscribe(self) -> None:
        """End it; nothing happens when it is over. The last NOTIFY is waited for in the back."""
        for watch in (self, *self._forks):
            if watch.usage.state is not SubscriberState.ENDED:
                watch.usage.unsubscribe(trio.current_time())
                watch._outlet.settle(watch)

    def ended_error(self) -> SessionEnded:
        """Return the error that tells why it is over."""
        return SessionEnded(self.reason, self.status)

    # For the endpoint

    @property
    def asks(self) -> bool:
        """Tell whether a NOTIFY outside every dialog can be for this one."""
        return self._first is self

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
        """The dialog, None before there is one and once it is over."""
        return None if self.usage.state is SubscriberState.ENDED else self.usage.dialog

    def receive_request(self, incoming: IncomingRequest, now: float) -> None:
        """Take a NOTIFY, in the dialog or before there is one."""
        self.usage.receive_request(incoming, now)
        self._outlet.settle(self)

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response to a SUBSCRIBE or REFER; a challenge is answered."""
        if response.status >= 300 and not self._ask_again(response, now):
            self.refusal = response
            self.usage.receive_response(response, now)
        elif 200 <= response.status < 300:
            # The next one is a request of its own, and may be asked anew.
            self._answers = self._make_answers()
            self.usage.receive_response(response, now)
        self._outlet.settle(self)

    def _ask_again(self, response: Response, now: float) -> bool:
        request = self.usage.asked
        if request is None or response.cseq.number != request.cseq.number:
            return False
        if not self._answers.take(response, request):
            return False
        self.usage.ask_again(self._answers.headers(request.method, request.uri), now)
        return True

    def request_failed(self, method: str, status: int, now: float) -> None:
        """Take it that a SUBSCRIBE or REFER came to nothing."""
        self.usage.request_failed(method, status, now)
        self._outlet.settle(self)

    def requests_to_send(self) -> Sequence[tuple[Request, Dialog | None]]:
        """Return, once, the requests to send."""
        return self.usage.requests_to_send()

    def next_deadline(self) -> float | None:
        """Return when to call `ring_alarm`."""
        return self.usage.next_deadline()

    def ring_alarm(self, now: float) -> None:
        """Handle a deadline of the usage."""
        self.usage.handle_deadline(now)
        self._outlet.settle(self)

    def take_events(self) -> None:
        """Turn what the usage has to tell into what tasks wait for."""
        while (event := self.usage.next_event()) is not None:
            if isinstance(event, Subscribed):
                self.is_accepted = True
                self.settled.set()
            elif isinstance(event, Notified):
                self._first.tell(event, self.usage.notifier_tag)
            elif isinstance(event, Forked):
                self._take_fork(event.usage)
            elif not self.is_over:
                self.reason, self.status = event.reason, event.status
                self.resubscribe_after = event.resubscribe_after
                self._end()
        if self.usage.state is SubscriberState.ENDED:
            self._outlet.forget(self)

    def tell(self, event: Notified, notifier: str) -> None:
        """Keep what a NOTIFY tells until the application asks for it."""
        if len(self._waiting) >= MAX_WAITING:
            if not self.is_over:
                self.reason = "the application does not listen"
                self._end()
                self.unsubscribe()
            return
        self._waiting.append(Notification(event.body, event.content_type, event.state, notifier))
        self.wake()

    def wake(self) -> None:
        """Let whoever waits for a NOTIFY look again."""
        self._changed.set()
        self._changed = trio.Event()

    def _take_fork(self, usage: SubscriberUsage) -> None:
        fork = Watch(self._outlet, usage, self.flow, self._make_answers, first=self)
        self._forks.append(fork)
        self._outlet.adopt(fork)

    def _end(self) -> None:
        self.is_over = True
        self.settled.set()
        self._first.wake()
