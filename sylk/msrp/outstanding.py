"""The requests of a session that wait for their answer (RFC 4975 section 7.1.1).

All transactions have the same time-out, so the oldest is always the next to expire and the order
of the dict is the order of the deadlines.

Where a session may get another connection, the messages themselves are kept too, up to a number of
bytes, so that what has no answer when the connection is lost can be sent again. Over that the
oldest are forgotten: without an answer they have failed then.
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
class SentMessage:
    """All that it takes to send a message once more."""

    body: bytes
    content_type: bytes
    success_report: bool
    failure_report: bytes


@dataclass(slots=True)
class Transaction:
    """A request that may be answered; `message_id` is what its user knows it by, maybe nothing."""

    purpose: Purpose
    message_id: bytes
    sent: float
    deadline: float
    message: SentMessage | None = None
    """What can be sent again, None when nothing can."""


class Outstanding:
    """The unanswered requests of one session."""

    __slots__ = ("_max_kept", "_max_transactions", "_timeout", "_transactions", "kept")

    def __init__(
        self, timeout: float, max_transactions: int = MAX_TRANSACTIONS, max_kept: int = 0
    ) -> None:
        """Bound the time of a request, their count, and the bytes that are kept of messages."""
        self._timeout = timeout
        self._max_transactions = max_transactions
        self._max_kept = max_kept
        self._transactions: dict[bytes, Transaction] = {}
        self.kept = 0
        """Bytes of messages that can be sent again."""

    def add(
        self,
        transaction_id: bytes,
        purpose: Purpose,
        message_id: bytes,
        now: float,
        message: SentMessage | None = None,
    ) -> None:
        """Remember a request; raises LocalProtocolError when there are too many.

        A keep-alive never is: it is what finds out that nobody answers, and comes once an interval;
        and a session may be bound once more whatever waits in it.
        """
        too_many = len(self._transactions) >= self._max_transactions
        if too_many and purpose not in (Purpose.KEEP_ALIVE, Purpose.BIND):
            raise LocalProtocolError("too many requests wait for an answer")
        deadline = now + self._timeout
        transaction = Transaction(purpose, message_id, now, deadline)
        self._transactions[transaction_id] = transaction
        if message is not None and self._max_kept:
            transaction.message = message
            self.kept += len(message.body)
            if self.kept > self._max_kept:
                self._bound_memory()

    def _bound_memory(self) -> None:
        for transaction in self._transactions.values():
            if self.kept <= self._max_kept:
                return
            if transaction.message is not None:
                self.kept -= len(transaction.message.body)
                transaction.message = None

    def answered(self, transaction_id: bytes) -> Transaction | None:
        """Take out the request that was answered; None when there is no such."""
        transaction = self._transactions.pop(transaction_id, None)
        if transaction is not None and transaction.message is not None:
            self.kept -= len(transaction.message.body)
        return transaction

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
            transaction = self.answered(oldest)
            assert transaction is not None
            yield transaction

    def unsettled(self) -> list[tuple[bytes, Transaction]]:
        """Return what has no answer yet, the oldest first, with its transaction id."""
        return list(self._transactions.items())

    def drop_binds(self) -> None:
        """Take out what wanted to bind the session to a connection that is gone."""
        for transaction_id, transaction in self.unsettled():
            if transaction.purpose is Purpose.BIND:
                del self._transactions[transaction_id]

    def clear(self) -> list[Transaction]:
        """Take out everything: the session is over."""
        left = list(self._transactions.values())
        self._transactions.clear()
        self.kept = 0
        return left
