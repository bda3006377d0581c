"""The clocks of a subscriber: how long it lasts, when to refresh, when to give up (RFC 6665 4.1.2).

How long it lasts is said twice, by the 2xx and by each NOTIFY. A notifier may shorten it in either,
and neither may lengthen what was asked for; so the shorter of the two counts. The time of a refresh
is reckoned from the last SUBSCRIBE: reckoned from each NOTIFY, frequent ones would put it off until
it is too late.
"""

DEFAULT_EXPIRES = 3600
"""Seconds that a SUBSCRIBE without Expires is taken to ask for."""
MAX_EXPIRES_ASKED = 86400
"""Seconds that we ask for at most when a notifier wants more than we did: a day."""
MAX_LONGER = 2
"""How many times in a row a 423 makes us ask again."""
MIN_ROOM = 2.0
"""Seconds that a subscription must still last for a refresh to make sense."""


class SubscriptionLifetime:
    """All times in seconds. `refresh_at` is the fraction of its life after which to refresh."""

    def __init__(self, asked: int | None, timer_n: float, refresh_at: float, now: float) -> None:
        self.asked = DEFAULT_EXPIRES if asked is None else asked
        """What the next SUBSCRIBE says in Expires."""
        self._timer_n = timer_n
        self._refresh_at = refresh_at
        self._longer = 0
        self._granted_until: float | None = None
        self._told_until: float | None = None
        self.begin(now)

    def begin(self, now: float) -> None:
        """Take it that a SUBSCRIBE goes out: a NOTIFY has to follow."""
        self._since = self._not_before = now
        self._overdue: float | None = now + self._timer_n
        self._told_since = False

    def ask_longer(self, min_expires: int | None) -> bool:
        """Take the Min-Expires of a 423; return whether to ask again."""
        if min_expires is None or not 0 < self.asked < min_expires <= MAX_EXPIRES_ASKED:
            return False
        self._longer += 1
        if self._longer > MAX_LONGER:
            return False
        self.asked = min_expires
        return True

    def granted(self, seconds: int | None, now: float) -> None:
        """Take the Expires of a 2xx."""
        self._longer = 0
        self._granted_until = now + min(self.asked, self.asked if seconds is None else seconds)
        if not self._told_since:
            # That was about the time before this SUBSCRIBE.
            self._told_until = None

    def told(self, seconds: int | None, now: float) -> None:
        """Take the `expires` of a NOTIFY."""
        self._overdue = None
        self._told_since = True
        if seconds is not None:
            self._told_until = now + min(self.asked, seconds)

    def no_notify_follows(self) -> None:
        """Take it that the notifier has nothing new to tell (RFC 5839)."""
        self._overdue = None

    def postpone(self, retry_after: int | None, now: float) -> None:
        """Take it that a refresh failed: try again, after as many seconds at least."""
        self._overdue = None
        self._since = now
        self._not_before = now + (retry_after or 0)

    def is_overdue(self, now: float) -> bool:
        """Tell whether a NOTIFY should have come by now."""
        return self._overdue is not None and now >= self._overdue

    def is_expired(self, now: float) -> bool:
        """Tell whether the time that was granted is over."""
        return now >= self._expires_at

    def next_deadline(self, is_standing: bool, may_refresh: bool) -> float | None:
        """Return when something is due: Timer N and, while it stands, its end and its refresh."""
        times: list[float] = []
        if self._overdue is not None:
            times.append(self._overdue)
        if is_standing:
            times.append(self._expires_at)
            left = self._expires_at - self._since
            if may_refresh and left >= MIN_ROOM:
                times.append(max(self._not_before, self._since + left * self._refresh_at))
        return min(times, default=None)

    @property
    def _expires_at(self) -> float:
        said = [at for at in (self._granted_until, self._told_until) if at is not None]
        return min(said, default=self._since + self.asked)
