"""A message on its way out in pieces, which never makes another wait (RFC 4975 section 7.1.1).

Theory. On a connection at most one chunk is open: its head has been written, its end-line has not.

    state   what is to be written          what is done, next state
    CLOSED  a piece                        the head of a chunk, then the piece            OPEN
    OPEN    the piece that follows         the piece alone                                OPEN
    OPEN    a piece from elsewhere         end-line `+`, head, piece                      OPEN
    OPEN    any other frame                end-line `+`, then that frame                  CLOSED
    OPEN    the end of chunk or message    end-line with its flag                         CLOSED
    CLOSED  the end of chunk or message    a chunk without a byte and its flag            CLOSED

So a message that nothing interrupts leaves in the one chunk in which it came, as deployed clients
need it, and a short message waits for nothing but what the socket has taken already.

The end-line of an open chunk must not occur in its body. Its transaction id is random, but the
recipient sees it and may tell it to the sender, who could then forge frames to others. So each
piece is searched, together with the end of the one before; what is found ends the chunk before it
is whole.
"""

from sylk.msrp.frame import SEND

_DASHES = b"-------"


class OutgoingStream:
    """One such message to one peer; positions count from zero."""

    __slots__ = (
        "_content_type",
        "_tail",
        "_wishes",
        "failed",
        "failure_report",
        "message_id",
        "position",
        "success_report",
        "total",
        "transaction_id",
    )

    def __init__(
        self,
        message_id: bytes,
        content_type: bytes,
        total: int | None,
        *,
        success_report: bool = False,
        failure_report: bytes = b"partial",
    ) -> None:
        self.message_id = message_id
        self.failure_report = failure_report
        self.success_report = success_report
        self.total = total
        """The size of the message, None while nobody knows it."""
        self.position = 0
        """Where the next piece is expected."""
        self.transaction_id = b""
        """That of the open chunk, empty while none is open."""
        self.failed = 0
        """The status with which the peer refused it; it wants no more of it then."""
        self._content_type = content_type
        self._wishes = b"".join(
            (
                b"" if failure_report == b"yes" else b"\r\nFailure-Report: " + failure_report,
                b"\r\nSuccess-Report: yes" if success_report else b"",
            )
        )
        self._tail = b""

    @property
    def is_open(self) -> bool:
        """Tell whether a chunk of it is open."""
        return bool(self.transaction_id)

    def open(self, transaction_id: bytes, path_lines: bytes, start: int) -> bytes:
        """Return the head of a chunk whose body begins at `start`."""
        self.transaction_id = transaction_id
        self.position = start
        # The CRLF before the body can be that of an end-line: what follows it may complete one.
        self._tail = b"\r\n"
        byte_range = b"%d-*/%b" % (start + 1, _number(self.total))
        lines = self._header_lines(byte_range)
        return b"MSRP %b %b\r\n%b%b\r\n" % (transaction_id, SEND, path_lines, lines)

    def _header_lines(self, byte_range: bytes) -> bytes:
        """Return all header lines of a chunk but the paths."""
        return b"".join(
            (
                b"Byte-Range: " + byte_range,
                b"\r\nMessage-ID: " + self.message_id,
                self._wishes,
                b"\r\nContent-Type: " + self._content_type,
                b"\r\n",
            )
        )

    def take(self, piece: bytes, *, has_dashes: bool = True) -> int:
        """Return how much of `piece` the open chunk can take before its own end-line occurs.

        `has_dashes` False spares the search: the piece, and what came before it, are known to hold
        no seven dashes in a row.
        """
        taken = len(piece)
        size = len(self.transaction_id) + len(_DASHES)
        tail = self._tail
        if has_dashes:
            needle = _DASHES + self.transaction_id
            found = (tail + piece[:size]).find(needle)
            if found >= 0:
                # It began in the piece before, which has gone: stop a byte before it is whole.
                taken = max(0, found + size - 1 - len(tail))
            elif (found := piece.find(needle)) >= 0:
                taken = found + size - 1
        self._tail = (
            piece[taken - size : taken] if taken >= size else (tail + piece[:taken])[-size:]
        )
        self.position += taken
        return taken

    def close(self, flag: bytes) -> bytes:
        """Return the end-line of the open chunk."""
        transaction_id, self.transaction_id = self.transaction_id, b""
        return b"\r\n-------%b%b\r\n" % (transaction_id, flag)


def _number(value: int | None) -> bytes:
    return b"*" if value is None else b"%d" % value
