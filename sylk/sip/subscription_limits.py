"""How long a subscription may last and how often it may be told (RFC 6665 section 4.2)."""

from dataclasses import dataclass

from sylk.errors import RemoteProtocolError

# RFC 6665 4.2.1.1: an hour is never too short, whatever the operator thinks; in seconds.
LONG_ENOUGH = 3600


@dataclass(frozen=True, slots=True)
class SubscriptionLimits:
    """The bounds of one subscription; all but `max_refusals` are in seconds.

    `default_expires` is granted when nothing is asked for, `max_expires` at most; less than
    `min_expires` is refused with 423. `min_interval` lies between two NOTIFYs. A NOTIFY that is
    refused with a status that does not end the subscription goes out again after its Retry-After,
    or `retry_interval`; after `max_refusals` in a row the subscription is ended.
    """

    default_expires: int = 3600
    max_expires: int = 3600
    min_expires: int = 60
    min_interval: float = 0.2
    retry_interval: float = 5.0
    max_refusals: int = 3

    def grant(self, asked: int | None) -> int:
        """Return for how many seconds a subscription is granted; 0 for one that is to end.

        Raises RemoteProtocolError (423, with Min-Expires) when too little is asked for.
        """
        if asked is None:
            return self.default_expires
        if 0 < asked < min(self.min_expires, LONG_ENOUGH):
            raise RemoteProtocolError(
                f"{asked} s are too short", 423, [("Min-Expires", str(self.min_expires))]
            )
        return min(asked, self.max_expires)
