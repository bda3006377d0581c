"""What the SIP engines tell the layer above, in the order in which it happened."""

from dataclasses import dataclass

from sylk.sip.address import NameAddr
from sylk.sip.asserted_identity import Identity
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.transaction import ClientTransaction, ServerTransaction


@dataclass(slots=True)
class IncomingRequest:
    """A new request that passed all checks; `respond` to its transaction.

    `dialog` is None for a request outside of a dialog, and for a NOTIFY that arrives before the
    response to the SUBSCRIBE or REFER which asked for it (RFC 6665 section 4.4.1). `identity` is
    what was found out when the request was admitted; None where nobody asked.
    """

    transaction: ServerTransaction
    request: Request
    flow: Flow
    dialog: Dialog | None
    identity: Identity | None = None

    @property
    def sender(self) -> NameAddr:
        """Who sent it, for those that he speaks with: go by this, not by From."""
        return self.request.from_ if self.identity is None else self.identity.address

    @property
    def source(self) -> str:
        """What limits count this request by; empty where none apply."""
        return "" if self.identity is None else self.identity.source


@dataclass(slots=True)
class IncomingAck:
    """The ACK for a 2xx response; it can come more than once."""

    request: Request
    dialog: Dialog


@dataclass(slots=True)
class IncomingCancel:
    """The caller gave up on an INVITE that has no final response yet: answer it with 487.

    The CANCEL itself, `request`, has been answered already.
    """

    transaction: ServerTransaction
    request: Request


@dataclass(slots=True)
class IncomingResponse:
    """A response, provisional or final; retransmissions appear for a 2xx to INVITE only.

    `transaction` is None for a 2xx to INVITE of a known dialog that comes after its transaction
    has ended: all it wants is its ACK once more.
    """

    transaction: ClientTransaction | None
    response: Response


@dataclass(slots=True)
class RequestFailed:
    """A transaction ended without its final response, or without the ACK for it.

    `status` is 408 when time is over (RFC 3261 section 8.1.3.1), 503 when the transport failed or
    there are too many transactions. A server transaction means that the client will not see our
    response.
    """

    transaction: ClientTransaction | ServerTransaction
    status: int


@dataclass(slots=True)
class Refused:
    """A message that was answered with an error, or dropped, and will not be heard of again."""

    request: Request | None
    flow: Flow
    status: int
    reason: str
    is_flood: bool = False
    """Whether it was dropped because its source has been refused too often."""


Event = IncomingRequest | IncomingAck | IncomingCancel | IncomingResponse | RequestFailed | Refused
