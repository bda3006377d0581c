"""The requests of a session that wait for their answer (RFC 4975 section 7.1.1).

All transactions have the same time-out, so the oldest is always the next to expire and the order
of the dict is the order of the deadlines.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from sylk.errors import LocalProtocolError
from sylk.msrp.session_limits import MAX_TRANSACTIONS


class Purpose(IntEnum):
    """Why a request was sent."""

    MESSAGE = 0
    QUIET_MESSAGE = 1
    """Failure-Report: partial. Only an error is answered, so silence means success."""
    BIND = 2
    KEEP_ALIVE = 3
    NICKNAME = 4
    QUIET_CHUNK = 5
    """The same for a part of a message: a 200, which nobody asked for, says nothing of the rest."""


@dataclass(slots=True)
class Transaction:
    """A request that may be answered; `message_id` is what its user knows it by, maybe nothing."""

    purpose: Purpose
    message_id: bytes
    sent: float
    deadline: float


class Outstanding:
    """The unanswered requests of one session."""

    __slots__ = ("_max_transactions", "_reports", "_timeout", "_transactions")

    def __init__(self, timeout: float, max_transactions: int = MAX_TRANSACTIONS) -> None:
        self._timeout = timeout
        self._max_transactions = max_transactions
        self._transactions: dict[bytes, Transaction] = {}

    def add(self, transaction_id: bytes, purpose: Purpose, message_id: bytes, now: float) -> None:
        """Remember a request; raises LocalProtocolError when there are too many.

        A keep-alive never is: it is what finds out that nobody answers, and comes once an interval.
        """
        too_many = len(self._transactions) >= self._max_transactions
        if too_many and purpose is not Purpose.KEEP_ALIVE:
            raise LocalProtocolError("too many requests wait for an answer")
        deadline = now + self._timeout
        self._transactions[transaction_id] = Transaction(purpose, message_id, now, deadline)

    def answered(self, transaction_id: bytes) -> Transaction | None:
        """Take out the request that was answered; None when there is no such."""
        return self._transactions.pop(transaction_id, None)

    def prolong(self, transaction_id: bytes, now: float) -> None:
        """Let the time of a request that is still being sent begin anew."""
        transaction = self._transactions.pop(transaction_id, None)
        if transaction is not None:
            transaction.deadline = now + self._timeout
            self._transactions[transaction_id] = transaction

    def forget_quiet(self) -> None:
        """Forget the oldest part of a message that only an error answers, when many wait.

        Its silence says that it was taken, and there are more of them in a time-out than may wait.
        Half of the room is left to what must be answered.
        """
        transactions = self._transactions
        if len(transactions) < self._max_transactions // 2:
            return
        for transaction_id, transaction in transactions.items():
            if transaction.purpose is Purpose.QUIET_CHUNK:
                del transactions[transaction_id]
                return

    def next_deadline(self) -> float | None:
        """Return when the oldest request times out."""
        for transaction in self._transactions.values():
            return transaction.deadline
        return None

    def expired(self, now: float) -> Iterator[Transaction]:
        """Take out, one by one, what has timed out by `now`."""
        transactions = self._transactions
        while transactions:
            oldest = next(iter(transactions))
            if transactions[oldest].deadline > now:
                return
            yield transactions.pop(oldest)

    def clear(self) -> list[Transaction]:
        """Take out everything: the session is over."""
        left = list(self._transactions.values())
        self._transactions.clear()
        return left
