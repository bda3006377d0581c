"""A message that is taken as its bytes come, since it is too large to be put together.

Its pieces are handed on at once, in whatever order they come; only the stretches that have come are
remembered, so that its end is known and memory does not grow with its size (RFC 4975 section
7.3.1).
"""

from sylk.errors import RemoteProtocolError
from sylk.msrp.receipt import Receipt
from sylk.msrp.stretches import Stretches


class IncomingStream:
    """The state of one such message; positions count from zero."""

    __slots__ = (
        "_stretches",
        "content_type",
        "failure_report",
        "is_over",
        "is_refused",
        "message_id",
        "receipt",
        "size",
        "success_report",
        "total",
    )

    def __init__(
        self,
        message_id: bytes,
        content_type: bytes,
        total: int | None,
        success_report: bool,
        failure_report: bytes,
    ) -> None:
        self.message_id = message_id
        self.content_type = content_type
        self.total = total
        """The size that the sender announced, None if he did not."""
        self.success_report = success_report
        self.failure_report = failure_report
        self.size: int | None = None
        """The size, once the last byte has come."""
        self.is_over = False
        """True once it is complete, given up by its sender, or refused: no piece follows."""
        self.is_refused = False
        """True once our side wants no more of it."""
        self.receipt: Receipt | None = None
        """What reports on it are counted by, once there was one."""
        self._stretches = Stretches()

    @property
    def reached(self) -> int:
        """Position after the last byte that has come."""
        return self._stretches.reached

    @property
    def byte_range(self) -> bytes:
        """The range of all that has come, as a REPORT has it."""
        total = self.total if self.size is None else self.size
        return b"1-%d/%b" % (self.reached, b"*" if total is None else b"%d" % total)

    @property
    def is_complete(self) -> bool:
        """Tell whether every byte has come."""
        return self.size is not None and self._stretches.covers(0, self.size)

    def add(self, start: int, length: int, *, last: bool) -> None:
        """Take note of bytes that have come; `last` tells that the message ends with them.

        Raises RemoteProtocolError (413) for more than MAX_SEGMENTS stretches that are apart.
        """
        end = start + length
        if last:
            self.size = end
        if not self._stretches.add(start, end):
            raise RemoteProtocolError("message in too many pieces", 413)
        if self.size is not None:
            # What lies behind the end is no part of the message.
            self._stretches.cut(self.size)
