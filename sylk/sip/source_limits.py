"""How much one source may ask for: token buckets by address, in a table that cannot grow.

A bucket holds `burst` tokens at most and gets `rate` of them in a second; each request takes one.
All that has to be known of a bucket is when it will be full again: a token that is taken puts that
off by 1/rate seconds. A bucket that is full is as good as none, so its entry goes. When the table
is full all the same, the bucket goes that is full soonest: who has taken most is remembered
longest, and a spray of made-up sources, each of which has taken one token, pushes out only its
own.

What is over the limit is refused, and the refusals come out of a smaller bucket: when that is
empty too, nothing is answered any more. So a flood that says to come from somebody else does not
become a flood of our answers towards him. A source that keeps to its rate again is served again.
"""

import ipaddress
import math
from functools import lru_cache

from sylk.errors import RemoteProtocolError
from sylk.sip.deadlines import Deadline, DeadlineHeap

MAX_SOURCES = 20_000
"""Sources that are remembered at one time, each in about 300 bytes."""

BURST_SECONDS = 5.0
"""How many seconds' worth of tokens a bucket holds: clients come together after a restart."""

REFUSALS = 0.1
"""How many refusals a second there are for each request a second that is allowed."""

_ALLOWANCE = 1e-6
"""Seconds by which the sums of many floating-point numbers may be off."""

_SITE_BITS = 64  # RFC 4291 2.5.4: below it an IPv6 host chooses its address as it likes.


class SentNoAnswer(RemoteProtocolError):
    """A request that is not even refused: its source gets no answer from now on."""


@lru_cache(maxsize=4096)
def source_of(address: str) -> str:
    """Return what the limits of a source count by: an IPv4 address, or an IPv6 network of 64 bits.

    An IPv4 address in IPv6 form counts as IPv4. What is no address is taken as it is.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _SITE_BITS), strict=False))


class TokenBuckets:
    """A bucket for each source. `rate` is tokens a second, `burst` the most that a bucket holds.

    An infinite `rate` refuses nothing and remembers nothing.
    """

    def __init__(self, rate: float, burst: float, *, max_sources: int = MAX_SOURCES) -> None:
        self._interval = 1 / rate
        self._tolerance = (max(burst, 1.0) - 1) * self._interval + _ALLOWANCE
        self._max_sources = max_sources
        self._full_at: dict[str, tuple[float, Deadline[str]]] = {}
        self._expiries: DeadlineHeap[str] = DeadlineHeap()

    def __len__(self) -> int:
        """Return how many buckets are not full, as far as anybody has looked."""
        return len(self._full_at)

    def take(self, source: str, now: float) -> bool:
        """Take a token of the source; False if there is none, and then nothing is taken."""
        if not self._interval:
            return True
        self._drop_full(now)
        known = self._full_at.get(source)
        full_at = now if known is None else max(known[0], now)
        if full_at - now > self._tolerance:
            return False
        if known is not None:
            self._expiries.cancel(known[1])
        elif len(self._full_at) >= self._max_sources:
            self._drop_full(math.inf, at_most=1)
        full_at += self._interval
        self._full_at[source] = full_at, self._expiries.add(full_at, source)
        return True

    def wait(self, source: str, now: float) -> float:
        """Return for how many seconds the source has no token; 0 when it has one."""
        known = self._full_at.get(source)
        wait = 0.0 if known is None else known[0] - now - self._tolerance
        return 0.0 if wait <= 0 else wait + _ALLOWANCE / 2

    def _drop_full(self, now: float, at_most: int | None = None) -> None:
        dropped = 0
        while dropped != at_most and (source := self._expiries.pop_due(now)) is not None:
            del self._full_at[source]
            dropped += 1


class SourceLimits:
    """Bounds the requests of each source: `rate` a second, and a burst of five seconds' worth.

    Over it there is a 503 with Retry-After, and for a source that goes on, silence.
    """

    def __init__(
        self,
        rate: float,
        *,
        burst_seconds: float = BURST_SECONDS,
        max_sources: int = MAX_SOURCES,
    ) -> None:
        self._requests = TokenBuckets(rate, rate * burst_seconds, max_sources=max_sources)
        refusals = rate * REFUSALS
        self._refusals = TokenBuckets(refusals, refusals * burst_seconds, max_sources=max_sources)

    def __len__(self) -> int:
        """Return how many sources are remembered."""
        return max(len(self._requests), len(self._refusals))

    def check(self, source: str, now: float) -> None:
        """Count a request; raises RemoteProtocolError (503), or SentNoAnswer, over the limit."""
        if self._requests.take(source, now):
            return
        if not self._refusals.take(source, now):
            raise SentNoAnswer("too many requests from one source, refused often enough", 503)
        raise RemoteProtocolError(
            "too many requests from one source", 503, [retry_after(self._requests, source, now)]
        )


def retry_after(buckets: TokenBuckets, source: str, now: float) -> tuple[str, str]:
    """Return the header field that tells a source when there is a token for it again."""
    return "Retry-After", str(max(1, math.ceil(buckets.wait(source, now))))
