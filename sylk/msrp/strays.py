"""Answers to what was sent to many: no session knows them, but who sent it does.

A fan-out keeps nothing for a delivery. Its transaction id and its Message-ID are one and the same
for all recipients, so that whatever comes back under it finds its message.
"""

from sylk.msrp.events import FanOutAnswered
from sylk.msrp.frame import Frame, reported_comment, reported_range, reported_status

MAX_REMEMBERED = 64
"""Failures of one session that are remembered, so that none is told twice."""

_OK = 200


class Strays:
    """The answers of one session to messages that it does not know."""

    __slots__ = ("_failed",)

    def __init__(self) -> None:
        self._failed: dict[bytes, None] = {}

    def answer(self, frame: Frame) -> FanOutAnswered | None:
        """Return what a response tells; a 200 to a fan-out is not asked for, and means nothing."""
        if frame.status == _OK:
            return None
        return self._failure(FanOutAnswered(frame.transaction_id, frame.status, frame.comment))

    def report(self, frame: Frame) -> FanOutAnswered | None:
        """Return what a REPORT tells, None for nothing.

        Where success is reported in parts, that on the last bytes counts.
        """
        status = reported_status(frame)
        message_id = frame.headers.get(b"message-id")
        if status is None or not message_id:
            return None
        told = FanOutAnswered(message_id, status, reported_comment(frame))
        if status != _OK:
            return self._failure(told)
        covered = reported_range(frame)
        if covered is None or covered.end is None or covered.total is None:
            return told
        return told if covered.end >= covered.total else None

    def _failure(self, told: FanOutAnswered) -> FanOutAnswered | None:
        failed = self._failed
        if told.identifier in failed:
            return None
        if len(failed) >= MAX_REMEMBERED:
            del failed[next(iter(failed))]
        failed[told.identifier] = None
        return told
