"""What a front and a worker tell each other: frames over a pair of Unix sockets.

The front owns the sockets of SIP, each worker the calls of its share. A frame is the length of a
pickle and the pickle. Both ends are of one program and one user, and nobody else can write to the
pair: what peers send is but octets and addresses inside. The worker's end comes to it by exec.
"""

import pickle
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import trio

from sylk.errors import TransportError
from sylk.net.outbox import Outbox
from sylk.net.stream import TcpStream
from sylk.sip.flow import Address, Flow

LINK_LIMIT = 64 * 1024**2
"""Bytes that may wait for the other end; it is taken to be lost with more."""

_LENGTH = struct.Struct("!I")


@dataclass(slots=True)
class Carried:
    """A SIP message that came over a flow, or is to go over it."""

    flow: Flow
    octets: bytes
    proven_domains: frozenset[str] = frozenset()
    """For which domains the peer has shown a certificate."""


@dataclass(slots=True)
class Gone:
    """A flow can carry nothing any more."""

    flow: Flow


@dataclass(slots=True)
class Pause:
    """A flow is to be read on after a moment only: its peer sends more than it may."""

    flow: Flow


@dataclass(slots=True)
class Waiting:
    """Tells how many bytes wait at the front for the peer of a flow, until there are none."""

    flow: Flow
    size: int


@dataclass(slots=True)
class Open:
    """A worker wants a connection to `remote`; answered with Opened of the same number."""

    number: int
    transport: str
    remote: Address
    domain: str | None


@dataclass(slots=True)
class Opened:
    """The connection that was wanted, or why there is none."""

    number: int
    flow: Flow | None
    fault: str = ""


@dataclass(slots=True)
class InUse:
    """The connections that carry something of a worker, and shall stay."""

    flows: list[Flow] = field(default_factory=list[Flow])


@dataclass(slots=True)
class Ready:
    """A worker serves requests."""


Frame = Carried | Gone | Pause | Waiting | Open | Opened | InUse | Ready


class _PairStream(TcpStream):
    """One end of a pair of Unix sockets, as a stream."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.local: Address = ("", 0)
        self.remote: Address = ("", 0)
        self._socket = sock


class WorkerLink:
    """One end; `on_failure` is called with the reason when the other end takes nothing more."""

    def __init__(
        self,
        sock: socket.socket,
        nursery: trio.Nursery,
        on_failure: Callable[[str], None],
        *,
        limit: int = LINK_LIMIT,
    ) -> None:
        self._stream = _PairStream(sock)
        self._outbox = Outbox(self._stream, nursery, on_failure, limit=limit)

    @property
    def waiting(self) -> int:
        """Bytes that wait for the other end."""
        return self._outbox.pending

    def send(self, frame: Frame) -> None:
        """Send a frame; never waits, never raises."""
        data = pickle.dumps(frame, pickle.HIGHEST_PROTOCOL)
        self._outbox.write(_LENGTH.pack(len(data)) + data)

    async def frames(self) -> AsyncIterator[Frame]:
        """Give each frame that comes, until the other end is gone."""
        buffer = bytearray()
        while data := await self._receive():
            buffer += data
            begin = 0
            while len(buffer) - begin >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(buffer, begin)
                end = begin + _LENGTH.size + length
                if len(buffer) < end:
                    break
                frame: Frame = pickle.loads(memoryview(buffer)[begin + _LENGTH.size : end])
                begin = end
                yield frame
            del buffer[:begin]

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive()
        except TransportError:
            return b""

    def close(self) -> None:
        """Close this end."""
        self._outbox.close()
        self._stream.close()
