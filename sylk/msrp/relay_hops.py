"""The connections that a relay opens, one for each host, port and way (RFC 4976 section 6.4.2).

Theory. A connection begins to exist when something is first to go over it; what is written before
it stands waits inside it, so nobody waits for anybody.

    state       input      next
    CONNECTING  OPENED     OPEN
    CONNECTING  CLOSED     gone: what waited has failed
    OPEN        CLOSED     gone
"""

from dataclasses import dataclass
from enum import Enum

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.uri import DEFAULT_PORT, MsrpURI


class HopState(Enum):
    """Where a connection of ours stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    GONE = "gone"


class HopInput(Enum):
    """What happens to it."""

    OPENED = "opened"
    CLOSED = "closed"


TRANSITIONS = {
    (HopState.CONNECTING, HopInput.OPENED): HopState.OPEN,
    (HopState.CONNECTING, HopInput.CLOSED): HopState.GONE,
    (HopState.OPEN, HopInput.CLOSED): HopState.GONE,
}


HopKey = tuple[bool, str, int]
"""Whether over TLS, the host in lower case, the port."""


@dataclass(slots=True, eq=False)
class Hop:
    """One connection of ours."""

    key: HopKey
    link: MsrpConnection
    state: HopState = HopState.CONNECTING
    waiting: int = 0
    """Bytes written before it stood."""

    def advance(self, hop_input: HopInput) -> None:
        """Change the state; raises LocalProtocolError for what cannot be."""
        state = TRANSITIONS.get((self.state, hop_input))
        if state is None:
            raise LocalProtocolError(f"{hop_input.value} in state {self.state.value}")
        self.state = state
        self.waiting = 0


class Hops:
    """All connections that we have opened or are opening."""

    def __init__(self, max_hops: int) -> None:
        self._max_hops = max_hops
        self._by_key: dict[HopKey, Hop] = {}
        self._by_link: dict[MsrpConnection, Hop] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def find(self, uri: MsrpURI) -> Hop | None:
        """Return the connection that leads to a URI."""
        return self._by_key.get(key_of(uri))

    def of(self, link: MsrpConnection) -> Hop | None:
        """Return what we know of a connection, None where we did not open it."""
        return self._by_link.get(link)

    def add(self, uri: MsrpURI, link: MsrpConnection) -> Hop:
        """Take up a connection that is to be opened; raises RemoteProtocolError 408 when full."""
        if len(self._by_key) >= self._max_hops:
            raise RemoteProtocolError("too many connections are open", 408)
        hop = Hop(key_of(uri), link)
        self._by_key[hop.key] = hop
        self._by_link[link] = hop
        return hop

    def opened(self, link: MsrpConnection) -> None:
        """Take it that a connection stands."""
        self._by_link[link].advance(HopInput.OPENED)

    def closed(self, link: MsrpConnection) -> bool:
        """Take it that a connection has closed, or could not be; tells whether it was one of us."""
        hop = self._by_link.pop(link, None)
        if hop is None:
            return False
        hop.advance(HopInput.CLOSED)
        del self._by_key[hop.key]
        return True


def key_of(uri: MsrpURI) -> HopKey:
    """Return which connection leads to a URI."""
    return uri.secure, uri.host.lower(), uri.port or DEFAULT_PORT
