"""Where a relay writes to: which connections there are, which are full, which have been written to.

Nobody waits here. What is for a connection that is being opened waits inside it; what is for one
that is full is refused before it begins, and its sender is told so.
"""

from collections import deque

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.link import FrameTaker
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.relay_events import ConnectWanted, RelayEvent
from sylk.msrp.relay_hops import Hops, HopState
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.relayed_chunk import RelayedChunk
from sylk.msrp.uri import MsrpURI

_TOO_SLOW = 408


class Outlets:
    """All connections of one relay, as places to write to."""

    def __init__(
        self,
        registry: SessionRegistry,
        taker: FrameTaker[MsrpConnection],
        limits: RelayLimits,
        events: deque[RelayEvent],
    ) -> None:
        """Take what the connections that we open need: `taker` gets what comes over them."""
        self._registry = registry
        self._taker = taker
        self._limits = limits
        self._events = events
        self._hops = Hops(limits.max_next_hops)
        self._written: dict[MsrpConnection, None] = {}

    def towards(self, uri: MsrpURI) -> MsrpConnection:
        """Return the connection to the host of a URI, or have one opened.

        Raises RemoteProtocolError when there are too many.
        """
        hop = self._hops.find(uri)
        if hop is None:
            link = MsrpConnection(self._registry, secure=uri.secure, taker=self._taker)
            hop = self._hops.add(uri, link)
            self._events.append(ConnectWanted(link, uri.host, hop.key[2], uri.secure))
        return hop.link

    def opened(self, link: MsrpConnection) -> None:
        """Take it that a connection stands."""
        self._hops.opened(link)
        self._written[link] = None

    def closed(self, link: MsrpConnection) -> bool:
        """Take it that a connection has closed; tells whether we had opened it."""
        self._written.pop(link, None)
        return self._hops.closed(link)

    def write(self, link: MsrpConnection, data: bytes, chunk: RelayedChunk | None = None) -> None:
        """Queue whole frames, or bytes of an open `chunk`."""
        hop = self._hops.of(link)
        if hop is not None and hop.state is HopState.CONNECTING:
            hop.waiting += len(data)
        if chunk is None:
            link.queue(data)
        else:
            link.queue_piece(chunk, data)
        self._written[link] = None

    def check_room(self, link: MsrpConnection) -> None:
        """Raise RemoteProtocolError when a connection has enough waiting for it."""
        hop = self._hops.of(link)
        if hop is not None and hop.state is HopState.CONNECTING:
            is_full = hop.waiting > self._limits.max_waiting
        else:
            is_full = link.backlog() > self._limits.max_backlog
        if is_full:
            raise RemoteProtocolError("the next hop is too slow", _TOO_SLOW)

    def take_written(self) -> list[MsrpConnection]:
        """Return, once, the connections that have something to send."""
        written = list(self._written)
        self._written.clear()
        return written
