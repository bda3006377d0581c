"""When the next NOTIFY of a subscription may go (RFC 6665 section 4.2.2, RFC 6446 section 5.5).

Never two at a time, for UDP might turn them round; never two in less than the interval; and what
was refused is told again. Only whether something is to be told is kept here, not what: a state that
waits gives way to a newer one, so that a storm of changes costs a bounded number of NOTIFYs, and
the last state always goes out.
"""

from sylk.sip.subscription_limits import SubscriptionLimits


class NotifyPacing:
    """Which NOTIFY is not answered yet, and whether and when another has to follow."""

    def __init__(self, limits: SubscriptionLimits) -> None:
        self.is_untold = False
        """True while the subscriber does not know the present state."""
        self._limits = limits
        self._outstanding: int | None = None
        self._not_before = 0.0
        self._refusals = 0

    @property
    def is_waiting(self) -> bool:
        """True while a NOTIFY has no answer."""
        return self._outstanding is not None

    def may_tell(self, now: float) -> bool:
        """Tell whether a NOTIFY is due at `now`."""
        return self.is_untold and not self.is_waiting and now >= self._not_before

    def next_time(self) -> float | None:
        """Return when a NOTIFY is due; None if none is, or if an answer has to come first."""
        return self._not_before if self.is_untold and not self.is_waiting else None

    def sent(self, number: int, now: float) -> None:
        """Take it that a NOTIFY with this sequence number goes out."""
        self.is_untold = False
        self._outstanding = number
        self._not_before = now + self._limits.min_interval

    def answered(self, number: int | None = None) -> bool:
        """Take an answer, or that none will come; return whether one was awaited to this number."""
        if self._outstanding is None or number not in (None, self._outstanding):
            return False
        self._outstanding = None
        return True

    def accepted(self) -> None:
        """Take it that the NOTIFY which was answered has been understood."""
        self._refusals = 0

    def refused(self, retry_after: int | None, now: float) -> bool:
        """Plan to tell it again; return False when that has been tried often enough."""
        self.is_untold = True
        self._refusals += 1
        wait = self._limits.retry_interval if retry_after is None else max(retry_after, 1)
        self._not_before = now + wait
        return self._refusals < self._limits.max_refusals
