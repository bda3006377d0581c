"""How much all transactions together may take: their number, and the octets of their requests.

A transaction keeps its request until it is over, for up to 32 s (RFC 3261 section 17). Their number
alone says little about memory, as a request may be fifty times as long as a common one.

The octets bound only requests that are longer than common ones: a few sources that send requests as
long as they may be must not be able to shut out everybody else.
"""

import sys
from dataclasses import dataclass

from sylk.errors import RemoteProtocolError
from sylk.sip.message import Request

MAX_TRANSACTIONS = 20_000
"""Transactions of each kind, client and server.

Over UDP they stay for 32 s: enough for 600 MESSAGEs, or 300 calls that begin and end, a second.
"""

MAX_OCTETS = 64 * 1024**2
"""Octets of the requests that are kept: of common ones, as many as there may be transactions."""

COMMON_OCTETS = 6 * 1024
"""Octets of the longest request that is bounded by the number alone."""

RETRY_AFTER = 5
"""What a client that was refused for lack of room is told to wait, in seconds."""


@dataclass(frozen=True, slots=True)
class TransactionBounds:
    """The bounds: transactions of each kind, and octets of the requests of the peers."""

    count: int = MAX_TRANSACTIONS
    octets: int = MAX_OCTETS

    def check(self, count: int, kept: int, octets: int) -> None:
        """Raise RemoteProtocolError (503) if there is no room for a request of so many octets.

        `count` transactions keep `kept` octets already.
        """
        if count >= self.count:
            what = "too many transactions"
        elif octets > COMMON_OCTETS and kept + octets > self.octets:
            what = "too large for what transactions have left"
        else:
            return
        raise RemoteProtocolError(what, 503, [("Retry-After", str(RETRY_AFTER))])


def kept_octets(request: Request) -> int:
    """Return how many octets of memory a request takes, but for what every request takes.

    Text with one rare character in it takes up to four octets for each of its characters.
    """
    octets = len(request.body) + sys.getsizeof(str(request.uri))
    for name, value in request.headers:
        octets += len(name) + sys.getsizeof(value)
    return octets
