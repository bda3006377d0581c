"""Which sessions there are, by session-id."""

import secrets
from collections.abc import Iterator

from sylk.errors import LocalProtocolError
from sylk.msrp.session import MsrpSession

MAX_SESSIONS = 100_000
"""Sessions in one registry; one more is refused."""


class SessionRegistry:
    """The sessions of one process; they share listeners, so the session-id tells them apart."""

    __slots__ = ("_max_sessions", "_sessions")

    def __init__(self, max_sessions: int = MAX_SESSIONS) -> None:
        self._max_sessions = max_sessions
        self._sessions: dict[str, MsrpSession] = {}

    def new_session_id(self) -> str:
        """Return 80 random bits in hex: knowing them is what proves a right to the session."""
        return secrets.token_hex(10)

    def add(self, session: MsrpSession) -> None:
        """List a session until it closes; raises LocalProtocolError when full or listed."""
        if session.session_id in self._sessions:
            raise LocalProtocolError("a session of that id is listed")
        if len(self._sessions) >= self._max_sessions:
            raise LocalProtocolError("too many sessions")
        self._sessions[session.session_id] = session
        session.registry = self

    def get(self, session_id: str) -> MsrpSession | None:
        """Return the session of that id."""
        return self._sessions.get(session_id)

    def remove(self, session: MsrpSession) -> None:
        """Strike a session out; it does so itself when it closes."""
        if self._sessions.get(session.session_id) is session:
            del self._sessions[session.session_id]
            session.registry = None

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[MsrpSession]:
        return iter(list(self._sessions.values()))
