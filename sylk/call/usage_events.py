"""What an INVITE usage tells its user, in the order in which it happened."""

from dataclasses import dataclass


@dataclass(slots=True)
class Ringing:
    """The peer sent a provisional response with this status."""

    status: int


@dataclass(slots=True)
class Established:
    """Both sides agree that the call stands: the ACK has come, or has been sent."""


@dataclass(slots=True)
class HoldChanged:
    """The peer holds us from now on, or does so no more (RFC 3264 section 8.4)."""

    held: bool


@dataclass(slots=True)
class Reoffered:
    """An offer of ours in a call that stands was answered; with 300 and more nothing changed."""

    status: int


@dataclass(slots=True)
class Ended:
    """The call is over; `status` is that of the final response or of the Reason, if any."""

    reason: str
    status: int | None = None


UsageEvent = Ringing | Established | HoldChanged | Reoffered | Ended
