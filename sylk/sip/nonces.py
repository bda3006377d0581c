"""Nonces that cost nothing until they are used, and that are good for each count only once.

A nonce is the time of its issue, a random part, and an HMAC over both, so that we know our own
without a list of them: a flood of requests without credentials leaves nothing behind. From the
first use on, which takes a right password, a nonce is remembered until it expires, with the
highest nonce count (RFC 7616 section 3.4) and which of the counts just below have come:
datagrams overtake each other.

The number of remembered nonces is bounded. Over the bound the one that was issued first makes
room, and a nonce that is as old as all that are remembered, or older, is not good. So what was
forgotten can never be used again: there is no room for it until the others expire, and it expires
before them. Its owner is challenged anew, as after the expiry.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from sylk.sip.deadlines import DeadlineHeap
from sylk.sip.digest import MAX_NONCE_COUNT

NONCE_LIFETIME = 300.0
"""For how long a nonce can be used, in seconds."""

MAX_NONCES = 10_000
"""How many used nonces are remembered, each in about 400 bytes."""

REORDERING_WINDOW = 32
"""How far a count may be behind the highest; a client has far fewer requests under way."""

_SECRETS = 4  # random tokens in the key, each of at least 64 bits
_MAC_DIGITS = 32  # hexadecimal: 128 bits
_PER_SECOND = 1000  # issue times are kept in milliseconds
_CLOSED = MAX_NONCE_COUNT + REORDERING_WINDOW + 1  # higher than any count, and then the window


@dataclass(slots=True)
class _Counts:
    """The counts that came with one nonce; bit n of `seen` stands for `highest` - n."""

    highest: int
    seen: int = 1

    def take(self, count: int) -> bool:
        """Tell whether `count` comes for the first time, and remember it."""
        ahead = count - self.highest
        if ahead > 0:
            # Shifting by more than the window would only fill memory with zeros.
            self.seen = (self.seen << min(ahead, REORDERING_WINDOW)) & (2**REORDERING_WINDOW - 1)
            self.seen |= 1
            self.highest = count
            return True
        bit = 1 << min(-ahead, REORDERING_WINDOW)
        if -ahead >= REORDERING_WINDOW or self.seen & bit:
            return False
        self.seen |= bit
        return True


class Nonces:
    """Issues nonces and takes each count of each of them once.

    `random_token` returns text of token characters with at least 64 bits of randomness. Times are
    seconds of a clock that does not go back.
    """

    def __init__(
        self,
        random_token: Callable[[], str],
        *,
        lifetime: float = NONCE_LIFETIME,
        max_nonces: int = MAX_NONCES,
    ) -> None:
        self._random_token = random_token
        self._lifetime = lifetime
        self._max_nonces = max_nonces
        self._key = "".join(random_token() for _ in range(_SECRETS)).encode()
        self._used: dict[str, _Counts] = {}
        self._expiries: DeadlineHeap[str] = DeadlineHeap()

    def __len__(self) -> int:
        """Return how many used nonces are remembered."""
        return len(self._used)

    def issue(self, now: float, source: str = "") -> str:
        """Return a new nonce; it is of use only with the same `source`."""
        body = f"{int(now * _PER_SECOND):x}.{self._random_token()}"
        return f"{body}.{self._mac(body, source)}"

    def issued(self, nonce: str, source: str = "") -> bool:
        """Tell whether we issued `nonce` to this source, be it expired or used up."""
        return self._expiry(nonce, source) is not None

    def use(self, nonce: str, count: int | None, now: float, source: str = "") -> bool:
        """Tell whether `nonce` is ours and still good for `count`, and use that count up.

        None is the count of clients that do not count: they can use a nonce once. Call it only
        for a request whose digest is right.
        """
        expiry = self._expiry(nonce, source)
        if expiry is None or expiry <= now:
            return False
        while (expired := self._expiries.pop_due(now)) is not None:
            del self._used[expired]
        counts = self._used.get(nonce)
        if counts is not None:
            return count is not None and counts.take(count)
        if not self._make_room(expiry):
            return False
        self._used[nonce] = _Counts(_CLOSED if count is None else count)
        self._expiries.add(expiry, nonce)
        return True

    def _make_room(self, expiry: float) -> bool:
        """Forget the oldest nonce if there are too many; False if the new one is as old."""
        if len(self._used) < self._max_nonces:
            return True
        oldest = self._expiries.next()
        if oldest is None or expiry <= oldest:
            return False
        forgotten = self._expiries.pop_due(oldest)
        assert forgotten is not None
        del self._used[forgotten]
        return True

    def _expiry(self, nonce: str, source: str) -> float | None:
        """Return when a nonce of ours expires, None if it is not ours."""
        body, _, mac = nonce.rpartition(".")
        expected = self._mac(body, source).encode()
        if not hmac.compare_digest(expected, mac.encode("utf-8", "surrogatepass")):
            return None
        return int(body.partition(".")[0], 16) / _PER_SECOND + self._lifetime

    def _mac(self, body: str, source: str) -> str:
        # The line break keeps the two apart: what we issue has none.
        data = f"{body}\n{source}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, data, sha256).hexdigest()[:_MAC_DIGITS]
