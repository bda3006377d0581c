"""When a session must be bound, and when its peer must be asked whether it is still there."""


class SessionTimers:
    """The bind time-out and the keep-alive of one session; all times in seconds."""

    __slots__ = ("_bind_at", "_bind_timeout", "_interval", "_keepalive_at", "heard")

    def __init__(self, bind_timeout: float, keepalive_interval: float | None) -> None:
        self._bind_timeout = bind_timeout
        self._interval = keepalive_interval
        self._bind_at: float | None = None
        self._keepalive_at: float | None = None
        self.heard = 0.0
        """When the last frame came."""

    def await_binding(self, now: float) -> None:
        """Start the bind time-out."""
        self._bind_at = now + self._bind_timeout

    def bound(self, now: float) -> None:
        """Stop the bind time-out, start the keep-alive."""
        self._bind_at = None
        if self._interval is not None:
            self._keepalive_at = now + self._interval

    def stop(self) -> None:
        """Stop both."""
        self._bind_at = self._keepalive_at = None

    def next_deadline(self) -> float | None:
        """Return when to ask again; a deadline does not move with each frame that comes."""
        return self._keepalive_at if self._bind_at is None else self._bind_at

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
