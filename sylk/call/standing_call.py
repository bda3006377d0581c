"""What happens inside a call that stands: its session is changed, held and refreshed by both sides.

The peer's re-INVITE and UPDATE are answered at once, since nobody is asked. Of our own there is one
at a time (`modification`): an offer goes out as re-INVITE, as RFC 3311 section 5.1 advises, and a
mere refresh as UPDATE without an offer, if the peer takes UPDATE (RFC 4028 section 7.4). A failure
leaves the session as it was (RFC 3261 section 14.1), unless it says that the peer is gone.
"""

from collections.abc import Callable

from sylk.call.leg import SDP, ChallengeAnswering, Leg
from sylk.call.modification import Action, Modification, Wish
from sylk.call.session_timer import Due
from sylk.call.usage_events import Reoffered
from sylk.call.usage_table import State
from sylk.errors import RemoteProtocolError
from sylk.sip.core import IncomingRequest
from sylk.sip.dialog import Dialog, credentials_of
from sylk.sip.message import Message, Request, Response

MOST_RETRY_AFTER = 10
"""Seconds after which a request that came too early is told to come again, at most (14.2)."""

MOST_PATIENCE = 60.0
"""Seconds that the peer may take to answer a re-INVITE; then it is cancelled."""

_ACKS_KEPT = 2
_NO_ANSWER = 408
_TOO_SMALL = 422
_CHALLENGES = (401, 407)
_NOT_ALLOWED = (405, 501)
_BEFORE_ANSWER = (State.INCOMING, State.CALLING, State.EARLY, State.CANCELLING)


class StandingCall:
    """The part of a call between its ACK and its BYE; `random` returns a number from 0 up to 1."""

    __slots__ = (
        "_acks",
        "_answers",
        "_cancel_at",
        "_leg",
        "_modification",
        "_peer_takes_update",
        "_random",
        "_request",
        "_to_cancel",
        "_update_was_refused",
    )

    def __init__(self, leg: Leg, random: Callable[[], float]) -> None:
        self._leg = leg
        self._random = random
        self._modification = Modification(random)
        self._request: Request | None = None
        self._answers: ChallengeAnswering | None = None
        self._cancel_at: float | None = None
        self._to_cancel: Request | None = None
        self._peer_takes_update = False
        self._update_was_refused = False
        # The ACK of the latest re-INVITE, and of one before it whose 2xx may still be repeated.
        self._acks: list[tuple[Request, Dialog]] = []

    def want(self, wish: Wish, now: float) -> None:
        """Change the session as soon as nothing else is open."""
        self._modification.want(wish)
        self.proceed(now)

    def learn(self, message: Message) -> None:
        """Remember whether the peer takes UPDATE, if the message tells."""
        try:
            methods = message.headers.values("Allow")
        except RemoteProtocolError:
            return
        if methods:
            self._peer_takes_update = "UPDATE" in methods and not self._update_was_refused

    # Requests of the peer

    def receive_reinvite(self, incoming: IncomingRequest, now: float) -> None:
        """Answer a re-INVITE (RFC 3261 section 14.2); one of ours that is open lets none in."""
        leg, request = self._leg, incoming.request
        if leg.state is State.ENDING:
            # It crossed our BYE (RFC 5407 section 3.2.2).
            leg.answer(incoming, 481, now)
            return
        if leg.state is not State.CONFIRMED or leg.repetition is not None:
            # Our last 2xx is not acknowledged yet.
            leg.answer(incoming, 500, now, self._retry_after())
            return
        if self._request is not None and self._request.method == "INVITE":
            # The core knows of it only once it has found its way out.
            leg.answer(incoming, 491, now)
            return
        try:
            leg.session_timer.check(request)
            if request.body:
                body = leg.negotiation.receive_offer(request.body)
            else:
                body = leg.negotiation.make_offer()
        except RemoteProtocolError as error:
            leg.refuse(incoming, error, now)
            return
        headers = leg.session_timer.answer(request, now)
        leg.send_success(incoming.transaction, request, body, now, headers)
        self._after_request(request)
        leg.ends_after_ack = leg.negotiation.chat is None
        leg.tell_hold()

    def receive_update(self, incoming: IncomingRequest, now: float) -> None:
        """Answer an UPDATE, in an early dialog too (RFC 3311 section 5.2)."""
        leg, request = self._leg, incoming.request
        if leg.state in (State.ENDING, State.TERMINATED):
            leg.answer(incoming, 481, now)
            return
        early = leg.state in _BEFORE_ANSWER
        if request.body and leg.state is State.INCOMING:
            # The offer of the INVITE is not answered yet, or ours is still to be made.
            leg.answer(incoming, 500, now, self._retry_after())
            return
        body = b""
        try:
            leg.session_timer.check(request)
            if request.body:
                body = leg.negotiation.receive_offer(request.body)
        except RemoteProtocolError as error:
            leg.refuse(incoming, error, now)
            return
        # Of the session's time the 2xx to the INVITE will tell.
        headers = [] if early else leg.session_timer.answer(request, now)
        response = Response.to_request(
            request,
            200,
            headers=[("Contact", leg.contact), *headers],
            body=body,
            content_type=SDP if body else None,
        )
        leg.core.respond(incoming.transaction, response, now)
        self._after_request(request)
        if body and leg.negotiation.chat is None:
            leg.hang_up("no media is left")
        elif leg.state is State.CONFIRMED:
            leg.tell_hold()

    def _after_request(self, request: Request) -> None:
        self.learn(request)
        if not self._leg.session_timer.refresh_is_due:
            self._modification.drop()

    def _retry_after(self) -> list[tuple[str, str]]:
        return [("Retry-After", str(int(self._random() * (MOST_RETRY_AFTER + 1))))]

    # Requests of ours

    def proceed(self, now: float) -> None:
        """Send what is wished for, if nothing is open now."""
        leg = self._leg
        free = leg.state is State.CONFIRMED and leg.repetition is None
        if not free or not self._modification.send(now):
            return
        assert leg.dialog is not None
        wish = self._modification.wish
        headers = [("Contact", leg.contact), *leg.session_timer.headers()]
        if wish is Wish.REFRESH and self._peer_takes_update:
            request = leg.dialog.make_request("UPDATE", headers=headers)
        else:
            offer = leg.negotiation.make_offer(
                hold={Wish.HOLD: True, Wish.RESUME: False}.get(wish),
                repeat=wish is Wish.REFRESH,
            )
            request = leg.dialog.make_request(
                "INVITE", headers=headers, body=offer, content_type=SDP
            )
        if self._answers is not None:
            for name, value in self._answers.headers(request.method, request.uri):
                request.headers.add(name, value)
        self._request = request
        self._cancel_at = now + MOST_PATIENCE if request.method == "INVITE" else None
        leg.send(request, leg.dialog)

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response to a re-INVITE or UPDATE of ours."""
        if response.status < 200:
            return
        if response.cseq.method == "INVITE" and response.status < 300:
            self._acknowledge(response)
        if self._request is not None and response.cseq == self._request.cseq:
            self._finish_request(response.status, response, now)

    def request_failed(self, method: str, status: int, now: float) -> None:
        """Take it that our re-INVITE or UPDATE found no answer (408) or no way (503)."""
        if self._request is not None and self._request.method == method:
            self._finish_request(status, None, now)

    def _acknowledge(self, response: Response) -> None:
        """Send the ACK, the same one again for a 2xx that is repeated (13.2.2.4)."""
        number = response.cseq.number
        known = next((ack for ack in self._acks if ack[0].cseq.number == number), None)
        if known is None:
            dialog = self._leg.dialog
            if dialog is None or self._request is None or number != self._request.cseq.number:
                return
            ack = dialog.make_ack(number, headers=credentials_of(self._request))
            known = ack, dialog
            self._acks = [*self._acks, known][-_ACKS_KEPT:]
        self._leg.send(*known)

    def _finish_request(self, status: int, response: Response | None, now: float) -> None:
        leg, request = self._leg, self._request
        assert request is not None
        self._request = self._cancel_at = None
        if leg.state is not State.CONFIRMED:
            # The call is being ended; its session changes no more.
            return
        wish = self._modification.wish
        action = self._modification.answered(
            status,
            now,
            owns_call_id=leg.dialog is not None and leg.dialog.is_uac,
            otherwise=self._can_ask_otherwise(request, response),
        )
        if action is not Action.WITHDRAW:
            self._answers = None
        if action is Action.TAKE_ANSWER and response is not None:
            self._take_answer(request, response, now)
        elif action is not None and request.method == "INVITE":
            leg.negotiation.withdraw_offer()
        if action is Action.END_CALL:
            is_silent = status == _NO_ANSWER
            what = "is silent" if is_silent else "does not know the call"
            leg.hang_up(f"the peer {what}", status)
        elif action is Action.GIVE_UP:
            leg.session_timer.refresh_failed(now)
        if wish is not Wish.REFRESH and action in (Action.TAKE_ANSWER, Action.GIVE_UP):
            leg.tell(Reoffered(status))
        self.proceed(now)

    def _can_ask_otherwise(self, request: Request, response: Response | None) -> bool:
        if response is None:
            return False
        if response.status == _TOO_SMALL:
            return self._leg.session_timer.receive_refusal(response)
        if response.status in _CHALLENGES and self._leg.make_answers is not None:
            self._answers = self._answers or self._leg.make_answers()
            return self._answers.take(response, request)
        if request.method == "UPDATE" and response.status in _NOT_ALLOWED:
            # Whatever its Allow goes on to say.
            self._update_was_refused = True
            self._peer_takes_update = False
            return True
        return False

    def _take_answer(self, request: Request, response: Response, now: float) -> None:
        leg = self._leg
        self.learn(response)
        leg.session_timer.receive_success(response, now)
        if request.method != "INVITE":
            return
        try:
            chat = leg.negotiation.receive_answer(response.body)
        except RemoteProtocolError as error:
            leg.hang_up(f"the answer is no good: {error}", error.status)
            return
        if chat is None:
            leg.hang_up("no media is left")
        else:
            leg.tell_hold()

    # The clock

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` wants to be called."""
        leg = self._leg
        deadlines = [leg.session_timer.next_deadline()]
        if leg.state is not State.TERMINATED:
            deadlines.append(self._cancel_at)
        if leg.state is State.CONFIRMED and leg.repetition is None:
            deadlines.append(self._modification.next_deadline())
        return min((at for at in deadlines if at is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        """Refresh the session, or end it when nobody has; send what has waited for its time."""
        due = self._leg.session_timer.take_due(now)
        if due is Due.EXPIRED:
            self._leg.hang_up("the session was not refreshed in time", 408)
        elif due is Due.REFRESH:
            self._modification.want(Wish.REFRESH)
        if self._cancel_at is not None and now >= self._cancel_at:
            self._cancel_at = None
            self._to_cancel = self._request
        self.proceed(now)

    def request_to_cancel(self) -> Request | None:
        """Return, once, the re-INVITE that the peer thinks about for too long."""
        request, self._to_cancel = self._to_cancel, None
        return request
