"""The notifier: one subscription as the side sees it that tells the state (RFC 6665 section 4.2).

It serves a SUBSCRIBE and, equally, the subscription that a REFER implies (RFC 3515). It stands on
the user agent core, which takes its responses at once; the NOTIFYs are handed out, because only the
layer with sockets knows the way to the peer.

The user says what the state is, as often as it changes; `NotifyPacing` decides when it is told. The
last NOTIFY of all waits for the answer to the one before, and for nothing else.
"""

from collections import deque
from collections.abc import Sequence

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.address import NameAddr
from sylk.sip.core import IncomingRequest, UserAgentCore
from sylk.sip.dialog import Dialog
from sylk.sip.event_headers import (
    ACTIVE,
    PENDING,
    TERMINATED,
    EventType,
    SubscriptionState,
    allow_events_headers,
    retry_after_of,
)
from sylk.sip.grammar import is_token
from sylk.sip.message import Request, Response
from sylk.sip.notified_state import NotifiedState
from sylk.sip.notify_pacing import NotifyPacing
from sylk.sip.subscription_events import Refreshed, SubscriptionEnded
from sylk.sip.subscription_limits import SubscriptionLimits
from sylk.sip.subscription_table import (
    GONE_STATUSES,
    NOTIFIER,
    NotifierAction,
    NotifierInput,
    NotifierState,
)

HeaderList = Sequence[tuple[str, str]]
NotifierEvent = Refreshed | SubscriptionEnded

# COMPAT: deployed notifiers answer REFER with 202 as RFC 3515 says; RFC 7647 wants 200. Clients
# have to take both for the same.
_SUCCESS = {"REFER": 202}
# RFC 6665 4.2.2 leaves an answer to these to us; we have no credentials to send.
_CHALLENGES = (401, 407)
_IN_DIALOG_REFUSALS = {"NOTIFY": 481, "BYE": 481, "UPDATE": 481}


class NotifierUsage:
    """One subscription as its user sees it: verbs in, events out, deadlines in between."""

    def __init__(
        self,
        core: UserAgentCore,
        incoming: IncomingRequest,
        contact: str,
        limits: SubscriptionLimits | None = None,
        *,
        allow_events: Sequence[str] = (),
    ) -> None:
        """Begin with a SUBSCRIBE outside of a dialog, or a REFER, inside a call too.

        `contact` is the text of our Contact, `allow_events` the packages of which we tell.
        Raises RemoteProtocolError (489) for a SUBSCRIBE whose Event is missing or malformed: then
        there is no usage and the request is still to be answered.
        """
        self.request = incoming.request
        self.shares_dialog = incoming.dialog is not None
        if self.shares_dialog and self.request.method != "REFER":
            # RFC 6665 4.5.2: sharing a dialog has confused everybody.
            raise LocalProtocolError("a subscription needs a dialog of its own")
        self.state = NotifierState.ASKED
        self.event = EventType.asked_for(self.request)
        self.contact = contact
        self.dialog: Dialog | None = None
        self._core = core
        self._incoming = incoming
        self._limits = limits or SubscriptionLimits()
        self._allow_events = allow_events_headers(allow_events)
        self._document = NotifiedState()
        self._kept: NotifiedState | None = None
        self._pacing = NotifyPacing(self._limits)
        self._expires_at = 0.0
        self._final = _timeout()
        self._final_with_state = False
        self._final_sent = False
        self._end_told = False
        self._events: deque[NotifierEvent] = deque()
        self._requests: list[tuple[Request, Dialog]] = []

    @property
    def is_over(self) -> bool:
        """True when nothing can be told any more, though the last NOTIFY may be under way."""
        return self.state in (NotifierState.ENDING, NotifierState.ENDED)

    # What the user wants

    def accept(
        self,
        now: float,
        body: bytes = b"",
        content_type: str | None = None,
        *,
        pending: bool = False,
        later: bool = False,
        headers: HeaderList = (),
    ) -> None:
        """Accept and tell the state; with `pending` it waits for `approve`, and `body` is neutral.

        A SUBSCRIBE with Expires 0 is a poll: it is told the state once. With `later` any other is
        told it by the first `change`. Raises
        RemoteProtocolError (423 for a time that is too short, 400 without a usable Contact); the
        usage then waits for `reject`.
        """
        self._check(NotifierInput.ACCEPT)
        document = NotifiedState(body, content_type)
        granted = self._grant(self.request)
        tag, contact = self._incoming.transaction.to_tag, NameAddr.parse(self.contact)
        dialog = self._incoming.dialog or Dialog.as_uas(self.request, tag, contact)
        happened = NotifierInput.ACCEPT_PENDING if pending else NotifierInput.ACCEPT
        action = self._must(NotifierInput.ACCEPT_FETCH if granted == 0 else happened)
        self._document, self.dialog = document, dialog
        self._core.add_dialog(dialog)
        self._expires_at = now + granted
        self._succeed(self._incoming, granted, now, headers)
        if action is NotifierAction.OPEN_AND_CLOSE:
            self._close(_timeout(), "polled", now, told=True)
        elif later:
            self._document = NotifiedState()
        else:
            self._tell(now)

    def accept_silently(self, now: float, headers: HeaderList = ()) -> None:
        """Accept a REFER that wants no subscription: there will be no NOTIFY (RFC 4488)."""
        self._must(NotifierInput.ACCEPT_SILENTLY)
        self._succeed(self._incoming, 0, now, headers)
        self._tell_end(SubscriptionEnded("no subscription was wanted"))

    def reject(self, status: int, now: float, headers: HeaderList = ()) -> None:
        """Send a final refusal."""
        self._must(NotifierInput.REJECT)
        self._refuse(self._incoming, status, now, headers)
        self._tell_end(SubscriptionEnded(f"refused with {status}", status))

    def approve(self, now: float) -> None:
        """Let a pending subscription have the state that `change` said last."""
        if self._must(NotifierInput.APPROVE) is NotifierAction.TELL:
            self._document = self._kept or self._document
            self._kept = None
            self._tell(now)

    def change(self, body: bytes, content_type: str, now: float, difference: bytes = b"") -> None:
        """Say what the state is now; nothing happens once the subscription is over.

        `difference` goes out in its place if the subscriber has the state before.
        """
        # Whoever was told nothing has no state that a difference would change.
        was_told = self._document.content_type is not None
        knows_last = was_told and not self._pacing.is_untold and not self._pacing.is_waiting
        document = NotifiedState(body, content_type, difference if knows_last else b"")
        action = self._must(NotifierInput.CHANGE)
        if action is NotifierAction.TELL:
            self._document = document
            self._tell(now)
        elif action is NotifierAction.KEEP:
            self._kept = document

    def end(
        self,
        reason: str,
        now: float,
        body: bytes | None = None,
        content_type: str | None = None,
        *,
        retry_after: int | None = None,
    ) -> None:
        """End it for a reason of RFC 6665 section 4.1.3; `body` is the last state.

        Without a body the last state goes along only if it has not been told yet. The type of a
        body is that of the state before, unless it is given. `retry_after` is in seconds.
        """
        if not is_token(reason):
            raise LocalProtocolError(f"{reason!r} cannot be a reason")
        document = self._document
        if body is not None:
            document = NotifiedState(body, content_type or document.content_type)
        if self._must(NotifierInput.END) is NotifierAction.CLOSE:
            self._document = document
            final = SubscriptionState(TERMINATED, reason=reason, retry_after=retry_after)
            self._close(final, reason, now, told=body is not None)

    # What comes from the peer

    def receive_request(self, incoming: IncomingRequest, now: float) -> None:
        """Take a request inside the dialog: another SUBSCRIBE, or one that is refused."""
        request = incoming.request
        if request.method != "SUBSCRIBE":
            status = _IN_DIALOG_REFUSALS.get(request.method, 403)
            self._refuse(incoming, status, now)
            return
        try:
            granted = self._check_refresh(request)
        except RemoteProtocolError as error:
            self._refuse(incoming, error.status, now, error.headers)
            return
        action = self._must(NotifierInput.REFRESH if granted else NotifierInput.UNSUBSCRIBE)
        self._expires_at = now + granted
        self._succeed(incoming, granted, now)
        if action is NotifierAction.RENEW_AND_CLOSE:
            self._close(_timeout(), "unsubscribed", now, told=True)
        else:
            self._events.append(Refreshed())
            self._tell(now)

    def receive_response(self, response: Response, now: float) -> None:
        """Take the answer to a NOTIFY."""
        if response.status < 200 or not self._pacing.answered(response.cseq.number):
            return
        if self._final_sent:
            self._must(NotifierInput.CLOSED)
            self._finish()
        elif response.status in GONE_STATUSES or response.status in _CHALLENGES:
            self._lose(f"NOTIFY was refused with {response.status}", response.status)
        elif response.status >= 300:
            self._refused(response, now)
        else:
            self._pacing.accepted()
            self._settle(now)

    def request_failed(self, method: str, status: int, now: float) -> None:
        """Take it that a NOTIFY found no answer (408) or no way (503), or our own answer none."""
        reason = "NOTIFY was not answered" if status == 408 else "cannot be reached"
        is_ours = method == "NOTIFY" and self._pacing.answered()
        if is_ours or (method != "NOTIFY" and self.state is NotifierState.ASKED):
            self._lose(reason, status)

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` wants to be called."""
        if self.state not in (NotifierState.PENDING, NotifierState.ACTIVE):
            return None
        due = self._pacing.next_time()
        return self._expires_at if due is None else min(self._expires_at, due)

    def handle_deadline(self, now: float) -> None:
        """Tell what has waited for its time, or end a subscription that nobody refreshed."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        if now >= self._expires_at:
            self._must(NotifierInput.EXPIRE)
            self._close(_timeout(), "not refreshed in time", now, told=False)
        else:
            self._settle(now)

    # What goes out

    def next_event(self) -> NotifierEvent | None:
        """Return the next thing that the user should know."""
        return self._events.popleft() if self._events else None

    def requests_to_send(self) -> list[tuple[Request, Dialog]]:
        """Return, once, the NOTIFYs to send."""
        requests, self._requests = self._requests, []
        return requests

    # Transitions

    def _check(self, happened: NotifierInput) -> None:
        if (self.state, happened) not in NOTIFIER:
            raise LocalProtocolError(f"{happened.name} is not possible in {self.state.name}")

    def _must(self, happened: NotifierInput) -> NotifierAction:
        self._check(happened)
        action, self.state = NOTIFIER[self.state, happened]
        return action

    # Answers

    def _grant(self, request: Request) -> int:
        """Return for how many seconds; raises RemoteProtocolError (423) when that is too short."""
        # In a REFER, Expires is the life of the request itself (RFC 3515 section 2.4.4).
        return self._limits.grant(None if request.method == "REFER" else request.expires)

    def _check_refresh(self, request: Request) -> int:
        if (self.state, NotifierInput.REFRESH) not in NOTIFIER:
            raise RemoteProtocolError("the subscription is over", 481)
        event = EventType.of(request)
        if not event.is_same_package(self.event):
            raise RemoteProtocolError("another package in this dialog", 489)
        if event.id != self.event.id:
            raise RemoteProtocolError("no such subscription in this dialog", 481)
        return self._grant(request)

    def _succeed(
        self, incoming: IncomingRequest, granted: int, now: float, headers: HeaderList = ()
    ) -> None:
        request = incoming.request
        expires = [] if request.method == "REFER" else [("Expires", str(granted))]
        response = Response.to_request(
            request,
            _SUCCESS.get(request.method, 200),
            headers=[("Contact", self.contact), *expires, *self._allow_events, *headers],
        )
        self._core.respond(incoming.transaction, response, now)

    def _refuse(
        self, incoming: IncomingRequest, status: int, now: float, headers: HeaderList = ()
    ) -> None:
        # RFC 6665 8.2.2: 489 comes with what we have to offer.
        offered = self._allow_events if status == 489 else []
        response = Response.to_request(incoming.request, status, headers=[*headers, *offered])
        self._core.respond(incoming.transaction, response, now)

    # NOTIFYs

    def _tell(self, now: float) -> None:
        self._pacing.is_untold = True
        self._settle(now)

    def _settle(self, now: float) -> None:
        """Send what is due, if it may go now; else the next answer or deadline comes back here."""
        if self.state is NotifierState.ENDING:
            if not self._pacing.is_waiting:
                self._final_sent = True
                with_body = self._pacing.is_untold or self._final_with_state
                self._send_notify(self._final, with_body, now)
        elif self._pacing.may_tell(now):
            # RFC 6665 4.2.2: never longer than what was granted.
            left = max(1, int(self._expires_at - now))
            name = PENDING if self.state is NotifierState.PENDING else ACTIVE
            self._send_notify(SubscriptionState(name, left), True, now)

    def _send_notify(self, state: SubscriptionState, with_body: bool, now: float) -> None:
        assert self.dialog is not None
        body = self._document.take_body() if with_body else b""
        request = self.dialog.make_request(
            "NOTIFY",
            headers=[
                ("Contact", self.contact),
                ("Event", str(self.event)),
                ("Subscription-State", str(state)),
                *self._allow_events,
            ],
            body=body,
            content_type=self._document.content_type if body else None,
        )
        self._pacing.sent(request.cseq.number, now)
        self._requests.append((request, self.dialog))

    def _refused(self, response: Response, now: float) -> None:
        """Tell it again later, a few times: the subscription still stands (RFC 5057)."""
        if self._pacing.refused(retry_after_of(response), now) or self.is_over:
            self._settle(now)
            return
        self._must(NotifierInput.END)
        final = SubscriptionState(TERMINATED, reason="probation")
        reason = f"NOTIFY was refused with {response.status}"
        self._close(final, reason, now, told=True, status=response.status)

    # The end

    def _close(
        self,
        final: SubscriptionState,
        reason: str,
        now: float,
        *,
        told: bool,
        status: int | None = None,
    ) -> None:
        """Send the last NOTIFY; `told`: with the state, even if the peer knows it already."""
        self._final, self._final_with_state = final, told
        self._kept = None
        self._tell_end(SubscriptionEnded(reason, status))
        self._settle(now)

    def _lose(self, reason: str, status: int) -> None:
        self._must(NotifierInput.GONE)
        self._tell_end(SubscriptionEnded(reason, status))
        self._finish()

    def _tell_end(self, event: SubscriptionEnded) -> None:
        if not self._end_told:
            self._end_told = True
            self._events.append(event)

    def _finish(self) -> None:
        self._document, self._kept = NotifiedState(), None
        if self.dialog is not None and not self.shares_dialog:
            self._core.remove_dialog(self.dialog)


def _timeout() -> SubscriptionState:
    return SubscriptionState(TERMINATED, reason="timeout")
