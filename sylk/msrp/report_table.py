"""What others report on our messages, added up (RFC 4975 sections 7.1.2 and 7.1.3).

A success report is about bytes, not about chunks: it may cover any range, and a message is known
to have arrived when its ranges cover all of it. Each report that brings something new is told;
repetitions, reports on messages that nobody knows, and failures over the limit are not.
"""

from sylk.msrp.events import MessageReported, ReportReceived
from sylk.msrp.frame import ByteRange, Frame, reported_comment, reported_range, reported_status
from sylk.msrp.stretches import Stretches

MAX_REPORTED = 1024
"""Messages of one session whose reports are told to the user; the oldest is forgotten."""

MAX_FAILURES = 16
"""Failure reports that are told of one message; a switch may send several."""

_OK = 200


class _Expected:
    """What is known of one message."""

    __slots__ = ("done", "failures", "size", "stretches", "whole")

    def __init__(self, size: int | None, *, whole: bool) -> None:
        self.size = size
        self.whole = whole
        self.failures = 0
        self.done = False
        self.stretches: Stretches | None = None

    def take(self, byte_range: ByteRange | None) -> bool:
        """Add the range of a success report; whether it brings something new."""
        if self.done:
            return False
        if byte_range is None or (self.whole and _claims_all(byte_range)):
            self.done = True
            return True
        start, end = byte_range.start - 1, byte_range.end
        if end is None or (self.size is not None and end > self.size):
            if self.size is None:
                return False
            end = self.size
        if self.stretches is None:
            self.stretches = Stretches()
        is_new = not self.stretches.covers(start, end) and self.stretches.add(start, end)
        self.judge()
        return is_new or self.done

    def judge(self) -> None:
        """See whether all of it is reported now."""
        stretches = self.stretches or Stretches()
        self.done = self.done or (self.size is not None and stretches.covers(0, self.size))


def _claims_all(byte_range: ByteRange) -> bool:
    # COMPAT: deployed clients count characters, so that their total is smaller than our size. For
    # a message in one chunk their own words tell enough.
    start, end, total = byte_range.start, byte_range.end, byte_range.total
    return start == 1 and bool(total) and (end is None or end >= total)


class ReportTable:
    """The messages of one session on which reports mean something."""

    __slots__ = ("_expected",)

    def __init__(self) -> None:
        self._expected: dict[bytes, _Expected] = {}

    def expect(self, message_id: bytes, size: int | None, *, whole: bool = True) -> None:
        """Remember a message of `size` bytes, None while that is open; `whole` is in one chunk."""
        expected = self._expected
        if len(expected) >= MAX_REPORTED:
            del expected[next(iter(expected))]
        expected[message_id] = _Expected(size, whole=whole)

    def end_at(self, message_id: bytes, size: int) -> MessageReported | None:
        """Take it that a message has ended; all of it may have been reported before."""
        expected = self._expected.get(message_id)
        if expected is None or expected.done:
            return None
        expected.size = size
        if expected.stretches is not None:
            expected.judge()
        return MessageReported(message_id) if expected.done else None

    def expects(self, frame: Frame) -> bool:
        """Tell whether the message that a REPORT is about is known here."""
        return frame.headers.get(b"message-id", b"") in self._expected

    def take(self, frame: Frame) -> list[ReportReceived | MessageReported]:
        """Return what a REPORT tells; nothing when it belongs to nothing or repeats another."""
        message_id = frame.headers.get(b"message-id", b"")
        status = reported_status(frame)
        expected = self._expected.get(message_id)
        if status is None or expected is None:
            return []
        byte_range = reported_range(frame)
        told = ReportReceived(message_id, status, byte_range, reported_comment(frame))
        if status != _OK:
            expected.failures += 1
            return [told] if expected.failures <= MAX_FAILURES else []
        if not expected.take(byte_range):
            return []
        return [told, MessageReported(message_id)] if expected.done else [told]

    def clear(self) -> None:
        """Forget everything: the session is over."""
        self._expected.clear()
