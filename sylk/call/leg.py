"""Our leg of a call: what all its parts share, and the ways out of it.

The parts are the first INVITE (`usage`, with `forks`) and what happens once the call stands
(`standing_call`). They meet here: the state, the dialog, offer and answer, the session timer, the
2xx that waits for its ACK; and what goes out, whether told to the user or sent to the peer.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from sylk.call.offer_answer import Negotiation
from sylk.call.repetition import Repetition
from sylk.call.session_timer import SessionTimer
from sylk.call.usage_events import Ended, HoldChanged, UsageEvent
from sylk.call.usage_table import TRANSITIONS, Action, Input, State, transition
from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.core import IncomingRequest, UserAgentCore
from sylk.sip.dialog import Dialog
from sylk.sip.message import Request, Response
from sylk.sip.reason_header import reason_headers
from sylk.sip.timers import Timers
from sylk.sip.transaction import ServerTransaction
from sylk.sip.uri import OtherURI, SipURI

HeaderList = Sequence[tuple[str, str]]


class ChallengeAnswering(Protocol):
    """What answers those who ask for a password before they let one request through."""

    def take(self, response: Response, request: Request, /) -> bool:
        """Take a challenge; tell whether to send the request again."""
        ...

    def headers(self, method: str, uri: SipURI | OtherURI, /) -> list[tuple[str, str]]:
        """Return the answers for the next sending."""
        ...


SDP = "application/sdp"


class Leg:
    """One side of one call; `contact` is the text of our Contact header."""

    __slots__ = (
        "_bye",
        "_bye_answers",
        "_events",
        "_requests",
        "_was_held",
        "contact",
        "core",
        "dialog",
        "ends_after_ack",
        "hang_up_reason",
        "make_answers",
        "negotiation",
        "repetition",
        "session_timer",
        "state",
        "timers",
    )

    def __init__(
        self,
        core: UserAgentCore,
        negotiation: Negotiation,
        contact: str,
        session_timer: SessionTimer,
        timers: Timers,
        state: State,
    ) -> None:
        self.core = core
        self.negotiation = negotiation
        self.contact = contact
        self.session_timer = session_timer
        self.timers = timers
        self.state = state
        self.dialog: Dialog | None = None
        self.repetition: Repetition | None = None
        """The 2xx that waits for its ACK."""
        self.ends_after_ack = False
        """True when that 2xx has switched the chat off."""
        self.hang_up_reason: tuple[str, int | None] = ("", None)
        self.make_answers: Callable[[], ChallengeAnswering] | None = None
        self._bye: Request | None = None
        self._bye_answers: ChallengeAnswering | None = None
        self._was_held = False
        # A list, since an empty deque takes ten times the memory of one, and there are many calls.
        self._events: list[UsageEvent] = []
        self._requests: list[tuple[Request, Dialog]] = []

    # What goes out

    def next_event(self) -> UsageEvent | None:
        """Return the next thing that the user should know."""
        return self._events.pop(0) if self._events else None

    def requests_to_send(self) -> list[tuple[Request, Dialog]]:
        """Return, once, the requests to send inside a dialog."""
        requests, self._requests = self._requests, []
        return requests

    def tell(self, event: UsageEvent) -> None:
        """Tell the user."""
        self._events.append(event)

    def tell_hold(self) -> None:
        """Tell the user whether the peer holds us, if that is news."""
        held = self.negotiation.is_held
        if held is not self._was_held:
            self._was_held = held
            self.tell(HoldChanged(held))

    def send(self, request: Request, dialog: Dialog) -> None:
        """Send a request inside a dialog; an ACK has no transaction."""
        self._requests.append((request, dialog))

    def answer(
        self, incoming: IncomingRequest, status: int, now: float, headers: HeaderList = ()
    ) -> None:
        """Answer a request without a body."""
        response = Response.to_request(incoming.request, status, headers=headers)
        self.core.respond(incoming.transaction, response, now)

    def refuse(self, incoming: IncomingRequest, error: RemoteProtocolError, now: float) -> None:
        """Answer a request as the error says."""
        self.answer(incoming, error.status, now, error.headers)

    def send_success(
        self,
        transaction: ServerTransaction,
        request: Request,
        body: bytes,
        now: float,
        headers: HeaderList = (),
    ) -> None:
        """Answer an INVITE with 200, and again until its ACK comes.

        `body` is our answer, or our offer when the INVITE has none.
        """
        response = Response.to_request(
            request,
            200,
            to_tag=transaction.to_tag,
            headers=[("Contact", self.contact), *headers],
            body=body,
            content_type=SDP,
        )
        self.core.respond(transaction, response, now)
        self.repetition = Repetition.begin(
            response, transaction.flow, not request.body, self.timers, now
        )

    # Transitions

    def check(self, happened: Input) -> None:
        """Raise LocalProtocolError for what cannot be asked for in this state."""
        if transition(self.state, happened) is None:
            raise LocalProtocolError(f"{happened.name} is not possible in {self.state.name}")

    def must(self, happened: Input) -> Action:
        """Take a step that is ours to take; raises LocalProtocolError."""
        self.check(happened)
        action, self.state = TRANSITIONS[self.state, happened]
        return action

    def may(self, happened: Input) -> Action | None:
        """Take a step that is theirs; None when it has no meaning in this state."""
        step = transition(self.state, happened)
        if step is None:
            return None
        self.state = step[1]
        return step[0]

    # The end

    def hang_up(self, reason: str, status: int | None = None) -> Action:
        """End the call, and return what else is to be done for it; the BYE is sent here.

        Once it is being ended, nothing changes any more.
        """
        before = self.state
        action = self.must(Input.HANG_UP)
        if self.state is before:
            return Action.NOTHING
        self.session_timer.stop()
        self.hang_up_reason = (reason, status)
        if action is Action.SEND_BYE:
            self.send_bye()
        return action

    def send_bye(self) -> None:
        """Send the BYE."""
        assert self.dialog is not None
        self._bye = self.dialog.make_request("BYE", headers=self.end_headers)
        self._bye_answers = None if self.make_answers is None else self.make_answers()
        self.send(self._bye, self.dialog)

    def repeat_bye(self, response: Response) -> bool:
        """Send the BYE once more if the response asks for a password; tells whether it does."""
        answers = self._bye_answers
        if self._bye is None or answers is None or not answers.take(response, self._bye):
            return False
        assert self.dialog is not None
        self._bye = self.dialog.make_request("BYE", headers=self.end_headers)
        for name, value in answers.headers("BYE", self._bye.uri):
            self._bye.headers.add(name, value)
        self.send(self._bye, self.dialog)
        return True

    @property
    def end_headers(self) -> HeaderList:
        """Why we end the call, for the BYE; nothing without a status (RFC 3326)."""
        reason, status = self.hang_up_reason
        return reason_headers(status, reason)

    def finish(self, reason: str, status: int | None) -> None:
        """Forget the dialog and tell the user that it is over."""
        self.repetition = None
        self.session_timer.stop()
        if self.dialog is not None:
            self.core.remove_dialog(self.dialog)
        self.tell(Ended(reason, status))
