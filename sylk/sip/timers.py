"""The timers of RFC 3261 section 17 (table 4) and RFC 6026, all derived from three estimates.

Every value is in seconds. The methods with a `reliable` argument are those whose wait exists only
to absorb retransmissions: it is zero over a reliable transport.
"""

from dataclasses import dataclass

# RFC 3261 17.1.1.2: the client does not know the T1 of the server, so Timer D has a floor.
TIMER_D_MINIMUM_SECONDS = 32.0


@dataclass(frozen=True, slots=True)
class Timers:
    """T1 is the round trip estimate, T2 the longest interval, T4 the life of a message."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def timer_a(self) -> float:
        """The first interval between two INVITE requests; it doubles without a ceiling."""
        return self.t1

    @property
    def timer_b(self) -> float:
        """How long an INVITE client waits for any response."""
        return 64 * self.t1

    def timer_d(self, reliable: bool) -> float:
        """How long an INVITE client absorbs retransmissions of a final response."""
        return 0.0 if reliable else max(TIMER_D_MINIMUM_SECONDS, 64 * self.t1)

    @property
    def timer_e(self) -> float:
        """The first interval between two non-INVITE requests; it doubles up to T2."""
        return self.t1

    @property
    def timer_f(self) -> float:
        """How long a non-INVITE client waits for a final response."""
        return 64 * self.t1

    @property
    def timer_g(self) -> float:
        """The first interval between two final responses to INVITE; it doubles up to T2."""
        return self.t1

    @property
    def timer_h(self) -> float:
        """How long an INVITE server waits for the ACK to a non-2xx response."""
        return 64 * self.t1

    def timer_i(self, reliable: bool) -> float:
        """How long an INVITE server absorbs retransmissions of the ACK."""
        return 0.0 if reliable else self.t4

    def timer_j(self, reliable: bool) -> float:
        """How long a non-INVITE server absorbs retransmissions of the request."""
        return 0.0 if reliable else 64 * self.t1

    def timer_k(self, reliable: bool) -> float:
        """How long a non-INVITE client absorbs retransmissions of the response."""
        return 0.0 if reliable else self.t4

    @property
    def timer_l(self) -> float:
        """How long an INVITE server stays after a 2xx (RFC 6026 section 7.1)."""
        return 64 * self.t1

    @property
    def timer_m(self) -> float:
        """How long an INVITE client takes further 2xx responses (RFC 6026 section 7.2)."""
        return 64 * self.t1

    @property
    def timer_cancel(self) -> float:
        """How long a cancelled INVITE may stay without a final response (RFC 3261 9.1)."""
        return 64 * self.t1

    @property
    def timer_trying(self) -> float:
        """When Timer E of a non-INVITE client has grown to T2 (RFC 4320 section 4.1)."""
        passed, interval = 0.0, self.timer_e
        while interval < self.t2:
            passed += interval
            interval *= 2
        return passed

    @property
    def timer_unanswered(self) -> float:
        """When a non-INVITE client has given up, so that no answer is of use (RFC 4320 4.2)."""
        return self.timer_f


DEFAULT_TIMERS = Timers()
"""Those of everybody who has no others."""
