"""Cuts what goes one way over a connection into MSRP frames, for those who watch.

A frame ends at `CRLF ------- transaction-id flag CRLF` (RFC 4975 section 9). Of a large one the
beginning and the end-line are kept, so that memory stays bounded whatever a peer sends. Who begins
to watch in the middle of a frame sees the next one first; so does who has seen what is no MSRP.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_SHOWN = 16 * 1024
"""Octets of a frame that are kept before its end-line."""

MAX_FAULT = 2048
"""Octets that are kept of what is no MSRP."""

_START = b"MSRP "
_START_LINE = re.compile(rb"MSRP ([^ \r\n]{1,64}) ")
_MAX_START = len(_START) + 65
_END_TO_START = re.compile(rb"-------[^ \r\n]{1,64}[$+#]\r\n(?=MSRP )")
# What a place where one frame ends and another begins takes at most.
_MAX_JOINT = 7 + 64 + 3 + len(_START)


@dataclass(slots=True)
class SeenFrame:
    """One frame; `left_out` octets of it stood before its end-line."""

    octets: bytes
    left_out: int = 0
    fault: str = ""
    """Why it is no frame; "" when it is one."""


class FrameCutter:
    """One direction of one connection."""

    __slots__ = ("_buffer", "_in_step", "_kept", "_left_out", "_needle", "_was_in_step")

    def __init__(self) -> None:
        self._buffer = b""
        # The end-line without its flag; empty between two frames.
        self._needle = b""
        self._kept = bytearray()
        self._left_out = 0
        self._in_step = True
        self._was_in_step = False

    def feed(self, data: bytes) -> Iterator[SeenFrame]:
        """Yield the frames that are whole with `data`."""
        self._buffer += data
        while self._buffer:
            if not self._in_step and not self._find_step():
                return
            if not self._needle and not self._begin():
                if self._in_step:
                    return
                # What breaks in on us in the middle of a frame is no fault of the peer.
                if self._was_in_step:
                    yield SeenFrame(self._buffer[:MAX_FAULT], 0, "not MSRP")
                continue
            frame = self._go_on()
            if frame is None:
                return
            yield frame

    def _find_step(self) -> bool:
        match = _END_TO_START.search(self._buffer)
        if match is None:
            self._buffer = self._buffer[-_MAX_JOINT:]
            return False
        self._buffer = self._buffer[match.end() :]
        self._in_step = True
        return True

    def _begin(self) -> bool:
        """Read the start line; False to wait for more of it, or when we are out of step."""
        self._buffer = buffer = self._buffer.removeprefix(b"\r\n")
        while self._buffer.startswith(b"\r\n"):
            self._buffer = buffer = self._buffer[2:]
        match = _START_LINE.match(buffer)
        if match is not None:
            self._needle = b"\r\n-------" + match[1]
            self._was_in_step = True
            return True
        may_become = buffer == b"\r" or _START.startswith(buffer[: len(_START)])
        self._in_step = may_become and len(buffer) < _MAX_START
        return False

    def _go_on(self) -> SeenFrame | None:
        """Return the frame when its end-line is there, else keep what belongs to it."""
        buffer, needle = self._buffer, self._needle
        at = buffer.find(needle)
        while at >= 0:
            end = at + len(needle) + 3
            flag = buffer[end - 3 : end]
            if flag[:1] in (b"$", b"+", b"#") and flag[1:] == b"\r\n":
                self._keep(buffer[:at])
                octets = bytes(self._kept) + buffer[at:end]
                frame = SeenFrame(octets, self._left_out)
                self._buffer = buffer[end:]
                self._needle = b""
                self._kept.clear()
                self._left_out = 0
                return frame
            if len(flag) < 3:
                break
            at = buffer.find(needle, at + 2)
        rest = at if at >= 0 else max(0, len(buffer) - len(needle) + 1)
        self._keep(buffer[:rest])
        self._buffer = buffer[rest:]
        return None

    def _keep(self, part: bytes) -> None:
        room = max(0, MAX_SHOWN - len(self._kept))
        self._kept += part[:room]
        self._left_out += max(0, len(part) - room)
