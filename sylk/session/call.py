"""One call at run time: the INVITE usage with the events that tasks wait for.

Everything here is synchronous; what has to be sent goes to the `Outlet`, which is the endpoint.
"""

import logging
from collections.abc import Callable
from contextlib import suppress

import trio

from sylk.call.leg import HeaderList
from sylk.call.media import ChatCapabilities
from sylk.call.usage import InviteUsage
from sylk.call.usage_events import (
    Ended,
    Established,
    HoldChanged,
    Reoffered,
    Ringing,
    UsageEvent,
)
from sylk.call.usage_table import State
from sylk.errors import LocalProtocolError, RemoteProtocolError, SessionEnded
from sylk.net.wakeup import Gate
from sylk.session.dialog_user import Outlet
from sylk.session.identity import harmless
from sylk.sip.address import NameAddr
from sylk.sip.core import IncomingRequest
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.reason_header import reasons_of

logger = logging.getLogger("sylk.session")

_OF_THE_SET_UP = frozenset(
    {
        *("Accept", "Accept-Encoding", "Accept-Language", "Allow", "Allow-Events", "Supported"),
        *("Require", "Proxy-Require", "Session-Expires", "Min-SE", "Route", "Record-Route"),
        *("Authorization", "Proxy-Authorization", "Max-Forwards", "Expires", "Date"),
        *("MIME-Version", "Content-Type", "Content-Length", "Content-Disposition"),
    }
)
"""The header fields of an INVITE that mean nothing any more when the call stands."""


class Call:
    """One call, from the first INVITE until both sides have let go."""

    __slots__ = (
        "__weakref__",
        "_outlet",
        "flow",
        "is_established",
        "is_focus",
        "is_over",
        "on_end",
        "on_hold_changed",
        "on_refer",
        "on_reoffered",
        "on_ringing",
        "peer",
        "reason",
        "refusal",
        "settled",
        "status",
        "usage",
    )

    def __init__(self, outlet: Outlet, usage: InviteUsage, flow: Flow) -> None:
        self.usage = usage
        self.flow = flow
        """The way over which the peer is reached as long as it stands."""
        self.settled = Gate()
        """Open when the call stands, or has ended before it did."""
        self.is_established = False
        self.is_over = False
        """True when nothing can be said in this call any more."""
        self.reason = ""
        """Why it ended, in words."""
        self.status: int | None = None
        self.refusal: Response | None = None
        """The final response that refused our INVITE: it may say how to ask again."""
        self.on_end: Callable[[], None] | None = None
        """Called once, synchronously, when the call ends."""
        self.on_ringing: Callable[[int], None] | None = None
        self.on_hold_changed: Callable[[bool], None] | None = None
        """Called when the peer begins to hold us, so that it must not be sent anything, or ends."""
        self.on_reoffered: Callable[[int], None] | None = None
        """Called with the final status of `hold`, `resume` or `reoffer`; only a 2xx changed."""
        self.is_focus = False
        """True when the peer says that it is the focus of a conference (RFC 4579 section 5.2)."""
        self.on_refer: Callable[[Call, IncomingRequest], None] | None = None
        """Called with each REFER inside the call, to answer it; without it they are refused."""
        self.peer: NameAddr = (
            usage.request.to if usage.server_transaction is None else usage.request.from_
        )
        """Who is at the other end."""
        self._outlet = outlet

    @property
    def call_id(self) -> str:
        """The Call-ID, by which every log line about this call can be found."""
        return self.usage.request.call_id

    def ended_error(self) -> SessionEnded:
        """Return the error that tells why the call is over."""
        return SessionEnded(self.reason, self.status)

    @property
    def request(self) -> Request:
        """The INVITE."""
        return self.usage.request

    @property
    def dialog(self) -> Dialog | None:
        """The dialog, None before there is one and once the call is over."""
        return None if self.usage.state is State.TERMINATED else self.usage.dialog

    @property
    def contact(self) -> str:
        """The URI of the client at the other end, its Contact; empty before there is a dialog."""
        return "" if self.dialog is None else str(self.dialog.remote_target)

    @property
    def early_dialogs(self) -> list[Dialog]:
        """The dialogs of the phones that ring for an INVITE of ours."""
        return self.usage.early_dialogs

    @property
    def is_held(self) -> bool:
        """Tell whether the peer holds us: it must not be sent anything."""
        return self.usage.negotiation.is_held

    def next_deadline(self) -> float | None:
        """Return when to call `ring_alarm`."""
        return self.usage.next_deadline()

    # Verbs of the user

    def ring(self) -> None:
        """Send 180; raises SessionEnded when the caller has gone already."""
        if self.is_over:
            raise self.ended_error()
        self.usage.ring(trio.current_time())
        self._outlet.settle(self)

    def accept(self, capabilities: ChatCapabilities, headers: HeaderList = ()) -> None:
        """Send 200; an offer that cannot be taken is refused and raises SessionEnded."""
        if self.is_over:
            raise self.ended_error()
        now = trio.current_time()
        try:
            self.usage.accept(capabilities, now, headers)
        except RemoteProtocolError as error:
            self.usage.reject(error.status, now, headers=error.headers)
            self._outlet.settle(self)
            raise SessionEnded(f"refused: {error}", error.status) from error
        self._outlet.settle(self)

    def reject(self, status: int, reason: str | None = None, headers: HeaderList = ()) -> None:
        """Send a final refusal; nothing happens when the caller has gone already."""
        if self.usage.state is not State.INCOMING:
            if not self.is_over:
                raise LocalProtocolError("the call has been answered already")
            return
        self.usage.reject(status, trio.current_time(), reason, headers)
        self._outlet.settle(self)

    def hang_up(self, reason: str = "", status: int | None = None) -> None:
        """End the call in the way that its state asks for; for its user it is over at once."""
        self.usage.hang_up(trio.current_time(), reason, status)
        self._end(reason or "ended by us", status)
        self._outlet.settle(self)

    def hold(self) -> None:
        """Ask the peer to send nothing for now (RFC 3264 section 8.4); `on_reoffered` tells more.

        It waits while another offer is open. Raises SessionEnded when the call is over, and
        LocalProtocolError before it stands.
        """
        self._change(self.usage.hold)

    def resume(self) -> None:
        """Take messages again; as `hold`."""
        self._change(self.usage.resume)

    def reoffer(self) -> None:
        """Offer the session anew, as after a change of our capabilities; as `hold`."""
        self._change(self.usage.reoffer)

    def _change(self, verb: Callable[[float], None]) -> None:
        if self.is_over:
            raise self.ended_error()
        verb(trio.current_time())
        self._outlet.settle(self)

    # Input from the network

    def receive_request(self, incoming: IncomingRequest, now: float) -> None:
        """Take a request inside the dialog."""
        if incoming.request.method == "REFER" and self.on_refer is not None and not self.is_over:
            self.on_refer(self, incoming)
            return
        self.usage.receive_request(incoming, now)
        self._outlet.settle(self)

    def receive_ack(self, ack: Request, now: float) -> None:
        """Take an ACK."""
        self.usage.receive_ack(ack, now)
        self._outlet.settle(self)

    def receive_cancel(self, cancel: Request, now: float) -> None:
        """Take a CANCEL."""
        self.usage.receive_cancel(now, reasons_of(cancel))
        self._outlet.settle(self)

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response to a request of this call."""
        if response.cseq.method == "INVITE":
            if response.status >= 300:
                self.refusal = response
            else:
                self._take_contact(response)
        self.usage.receive_response(response, now)
        self._outlet.settle(self)

    def _take_contact(self, response: Response) -> None:
        # A Contact that cannot be read is a matter of the dialog.
        with suppress(RemoteProtocolError):
            if (contact := response.contact) is not None:
                self.is_focus = "isfocus" in contact.params

    def request_failed(self, method: str, status: int, now: float) -> None:
        """Take it that a request of this call came to nothing."""
        self.usage.request_failed(method, status, now)
        self._outlet.settle(self)

    def ring_alarm(self, now: float) -> None:
        """Handle a deadline of the usage."""
        self.usage.handle_deadline(now)
        self._outlet.settle(self)

    # For the endpoint

    def take_events(self) -> None:
        """Turn what the usage has to tell into what tasks wait for."""
        while (event := self.usage.next_event()) is not None:
            self._take(event)
        if (ending := self.usage.ending) is not None:
            # Whoever answers our BYE, and when, is nothing to wait for.
            self._end(*ending)

    def requests_to_send(self) -> list[tuple[Request, Dialog]]:
        """Return, once, the requests that the usage wants sent."""
        return self.usage.requests_to_send()

    def _take(self, event: UsageEvent) -> None:
        match event:
            case Established():
                self.is_established = True
                # The INVITE is kept for as long as the call lasts.
                self.request.body, self.request.parts = b"", ()
                self.request.headers.forget(_OF_THE_SET_UP)
                self.settled.open()
            case Ringing(status):
                if self.on_ringing is not None:
                    self.on_ringing(status)
            case HoldChanged(held):
                if self.on_hold_changed is not None:
                    self.on_hold_changed(held)
            case Reoffered(status):
                if self.on_reoffered is not None:
                    self.on_reoffered(status)
            case Ended():
                self._tell_end(event)

    def _tell_end(self, event: Ended) -> None:
        self._end(event.reason, event.status)
        self._outlet.forget(self)

    def _end(self, reason: str, status: int | None) -> None:
        if self.is_over:
            return
        # It may hold words of the peer's, and is shown and logged.
        self.reason, self.status = harmless(reason), status
        self.is_over = True
        self.settled.open()
        on_end, self.on_end = self.on_end, None
        # A call that leads back to its chat would keep both until a collection of cycles.
        self.on_hold_changed = None
        if on_end is not None:
            on_end()
