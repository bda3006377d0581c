"""What both sides of a subscription tell their user, in the order in which it happened."""

from dataclasses import dataclass


@dataclass(slots=True)
class Refreshed:
    """The subscriber asked again, and is told the present state without the user's doing."""


@dataclass(slots=True)
class Subscribed:
    """The notifier took our SUBSCRIBE; `expires` is for how many seconds, if it said so."""

    expires: int | None


@dataclass(slots=True)
class Notified:
    """A NOTIFY came; `state` is its Subscription-State: `active`, `pending`, `terminated`."""

    body: bytes
    content_type: str | None
    state: str


@dataclass(slots=True)
class SubscriptionEnded:
    """Nothing can be told in this subscription any more; comes once, last.

    `reason` is in words or a reason of RFC 6665, `status` that of a response if one ended it. After
    `resubscribe_after` seconds it makes sense to subscribe anew; None: it does not.
    """

    reason: str
    status: int | None = None
    resubscribe_after: int | None = None
