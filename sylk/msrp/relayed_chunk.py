"""A chunk that a relay passes on as it comes (RFC 4976 section 6.4.1).

It leaves as one chunk unless another frame has to go out before it has ended; then the rest
follows in a chunk of its own. All its header fields go with each part, with a Byte-Range of what
the part begins with.
"""

from sylk.msrp.frame import ByteRange, Frame, reported_range
from sylk.msrp.header_names import render_headers
from sylk.msrp.inbox import failure_report_of
from sylk.msrp.outgoing_stream import OutgoingStream

_UNKNOWN = ByteRange(1, None, None)


class RelayedChunk(OutgoingStream):
    """The chunk of which `first` is the first piece."""

    __slots__ = ("_others",)

    def __init__(self, first: Frame) -> None:
        claimed = reported_range(first) or _UNKNOWN
        headers = first.headers
        super().__init__(
            headers.get(b"message-id", b""),
            headers.get(b"content-type", b""),
            claimed.total,
            failure_report=failure_report_of(headers),
        )
        self.position = claimed.start - 1
        self._others = {name: value for name, value in headers.items() if name != b"byte-range"}

    def _header_lines(self, byte_range: bytes) -> bytes:
        return render_headers({b"byte-range": byte_range, **self._others})
