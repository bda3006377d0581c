"""What a relay has passed on and waits to hear about (RFC 4976 sections 6.4.1 and 6.4.3).

Theory. The previous hop of a SEND is answered by the relay itself, so what comes back for it ends
here: a failure goes on as a REPORT, and success needs no word. Any other request is answered by its
target, and that answer is carried back. A REPORT, or a SEND with Failure-Report `no`, has no
transaction at all.

    purpose      accepted   refused    timed out    connection lost
    SEND         END        REPORT     REPORT_408   REPORT_408
    QUIET_SEND   END        REPORT     END          REPORT_408
    OTHER        PASS_BACK  PASS_BACK  END          END

QUIET_SEND has Failure-Report `partial`: success is not answered, so silence means success. The time
of a transaction begins with its last byte; a chunk that is still coming in has none. All have the
same time-out, so the order of the dict is the order of the deadlines.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import Frame, answer_path_lines, reported_range
from sylk.msrp.relay_tokens import Token


class Purpose(IntEnum):
    """What was passed on."""

    SEND = 0
    QUIET_SEND = 1
    OTHER = 2


class Outcome(IntEnum):
    """What became of it."""

    ACCEPTED = 0
    REFUSED = 1
    TIMED_OUT = 2
    LOST = 3


class Consequence(IntEnum):
    """What is to be done then; the transaction is over in any case."""

    END = 0
    REPORT = 1
    """REPORT the status of the answer to the sender."""
    REPORT_408 = 2
    PASS_BACK = 3
    """Carry the answer back to the sender."""


CONSEQUENCES = {
    (Purpose.SEND, Outcome.ACCEPTED): Consequence.END,
    (Purpose.SEND, Outcome.REFUSED): Consequence.REPORT,
    (Purpose.SEND, Outcome.TIMED_OUT): Consequence.REPORT_408,
    (Purpose.SEND, Outcome.LOST): Consequence.REPORT_408,
    (Purpose.QUIET_SEND, Outcome.ACCEPTED): Consequence.END,
    (Purpose.QUIET_SEND, Outcome.REFUSED): Consequence.REPORT,
    (Purpose.QUIET_SEND, Outcome.TIMED_OUT): Consequence.END,
    (Purpose.QUIET_SEND, Outcome.LOST): Consequence.REPORT_408,
    (Purpose.OTHER, Outcome.ACCEPTED): Consequence.PASS_BACK,
    (Purpose.OTHER, Outcome.REFUSED): Consequence.PASS_BACK,
    (Purpose.OTHER, Outcome.TIMED_OUT): Consequence.END,
    (Purpose.OTHER, Outcome.LOST): Consequence.END,
}


@dataclass(slots=True, eq=False)
class Transaction:
    """One request that was passed on; `start` counts from one, `size` is what went out so far.

    `steps` is how many of our URIs it has taken off its To-Path.
    """

    purpose: Purpose
    source: MsrpConnection
    target: MsrpConnection
    original_id: bytes
    report_lines: bytes
    message_id: bytes
    start: int
    total: int | None
    size: int
    steps: int
    deadline: float = 0.0
    has_credentials: bool = False
    """Whether it was an AUTH that tries a password."""
    token: Token | None = None
    """The path over which a client asks another relay for one more."""

    @property
    def byte_range(self) -> bytes:
        """What a REPORT on it is about."""
        end = self.start + self.size - 1
        return b"%d-%d/%b" % (
            self.start,
            end,
            b"*" if self.total is None else b"%d" % self.total,
        )


def transaction_of(
    purpose: Purpose, frame: Frame, source: MsrpConnection, target: MsrpConnection, steps: int
) -> Transaction:
    """Make the transaction of a request that came from `source` and goes to `target`."""
    claimed = reported_range(frame)
    return Transaction(
        purpose,
        source,
        target,
        frame.transaction_id,
        answer_path_lines(frame.to_path, frame.from_path, whole=True),
        frame.headers.get(b"message-id", b""),
        1 if claimed is None else claimed.start,
        None if claimed is None else claimed.total,
        len(frame.body or b""),
        steps,
    )


class Transactions:
    """All that a relay waits to hear about, by our transaction id."""

    def __init__(self, timeout: float, max_per_source: int) -> None:
        self._timeout = timeout
        self._max_per_source = max_per_source
        # What is being sent, and what has been.
        self._open: dict[bytes, Transaction] = {}
        self._sent: dict[bytes, Transaction] = {}
        self._of_source: dict[MsrpConnection, int] = {}

    def __len__(self) -> int:
        return len(self._open) + len(self._sent)

    def begin(self, transaction_id: bytes, transaction: Transaction) -> None:
        """Take one up whose last byte is not sent yet.

        Raises RemoteProtocolError 408 when its sender has too many.
        """
        count = self._of_source.get(transaction.source, 0)
        if count >= self._max_per_source:
            raise RemoteProtocolError("too many requests wait for an answer", 408)
        self._of_source[transaction.source] = count + 1
        self._open[transaction_id] = transaction

    def add_piece(self, transaction_id: bytes, size: int) -> None:
        """Take it that `size` more bytes of a chunk went out."""
        transaction = self._open.get(transaction_id)
        if transaction is not None:
            transaction.size += size

    def sent(self, transaction_id: bytes, now: float) -> None:
        """Take it that the last byte went out: the time begins."""
        transaction = self._open.pop(transaction_id, None)
        if transaction is not None:
            transaction.deadline = now + self._timeout
            self._sent[transaction_id] = transaction

    def forget(self, transaction_id: bytes) -> None:
        """Take out a chunk that is given up: whoever sent it has been told, or has gone."""
        if transaction_id in self._open:
            self._take(transaction_id)

    def answered(self, transaction_id: bytes, by: MsrpConnection) -> Transaction | None:
        """Take out what was answered; None if there is no such, or another was asked."""
        transaction = self._sent.get(transaction_id) or self._open.get(transaction_id)
        if transaction is None or transaction.target is not by:
            return None
        return self._take(transaction_id)

    def next_deadline(self) -> float | None:
        """Return when the oldest times out."""
        for transaction in self._sent.values():
            return transaction.deadline
        return None

    def expired(self, now: float) -> Iterator[Transaction]:
        """Take out, one by one, what has timed out by `now`."""
        while self._sent:
            oldest = next(iter(self._sent))
            if self._sent[oldest].deadline > now:
                return
            yield self._take(oldest)

    def lost(self, link: MsrpConnection) -> list[Transaction]:
        """Take out what a closed connection was to answer; what it had asked is forgotten."""
        concerned = [
            transaction_id
            for transaction_id, one in [*self._open.items(), *self._sent.items()]
            if one.target is link or one.source is link
        ]
        taken = [self._take(transaction_id) for transaction_id in concerned]
        return [one for one in taken if one.source is not link]

    def _take(self, transaction_id: bytes) -> Transaction:
        among = self._sent if transaction_id in self._sent else self._open
        transaction = among.pop(transaction_id)
        left = self._of_source[transaction.source] - 1
        if left:
            self._of_source[transaction.source] = left
        else:
            del self._of_source[transaction.source]
        return transaction
