"""A message that is taken as its bytes come, since it is too large to be put together.

Its pieces are handed on at once, in whatever order they come; only the stretches that have come are
remembered, so that its end is known and memory does not grow with its size (RFC 4975 section
7.3.1).
"""

from sylk.errors import RemoteProtocolError
from sylk.msrp.assembly import MAX_SEGMENTS


class IncomingStream:
    """The state of one such message; positions count from zero."""

    __slots__ = (
        "_stretches",
        "content_type",
        "failure_report",
        "is_over",
        "is_refused",
        "message_id",
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
        self._stretches: list[tuple[int, int]] = []

    @property
    def reached(self) -> int:
        """Position after the last byte that has come."""
        return self._stretches[-1][1] if self._stretches else 0

    @property
    def is_complete(self) -> bool:
        """Tell whether every byte has come."""
        return self.size is not None and (
            self.size == 0 or (len(self._stretches) == 1 and self._stretches[0] == (0, self.size))
        )

    def add(self, start: int, length: int, *, last: bool) -> None:
        """Take note of bytes that have come; `last` tells that the message ends with them.

        Raises RemoteProtocolError (413) for more than MAX_SEGMENTS stretches that are apart.
        """
        end = start + length
        if last:
            self.size = end
        stretches = self._stretches
        if length and stretches and stretches[-1][1] == start:
            stretches[-1] = (stretches[-1][0], end)
        elif length:
            apart = [one for one in stretches if one[1] < start or one[0] > end]
            touching = [one for one in stretches if not (one[1] < start or one[0] > end)]
            for begin, until in touching:
                start, end = min(start, begin), max(end, until)
            apart.append((start, end))
            apart.sort()
            if len(apart) > MAX_SEGMENTS:
                raise RemoteProtocolError("message in too many pieces", 413)
            self._stretches = apart
        if self.size is not None and self._stretches and self._stretches[-1][1] > self.size:
            # What lies behind the end is no part of the message.
            self._stretches = [(a, min(b, self.size)) for a, b in self._stretches if a < self.size]
