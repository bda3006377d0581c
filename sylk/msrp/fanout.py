r"""The same messages to many sessions, rendered once (RFC 4975 section 7.1, RFC 7701 section 6).

All that differs between two recipients are the path lines, and those are the same in each request
to one recipient. So the batch is kept as the pieces between them,

    "MSRP t1 SEND\r\n"   "Byte-Range: ... -------t1$\r\nMSRP t2 SEND\r\n"   "Byte-Range: ..."

and joining the pieces with the path lines of a recipient gives all its requests in one copy. The
recipients may share a transaction id: they are on different connections. With Failure-Report
`partial` they answer nothing but errors, and no state is kept for a delivery. The Message-ID is the
transaction id once more, so that each answer, a response or a REPORT, names its message.
"""

from sylk.errors import LocalProtocolError
from sylk.msrp.frame import new_transaction_id, whole_range


class FanOut:
    """A batch of messages for any number of recipients."""

    __slots__ = ("_pieces", "_token", "message_ids", "reported", "sent")

    def __init__(self) -> None:
        self._token = b""
        """The random part of all transaction ids of the batch, once there is one."""
        self._pieces: list[bytes] = []
        self.message_ids: list[bytes] = []
        self.sent = 0.0
        """When it was sent, as who sends it notes."""
        self.reported: list[tuple[bytes, int]] = []
        """The Message-IDs and sizes of those for which success reports were asked."""

    def __bool__(self) -> bool:
        """Whether the batch has a message."""
        return bool(self._pieces)

    def add(
        self,
        body: bytes,
        content_type: bytes,
        *,
        message_id: bytes | None = None,
        failure_report: bytes = b"partial",
        success_report: bool = False,
    ) -> bytes:
        """Add a message, in one chunk, and return its Message-ID.

        Raises LocalProtocolError for Failure-Report `yes`: a fan-out runs no timers.
        """
        if failure_report not in (b"partial", b"no"):
            raise LocalProtocolError("a fan-out cannot wait for answers")
        transaction_id = self._new_id(body)
        message_id = message_id or transaction_id
        pieces = self._pieces
        start = b"MSRP %b SEND\r\n" % transaction_id
        if pieces:
            pieces[-1] += start
        else:
            pieces.append(start)
        pieces.append(
            render_after_paths(
                transaction_id, body, content_type, message_id, failure_report, success_report
            )
        )
        self.message_ids.append(message_id)
        if success_report:
            self.reported.append((message_id, len(body)))
        return message_id

    def _new_id(self, body: bytes) -> bytes:
        """Return an id with 64 random bits, which are drawn once: that costs as much as a send.

        Nobody can have put it into a body, as all bodies of a batch were there before it was drawn.
        """
        self._token = self._token or new_transaction_id()
        transaction_id = b"%b%x" % (self._token, len(self._pieces))
        return transaction_id if transaction_id not in body else new_transaction_id(body)

    @property
    def size(self) -> int:
        """Bytes of all its requests without their path lines."""
        return sum(map(len, self._pieces))

    def render_for(self, path_lines: bytes) -> bytes:
        """Return all requests of the batch for the session that has these path lines."""
        return path_lines.join(self._pieces)


def render_after_paths(
    transaction_id: bytes,
    body: bytes,
    content_type: bytes,
    message_id: bytes,
    failure_report: bytes,
    success_report: bool,
) -> bytes:
    """Return all of a SEND that follows its path lines, in the order that clients write it."""
    return b"".join(
        (
            b"Byte-Range: ",
            whole_range(len(body)),
            b"\r\nMessage-ID: ",
            message_id,
            b"" if failure_report == b"yes" else b"\r\nFailure-Report: " + failure_report,
            b"\r\nSuccess-Report: yes" if success_report else b"",
            b"\r\nContent-Type: ",
            content_type,
            b"\r\n\r\n",
            body,
            b"\r\n-------",
            transaction_id,
            b"$\r\n",
        )
    )
