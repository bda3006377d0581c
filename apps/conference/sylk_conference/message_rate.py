"""How fast one participant may talk: a token bucket, with the time handed in.

A bucket holds `burst` tokens and gets `rate` of them in a second; each message takes one, or each
byte, where it is bytes that are counted. Nothing
is refused: messages have been read before they are counted, so a bucket may go into debt, and the
room then reads on from that participant when the debt is paid. All that has to be known is when
the bucket will be full again; so a change of rate or burst holds at once.
"""

import math
from dataclasses import dataclass

_ALLOWANCE = 1e-6
"""Seconds by which the sums of many floating-point numbers may be off."""


@dataclass(slots=True)
class MessageBucket:
    """The bucket of one participant; one that is new is full."""

    full_at: float = -math.inf
    """When it is full again."""

    def spend(self, count: int, now: float, *, rate: float, burst: int) -> float:
        """Take `count` tokens, and return for how many seconds the debt is not yet paid.

        `rate` is tokens a second, more than 0; 0 seconds means that there is none.
        """
        self.full_at = max(self.full_at, now) + count / rate
        debt = self.full_at - now - burst / rate
        return debt if debt > _ALLOWANCE else 0.0
