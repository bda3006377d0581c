"""The user agent core: between the transactions and the uses that are made of SIP.

It checks what comes in, answers by itself what needs no decision, finds the dialog of each request,
and hands on the rest as events. RFC 3261 sections 8.2, 9.2, 12.2.2 and 14.2.

A request outside of a dialog that is refused leaves nothing behind: it is answered without state
(8.2.7), with a To tag that is a keyed hash of it, so that its retransmission gets the same answer.
A refusal in a dialog goes through a transaction, as its reason may be gone when the request comes
again. OPTIONS outside of a dialog is answered without state too. No refusal repeats more than what
the request brought in Via, From, To, Call-ID and CSeq, so that it does not serve to amplify.

Whether a request outside of a dialog is taken at all is asked first (8.2), of `admit`, and before
there is anything that would be kept of it (26.3.2.4). A retransmission of what was admitted finds
its transaction and is not asked about again; one of what was refused is. What passes all checks
may still be refused by `screen`, which knows what it is for, and is asked in the same way.

The caller gives in one message at a time and takes all events before the next: what it does with
one event, `add_dialog` above all, counts for the next message.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from sylk.errors import RemoteProtocolError
from sylk.sip.asserted_identity import Identity
from sylk.sip.body_parts import take_session
from sylk.sip.capabilities import Capabilities
from sylk.sip.checks import check_message
from sylk.sip.dialog import Dialog
from sylk.sip.dialog_registry import DialogRegistry
from sylk.sip.events import (
    Event,
    IncomingAck,
    IncomingCancel,
    IncomingRequest,
    IncomingResponse,
    Refused,
    RequestFailed,
)
from sylk.sip.flow import Address, Flow
from sylk.sip.layer_events import (
    AckReceived,
    LayerEvent,
    ResponseReceived,
    TransactionEnded,
    TransactionFailed,
    UnmatchedRequest,
    UnmatchedResponse,
)
from sylk.sip.message import Message, Request, Response
from sylk.sip.parser import MalformedMessage
from sylk.sip.pending import PendingTransactions
from sylk.sip.request_checks import Admit, Screen, check_content, check_method_and_uri
from sylk.sip.source_limits import SentNoAnswer
from sylk.sip.stateless import StatelessAnswers, stamp_malformed
from sylk.sip.timers import Timers
from sylk.sip.transaction import ClientTransaction, ServerTransaction, Transaction
from sylk.sip.transaction_bounds import TransactionBounds
from sylk.sip.transaction_layer import TransactionLayer
from sylk.sip.transaction_matching import reply_tag
from sylk.sip.via import MAGIC_COOKIE

__all__ = [
    "Event",
    "IncomingAck",
    "IncomingCancel",
    "IncomingRequest",
    "IncomingResponse",
    "Refused",
    "RequestFailed",
    "UserAgentCore",
]

_NEEDS_DIALOG = frozenset({"BYE", "INFO", "PRACK", "UPDATE"})


class UserAgentCore:
    """A SIP user agent, both client and server, without sockets and clock.

    `methods` are those the server takes, `supported` its option tags, `accept` the media types of
    bodies by method (a method that is missing there takes any body). `random_token` returns text
    of token characters that nobody can guess, with at least 64 bits of randomness. Without
    `admit` everybody is welcome, and without `screen` whatever the checks let pass.
    """

    def __init__(
        self,
        *,
        methods: Sequence[str],
        supported: Sequence[str],
        accept: Mapping[str, Sequence[str]],
        server_name: str,
        timers: Timers | None = None,
        random_token: Callable[[], str],
        bounds: TransactionBounds | None = None,
        admit: Admit | None = None,
        screen: Screen | None = None,
        event_packages: Sequence[str] = (),
    ) -> None:
        self._admit, self._screen = admit, screen
        self._capabilities = Capabilities(methods, supported, accept, server_name, event_packages)
        self._random_token = random_token
        self._stateless = StatelessAnswers(random_token(), self._capabilities)
        self._layer = TransactionLayer(
            timers,
            bounds=bounds,
            make_branch=lambda: MAGIC_COOKIE + random_token(),
        )
        self._dialogs = DialogRegistry()
        self._pending = PendingTransactions()
        self._events: deque[Event] = deque()

    # What comes in

    def receive_message(
        self, message: Request | Response | MalformedMessage, flow: Flow, now: float
    ) -> None:
        """Take what the parser found in the octets of `flow`; take the events before the next."""
        if isinstance(message, MalformedMessage):
            self._refuse_malformed(message, flow)
            return
        try:
            check_message(message)
            self._layer.receive_message(message, flow, now)
        except MalformedMessage as error:
            self._refuse_malformed(error, flow)
            return
        self._run(now)

    def transport_failed(self, flow: Flow, now: float) -> None:
        """Take note that a connection was lost, or that a datagram could not be delivered."""
        self._layer.transport_failed(flow, now)
        self._run(now)

    def handle_deadline(self, now: float) -> None:
        """Let all timers fire that are due at `now`, in seconds."""
        self._layer.handle_deadline(now)
        self._run(now)

    # What the layer above asks for

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a response to an incoming request; for INVITE also a 2xx once more.

        Adds Server, and the To tag of the transaction if there is none. What a response means to
        a registered dialog is done here: a 2xx confirms it and refreshes its target, a failure of
        the request that made it ends it. Raises LocalProtocolError for a response that the state
        of the transaction, or RFC 4320, does not allow.
        """
        request = transaction.request
        tag = reply_tag(request, response)
        if tag is None and response.status > 100:
            tag = transaction.to_tag
            response.headers.set("To", f"{response.headers.get('To')};tag={tag}")
        self._capabilities.describe(response, request.method)
        self._layer.respond(transaction, response, now)
        if tag is not None and response.status > 100:
            transaction.to_tag = tag
            self._dialogs.handle_reply(request, response, tag)
        self._run(now)

    def send_request(
        self, request: Request, flow: Flow, sent_by: Address, now: float
    ) -> ClientTransaction:
        """Send a request in a transaction of its own; adds Via, with `sent_by`, and User-Agent.

        Raises LocalProtocolError for ACK: that is for `send_stateless`.
        """
        self._capabilities.describe(request, request.method)
        transaction = self._layer.send_request(request, flow, sent_by, now)
        if not transaction.is_terminated:
            self._pending.add_client(transaction)
        self._run(now)
        return transaction

    def describe(self, request: Request) -> None:
        """Write into a request of ours what sending adds to it, but for its Via."""
        self._capabilities.describe(request, request.method)

    def send_stateless(self, message: Message, flow: Flow, sent_by: Address | None = None) -> None:
        """Send an ACK for a 2xx, or a response, without a transaction.

        The first time an ACK gets its Via, with `sent_by` or the local address of `flow`, and
        its User-Agent; the same message can be sent again as it is.
        """
        self._capabilities.describe(message, None)
        self._layer.send_stateless(message, flow, sent_by)

    def cancel(self, transaction: ClientTransaction, now: float) -> ClientTransaction | None:
        """Send the CANCEL for an INVITE of ours, now or after its first provisional response.

        The answer to the CANCEL is not reported: the INVITE still ends with its own, a 487 or, if
        the two crossed, a 2xx that wants ACK and BYE. Raises LocalProtocolError for no INVITE.
        """
        cancel = self._layer.cancel(transaction, now)
        self._run(now)
        return cancel

    def add_dialog(self, dialog: Dialog) -> None:
        """Register a dialog, so that its requests are accepted; again after its key changed."""
        self._dialogs.add(dialog)

    def remove_dialog(self, dialog: Dialog) -> None:
        """Forget a dialog: its requests get 481 from now on. It is fine if it was not there."""
        self._dialogs.remove(dialog)

    def new_tag(self) -> str:
        """Return a tag for From or To (RFC 3261 section 19.3)."""
        return self._random_token()

    # What goes out

    def next_event(self) -> Event | None:
        """Return what happened next, or None."""
        return self._events.popleft() if self._events else None

    def messages_to_send(self) -> list[tuple[Message, Flow]]:
        """Return what has to be sent now, each with its flow, and forget it."""
        return self._layer.messages_to_send()

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` has to be called, or None."""
        return self._layer.next_deadline()

    # Events of the transactions

    def _run(self, now: float) -> None:
        while (event := self._layer.next_event()) is not None:
            self._handle(event, now)

    def _handle(self, event: LayerEvent, now: float) -> None:
        match event:
            case UnmatchedRequest():
                self._receive_request(event, now)
            case UnmatchedResponse(response):
                self._receive_stray(response)
            case AckReceived(_, request):
                self._receive_ack(request)
            case ResponseReceived(transaction, response):
                if transaction.request.method != "CANCEL":
                    self._dialogs.handle_response(transaction.request, response)
                    take_session(response)
                    self._events.append(IncomingResponse(transaction, response))
            case TransactionFailed(transaction, status):
                self._report_failure(transaction, status)
            case TransactionEnded(transaction):
                self._pending.discard(transaction)
                # A call keeps its INVITE for as long as it lasts.
                transaction.request.headers.forget_lookups()

    def _report_failure(self, transaction: Transaction, status: int) -> None:
        """Report a transaction that the layer above knows: no CANCEL, none of our refusals."""
        if isinstance(transaction, ClientTransaction):
            if transaction.request.method != "CANCEL":
                self._events.append(RequestFailed(transaction, status))
        elif isinstance(transaction, ServerTransaction) and transaction.announced:
            self._events.append(RequestFailed(transaction, status))

    def _receive_stray(self, response: Response) -> None:
        """Let through a 2xx of a dialog that we know; RFC 6026 has all others dropped."""
        is_success_of_invite = response.cseq.method == "INVITE" and 200 <= response.status < 300
        if is_success_of_invite and self._dialogs.find_by_response(response) is not None:
            self._events.append(IncomingResponse(None, response))

    # Requests

    def _receive_request(self, unmatched: UnmatchedRequest, now: float) -> None:
        request = unmatched.request
        if request.method == "ACK":
            self._receive_ack(request)
            return
        dialog: Dialog | None = None
        identity: Identity | None = None
        try:
            if self._admit and request.to.tag is None and request.method != "CANCEL":
                identity = self._admit(request, unmatched.flow, now)
            check_method_and_uri(request, unmatched.flow, self._capabilities)
            if request.method == "CANCEL":
                self._receive_cancel(unmatched, now)
                return
            dialog = self._find_dialog(request)
            check_content(request, self._capabilities)
            if request.method == "OPTIONS" and dialog is None:
                back = unmatched.reply_flow
                self._layer.send_stateless(self._stateless.options_answer(request, back), back)
                return
            if dialog is None and self._screen:
                self._screen(request)
            tag = self.new_tag() if dialog is None else dialog.local_tag
            transaction = self._layer.accept_request(unmatched, tag, now)
        except SentNoAnswer as error:
            self._events.append(Refused(request, unmatched.flow, error.status, str(error), True))
            return
        except RemoteProtocolError as error:
            self._refuse(unmatched, error, dialog, now)
            return
        incoming = IncomingRequest(transaction, request, unmatched.flow, dialog, identity)
        self._deliver_request(incoming, now)

    def _deliver_request(self, incoming: IncomingRequest, now: float) -> None:
        transaction, request = incoming.transaction, incoming.request
        dialog, flow = incoming.dialog, incoming.flow
        if dialog is not None:
            try:
                self._check_order(request, dialog)
            except RemoteProtocolError as error:
                self._refuse_in_transaction(transaction, flow, error, now)
                return
        self._pending.add_server(transaction)
        if request.method == "OPTIONS":
            answer = self._capabilities.options_answer(request, transaction.to_tag)
            self.respond(transaction, answer, now)
            return
        if request.method == "INVITE":
            self.respond(transaction, Response.to_request(request, 100), now)
        transaction.announced = True
        self._events.append(incoming)

    def _find_dialog(self, request: Request) -> Dialog | None:
        if request.to.tag is None:
            if request.method in _NEEDS_DIALOG:
                raise RemoteProtocolError(f"{request.method} outside of a dialog", 481)
            if self._pending.is_merged(request):
                raise RemoteProtocolError("the request came twice", 482)
            if self._pending.has_come_back(request):
                raise RemoteProtocolError("our own request has come back to us", 482)
            return None
        dialog = self._dialogs.find_by_request(request)
        if dialog is None and not (
            request.method == "NOTIFY" and self._pending.expects_notify(request)
        ):
            raise RemoteProtocolError("no such dialog", 481)
        return dialog

    def _check_order(self, request: Request, dialog: Dialog) -> None:
        dialog.receive_request(request)
        if request.method == "INVITE":
            self._pending.check_invite(request, dialog, self._random_token)

    def _receive_ack(self, request: Request) -> None:
        """Hand on the ACK for a 2xx; one that belongs to nothing is dropped silently."""
        dialog = self._dialogs.find_by_request(request)
        if dialog is not None:
            take_session(request)
            self._events.append(IncomingAck(request, dialog))

    def _receive_cancel(self, unmatched: UnmatchedRequest, now: float) -> None:
        request = unmatched.request
        cancelled = self._layer.find_cancelled(request, self._capabilities.methods)
        if cancelled is None:
            raise RemoteProtocolError("nothing to cancel", 481)
        # RFC 3261 9.2: the To tag is that of the responses to the INVITE.
        transaction = self._layer.accept_request(unmatched, cancelled.to_tag, now)
        answer = Response.to_request(request, 200, to_tag=cancelled.to_tag)
        self.respond(transaction, answer, now)
        if cancelled.is_invite and cancelled.is_pending:
            self._events.append(IncomingCancel(cancelled, request))

    # Refusals

    def _refuse(
        self,
        unmatched: UnmatchedRequest,
        error: RemoteProtocolError,
        dialog: Dialog | None,
        now: float,
    ) -> None:
        if dialog is not None:
            try:
                transaction = self._layer.accept_request(unmatched, dialog.local_tag, now)
            except RemoteProtocolError as full:
                error = full
            else:
                self._refuse_in_transaction(transaction, unmatched.flow, error, now)
                return
        self._refuse_stateless(unmatched.request, unmatched.reply_flow, unmatched.flow, error)

    def _refuse_in_transaction(
        self, transaction: ServerTransaction, flow: Flow, error: RemoteProtocolError, now: float
    ) -> None:
        request = transaction.request
        response = Response.to_request(
            request, error.status, to_tag=transaction.to_tag, headers=error.headers
        )
        self.respond(transaction, response, now)
        self._events.append(Refused(request, flow, error.status, str(error)))

    def _refuse_stateless(
        self, request: Request, back: Flow, flow: Flow, error: RemoteProtocolError
    ) -> None:
        self._layer.send_stateless(self._stateless.refusal(request, error, back), back)
        self._events.append(Refused(request, flow, error.status, str(error)))

    def _refuse_malformed(self, error: MalformedMessage, flow: Flow) -> None:
        request = error.message
        back = stamp_malformed(request, flow) if request is not None else None
        if request is None or back is None:
            self._events.append(Refused(request, flow, error.status, str(error)))
        else:
            self._refuse_stateless(request, back, flow, error)
