"""What came while the user was not at the keyboard, and when a message is of another time.

A terminal seldom tells when it loses the focus, but a user who reads types now and then. Above the
first message that comes when he has not for a while, a line is drawn: there he reads on.
"""

from datetime import datetime, timedelta

AWAY_AFTER = 120.0
"""Seconds for which the keyboard must have been still."""

CLOCK_SKEW = timedelta(seconds=10)
"""By how much the clocks of others may be wrong before what they say seems to be of the past."""

REPLAY_TIME = timedelta(seconds=10)
"""For how long what has been asked for may come."""

FRESH = timedelta(seconds=2)
"""How much earlier than the question a message must be that is one of those asked for."""


class Unread:
    """Tells where to draw the line; `now` is in seconds of any clock."""

    def __init__(self, now: float) -> None:
        self._last_key = now
        self._is_drawn = False

    def typed(self, now: float) -> None:
        """Take it that a key was pressed."""
        self._last_key = now
        self._is_drawn = False

    def line_before(self, now: float) -> float | None:
        """Return for how long the keyboard is still if a line is due before what comes now."""
        still = now - self._last_key
        if self._is_drawn or still < AWAY_AFTER:
            return None
        self._is_drawn = True
        return still


class Past:
    """Tells which messages are history, by the time at which their senders wrote them."""

    def __init__(self, now: datetime) -> None:
        """`now` is when the chat began; every time has a zone."""
        self._began = now
        self._asked: datetime | None = None

    def ask(self, now: datetime) -> None:
        """Take it that history was asked for."""
        self._asked = now

    def holds(self, sent: datetime | None, now: datetime) -> bool:
        """Tell whether a message that comes now, and was sent then, is history."""
        if sent is None:
            return False
        if sent < self._began - CLOCK_SKEW:
            return True
        asked = self._asked
        return asked is not None and now - asked <= REPLAY_TIME and sent < asked - FRESH
