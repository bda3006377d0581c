"""The INVITE usage: one call, from the INVITE to the BYE, with offer and answer inside.

It stands on the user agent core, which takes its responses at once; requests that it wants sent
inside the dialog are handed out, because only the layer with sockets knows the way to the peer.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sylk.call.media import ChatCapabilities
from sylk.call.offer_answer import Negotiation
from sylk.call.repetition import Repetition
from sylk.call.usage_table import TRANSITIONS, Action, Input, State, transition
from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.address import NameAddr
from sylk.sip.core import IncomingRequest, UserAgentCore
from sylk.sip.dialog import Dialog
from sylk.sip.grammar import quote
from sylk.sip.message import Request, Response
from sylk.sip.timers import Timers
from sylk.sip.transaction import ClientTransaction, ServerTransaction

HeaderList = Sequence[tuple[str, str]]

SDP = "application/sdp"
_IN_DIALOG_REFUSALS = {"REFER": 403, "SUBSCRIBE": 489, "NOTIFY": 481, "UPDATE": 405}


@dataclass(slots=True)
class Ringing:
    """The peer sent a provisional response with this status."""

    status: int


@dataclass(slots=True)
class Established:
    """Both sides agree that the call stands: the ACK has come, or has been sent."""


@dataclass(slots=True)
class Ended:
    """The call is over; `status` is that of the final response or of the Reason, if any."""

    reason: str
    status: int | None = None


UsageEvent = Ringing | Established | Ended


class InviteUsage:
    """One call as its user sees it: verbs in, events out, deadlines in between."""

    def __init__(
        self,
        core: UserAgentCore,
        negotiation: Negotiation,
        request: Request,
        contact: str,
        *,
        server_transaction: ServerTransaction | None = None,
        timers: Timers | None = None,
    ) -> None:
        """Begin with an INVITE: received, if it comes with its transaction, else our own.

        `contact` is the text of the Contact header that we put into requests and responses.
        """
        self.state = State.INCOMING if server_transaction else State.CALLING
        self.negotiation = negotiation
        self.request = request
        self.contact = contact
        self.dialog: Dialog | None = None
        self.server_transaction = server_transaction
        self.client_transaction: ClientTransaction | None = None
        self.cancel_wanted = False
        """True once our own INVITE has to be cancelled."""
        self._core = core
        self._timers = timers or Timers()
        self._local_tag = server_transaction.to_tag if server_transaction else ""
        self._repetition: Repetition | None = None
        self._hang_up_reason: tuple[str, int | None] = ("", None)
        self._ends_after_ack = False
        self._ack: Request | None = None
        self._events: deque[UsageEvent] = deque()
        self._requests: list[tuple[Request, Dialog]] = []

    # What the user wants

    def ring(self, now: float) -> None:
        """Send 180 Ringing and open the early dialog (RFC 3261 section 13.3.1.1).

        Raises RemoteProtocolError (400) when the INVITE has no Contact to open one with.
        """
        self._check(Input.RING)
        self._open_dialog()
        self._must(Input.RING)
        self._respond(180, now, headers=[("Contact", self.contact)])

    def accept(self, capabilities: ChatCapabilities, now: float, headers: HeaderList = ()) -> None:
        """Send 200 OK with our answer, or with our offer when the INVITE had none.

        Raises RemoteProtocolError (488 and others) when the offer cannot be taken; the call then
        waits for `reject`.
        """
        self._check(Input.ACCEPT)
        self.negotiation.capabilities = capabilities
        offered = bool(self.request.body)
        body = (
            self.negotiation.receive_offer(self.request.body)
            if offered
            else self.negotiation.make_offer()
        )
        self._open_dialog()
        self._must(Input.ACCEPT)
        assert self.server_transaction is not None
        self._send_success(self.server_transaction, self.request, body, not offered, now, headers)

    def reject(
        self, status: int, now: float, reason: str | None = None, headers: HeaderList = ()
    ) -> None:
        """Send a final refusal."""
        self._must(Input.REJECT)
        self._respond(status, now, reason=reason, headers=headers)
        self._finish(reason or f"refused with {status}", status)

    def hang_up(self, now: float, reason: str = "", status: int | None = None) -> None:
        """End the call, whatever its state: refuse, cancel, or BYE (with a Reason, RFC 3326).

        Once it is being ended, nothing changes any more.
        """
        before = self.state
        action = self._must(Input.HANG_UP)
        if self.state is before:
            return
        self._hang_up_reason = (reason, status)
        if action is Action.SEND_REJECTION:
            self._respond(status or 480, now)
            self._finish(reason or "refused", status or 480)
        elif action is Action.SEND_CANCEL:
            self.cancel_wanted = True
        elif action is Action.SEND_BYE:
            self._send_bye()

    # What comes from the peer

    def receive_cancel(self, now: float) -> None:
        """Take a CANCEL that the core has answered: 487 if the INVITE still waits."""
        if self._may(Input.CANCEL) is Action.SEND_CANCELLED:
            self._respond(487, now)
            self._finish("cancelled by the caller", 487)

    def receive_ack(self, ack: Request, now: float) -> None:
        """Take the ACK to our 2xx, with the answer when the 2xx held our offer."""
        repetition = self._repetition
        if repetition is None or ack.cseq.number != repetition.cseq:
            return
        self._repetition = None
        action = self._may(Input.ACK)
        if action is Action.SEND_BYE:
            # What the answer says does not matter any more.
            self._send_bye()
            return
        if repetition.awaits_answer:
            try:
                self.negotiation.receive_answer(ack.body)
            except RemoteProtocolError as error:
                self.hang_up(now, f"the answer in the ACK is no good: {error}", error.status)
                return
        if action is Action.ESTABLISH:
            self._events.append(Established())
        if self._ends_after_ack:
            self.hang_up(now, "no media is left")

    def receive_request(self, incoming: IncomingRequest, now: float) -> None:
        """Take a request inside the dialog: BYE, re-INVITE, or one that is answered here."""
        method = incoming.request.method
        if method == "BYE":
            self._receive_bye(incoming, now)
        elif method == "INVITE":
            self._receive_reinvite(incoming, now)
        elif method == "MESSAGE":
            # COMPAT: clients send key agreement in dialog and give up on anything but a 2xx.
            self._answer(incoming, 200, now)
        else:
            self._answer(incoming, _IN_DIALOG_REFUSALS.get(method, 405), now)

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response to our INVITE or to our BYE."""
        if response.cseq.method == "BYE":
            if self._may(Input.BYE_ANSWERED) is Action.FINISH:
                self._finish(*self._hang_up_reason)
        elif response.cseq.method == "INVITE":
            self._receive_invite_response(response, now)

    def request_failed(self, method: str, status: int, now: float) -> None:
        """Take it that a request of ours found no answer (408) or no way (503)."""
        if method == "BYE":
            if self._may(Input.BYE_ANSWERED) is Action.FINISH:
                self._finish(*self._hang_up_reason)
        elif method == "INVITE":
            action = self._may(Input.FAILURE)
            if action is Action.SEND_REJECTION:
                self._respond(status, now)
            if action is not None:
                self._finish("no answer" if status == 408 else "cannot be reached", status)

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` wants to be called."""
        return None if self._repetition is None else self._repetition.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Repeat the 2xx that waits for its ACK, or give the call up."""
        repetition = self._repetition
        if repetition is None or now < repetition.next_deadline():
            return
        if now < repetition.overdue:
            self._core.send_stateless(repetition.response, repetition.flow)
            repetition.repeat(self._timers, now)
            return
        self._repetition = None
        before = self.state
        if self._may(Input.ACK_OVERDUE) is Action.SEND_BYE:
            if before is not State.HANGING_UP:
                self._hang_up_reason = ("the ACK is missing", 500)
            self._send_bye()

    # What goes out

    def next_event(self) -> UsageEvent | None:
        """Return the next thing that the user should know."""
        return self._events.popleft() if self._events else None

    def requests_to_send(self) -> list[tuple[Request, Dialog]]:
        """Return, once, the requests to send inside a dialog; an ACK has no transaction."""
        requests, self._requests = self._requests, []
        return requests

    # Transitions

    def _check(self, happened: Input) -> None:
        if transition(self.state, happened) is None:
            raise LocalProtocolError(f"{happened.name} is not possible in {self.state.name}")

    def _must(self, happened: Input) -> Action:
        self._check(happened)
        action, self.state = TRANSITIONS[self.state, happened]
        return action

    def _may(self, happened: Input) -> Action | None:
        step = transition(self.state, happened)
        if step is None:
            return None
        self.state = step[1]
        return step[0]

    # The callee

    def _open_dialog(self) -> None:
        if self.dialog is None:
            self.dialog = Dialog.as_uas(self.request, self._local_tag, NameAddr.parse(self.contact))
            self._core.add_dialog(self.dialog)

    def _respond(
        self, status: int, now: float, *, reason: str | None = None, headers: HeaderList = ()
    ) -> None:
        assert self.server_transaction is not None
        response = Response.to_request(
            self.request, status, reason, to_tag=self._local_tag, headers=headers
        )
        self._core.respond(self.server_transaction, response, now)

    def _answer(self, incoming: IncomingRequest, status: int, now: float) -> None:
        response = Response.to_request(incoming.request, status)
        self._core.respond(incoming.transaction, response, now)

    def _send_success(
        self,
        transaction: ServerTransaction,
        request: Request,
        body: bytes,
        awaits_answer: bool,
        now: float,
        headers: HeaderList = (),
    ) -> None:
        response = Response.to_request(
            request,
            200,
            to_tag=self._local_tag,
            headers=[("Contact", self.contact), *headers],
            body=body,
            content_type=SDP,
        )
        self._core.respond(transaction, response, now)
        self._repetition = Repetition.begin(
            response, transaction.flow, awaits_answer, self._timers, now
        )

    def _receive_reinvite(self, incoming: IncomingRequest, now: float) -> None:
        request = incoming.request
        if self.state is State.ENDING:
            # It crossed our BYE (RFC 5407 section 3.2.2).
            self._answer(incoming, 481, now)
            return
        if self.state is not State.CONFIRMED or self._repetition is not None:
            # Our last 2xx is not acknowledged yet: not now (RFC 3261 section 14.2).
            headers = [("Retry-After", "5")]
            self._core.respond(
                incoming.transaction, Response.to_request(request, 500, headers=headers), now
            )
            return
        try:
            if request.body:
                body = self.negotiation.receive_offer(request.body)
            else:
                body = self.negotiation.make_offer()
        except RemoteProtocolError as error:
            refusal = Response.to_request(request, error.status, headers=error.headers)
            self._core.respond(incoming.transaction, refusal, now)
            return
        self._send_success(incoming.transaction, request, body, not request.body, now)
        self._ends_after_ack = self.negotiation.chat is None

    # The caller

    def _receive_invite_response(self, response: Response, now: float) -> None:
        if response.status < 200:
            if response.status > 100 and self._may(Input.PROVISIONAL) is Action.TELL_RINGING:
                self._events.append(Ringing(response.status))
        elif response.status < 300:
            self._receive_success(response, now)
        elif self._may(Input.FAILURE) is Action.FAIL:
            self._finish(response.reason or "refused", response.status)

    def _receive_success(self, response: Response, now: float) -> None:
        try:
            dialog = Dialog.as_uac(self.request, response)
        except RemoteProtocolError as error:
            # Without a Contact there is nowhere to send even the ACK: the peer has to give up.
            if self._may(Input.FAILURE) is Action.FAIL:
                self._finish(f"the 200 is no good: {error}", error.status)
            return
        if self.dialog is not None:
            self._receive_further_success(dialog, response)
            return
        action = self._may(Input.SUCCESS)
        if action is None:
            return
        self.dialog = dialog
        self._core.add_dialog(dialog)
        self._ack = dialog.make_ack(response.cseq.number)
        self._requests.append((self._ack, dialog))
        if action is Action.ACKNOWLEDGE_AND_BYE:
            self._send_bye()
            return
        try:
            self.negotiation.receive_answer(response.body)
        except RemoteProtocolError as error:
            self.hang_up(now, f"the answer is no good: {error}", error.status)
        else:
            self._events.append(Established())

    def _receive_further_success(self, dialog: Dialog, response: Response) -> None:
        """Acknowledge a repeated 2xx again; end the dialog of another fork (13.2.2.4)."""
        assert self.dialog is not None
        if dialog.key == self.dialog.key:
            assert self._ack is not None
            self._requests.append((self._ack, self.dialog))
        else:
            self._requests.append((dialog.make_ack(response.cseq.number), dialog))
            self._requests.append((dialog.make_request("BYE"), dialog))

    # The end

    def _send_bye(self) -> None:
        assert self.dialog is not None
        reason, status = self._hang_up_reason
        headers: list[tuple[str, str]] = []
        if status is not None:
            headers.append(("Reason", f"SIP;cause={status};text={quote(reason)}"))
        self._requests.append((self.dialog.make_request("BYE", headers=headers), self.dialog))

    def _receive_bye(self, incoming: IncomingRequest, now: float) -> None:
        action = self._may(Input.BYE)
        self._answer(incoming, 200 if action is not None else 481, now)
        if action is None:
            return
        if action is Action.REFUSE_AND_ANSWER_BYE:
            self._respond(487, now)
        reason = incoming.request.headers.get("Reason")
        self._finish(f"BYE ({reason})" if reason else "BYE", None)

    def _finish(self, reason: str, status: int | None) -> None:
        self._repetition = None
        if self.dialog is not None:
            self._core.remove_dialog(self.dialog)
        self._events.append(Ended(reason, status))
