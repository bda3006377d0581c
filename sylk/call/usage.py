"""The INVITE usage: one call, from the INVITE to the BYE, with offer and answer inside.

It stands on the user agent core, which takes its responses at once; requests that it wants sent
inside the dialog are handed out, because only the layer with sockets knows the way to the peer.
Here are the beginning and the end; our own INVITE has its answers taken in `caller`, and what
happens while the call stands is in `standing_call`.
"""

from collections.abc import Callable, Sequence

from sylk.call.caller import Caller
from sylk.call.leg import ChallengeAnswering, HeaderList, Leg
from sylk.call.media import ChatCapabilities
from sylk.call.modification import Wish
from sylk.call.offer_answer import Negotiation
from sylk.call.session_timer import SessionTimer, SessionTimerSettings
from sylk.call.standing_call import StandingCall
from sylk.call.usage_events import Established, UsageEvent
from sylk.call.usage_table import Action, Input, State
from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.address import NameAddr
from sylk.sip.core import IncomingRequest, UserAgentCore
from sylk.sip.dialog import Dialog
from sylk.sip.message import Request, Response
from sylk.sip.reason_header import Reason, end_of, reasons_of
from sylk.sip.timers import DEFAULT_TIMERS, Timers
from sylk.sip.transaction import ClientTransaction, ServerTransaction

_IN_DIALOG_REFUSALS = {"REFER": 403, "SUBSCRIBE": 489, "NOTIFY": 481}


class InviteUsage:
    """One call as its user sees it: verbs in, events out, deadlines in between."""

    __slots__ = (
        "_caller",
        "_leg",
        "_standing",
        "cancel_wanted",
        "client_transaction",
        "request",
        "server_transaction",
    )

    def __init__(
        self,
        core: UserAgentCore,
        negotiation: Negotiation,
        request: Request,
        contact: str,
        *,
        random: Callable[[], float],
        server_transaction: ServerTransaction | None = None,
        session_timer: SessionTimerSettings | None = None,
        timers: Timers | None = None,
    ) -> None:
        """Begin with an INVITE: received, if it comes with its transaction, else our own.

        `contact` is the text of the Contact header that we put into requests and responses;
        `random` returns a number from 0 up to 1.
        """
        self.request = request
        self.server_transaction = server_transaction
        self.client_transaction: ClientTransaction | None = None
        self.cancel_wanted = False
        """True once our own INVITE has to be cancelled."""
        self._leg = Leg(
            core,
            negotiation,
            contact,
            SessionTimer(session_timer or SessionTimerSettings()),
            timers or DEFAULT_TIMERS,
            State.INCOMING if server_transaction else State.CALLING,
        )
        self._standing = StandingCall(self._leg, random)
        self._caller: Caller | None = None
        if server_transaction is None:
            self._caller = Caller(self._leg, self._standing, request)
        else:
            self._standing.learn(request)

    @property
    def state(self) -> State:
        """Where the call stands."""
        return self._leg.state

    @property
    def negotiation(self) -> Negotiation:
        """Offer and answer."""
        return self._leg.negotiation

    @property
    def dialog(self) -> Dialog | None:
        """The dialog of the call; None while there are only early ones of our own INVITE."""
        return self._leg.dialog

    @property
    def early_dialogs(self) -> list[Dialog]:
        """The early dialogs of our own INVITE, until there is one that stands."""
        return [] if self._caller is None else self._caller.early_dialogs

    @property
    def contact(self) -> str:
        """The text of our Contact header."""
        return self._leg.contact

    @contact.setter
    def contact(self, contact: str) -> None:
        self._leg.contact = contact

    @property
    def make_answers(self) -> Callable[[], ChallengeAnswering] | None:
        """Makes what answers the challenges to one request inside the call; None gives up."""
        return self._leg.make_answers

    @make_answers.setter
    def make_answers(self, make: Callable[[], ChallengeAnswering]) -> None:
        self._leg.make_answers = make

    # What the user wants

    def ring(self, now: float) -> None:
        """Send 180 Ringing and open the early dialog (RFC 3261 section 13.3.1.1)."""
        self._leg.check(Input.RING)
        self._open_dialog()
        self._leg.must(Input.RING)
        self._respond(180, now, headers=[("Contact", self.contact)])

    def accept(self, capabilities: ChatCapabilities, now: float, headers: HeaderList = ()) -> None:
        """Send 200 OK with our answer, or with our offer when the INVITE had none.

        Raises RemoteProtocolError (488, 422 and others) when the INVITE cannot be taken as it is;
        the call then waits for `reject`.
        """
        leg, request = self._leg, self.request
        leg.check(Input.ACCEPT)
        leg.session_timer.check(request)
        leg.negotiation.capabilities = capabilities
        if request.body:
            body = leg.negotiation.receive_offer(request.body)
        else:
            body = leg.negotiation.make_offer()
        self._open_dialog()
        leg.must(Input.ACCEPT)
        assert self.server_transaction is not None
        headers = [*headers, *leg.session_timer.answer(request, now)]
        leg.send_success(self.server_transaction, request, body, now, headers)

    def reject(
        self, status: int, now: float, reason: str | None = None, headers: HeaderList = ()
    ) -> None:
        """Send a final refusal."""
        self._leg.must(Input.REJECT)
        self._respond(status, now, reason=reason, headers=headers)
        self._finish(reason or f"refused with {status}", status)

    def hang_up(self, now: float, reason: str = "", status: int | None = None) -> None:
        """End the call, whatever its state: refuse, cancel, or BYE (with a Reason, RFC 3326).

        Once it is being ended, nothing changes any more.
        """
        action = self._leg.hang_up(reason, status)
        if action is Action.SEND_REJECTION:
            self._respond(status or 480, now)
            self._finish(reason or "refused", status or 480)
        elif action is Action.SEND_CANCEL:
            self.cancel_wanted = True

    def hold(self, now: float) -> None:
        """Ask the peer to send nothing for now; `Reoffered` tells what became of it.

        Of several wishes that wait (`hold`, `resume`, `reoffer`) only the last is sent. Each raises
        LocalProtocolError unless the call stands.
        """
        self._want(Wish.HOLD, now)

    def resume(self, now: float) -> None:
        """Take messages again."""
        self._want(Wish.RESUME, now)

    def reoffer(self, now: float) -> None:
        """Offer the session anew, with `negotiation.capabilities` as they are now."""
        self._want(Wish.REOFFER, now)

    def _want(self, wish: Wish, now: float) -> None:
        if self.state is not State.CONFIRMED:
            raise LocalProtocolError(f"{wish.name} is not possible in {self.state.name}")
        self._standing.want(wish, now)

    @property
    def ending(self) -> tuple[str, int | None] | None:
        """Why we are ending a call that was answered; None while we are not."""
        is_ending = self.state in (State.HANGING_UP, State.ENDING)
        return self._leg.hang_up_reason if is_ending else None

    # What comes from the peer

    def receive_cancel(self, now: float, reasons: Sequence[Reason] = ()) -> None:
        """Take a CANCEL that the core has answered: 487 if the INVITE still waits."""
        if self._leg.may(Input.CANCEL) is Action.SEND_CANCELLED:
            self._respond(487, now)
            self._finish(*end_of("cancelled by the caller", reasons, 487))

    def receive_ack(self, ack: Request, now: float) -> None:
        """Take the ACK to our 2xx, with the answer when the 2xx held our offer."""
        leg = self._leg
        repetition = leg.repetition
        if repetition is None or ack.cseq.number != repetition.cseq:
            return
        leg.repetition = None
        action = leg.may(Input.ACK)
        if action is Action.SEND_BYE:
            # What the answer says does not matter any more.
            leg.send_bye()
            return
        if leg.state is not State.CONFIRMED:
            return
        if repetition.awaits_answer:
            try:
                leg.negotiation.receive_answer(ack.body)
            except RemoteProtocolError as error:
                leg.hang_up(f"the answer in the ACK is no good: {error}", error.status)
                return
        if action is Action.ESTABLISH:
            leg.tell(Established())
        if leg.ends_after_ack or leg.negotiation.chat is None:
            leg.hang_up("no media is left")
            return
        leg.tell_hold()
        self._standing.proceed(now)

    def receive_request(self, incoming: IncomingRequest, now: float) -> None:
        """Take a request inside a dialog: BYE, re-INVITE, UPDATE, or one that is answered here."""
        method = incoming.request.method
        if method == "BYE":
            self._receive_bye(incoming, now)
        elif method == "INVITE":
            self._standing.receive_reinvite(incoming, now)
        elif method == "UPDATE":
            self._standing.receive_update(incoming, now)
        elif method == "MESSAGE":
            # COMPAT: clients send key agreement in dialog and give up on anything but a 2xx.
            self._leg.answer(incoming, 200, now)
        else:
            self._leg.answer(incoming, _IN_DIALOG_REFUSALS.get(method, 405), now)

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response to a request of ours."""
        if response.cseq.method == "BYE":
            self._receive_bye_response(response)
        elif self._caller is not None and response.cseq == self.request.cseq:
            self._caller.receive_response(response, now)
        elif response.cseq.method in ("INVITE", "UPDATE"):
            self._standing.receive_response(response, now)

    def request_failed(self, method: str, status: int, now: float) -> None:
        """Take it that a request of ours found no answer (408) or no way (503)."""
        if method == "BYE":
            if self._leg.may(Input.BYE_ANSWERED) is Action.FINISH:
                self._finish(*self._leg.hang_up_reason)
            return
        if method == "INVITE" and (action := self._leg.may(Input.FAILURE)) is not None:
            if action is Action.SEND_REJECTION:
                self._respond(status, now)
            self._finish("no answer" if status == 408 else "cannot be reached", status)
            return
        self._standing.request_failed(method, status, now)

    # The clock

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` wants to be called."""
        repetition = self._leg.repetition
        deadlines = [self._standing.next_deadline()]
        if repetition is not None:
            deadlines.append(repetition.next_deadline())
        return min((at for at in deadlines if at is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        """Do what is due: repeat the 2xx, refresh the session, give the call up."""
        self._repeat_success(now)
        self._standing.handle_deadline(now)

    def _repeat_success(self, now: float) -> None:
        leg = self._leg
        repetition = leg.repetition
        if repetition is None or now < repetition.next_deadline():
            return
        if now < repetition.overdue:
            leg.core.send_stateless(repetition.response, repetition.flow)
            repetition.repeat(leg.timers, now)
            return
        leg.repetition = None
        before = leg.state
        if leg.may(Input.ACK_OVERDUE) is Action.SEND_BYE:
            leg.session_timer.stop()
            if before is not State.HANGING_UP:
                leg.hang_up_reason = ("the ACK is missing", 500)
            leg.send_bye()

    # What goes out

    def next_event(self) -> UsageEvent | None:
        """Return the next thing that the user should know."""
        return self._leg.next_event()

    def request_to_cancel(self) -> Request | None:
        """Return, once, an INVITE inside the call that is to be cancelled."""
        return self._standing.request_to_cancel()

    def requests_to_send(self) -> list[tuple[Request, Dialog]]:
        """Return, once, the requests to send inside a dialog; an ACK has no transaction."""
        return self._leg.requests_to_send()

    # The callee

    def _open_dialog(self) -> None:
        leg, transaction = self._leg, self.server_transaction
        if leg.dialog is None and transaction is not None:
            contact = NameAddr.parse(leg.contact)
            leg.dialog = Dialog.as_uas(self.request, transaction.to_tag, contact)
            leg.core.add_dialog(leg.dialog)

    def _respond(
        self, status: int, now: float, *, reason: str | None = None, headers: HeaderList = ()
    ) -> None:
        transaction = self.server_transaction
        assert transaction is not None
        response = Response.to_request(
            self.request, status, reason, to_tag=transaction.to_tag, headers=headers
        )
        self._leg.core.respond(transaction, response, now)

    # The end

    def _receive_bye(self, incoming: IncomingRequest, now: float) -> None:
        action = self._leg.may(Input.BYE)
        self._leg.answer(incoming, 200 if action is not None else 481, now)
        if action is None:
            return
        if action is Action.REFUSE_AND_ANSWER_BYE:
            self._respond(487, now)
        self._finish(*end_of("BYE", reasons_of(incoming.request)))

    def _receive_bye_response(self, response: Response) -> None:
        dialog = self._leg.dialog
        if response.status < 200 or dialog is None or response.to.tag != dialog.remote.tag:
            # It ends the dialog of another phone.
            return
        if self.state is State.ENDING and self._leg.repeat_bye(response):
            return
        if self._leg.may(Input.BYE_ANSWERED) is Action.FINISH:
            self._finish(*self._leg.hang_up_reason)

    def _finish(self, reason: str, status: int | None) -> None:
        if self._caller is not None:
            self._caller.end_early()
        self._leg.finish(reason, status)
