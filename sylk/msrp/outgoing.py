"""The requests of one session, and what their answers mean (RFC 4975 section 7.1).

Each request that may be answered is remembered until it is, or until it has timed out. A message
that was not can be sent again on another connection: under its Message-ID, in a new transaction.
"""

from collections.abc import Callable

from sylk.msrp.events import (
    MessageAccepted,
    MessageFailed,
    NicknameAnswered,
    SessionEvent,
)
from sylk.msrp.fanout import render_after_paths
from sylk.msrp.frame import (
    NICKNAME,
    SEND,
    Frame,
    new_message_id,
    render_with_paths,
)
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.nickname import render_nickname
from sylk.msrp.outstanding import Outstanding, Purpose, SentMessage, Transaction
from sylk.msrp.report_table import ReportTable
from sylk.msrp.session_paths import SessionPaths

CONNECTION_LOST = b"Connection lost"
"""The comment on what was not answered when a connection broke."""


class Outgoing:
    """Renders requests and keeps track of them."""

    __slots__ = ("_paths", "_reports", "_transaction_ids", "outstanding")

    def __init__(
        self,
        paths: SessionPaths,
        transaction_ids: TransactionIds,
        outstanding: Outstanding,
        reports: ReportTable,
    ) -> None:
        self._paths = paths
        self._transaction_ids = transaction_ids
        self.outstanding = outstanding
        self._reports = reports

    def message(self, message: SentMessage, message_id: bytes, now: float) -> bytes:
        """Return a SEND with content in one chunk; raises LocalProtocolError when too many wait."""
        data = self._send(message, message_id, now)
        if message.success_report or message.failure_report != b"no":
            self._reports.expect(message_id, len(message.body))
        return data

    def again(self, transaction_id: bytes, now: float) -> bytes:
        """Return a message that was not answered in a transaction of its own; b"" for none."""
        old = self.outstanding.answered(transaction_id)
        if old is None or old.message is None:
            return b""
        return self._send(old.message, old.message_id, now)

    def _send(self, message: SentMessage, message_id: bytes, now: float) -> bytes:
        transaction_id = self._transaction_ids.take(message.body)
        if message.failure_report != b"no":
            yes = message.failure_report == b"yes"
            purpose = Purpose.MESSAGE if yes else Purpose.QUIET_MESSAGE
            self.outstanding.add(transaction_id, purpose, message_id, now, message)
        rest = render_after_paths(
            transaction_id,
            message.body,
            message.content_type,
            message_id,
            message.failure_report,
            message.success_report,
        )
        return b"MSRP %b SEND\r\n%b%b" % (transaction_id, self._paths.request_lines, rest)

    def empty(self, purpose: Purpose, now: float) -> bytes:
        """Return a SEND without content, which binds or keeps alive."""
        headers = [(b"Byte-Range", b"1-0/0"), (b"Message-ID", new_message_id())]
        if purpose is Purpose.KEEP_ALIVE:
            headers.append((b"Keep-Alive", b"yes"))
        transaction_id = self._transaction_ids.take()
        self.outstanding.add(transaction_id, purpose, b"", now)
        return render_with_paths(transaction_id, SEND, self._paths.request_lines, headers)

    def ask_nickname(
        self, queue: Callable[[bytes], None], nickname: str, now: float, *, quoted: bool
    ) -> bytes:
        """Queue a NICKNAME and return its transaction id.

        Raises LocalProtocolError for a name that cannot be written, and when too many wait.
        """
        value = render_nickname(nickname, quoted=quoted)
        transaction_id = self._transaction_ids.take()
        # The user knows it by this id, as there is no Message-ID.
        self.outstanding.add(transaction_id, Purpose.NICKNAME, transaction_id, now)
        lines = self._paths.request_lines
        headers = [(b"Use-Nickname", value)]
        queue(render_with_paths(transaction_id, NICKNAME, lines, headers))
        return transaction_id


def event_of_answer(transaction: Transaction, frame: Frame) -> SessionEvent | None:
    """Return what an answer means to the user, None when it is not for the user."""
    if transaction.purpose is Purpose.NICKNAME:
        return NicknameAnswered(transaction.message_id, frame.status, frame.comment)
    if transaction.purpose in (Purpose.BIND, Purpose.KEEP_ALIVE):
        return None
    if frame.status == 200:
        if transaction.purpose is Purpose.QUIET_CHUNK:
            return None
        return MessageAccepted(transaction.message_id)
    return MessageFailed(transaction.message_id, frame.status, frame.comment)


def event_of_silence(transaction: Transaction, comment: bytes) -> SessionEvent | None:
    """Return what it means to the user that no answer came, None when nothing."""
    if transaction.purpose is Purpose.MESSAGE:
        return MessageFailed(transaction.message_id, 408, comment)
    if transaction.purpose is Purpose.NICKNAME:
        return NicknameAnswered(transaction.message_id, 408, comment)
    return None


def event_of_loss(transaction: Transaction) -> SessionEvent | None:
    """Return what it means to the user that no answer can come: the connection is gone.

    Who answers nothing but errors is not known to have taken it.
    """
    if transaction.purpose in (Purpose.QUIET_MESSAGE, Purpose.QUIET_CHUNK):
        return MessageFailed(transaction.message_id, 408, CONNECTION_LOST)
    return event_of_silence(transaction, CONNECTION_LOST)
