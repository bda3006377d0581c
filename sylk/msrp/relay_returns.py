"""What comes back for requests that a relay has passed on (RFC 4976 section 6.4.3)."""

from collections import deque

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import Frame, render_answer, render_report
from sylk.msrp.header_names import render_headers
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.relay_events import CloseWanted, RelayEvent
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.relay_outlets import Outlets
from sylk.msrp.relay_sends import Sends
from sylk.msrp.relay_transactions import (
    CONSEQUENCES,
    Consequence,
    Outcome,
    Transaction,
    Transactions,
)

_OK = 200
_TIMEOUT = 408
_UNAUTHORIZED = 401


class Returns:
    """Tells the senders of one relay what became of their requests."""

    def __init__(
        self,
        outlets: Outlets,
        transactions: Transactions,
        transaction_ids: TransactionIds,
        sends: Sends,
        limits: RelayLimits,
        events: deque[RelayEvent],
    ) -> None:
        self._outlets = outlets
        self._transactions = transactions
        self._ids = transaction_ids
        self._sends = sends
        self._limits = limits
        self._events = events
        # Passwords tried at other relays and refused, by client.
        self._refused: dict[MsrpConnection, int] = {}

    def receive(self, link: MsrpConnection, frame: Frame) -> bool:
        """Take a response; False when it answers nothing that we have passed on."""
        transaction = self._transactions.answered(frame.transaction_id, link)
        if transaction is None:
            return False
        accepted = _OK <= frame.status < 300
        outcome = Outcome.ACCEPTED if accepted else Outcome.REFUSED
        consequence = CONSEQUENCES[transaction.purpose, outcome]
        if consequence is Consequence.PASS_BACK:
            self._pass_back(transaction, frame)
        elif consequence is Consequence.REPORT:
            source, transaction_id = transaction.source, frame.transaction_id
            if not self._sends.refused(source, transaction_id, frame.status):
                self._report(transaction, frame.status, frame.comment or None)
        return True

    def expired(self, now: float) -> None:
        """Report what was not answered in time."""
        for transaction in self._transactions.expired(now):
            if CONSEQUENCES[transaction.purpose, Outcome.TIMED_OUT] is Consequence.REPORT_408:
                self._report(transaction, _TIMEOUT)

    def closed(self, link: MsrpConnection) -> None:
        """Report what a closed connection was to answer."""
        self._refused.pop(link, None)
        for transaction in self._transactions.lost(link):
            if CONSEQUENCES[transaction.purpose, Outcome.LOST] is Consequence.REPORT_408:
                self._report(transaction, _TIMEOUT)

    def _report(self, transaction: Transaction, status: int, comment: bytes | None = None) -> None:
        report = render_report(
            self._ids.take(),
            transaction.report_lines,
            transaction.message_id,
            status,
            transaction.byte_range,
            comment,
        )
        self._outlets.write(transaction.source, report)

    def _pass_back(self, transaction: Transaction, frame: Frame) -> None:
        to_path, from_path = frame.to_path, frame.from_path
        for _ in range(transaction.steps):
            own, _, to_path = to_path.partition(b" ")
            from_path = b"%b %b" % (own, from_path)
        if not to_path:
            # It was not for the client, or lost its way: the client's own timer will tell.
            return
        source, use_path = transaction.source, frame.headers.get(b"use-path")
        if transaction.token is not None and use_path:
            # A path is good over the connection alone on which it was asked for.
            transaction.token.learn(use_path.split()[-1], transaction.target)
        lines = b"To-Path: %b\r\nFrom-Path: %b\r\n" % (to_path, from_path)
        others = render_headers(frame.headers)
        self._outlets.write(
            source,
            render_answer(transaction.original_id, frame.status, lines, frame.comment, others),
        )
        if transaction.has_credentials:
            self._count(source, frame)

    def _count(self, source: MsrpConnection, frame: Frame) -> None:
        """End the connection of a client that tries passwords elsewhere (RFC 4976 6.3)."""
        challenge = frame.headers.get(b"www-authenticate", b"").lower().replace(b'"', b"")
        if frame.status != _UNAUTHORIZED or b"stale=true" in challenge:
            self._refused.pop(source, None)
            return
        count = self._refused[source] = self._refused.get(source, 0) + 1
        if count >= self._limits.max_failures:
            self._events.append(CloseWanted(source, "AUTH elsewhere failed too often"))
