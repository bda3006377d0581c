"""What is kept of a message that came, so that reports on it can be sent later.

A message is answered at once, but what became of it behind us is known only later (RFC 4975
section 7.1.4). A receipt is all that this takes: some hundred bytes, whatever the message weighs.
It knows what its sender wants to hear, and how often it has been told.
"""

from typing import Protocol

from sylk.msrp.frame import covered

MAX_FAILURE_REPORTS = 8
"""Failure reports that are sent on one message."""

MAX_COMMENT = 200
"""Characters of a comment; what is longer is cut."""

_OK = 200


class Extent(Protocol):
    """Knows what there is to report on; for a message that is taken in pieces that grows."""

    @property
    def byte_range(self) -> bytes:
        """The range of all that has come."""
        ...


class Receipt:
    """Which message it was, and what is still to be said about it."""

    __slots__ = (
        "_extent",
        "_failures",
        "_is_reported",
        "_wish",
        "message_id",
        "path_lines",
        "success_report",
    )

    def __init__(
        self,
        message_id: bytes,
        path_lines: bytes,
        extent: Extent | tuple[bytes, int],
        success_report: bool,
        failure_report: bytes,
    ) -> None:
        """Keep what a message in pieces is, or what a whole one claimed and what its size is."""
        self.message_id = message_id
        self.path_lines = path_lines
        self.success_report = success_report
        """True where the sender wants to hear of success."""
        self._extent = extent
        self._wish = failure_report
        self._is_reported = False
        self._failures = 0

    @property
    def failure_report(self) -> bool:
        """Tell whether the sender wants to hear of failures."""
        return self._wish != b"no"

    @property
    def byte_range(self) -> bytes:
        """The range to report on: all that has come, with the total where that is known."""
        extent = self._extent
        # Read when it is needed: most messages are never reported on again.
        return covered(*extent) if isinstance(extent, tuple) else extent.byte_range

    def admits(self, status: int) -> bool:
        """Tell whether a report with this status is to be sent, and count it as sent.

        Success is reported once, and only to who asked for it; failures to who did not forbid
        them, MAX_FAILURE_REPORTS times at most.
        """
        if status == _OK:
            wanted = self.success_report and not self._is_reported
            self._is_reported = True
            return wanted
        self._failures += 1
        return self.failure_report and self._failures <= MAX_FAILURE_REPORTS


def safe_comment(comment: bytes | str) -> bytes:
    """Return a comment that cannot break out of its line: one line of printable UTF-8."""
    text = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
    text = "".join(character if character.isprintable() else " " for character in text)
    return text.strip()[:MAX_COMMENT].encode("utf-8", "replace")
