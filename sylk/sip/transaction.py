"""The two kinds of transaction, as the data that a machine of `transaction_tables` works on.

A transaction does nothing by itself: `TransactionLayer` looks up what to do and does it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sylk.sip.deadlines import Deadline
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.transaction_tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Input,
    State,
    Table,
)

# What distinguishes a transaction from all others, see `transaction_matching`.
Key = tuple[str | int | None, ...]


@dataclass(slots=True, eq=False)
class Transaction:
    """What client and server have in common: a request, its flow and two timers."""

    request: Request
    flow: Flow
    key: Key
    state: State = field(default=State.INITIAL, init=False)
    last_response: Response | None = field(default=None, init=False)
    # The timers as the layer set them; `interval` is the last one, in seconds, of a repeating one.
    retransmission: "Deadline[Timeout] | None" = field(default=None, init=False, repr=False)
    lifetime: "Deadline[Timeout] | None" = field(default=None, init=False, repr=False)
    interval: float = field(default=0.0, init=False, repr=False)

    @property
    def is_invite(self) -> bool:
        """True for INVITE, whose machines are different."""
        return self.request.method == "INVITE"

    @property
    def is_pending(self) -> bool:
        """True while there is no final response."""
        return self.state in (State.INITIAL, State.CALLING, State.TRYING, State.PROCEEDING)

    @property
    def is_terminated(self) -> bool:
        """True when the transaction is over and nothing can happen to it any more."""
        return self.state is State.TERMINATED

    @property
    def table(self) -> Table:
        """The machine of this transaction."""
        # Client and server have machines of their own; there is no transaction that is neither.
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class ClientTransaction(Transaction):
    """A request of ours, until its responses are all in (RFC 3261 section 17.1)."""

    ack: Request | None = field(default=None, init=False, repr=False)
    cancel_wanted: bool = field(default=False, init=False)
    cancel_headers: Sequence[tuple[str, str]] = field(default=(), init=False, repr=False)
    """What the CANCEL tells beside what it must: why (RFC 3326)."""

    @property
    def table(self) -> Table:
        """The machine of this transaction."""
        return INVITE_CLIENT if self.is_invite else NON_INVITE_CLIENT


@dataclass(slots=True, eq=False)
class ServerTransaction(Transaction):
    """A request of theirs, until our response is certain to be known (RFC 3261 section 17.2).

    `flow` is where the responses go. `to_tag` is the tag that they get when they come without
    one: that of the request, or a fresh one (RFC 3261 section 8.2.6.2). `announced` is set by the
    core once the layer above has seen the request.
    """

    to_tag: str
    octets: int = 0
    """How much of the memory for all transactions this one takes."""
    announced: bool = field(default=False, init=False)

    @property
    def table(self) -> Table:
        """The machine of this transaction."""
        return INVITE_SERVER if self.is_invite else NON_INVITE_SERVER


# What is due when a timer fires: which timer of which transaction.
Timeout = tuple[Transaction, Input]


def input_for_response(status: int) -> Input:
    """Return the input that a received response is to a client machine."""
    if status < 200:
        return Input.PROVISIONAL
    return Input.SUCCESS if status < 300 else Input.FAILURE


def input_for_reply(status: int) -> Input:
    """Return the input that a response of the user is to a server machine."""
    if status < 200:
        return Input.SEND_PROVISIONAL
    return Input.SEND_SUCCESS if status < 300 else Input.SEND_FAILURE
