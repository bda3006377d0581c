"""When a session must be bound, and when its peer must be asked whether it is still there.

A peer that names the session on a second connection may have lost the first one. It is asked on
that first one, with little time to answer: one that does keeps it.
"""

from sylk.msrp.session_limits import DOUBT_TIMEOUT


class SessionTimers:
    """The bind time-out and the keep-alive of one session; all times in seconds."""

    __slots__ = ("_bind_at", "_bind_timeout", "_doubted", "_interval", "_keepalive_at", "heard")

    def __init__(self, bind_timeout: float, keepalive_interval: float | None) -> None:
        self._bind_timeout = bind_timeout
        self._interval = keepalive_interval
        self._bind_at: float | None = None
        self._keepalive_at: float | None = None
        self._doubted: float | None = None
        self.heard = 0.0
        """When the last frame came."""

    def await_binding(self, now: float) -> None:
        """Start the bind time-out."""
        self._bind_at = now + self._bind_timeout

    def await_rebinding(self, now: float, timeout: float) -> None:
        """Start the time-out of a session that has lost its connection, stop the rest."""
        self.stop()
        self._bind_at = now + timeout

    def bound(self, now: float) -> None:
        """Stop the bind time-out, start the keep-alive."""
        self._bind_at = None
        if self._interval is not None:
            self._keepalive_at = now + self._interval

    def stop(self) -> None:
        """Stop all."""
        self._bind_at = self._keepalive_at = self._doubted = None

    def doubt(self, now: float) -> bool:
        """Give the connection DOUBT_TIMEOUT to prove itself; whether that begins now."""
        if self._doubted is not None:
            return False
        self._doubted = now
        return True

    def is_dead(self, now: float) -> bool:
        """Whether nothing was heard on a connection in doubt, when its time has passed."""
        if self._doubted is None or self._doubted + DOUBT_TIMEOUT > now:
            return False
        doubted, self._doubted = self._doubted, None
        return self.heard <= doubted

    def next_deadline(self) -> float | None:
        """Return when to ask again; a deadline does not move with each frame that comes."""
        at = self._keepalive_at if self._bind_at is None else self._bind_at
        if self._doubted is None:
            return at
        proven_by = self._doubted + DOUBT_TIMEOUT
        return proven_by if at is None else min(at, proven_by)

    def bind_overdue(self, now: float) -> bool:
        """Whether the session should have been bound by now."""
        return self._bind_at is not None and self._bind_at <= now

    def keepalive_due(self, now: float) -> bool:
        """Whether the peer has been silent for the whole interval; looks again one later."""
        if self._interval is None or self._keepalive_at is None or self._keepalive_at > now:
            return False
        silent = now - self.heard >= self._interval
        self._keepalive_at = (now if silent else self.heard) + self._interval
        return silent
