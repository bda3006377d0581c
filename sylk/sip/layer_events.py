"""What the transaction layer tells its user, the core."""

from dataclasses import dataclass

from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.transaction import ClientTransaction, Key, ServerTransaction, Transaction


@dataclass(slots=True)
class UnmatchedRequest:
    """A request of no transaction we know; an ACK or CANCEL too.

    `reply_flow` is where responses to it go, `key` what its transaction would be found by.
    """

    request: Request
    flow: Flow
    reply_flow: Flow
    key: Key


@dataclass(slots=True)
class UnmatchedResponse:
    """A response of no transaction we know."""

    response: Response
    flow: Flow


@dataclass(slots=True)
class AckReceived:
    """The ACK for a 2xx that came in the transaction of its INVITE."""

    transaction: ServerTransaction
    request: Request


@dataclass(slots=True)
class ResponseReceived:
    """A response that the user has to see."""

    transaction: ClientTransaction
    response: Response


@dataclass(slots=True)
class TransactionFailed:
    """No response, no ACK (408), no way to send, or no room for it (503)."""

    transaction: Transaction
    status: int


@dataclass(slots=True)
class TransactionEnded:
    """The transaction is terminated; nothing refers to it any more."""

    transaction: Transaction


LayerEvent = (
    UnmatchedRequest
    | UnmatchedResponse
    | AckReceived
    | ResponseReceived
    | TransactionFailed
    | TransactionEnded
)
