"""Who may have a path through the relay: AUTH (RFC 4976 sections 5.1 and 6.3).

An AUTH whose To-Path is one URI is for us. It is refused, in this order: in clear (403, unless that
is allowed), without credentials or with wrong ones (401 and a challenge), with an Expires out of
bounds (423 and the bound), and when there are too many paths (403). An AUTH whose To-Path is a path
that the same client has already gives that one more time; RFC 4976 knows no way to do so, and a
client that does not know this one gets a new path each time, as it says.

Whoever tries several wrong passwords, or asks over and over without one, loses the connection. One
who comes again for more guesses hears 403 to any password, once his address has used up its own.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import Frame, answer_path_lines, render_answer
from sylk.msrp.relay_events import AuthRefused, CloseWanted, PathGranted, RelayEvent
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.relay_outlets import Outlets
from sylk.msrp.relay_tokens import Token, Tokens, session_id_of

HeaderLines = Sequence[tuple[str, str]]

_EXPIRES_DIGITS = 10


@dataclass(slots=True)
class Admission:
    """Somebody who has proven who they are; `info` is the value of Authentication-Info."""

    username: str
    info: str


class Access(Protocol):
    """Who knows the users; it joins this protocol to the digest of SIP and HTTP."""

    def challenge(self, now: float, source: str, *, stale: bool = False) -> HeaderLines:
        """Return the WWW-Authenticate header fields for whoever is at `source`."""
        ...

    def check(
        self, authorization: str, uri: str, now: float, source: str, guesser: str = ""
    ) -> Admission:
        """Return who answered a challenge; `uri` is the rightmost in the To-Path.

        Wrong passwords are counted for `guesser`, where that is not empty. Raises
        RemoteProtocolError with the status, and header fields, to answer with.
        """
        ...


class PathWriter(Protocol):
    """Who knows under what name and port we are reached."""

    def __call__(self, session_id: str, *, secure: bool) -> str:
        """Return the URI of a path."""
        ...


@dataclass(slots=True)
class _Visitor:
    """What one connection has tried since something last worked; `source` binds its nonces."""

    source: str
    failures: int = 0
    challenges: int = 0


class Desk:
    """Answers AUTH, and gives out paths."""

    def __init__(
        self,
        access: Access,
        write_path: PathWriter,
        tokens: Tokens,
        outlets: Outlets,
        limits: RelayLimits,
        events: deque[RelayEvent],
        random_token: Callable[[], str],
        *,
        allows_clear: bool,
    ) -> None:
        """Take who knows the users; `random_token` gives 80 random bits as URI characters."""
        self._access = access
        self._write_path = write_path
        self._tokens = tokens
        self._outlets = outlets
        self._limits = limits
        self._events = events
        self._random_token = random_token
        self._allows_clear = allows_clear
        self._visitors: dict[MsrpConnection, _Visitor] = {}

    def forget(self, link: MsrpConnection) -> None:
        """Forget a connection that has closed."""
        self._visitors.pop(link, None)

    def receive(self, link: MsrpConnection, frame: Frame, now: float) -> None:
        """Answer an AUTH request that is for us."""
        visitor = self._visitors.get(link)
        if visitor is None:
            visitor = self._visitors[link] = _Visitor(self._random_token())
        try:
            expires, admission, token = self._admit(link, visitor, frame, now)
        except RemoteProtocolError as error:
            self._refuse(link, visitor, frame, error)
            return
        visitor.failures = visitor.challenges = 0
        path = self._path_through(frame, token)
        headers = [
            ("Use-Path", path),
            ("Authentication-Info", admission.info),
            ("Expires", str(expires)),
        ]
        self._outlets.write(link, _answer(frame, 200, headers))
        self._events.append(PathGranted(link, admission.username, expires))

    def _admit(
        self, link: MsrpConnection, visitor: _Visitor, frame: Frame, now: float
    ) -> tuple[int, Admission, Token]:
        """Return for how long who has which path; raises RemoteProtocolError."""
        if not link.secure and not self._allows_clear:
            raise RemoteProtocolError("AUTH without TLS", 403)
        value = frame.headers.get(b"authorization")
        if value is None:
            raise RemoteProtocolError("", 401, self._access.challenge(now, visitor.source))
        uri = frame.to_path.decode("latin-1")
        authorization = value.decode("utf-8", "surrogateescape")
        admission = self._access.check(authorization, uri, now, visitor.source, link.source)
        expires = self._expires_of(frame)
        session_id = session_id_of(frame.to_path)
        if not session_id:
            token = self._new_token(link, admission.username, now + expires)
            return expires, admission, token
        token = self._tokens.find(frame.to_path, now)
        if token is None or token.link is not link or token.username != admission.username:
            raise RemoteProtocolError("AUTH for a path that this client does not have", 481)
        self._tokens.renew(token, now + expires)
        return expires, admission, token

    def _expires_of(self, frame: Frame) -> int:
        value = frame.headers.get(b"expires")
        limits = self._limits
        if value is None:
            return limits.default_expires
        if not value.isdigit():
            raise RemoteProtocolError("malformed Expires", 400)
        expires = int(value[:_EXPIRES_DIGITS]) if len(value) <= _EXPIRES_DIGITS else 10**9
        if expires < limits.min_expires:
            lowest = [("Min-Expires", str(limits.min_expires))]
            raise RemoteProtocolError("Expires is too short", 423, lowest)
        if expires > limits.max_expires:
            highest = [("Max-Expires", str(limits.max_expires))]
            raise RemoteProtocolError("Expires is too long", 423, highest)
        return expires

    def _new_token(self, link: MsrpConnection, username: str, expires: float) -> Token:
        tokens, limits = self._tokens, self._limits
        if not tokens.has(link) and tokens.clients >= limits.max_clients:
            raise RemoteProtocolError("max_clients is reached", 403)
        if tokens.count_of(username) >= limits.max_paths:
            raise RemoteProtocolError(f"{username!a} has max_paths_per_client paths", 403)
        session_id = self._random_token()
        uri = self._write_path(session_id, secure=bool(link.secure))
        token = Token(uri.encode(), session_id, link, username, expires)
        tokens.add(token)
        return token

    def _path_through(self, frame: Frame, token: Token) -> str:
        """Return the relays from the client to us, and us: what Use-Path says."""
        before = frame.from_path.split()[:-1]
        return b" ".join([*reversed(before), token.uri]).decode("latin-1")

    def _refuse(
        self, link: MsrpConnection, visitor: _Visitor, frame: Frame, error: RemoteProtocolError
    ) -> None:
        self._outlets.write(link, _answer(frame, error.status, error.headers))
        limits = self._limits
        if b"authorization" not in frame.headers and error.status == 401:
            visitor.challenges += 1
        else:
            self._events.append(AuthRefused(link, error.status, str(error)))
            if error.status in (400, 401, 403):
                visitor.failures += 1
        if visitor.failures >= limits.max_failures or visitor.challenges >= limits.max_challenges:
            self._events.append(CloseWanted(link, "AUTH failed too often"))


def _answer(frame: Frame, status: int, headers: HeaderLines) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return render_answer(
        frame.transaction_id,
        status,
        answer_path_lines(frame.to_path, frame.from_path, whole=True),
        None,
        lines.encode("utf-8", "surrogateescape"),
    )
