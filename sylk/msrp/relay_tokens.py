"""The paths that a relay has given out (RFC 4976 section 6.3).

A path is a URI whose session-id has 80 random bits. It is good over the one connection on which it
was asked for, until it expires or that connection closes: what comes over that connection goes out
into the world, what comes over any other goes to that connection and nowhere else. So nobody but
who has proven who they are makes the relay send anything anywhere.

The other end of a session may be unable to take connections. So whoever comes first in the name of
a URI, and knows the path, is remembered as the way to that URI for as long as it stays connected.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.uri import MsrpURI

MAX_PEERS = 16
"""Ways back that one path remembers; a session has one other end."""


@dataclass(slots=True, eq=False)
class Token:
    """One path: whose it is, and where it leads."""

    uri: bytes
    session_id: str
    link: MsrpConnection
    username: str
    expires: float
    is_live: bool = True
    peers: dict[str, MsrpConnection] = field(default_factory=dict[str, MsrpConnection])

    def learn(self, sender: bytes, link: MsrpConnection) -> None:
        """Take it that `link` leads to the URI `sender`, unless another that lives does."""
        session_id = session_id_of(sender)
        known = self.peers.get(session_id)
        if session_id and (known is None or known.closed) and len(self.peers) < MAX_PEERS:
            self.peers[session_id] = link

    def way_to(self, uri: bytes) -> MsrpConnection | None:
        """Return the connection over which that URI has come to us."""
        link = self.peers.get(session_id_of(uri))
        return None if link is None or link.closed else link


def session_id_of(uri: bytes) -> str:
    """Return the session-id in a URI, nothing where it is none or has none."""
    try:
        return MsrpURI.parse(uri).session_id
    except RemoteProtocolError:
        return ""


class Tokens:
    """All paths that are good now."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._of_link: dict[MsrpConnection, dict[str, Token]] = {}
        self._of_user: dict[str, int] = {}
        self._expiries: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def clients(self) -> int:
        """How many connections have a path."""
        return len(self._of_link)

    def count_of(self, username: str) -> int:
        """Return how many paths a user has."""
        return self._of_user.get(username, 0)

    def has(self, link: MsrpConnection) -> bool:
        """Tell whether a connection has a path."""
        return link in self._of_link

    def find(self, uri: bytes, now: float) -> Token | None:
        """Return the path that a URI is, None for what we never gave or is good no more."""
        token = self._tokens.get(session_id_of(uri))
        return None if token is None or token.expires <= now else token

    def add(self, token: Token) -> None:
        """Take up a new path."""
        self._tokens[token.session_id] = token
        self._of_link.setdefault(token.link, {})[token.session_id] = token
        self._of_user[token.username] = self.count_of(token.username) + 1
        heapq.heappush(self._expiries, (token.expires, token.session_id))

    def renew(self, token: Token, expires: float) -> None:
        """Let a path be good until `expires`."""
        token.expires = expires
        heapq.heappush(self._expiries, (expires, token.session_id))
        if len(self._expiries) > 64 and len(self._expiries) > 2 * len(self._tokens):
            self._expiries = [(one.expires, one.session_id) for one in self._tokens.values()]
            heapq.heapify(self._expiries)

    def next_expiry(self) -> float | None:
        """Return when to call `expired`."""
        return self._expiries[0][0] if self._expiries else None

    def expired(self, now: float) -> Iterator[Token]:
        """Take out, one by one, what has expired by `now`."""
        while self._expiries and self._expiries[0][0] <= now:
            _, session_id = heapq.heappop(self._expiries)
            token = self._tokens.get(session_id)
            if token is not None and token.expires <= now:
                self._remove(token)
                yield token

    def drop(self, link: MsrpConnection) -> list[Token]:
        """Take out the paths of a connection that has closed."""
        tokens = list(self._of_link.get(link, {}).values())
        for token in tokens:
            self._remove(token)
        return tokens

    def _remove(self, token: Token) -> None:
        token.is_live = False
        token.peers.clear()
        del self._tokens[token.session_id]
        of_link = self._of_link[token.link]
        del of_link[token.session_id]
        if not of_link:
            del self._of_link[token.link]
        left = self._of_user[token.username] - 1
        if left:
            self._of_user[token.username] = left
        else:
            del self._of_user[token.username]
