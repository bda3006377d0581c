"""Puts messages together from chunks (RFC 4975 section 7.3.1).

Chunks may come out of order, overlap, be repeated, or never come. Where two overlap, the later one
to arrive wins. The chunk with the `$` flag tells where the message ends; a chunk is as long as its
body, whatever its range-end claims. Bytes are held only where some have arrived, so that a chunk
far from the beginning costs no more than itself.
"""

from collections import deque
from dataclasses import dataclass, field

from sylk.errors import RemoteProtocolError
from sylk.msrp.session_limits import MAX_MESSAGE_SIZE, MAX_OPEN_MESSAGES

MAX_SEGMENTS = 64
"""Stretches of one message that are apart; one more refuses the message with 413."""

MAX_REMEMBERED = 64
"""Message-IDs that are remembered as done, so that a late repeated chunk opens nothing."""


def _no_segments() -> list["_Segment"]:
    return []


@dataclass(slots=True)
class _Segment:
    start: int
    data: bytearray

    @property
    def end(self) -> int:
        return self.start + len(self.data)


@dataclass(slots=True)
class Assembly:
    """One message that is not whole yet; positions count from zero."""

    message_id: bytes
    success_report: bool
    failure_report: bytes
    segments: list[_Segment] = field(default_factory=_no_segments)
    size: int | None = None

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return sum(len(segment.data) for segment in self.segments)

    @property
    def begins(self) -> bool:
        """Whether the first byte has come."""
        return bool(self.segments) and self.segments[0].start == 0

    @property
    def reached(self) -> int:
        """Position after the last byte that has come."""
        return self.segments[-1].end if self.segments else 0

    def put(self, start: int, data: bytes, max_segments: int) -> None:
        """Lay `data` at `start`, over what is there; raises RemoteProtocolError 413."""
        segments = self.segments
        if segments and segments[-1].end == start:
            segments[-1].data += data
            return
        if not data:
            return
        end = start + len(data)
        before = [segment for segment in segments if segment.start <= start <= segment.end]
        if before:
            target = before[-1]
            target.data[start - target.start : end - target.start] = data
        else:
            target = _Segment(start, bytearray(data))
            segments.append(target)
            segments.sort(key=lambda segment: segment.start)
        later = segments.index(target) + 1
        while later < len(segments) and segments[later].end <= end:
            del segments[later]
        if later < len(segments) and segments[later].start < end:
            following = segments[later]
            del following.data[: end - following.start]
            following.start = end
        if len(segments) > max_segments:
            raise RemoteProtocolError("message in too many pieces", 413)

    def whole(self) -> bytes | None:
        """Return the message when every byte of it is there."""
        if self.size is None:
            return None
        position = 0
        for segment in self.segments:
            if segment.start > position:
                break
            position = segment.end
        if position < self.size:
            return None
        if len(self.segments) == 1:
            return bytes(self.segments[0].data[: self.size])
        return b"".join(segment.data for segment in self.segments)[: self.size]


class MessageAssembler:
    """The messages of one session that are not whole yet."""

    __slots__ = ("_done", "_max_message_size", "_max_open", "_max_segments", "_open", "dropped")

    def __init__(
        self,
        max_message_size: int = MAX_MESSAGE_SIZE,
        max_open: int = MAX_OPEN_MESSAGES,
        max_segments: int = MAX_SEGMENTS,
    ) -> None:
        self._max_message_size = max_message_size
        self._max_open = max_open
        self._max_segments = max_segments
        self._open: dict[bytes, Assembly] = {}
        # Who says nothing needs none, and an empty one takes most of a kilobyte.
        self._done: deque[bytes] | None = None
        self.dropped: list[Assembly] = []
        """Messages given up for want of room: their senders want to know. The user empties it."""

    @property
    def has_open(self) -> bool:
        """Whether any message is open."""
        return bool(self._open)

    def is_done(self, message_id: bytes) -> bool:
        """Whether this message was put together already: a chunk of it is a repetition."""
        return self._done is not None and message_id in self._done

    def _remember(self, message_id: bytes) -> None:
        if self._done is None:
            self._done = deque(maxlen=MAX_REMEMBERED)
        self._done.append(message_id)

    def get(self, message_id: bytes) -> Assembly | None:
        """Return the open message of that id."""
        return self._open.get(message_id)

    def finish(self, message_id: bytes) -> None:
        """Remember a message as done that was not put together here."""
        self._open.pop(message_id, None)
        self._remember(message_id)

    def discard(self, message_id: bytes) -> None:
        """Forget what has come of a message."""
        self._open.pop(message_id, None)

    def open(self, message_id: bytes, success_report: bool, failure_report: bytes) -> Assembly:
        """Return the message of that id, new if need be; over the limit the oldest goes."""
        assembly = self._open.get(message_id)
        if assembly is None:
            assembly = Assembly(message_id, success_report, failure_report)
            self._open[message_id] = assembly
            if len(self._open) > self._max_open:
                self._drop_oldest()
        return assembly

    def add(self, assembly: Assembly, start: int, data: bytes, *, last: bool) -> bytes | None:
        """Add a chunk at `start` (from zero) and return the message once it is whole.

        `last` tells that the message ends with this chunk. Raises RemoteProtocolError 413 when the
        message is too large, and forgets it then.
        """
        message_id = assembly.message_id
        end = start + len(data)
        try:
            if end > self._max_message_size:
                raise RemoteProtocolError("message too large", 413)
            assembly.put(start, data, self._max_segments)
        except RemoteProtocolError:
            self.discard(message_id)
            raise
        if last:
            assembly.size = end
        whole = assembly.whole()
        if whole is not None:
            del self._open[message_id]
            self._remember(message_id)
        elif len(self._open) > 1:
            self._bound_memory()
        return whole

    def _bound_memory(self) -> None:
        while (
            len(self._open) > 1
            and sum(assembly.held for assembly in self._open.values()) > 2 * self._max_message_size
        ):
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self.dropped.append(self._open.pop(next(iter(self._open))))
