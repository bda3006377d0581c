"""Where a frame goes that has a path of ours at the head of its To-Path (RFC 4976 section 6.4).

Two ways alone exist. What comes over the connection of the client that has the path goes on to the
next URI; anything else goes over that connection. So a relay serves none but its clients, whatever
the paths say. Where the next URI is a path of ours again, because both ends use this relay, the
frame takes that step here too. Each step takes one URI off the To-Path, so no loop is without end.
"""

from dataclasses import dataclass

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import Frame
from sylk.msrp.relay_tokens import Token, Tokens
from sylk.msrp.uri import MAX_PATH_LENGTH, MsrpURI

_GONE = 481


@dataclass(slots=True)
class Route:
    """One way: the paths on it, where it leads, and the path lines of what takes it.

    `target` is None where a connection to `next_uri` is yet to be found.
    """

    tokens: list[Token]
    path_lines: bytes
    target: MsrpConnection | None
    next_uri: MsrpURI | None

    def holds(self, now: float) -> bool:
        """Tell whether the way is still there."""
        if self.target is None or self.target.closed:
            return False
        return all(token.is_live and token.expires > now for token in self.tokens)


def find_route(
    tokens: Tokens, first: Token, link: MsrpConnection, frame: Frame, now: float
) -> Route:
    """Return the way of a request from `link` whose first URI is the path `first`.

    Raises RemoteProtocolError with what to answer.
    """
    if first.link.secure != link.secure:
        # A path given out over TLS is not to be spoken in clear.
        raise RemoteProtocolError("a path over the wrong transport", _GONE)
    token, to_path, from_path = first, frame.to_path, frame.from_path
    if not from_path:
        raise RemoteProtocolError("no From-Path", 400)
    sender = from_path.partition(b" ")[0]
    passed: list[Token] = []
    is_outward = link is first.link
    while True:
        own, _, to_path = to_path.partition(b" ")
        if not to_path:
            raise RemoteProtocolError("the path ends at the relay", _GONE)
        from_path = b"%b %b" % (own, from_path)
        if from_path.count(b" ") + to_path.count(b" ") + 2 > 2 * MAX_PATH_LENGTH:
            raise RemoteProtocolError("path too long", 400)
        passed.append(token)
        lines = b"To-Path: %b\r\nFrom-Path: %b\r\n" % (to_path, from_path)
        if not is_outward:
            if token is first:
                token.learn(sender, link)
            return Route(passed, lines, token.link, None)
        next_uri = to_path.partition(b" ")[0]
        inner = tokens.find(next_uri, now)
        if inner is None:
            known = token.way_to(next_uri)
            return Route(passed, lines, known, None if known else MsrpURI.parse(next_uri))
        token, is_outward = inner, False
