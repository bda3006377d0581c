"""The subscriber: one subscription as the side sees it that is told the state (RFC 6665 4.1).

It begins with a SUBSCRIBE of ours, or with a REFER, which implies one. It stands on the user agent
core, which takes its responses at once; all requests, the first one too, are handed out, because
only the layer with sockets knows the way to the peer.

Whatever opens the dialog first, the 2xx or a NOTIFY, says with whom we have the subscription.
SUBSCRIBE may have been forked to others, who tell their state as well: each gets 481, or a usage of
its own if the user wants that (section 4.4.1).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.address import NameAddr
from sylk.sip.core import IncomingRequest, UserAgentCore
from sylk.sip.cseq import CSeq
from sylk.sip.dialog import Dialog, DialogState
from sylk.sip.event_headers import (
    ACTIVE,
    TERMINATED,
    EventType,
    SubscriptionState,
    min_expires_of,
    retry_after_of,
)
from sylk.sip.message import Request, Response
from sylk.sip.subscription_events import Notified, Subscribed, SubscriptionEnded
from sylk.sip.subscription_lifetime import SubscriptionLifetime
from sylk.sip.subscription_table import (
    GONE_STATUSES,
    SUBSCRIBER,
    SubscriberAction,
    SubscriberInput,
    SubscriberState,
)
from sylk.sip.timers import DEFAULT_TIMERS, Timers

_NO_CONTENT = 204  # RFC 5839: the state is as before, and no NOTIFY will follow.
_NOTIFY_INPUTS = {
    ACTIVE: SubscriberInput.NOTIFY_ACTIVE,
    TERMINATED: SubscriberInput.NOTIFY_TERMINATED,
}
_IN_DIALOG_REFUSALS = {"SUBSCRIBE": 481, "BYE": 481, "UPDATE": 481}
# Leaving takes all dialogs along.
_TAKES_FORKS = (SubscriberState.ACCEPTED, SubscriberState.PENDING, SubscriberState.ACTIVE)


@dataclass(slots=True)
class Forked:
    """Another notifier took our SUBSCRIBE as well; `usage` is the subscription with it."""

    usage: "SubscriberUsage"


SubscriberEvent = Subscribed | Notified | Forked | SubscriptionEnded


class SubscriberUsage:
    """One subscription as its user sees it: verbs in, events out, deadlines in between."""

    def __init__(
        self,
        core: UserAgentCore,
        request: Request,
        now: float,
        *,
        timers: Timers | None = None,
        refresh_at: float = 0.75,
        max_forks: int = 0,
    ) -> None:
        """Begin with our SUBSCRIBE or REFER outside of a dialog, the first of `requests_to_send`.

        The SUBSCRIBE needs Event and Contact, and Expires says how long. It is refreshed after the
        fraction `refresh_at` of the time that was granted, from 0.5 to 0.9: draw it, so that many
        subscribers do not come back at once. `max_forks` further notifiers are listened to.
        """
        contact = request.headers.get("Contact")
        if contact is None or request.to.tag is not None or request.from_.tag is None:
            raise LocalProtocolError("a subscription begins outside of a dialog, with a Contact")
        is_refer = request.method == "REFER"
        self.state = SubscriberState.ASKING
        self.request = request
        self.event = EventType("refer") if is_refer else EventType.of(request)
        self.contact = contact
        self.dialog: Dialog | None = None
        self._core = core
        self._refresh_at = refresh_at
        self._max_forks = max_forks
        self._forks = 0
        self._timers = timers or DEFAULT_TIMERS
        self._lifetime = SubscriptionLifetime(
            None if is_refer else request.expires, self._timers.timer_f, refresh_at, now
        )
        self._asking: int | None = request.cseq.number
        self._asked = request
        self._subscribed = False
        self._events: deque[SubscriberEvent] = deque()
        self._requests: list[tuple[Request, Dialog | None]] = [(request, None)]

    # What the user wants

    def unsubscribe(self, now: float) -> None:
        """End it; it is over with the last NOTIFY, or when that does not come within 64·T1."""
        if self._step(SubscriberInput.UNSUBSCRIBE) is SubscriberAction.SEND_UNSUBSCRIBE:
            self._subscribe_again(0, now)

    @property
    def asked(self) -> Request | None:
        """The request of ours that waits for its answer; None if that does not matter any more."""
        if self._asking is None or self.state is SubscriberState.LEAVING:
            return None
        return None if self._asked is self.request and self._is_standing else self._asked

    @property
    def notifier_tag(self) -> str:
        """The tag of who tells us, by which one that it was forked to is told from another."""
        return "" if self.dialog is None else self.dialog.remote_tag

    def ask_again(self, headers: Sequence[tuple[str, str]], now: float) -> None:
        """Send `asked` once more, with these header fields: the answer to a challenge.

        It gets the next CSeq (RFC 3261 section 22.2). Raises LocalProtocolError when nothing waits.
        """
        asked = self.asked
        if asked is None:
            raise LocalProtocolError("there is nothing to send again")
        if asked is self.request:
            self._ask_again(now, headers)
        else:
            self._subscribe_again(asked.expires or 0, now, headers)

    # What comes from the peer

    def receive_request(self, incoming: IncomingRequest, now: float) -> None:
        """Take a NOTIFY, in the dialog or before there is one; refuse everything else."""
        request = incoming.request
        try:
            state = self._check_notify(request)
            if self.dialog is None and state.state != TERMINATED:
                self._open(self._dialog_from(request))
            elif self.dialog is not None and request.from_.tag != self.dialog.remote.tag:
                self._receive_from_fork(incoming, now)
                return
            elif self.dialog is not None and self.state is SubscriberState.ACCEPTED:
                # Section 4.4.1: the first NOTIFY says what is on the way. COMPAT: proxies that put
                # themselves into the 2xx alone are kept.
                self.dialog.route_set = request.record_routes or self.dialog.route_set
        except RemoteProtocolError as error:
            refusal = Response.to_request(request, error.status, headers=error.headers)
            self._core.respond(incoming.transaction, refusal, now)
            return
        answer = Response.to_request(request, 200, headers=[("Contact", self.contact)])
        self._core.respond(incoming.transaction, answer, now)
        self._receive_notify(request, state, now)

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response to a SUBSCRIBE, or to our REFER."""
        if response.status < 200 or response.cseq.number != self._asking:
            return
        if response.status < 300:
            self._asking = None
            self._receive_success(response, now)
            return
        happened = SubscriberInput.REFUSED
        if response.status == 423 and self._lifetime.ask_longer(min_expires_of(response)):
            happened = SubscriberInput.TOO_BRIEF
        elif response.status in GONE_STATUSES:
            happened = SubscriberInput.GONE
        reason = response.reason or "refused"
        self._fail(happened, reason, response.status, retry_after_of(response), now)

    def request_failed(self, method: str, status: int, now: float) -> None:
        """Take it that a SUBSCRIBE found no answer (408) or no way (503)."""
        if self._asking is not None and method in ("SUBSCRIBE", "REFER"):
            happened = SubscriberInput.GONE if status == 408 else SubscriberInput.REFUSED
            reason = "no answer" if status == 408 else "cannot be reached"
            self._fail(happened, reason, status, None, now)

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` wants to be called."""
        if self.state is SubscriberState.ENDED:
            return None
        return self._lifetime.next_deadline(self._is_standing, self._asking is None)

    def handle_deadline(self, now: float) -> None:
        """Refresh, or give up what was not told or refreshed in time."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        if self._lifetime.is_overdue(now):
            # Timer F of the first SUBSCRIBE ends at the same time: there was no answer either.
            status = 408 if self.state is SubscriberState.ASKING else None
            self._step(SubscriberInput.OVERDUE)
            self._finish("no NOTIFY came", status, resubscribe_after=0)
        elif self._lifetime.is_expired(now):
            self._step(SubscriberInput.EXPIRE)
            self._finish("could not be refreshed", resubscribe_after=0)
        else:
            self._step(SubscriberInput.REFRESH_DUE)
            self._subscribe_again(self._lifetime.asked, now)

    # What goes out

    def next_event(self) -> SubscriberEvent | None:
        """Return the next thing that the user should know."""
        return self._events.popleft() if self._events else None

    def requests_to_send(self) -> list[tuple[Request, Dialog | None]]:
        """Return, once, the requests to send; without a dialog it is the first, or that again."""
        requests, self._requests = self._requests, []
        return requests

    # Transitions

    @property
    def _is_standing(self) -> bool:
        return self.state in (SubscriberState.PENDING, SubscriberState.ACTIVE)

    def _step(self, happened: SubscriberInput) -> SubscriberAction:
        action, self.state = SUBSCRIBER[self.state, happened]
        return action

    # Answers to what we sent

    def _receive_success(self, response: Response, now: float) -> None:
        if _lacks_subscription(response):
            self._fail(SubscriberInput.GONE, "accepted, to be told nothing", None, None, now)
            return
        if self.dialog is None:
            try:
                self._open(Dialog.as_uac(self.request, response))
            except RemoteProtocolError:
                # Without a Contact it opens no dialog; the first NOTIFY will, or Timer N ends it.
                return
        elif response.to.tag != self.dialog.remote_tag:
            # Another notifier was faster with its NOTIFY.
            return
        action = self._step(SubscriberInput.SUCCESS)
        if action is SubscriberAction.SEND_UNSUBSCRIBE:
            self._subscribe_again(0, now)
        elif action in (SubscriberAction.OPEN, SubscriberAction.RENEW):
            self._lifetime.granted(response.expires, now)
            if response.status == _NO_CONTENT:
                self._lifetime.no_notify_follows()
            self._tell_subscribed(response.expires)

    def _fail(
        self,
        happened: SubscriberInput,
        reason: str,
        status: int | None,
        retry_after: int | None,
        now: float,
    ) -> None:
        is_first = self._asking == self.request.cseq.number
        self._asking = None
        if is_first and self._is_standing and status is not None:
            # A NOTIFY has opened it all the same: that one did not come from whoever refused.
            return
        was_standing = self._is_standing
        action = self._step(happened)
        if action is SubscriberAction.ASK_AGAIN:
            self._ask_again(now)
        elif action is SubscriberAction.REFRESH:
            self._subscribe_again(self._lifetime.asked, now)
        elif action is SubscriberAction.REFRESH_LATER:
            self._lifetime.postpone(retry_after, now)
        else:
            assert action is SubscriberAction.FINISH
            again = 0 if was_standing and retry_after is None else retry_after
            self._finish(reason, status, again)

    # NOTIFYs

    def _check_notify(self, request: Request) -> SubscriptionState:
        if request.method != "NOTIFY":
            status = _IN_DIALOG_REFUSALS.get(request.method, 403)
            raise RemoteProtocolError(f"no {request.method} in a subscription", status)
        if self.state is SubscriberState.ENDED:
            raise RemoteProtocolError("the subscription is over", 481)
        event = EventType.of(request)
        if not event.is_same_package(self.event):
            raise RemoteProtocolError("another package in this dialog", 489)
        if event.id != self.event.id:
            if self.request.method != "REFER" or event.id != str(self.request.cseq.number):
                raise RemoteProtocolError("no such subscription in this dialog", 481)
            # RFC 3515 2.4.6: it may be named by the number of the REFER; then we do so, too.
            self.event = event
        return SubscriptionState.of(request)

    def _receive_notify(self, request: Request, state: SubscriptionState, now: float) -> None:
        happened = _NOTIFY_INPUTS.get(state.state, SubscriberInput.NOTIFY_PENDING)
        action = self._step(happened)
        if action is SubscriberAction.SEND_UNSUBSCRIBE:
            self._subscribe_again(0, now)
        elif action is SubscriberAction.HAND_OUT:
            self._lifetime.told(state.expires, now)
            self._tell_subscribed(state.expires)
            self._events.append(Notified(request.body, request.content_type, state.state))
        elif action in (SubscriberAction.FINISH, SubscriberAction.HAND_OUT_AND_FINISH):
            if request.body and action is SubscriberAction.HAND_OUT_AND_FINISH:
                self._events.append(Notified(request.body, request.content_type, state.state))
            self._finish(state.reason or TERMINATED, None, state.resubscribe_after)

    def _receive_from_fork(self, incoming: IncomingRequest, now: float) -> None:
        if self._forks >= self._max_forks or self.state not in _TAKES_FORKS:
            raise RemoteProtocolError("there is a subscription to another notifier", 481)
        fork = SubscriberUsage(
            self._core, self.request, now, timers=self._timers, refresh_at=self._refresh_at
        )
        fork._requests, fork._asking = [], None
        fork.receive_request(incoming, now)
        if fork.dialog is not None:
            self._forks += 1
            self._events.append(Forked(fork))

    # What we send

    def _ask_again(self, now: float, further: Sequence[tuple[str, str]] = ()) -> None:
        """Ask outside of a dialog once more, for the time that a 423 wants, with the same tag."""
        old = self.request
        headers = old.headers.copy()
        headers.remove("Via")
        headers.set("CSeq", str(CSeq(old.cseq.number + 1, old.method)))
        if old.method == "SUBSCRIBE":
            headers.set("Expires", str(self._lifetime.asked))
        for name, _ in further:
            headers.remove(name)
        for name, value in further:
            headers.add(name, value)
        self.request = self._asked = Request(old.method, old.uri, headers, old.body)
        self._asking = self.request.cseq.number
        self._lifetime.begin(now)
        self._requests.append((self.request, None))

    def _subscribe_again(
        self, expires: int, now: float, further: Sequence[tuple[str, str]] = ()
    ) -> None:
        assert self.dialog is not None
        request = self.dialog.make_request(
            "SUBSCRIBE",
            headers=[
                ("Contact", self.contact),
                ("Event", str(self.event)),
                ("Expires", str(expires)),
                *(("Accept", value) for value in self.request.headers.lines("Accept")),
                *further,
            ],
        )
        self._asked = request
        self._asking = request.cseq.number
        self._lifetime.begin(now)
        self._requests.append((request, self.dialog))

    # Begin and end

    def _dialog_from(self, notify: Request) -> Dialog:
        """Return the dialog that a NOTIFY opens; its route set counts (section 4.4.1)."""
        dialog = Dialog.as_uas(notify, "", NameAddr.parse(self.contact))
        # The roles are ours as a client: our number is that of the SUBSCRIBE, and its 2xx, when it
        # comes, changes nothing.
        dialog.local_cseq = self.request.cseq.number
        dialog.state = DialogState.CONFIRMED
        return dialog

    def _open(self, dialog: Dialog) -> None:
        self.dialog = dialog
        self._core.add_dialog(dialog)

    def _tell_subscribed(self, expires: int | None) -> None:
        if not self._subscribed:
            self._subscribed = True
            self._events.append(Subscribed(expires))

    def _finish(
        self, reason: str, status: int | None = None, resubscribe_after: int | None = None
    ) -> None:
        # An answer that comes from now on opens nothing.
        self._asking = None
        if self.dialog is not None:
            self._core.remove_dialog(self.dialog)
        self._events.append(SubscriptionEnded(reason, status, resubscribe_after))


def _lacks_subscription(response: Response) -> bool:
    """Tell whether a REFER was taken without the subscription that it implies (RFC 4488)."""
    value = response.headers.get("Refer-Sub") or ""
    is_refer = response.cseq.method == "REFER"
    return is_refer and value.partition(";")[0].strip(" \t").lower() == "false"
