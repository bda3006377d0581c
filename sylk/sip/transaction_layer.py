"""The transaction layer: carries out what the tables say (RFC 3261 section 17).

It finds the transaction of each message that comes in, feeds the machine, and collects what has to
be sent and what the user has to know. A request that belongs to no transaction is given to the
user first, who either accepts it, which makes the transaction, or answers it without state: a
flood of nonsense then costs no memory (8.2.7, 18.2.1).

Nothing is left of a transaction once it is terminated. A transaction that has no timer running
costs nothing but its memory, and each timer is one entry of one heap.
"""

from collections import deque
from collections.abc import Callable, Sequence

from sylk.errors import LocalProtocolError
from sylk.sip.client_requests import make_ack, make_cancel
from sylk.sip.deadlines import DeadlineHeap
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
from sylk.sip.response_routing import reply_flow, stamp_source
from sylk.sip.timers import DEFAULT_TIMERS, Timers
from sylk.sip.transaction import (
    ClientTransaction,
    Key,
    ServerTransaction,
    Timeout,
    Transaction,
    input_for_reply,
    input_for_response,
)
from sylk.sip.transaction_bounds import TransactionBounds, kept_octets
from sylk.sip.transaction_matching import (
    acknowledges,
    cancelled_keys,
    client_key,
    response_key,
    server_key,
)
from sylk.sip.transaction_tables import Action, Input, State
from sylk.sip.transaction_timers import TIMER_ACTIONS, StartTimer
from sylk.sip.via import Via


class TransactionLayer:
    """Holds all transactions; see the module for what it does.

    `make_branch` returns a branch that nobody can guess, with the magic cookie in front.
    """

    def __init__(
        self,
        timers: Timers | None = None,
        *,
        bounds: TransactionBounds | None = None,
        make_branch: Callable[[], str],
    ) -> None:
        self._timers = timers or DEFAULT_TIMERS
        self._bounds = bounds or TransactionBounds()
        self._kept_octets = 0
        self._make_branch = make_branch
        self._clients: dict[Key, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        # The inner dictionaries are sets that keep the order.
        self._by_flow: dict[Flow, dict[Transaction, None]] = {}
        self._deadlines: DeadlineHeap[Timeout] = DeadlineHeap()
        self._events: deque[LayerEvent] = deque()
        self._outgoing: list[tuple[Message, Flow]] = []

    def __len__(self) -> int:
        """Return how many transactions there are."""
        return len(self._clients) + len(self._servers)

    @property
    def is_empty(self) -> bool:
        """True when nothing at all is kept, no transaction and no timer."""
        return not (self._clients or self._servers or self._by_flow or len(self._deadlines))

    # What comes in

    def receive_message(self, message: Request | Response, flow: Flow, now: float) -> None:
        """Take a message that came over `flow`.

        Raises RemoteProtocolError when the header fields that tell its transaction are malformed.
        """
        if isinstance(message, Response):
            self._receive_response(message, flow, now)
        else:
            self._receive_request(message, flow, now)

    def _receive_request(self, request: Request, flow: Flow, now: float) -> None:
        key = server_key(request)
        transaction = self._servers.get(key)
        if transaction is None:
            self._leave_unmatched(request, flow, key)
        elif request.method != "ACK":
            self._step(transaction, Input.REQUEST, now)
        elif transaction.state is State.ACCEPTED or acknowledges(
            request, transaction.last_response
        ):
            self._step(transaction, Input.ACK, now, request)
        else:
            self._leave_unmatched(request, flow, key)

    def _leave_unmatched(self, request: Request, flow: Flow, key: Key) -> None:
        # Read the Via for the last time before it is written anew, which costs parsing it again.
        back = reply_flow(request, flow)
        stamp_source(request, flow)
        self._events.append(UnmatchedRequest(request, flow, back, key))

    def _receive_response(self, response: Response, flow: Flow, now: float) -> None:
        key = response_key(response)
        transaction = self._clients.get(key) if key is not None else None
        if transaction is None:
            self._events.append(UnmatchedResponse(response, flow))
            return
        transaction.last_response = response
        self._step(transaction, input_for_response(response.status), now, response)
        if transaction.cancel_wanted and transaction.state is State.PROCEEDING:
            transaction.cancel_wanted = False
            self._step(transaction, Input.CANCEL, now)

    # What the user asks for

    def accept_request(
        self, unmatched: UnmatchedRequest, to_tag: str, now: float
    ) -> ServerTransaction:
        """Return a new transaction for a request; `to_tag` is for its responses.

        Raises RemoteProtocolError with status 503 when there are too many, or too large ones.
        """
        octets = kept_octets(unmatched.request)
        self._bounds.check(len(self._servers), self._kept_octets, octets)
        transaction = ServerTransaction(
            unmatched.request, unmatched.reply_flow, unmatched.key, to_tag, octets
        )
        self._kept_octets += octets
        self._servers[transaction.key] = transaction
        self._by_flow.setdefault(transaction.flow, {})[transaction] = None
        self._step(transaction, Input.REQUEST, now)
        return transaction

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a response; for INVITE also a 2xx once more.

        A response to a transaction that is over is dropped. Raises LocalProtocolError for one that
        the state does not allow, and for what RFC 4320 forbids: a provisional response or a 408 to
        a request that is no INVITE.
        """
        if transaction.state is State.TERMINATED:
            return
        if response.status == 408 and not transaction.is_invite:
            raise LocalProtocolError("408 is for INVITE only (RFC 4320 section 4.2)")
        what = input_for_reply(response.status)
        if (transaction.state, what) not in transaction.table:
            raise LocalProtocolError(
                f"cannot answer {transaction.request.method} with {response.status}: "
                f"the transaction is {transaction.state.value}"
            )
        if transaction.is_pending:
            transaction.last_response = response
        self._step(transaction, what, now)

    def send_request(
        self, request: Request, flow: Flow, sent_by: Address, now: float
    ) -> ClientTransaction:
        """Send a request, any but ACK, in a new transaction; adds its Via.

        Over the bound the transaction fails at once with 503. Raises LocalProtocolError for ACK.
        """
        if request.method == "ACK":
            raise LocalProtocolError("ACK for a 2xx is sent without a transaction")
        branch = self._make_branch()
        self._push_via(request, flow, sent_by, branch)
        return self._start_client(request, flow, client_key(branch, request.method), now)

    def send_stateless(self, message: Message, flow: Flow, sent_by: Address | None = None) -> None:
        """Send a message without a transaction: an ACK for a 2xx, or a response.

        A request that has no Via yet gets one, from `sent_by` or the local address of the flow.
        """
        if isinstance(message, Request) and "Via" not in message.headers:
            self._push_via(message, flow, sent_by or flow.local, self._make_branch())
        self._outgoing.append((message, flow))

    def cancel(self, transaction: ClientTransaction, now: float) -> ClientTransaction | None:
        """Send the CANCEL for an INVITE and return its transaction.

        None when it has to wait for a provisional response, and is then sent by itself, or when
        there is a final response already (9.1). Raises LocalProtocolError unless it is an INVITE.
        """
        if not transaction.is_invite:
            raise LocalProtocolError("only an INVITE is cancelled (RFC 3261 section 9.1)")
        if transaction.state is State.TERMINATED:
            return None
        self._step(transaction, Input.CANCEL, now)
        branch = transaction.request.top_via.branch or ""
        return self._clients.get(client_key(branch, "CANCEL"))

    def find_cancelled(self, request: Request, methods: Sequence[str]) -> ServerTransaction | None:
        """Return what a CANCEL cancels, if it is one of these methods and still known (9.2)."""
        for key in cancelled_keys(request, methods):
            transaction = self._servers.get(key)
            if transaction is not None:
                return transaction
        return None

    def transport_failed(self, flow: Flow, now: float) -> None:
        """Take note that nothing can be sent over `flow` any more."""
        for transaction in list(self._by_flow.get(flow, ())):
            self._step(transaction, Input.TRANSPORT_ERROR, now)

    # What goes out

    def next_event(self) -> LayerEvent | None:
        """Return what happened next, or None."""
        return self._events.popleft() if self._events else None

    def messages_to_send(self) -> list[tuple[Message, Flow]]:
        """Return what has to be sent now, each with its flow, and forget it."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` has to be called, in seconds of the clock of `now`."""
        return self._deadlines.next()

    def handle_deadline(self, now: float) -> None:
        """Let all timers fire that are due at `now`."""
        while (timeout := self._deadlines.pop_due(now)) is not None:
            transaction, what = timeout
            self._step(transaction, what, now)

    # The machinery

    def _start_client(
        self, request: Request, flow: Flow, key: Key, now: float
    ) -> ClientTransaction:
        transaction = ClientTransaction(request, flow, key)
        if len(self._clients) >= self._bounds.count:
            transaction.state = State.TERMINATED
            self._events.append(TransactionFailed(transaction, 503))
            self._events.append(TransactionEnded(transaction))
            return transaction
        self._clients[key] = transaction
        self._by_flow.setdefault(flow, {})[transaction] = None
        self._step(transaction, Input.START, now)
        return transaction

    def _step(
        self, transaction: Transaction, what: Input, now: float, message: Message | None = None
    ) -> None:
        actions, next_state = transaction.table[transaction.state, what]
        transaction.state = next_state
        elapsed: Input | None = None
        for action in actions:
            timer = TIMER_ACTIONS.get(action)
            if timer is None:
                self._carry_out(action, transaction, now, message)
            elif self._start_timer(timer, transaction, now) == 0:
                elapsed = timer.fires
        if transaction.state is State.TERMINATED:
            self._forget(transaction)
        elif elapsed is not None:
            self._step(transaction, elapsed, now)

    def _start_timer(self, timer: StartTimer, transaction: Transaction, now: float) -> float | None:
        interval = timer.interval(self._timers, transaction)
        if not interval:
            return interval
        deadline = self._deadlines.add(now + interval, (transaction, timer.fires))
        if timer.sends:
            self._deadlines.cancel(transaction.retransmission)
            transaction.retransmission = deadline
            transaction.interval = interval
        else:
            self._deadlines.cancel(transaction.lifetime)
            transaction.lifetime = deadline
        return interval

    def _carry_out(
        self, action: Action, transaction: Transaction, now: float, message: Message | None
    ) -> None:
        match action:
            case Action.SEND_REQUEST:
                self._outgoing.append((transaction.request, transaction.flow))
            case Action.SEND_RESPONSE:
                if transaction.last_response is not None:
                    self._outgoing.append((transaction.last_response, transaction.flow))
            case Action.SEND_TRYING:
                transaction.last_response = Response.to_request(transaction.request, 100)
                self._outgoing.append((transaction.last_response, transaction.flow))
            case Action.DELIVER:
                self._deliver(transaction, message)
            case Action.REPORT_TIMEOUT:
                self._events.append(TransactionFailed(transaction, 408))
            case Action.REPORT_TRANSPORT_ERROR:
                self._events.append(TransactionFailed(transaction, 503))
            case Action.STOP_TIMERS:
                self._stop_timers(transaction)
            case _:
                assert isinstance(transaction, ClientTransaction)
                self._carry_out_client(action, transaction, now, message)

    def _carry_out_client(
        self, action: Action, transaction: ClientTransaction, now: float, message: Message | None
    ) -> None:
        if action is Action.SEND_ACK:
            if transaction.ack is None and isinstance(message, Response):
                transaction.ack = make_ack(transaction.request, message)
            if transaction.ack is not None:
                self._outgoing.append((transaction.ack, transaction.flow))
        elif action is Action.DEFER_CANCEL:
            transaction.cancel_wanted = True
        else:
            cancel = make_cancel(transaction.request, transaction.cancel_headers)
            key = client_key(cancel.top_via.branch or "", "CANCEL")
            if key not in self._clients:
                self._start_client(cancel, transaction.flow, key, now)

    def _deliver(self, transaction: Transaction, message: Message | None) -> None:
        if isinstance(transaction, ClientTransaction) and isinstance(message, Response):
            self._events.append(ResponseReceived(transaction, message))
        elif isinstance(transaction, ServerTransaction) and isinstance(message, Request):
            self._events.append(AckReceived(transaction, message))

    def _stop_timers(self, transaction: Transaction) -> None:
        self._deadlines.cancel(transaction.retransmission)
        self._deadlines.cancel(transaction.lifetime)
        transaction.retransmission = transaction.lifetime = None

    def _forget(self, transaction: Transaction) -> None:
        self._stop_timers(transaction)
        transaction.last_response = None
        if isinstance(transaction, ClientTransaction):
            self._clients.pop(transaction.key, None)
        elif self._servers.pop(transaction.key, None) is not None:
            assert isinstance(transaction, ServerTransaction)
            self._kept_octets -= transaction.octets
        others = self._by_flow.get(transaction.flow)
        if others is not None:
            others.pop(transaction, None)
            if not others:
                del self._by_flow[transaction.flow]
        self._events.append(TransactionEnded(transaction))

    def _push_via(self, request: Request, flow: Flow, sent_by: Address, branch: str) -> None:
        host, port = sent_by
        params = {"branch": branch, "rport": None}
        request.push_via(Via(flow.transport.upper(), host, port, params))
