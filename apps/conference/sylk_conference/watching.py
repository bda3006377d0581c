"""Those who are told the state of a room, and when they are told it (RFC 6665, RFC 4575).

However fast a room changes, its state is written once in an interval; a subscriber is told the
present one when it is his turn, and those who have waited longest come first. So a hundred joins in
a second cost a few documents, a large room costs a bounded number of bytes a second, and the last
state always arrives.

Who subscribes is told the state at once. But many may be behind one proxy, and share a connection:
nobody is told anything while much waits there, as a document more would be too much for it.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import trio

from sylk.session import Subscription, SubscriptionRequest
from sylk_conference.alarm import SetAlarm

SLICE = 1024 * 1024
"""Bytes of documents that are told in one go: some 5 ms in which nothing else is done."""

RATE = 32 * 1024 * 1024
"""Bytes of documents a second, to all the subscribers of one room together."""

BACKLOG = 256 * 1024
"""Bytes that may wait on a connection before one more document goes there."""

_NOTHING = -1
_JAMMED = 0.1
"""Seconds until it is looked again whether a connection takes more, where none did."""


class Source(Protocol):
    """Where the state comes from."""

    @property
    def content_type(self) -> str:
        """The type of the documents."""
        ...

    def render(self, version: int, *, changes: bool = False) -> tuple[bytes, bytes]:
        """Return the state, and with `changes` what changed since the version before, if any."""
        ...


class Watchers:
    """The subscriptions to one state."""

    def __init__(
        self, source: Source, interval: float, set_alarm: SetAlarm, *, partial_state: bool = False
    ) -> None:
        """Write a document once in `interval` seconds at most.

        With `partial_state` who knows the version before is told what changed since. COMPAT:
        deployed clients cannot put that together.
        """
        self.on_empty: Callable[[], None] | None = None
        """Called when the last subscription has ended."""
        self.interval = interval
        self.partial_state = partial_state
        self._source = source
        self._set_alarm = set_alarm
        self._version = 0
        self._state = self._difference = b""
        self._is_stale = True
        self._not_before = self._next_slice = 0.0
        self._told: dict[Subscription, int] = {}
        """Which version each was told."""
        self._new: dict[Subscription, None] = {}
        """Those of them who have been told nothing yet; their turn comes first."""
        self._behind: dict[Subscription, None] = {}
        """Those who lack the present version, in the order in which they are told it."""
        self._alarm_at: float | None = None

    def __len__(self) -> int:
        """Return how many are told."""
        return len(self._told)

    async def accept(self, request: SubscriptionRequest) -> None:
        """Accept a subscription and tell it the present state at once.

        Raises SessionEnded, with the request refused, when it makes no sense.
        """
        if self._is_stale:
            self._write(trio.current_time())
        version, later = self._version, request.backlog > BACKLOG
        subscription = await request.accept(self._state, self._source.content_type, later=later)
        if subscription.is_over:
            return
        self._told[subscription] = _NOTHING if later else version
        if later:
            self._new[subscription] = None
        elif version != self._version:
            self._behind[subscription] = None
        subscription.on_end = partial(self._forget, subscription)
        self._keep_time()

    def changed(self) -> None:
        """Take it that the state is another one now."""
        if not self._is_stale:
            self._is_stale = True
            self._keep_time()

    def end(self, reason: str = "noresource") -> None:
        """Tell all of them that there is nothing to be told any more."""
        for subscription in list(self._told):
            subscription.end(reason)
        self._told.clear()
        self._new.clear()
        self._behind.clear()
        self._keep_time()

    def _forget(self, subscription: Subscription) -> None:
        self._told.pop(subscription, None)
        self._new.pop(subscription, None)
        self._behind.pop(subscription, None)
        self._keep_time()
        if not self._told and self.on_empty is not None:
            self.on_empty()

    def _write(self, now: float) -> None:
        self._version += 1
        rendered = self._source.render(self._version, changes=self.partial_state)
        self._state, self._difference = rendered
        self._is_stale = False
        self._not_before = now + self.interval
        self._behind |= dict.fromkeys(one for one in self._told if one not in self._new)

    def _keep_time(self) -> None:
        """See to it that `_ring` is called when there is something to tell."""
        at: float | None = None
        if self._new or self._behind:
            at = self._next_slice
        elif self._told and self._is_stale:
            at = max(self._not_before, trio.current_time())
        # One that rings sooner comes back here.
        if at is None or self._alarm_at is None or at < self._alarm_at:
            self._alarm_at = at
            self._set_alarm(at, self._ring)

    def _ring(self, now: float) -> None:
        self._alarm_at = None
        if self._is_stale and now >= self._not_before:
            self._write(now)
        told = self._tell_slice()
        self._next_slice = now + (SLICE / RATE if told else _JAMMED)
        self._keep_time()

    def _tell_slice(self) -> int:
        """Tell some whose connection takes it; returns the bytes that this takes."""
        told = 0
        for waiting in (self._new, self._behind):
            for subscription in list(waiting):
                if told >= SLICE:
                    return told
                if subscription.backlog <= BACKLOG:
                    waiting.pop(subscription, None)
                    told += self._tell(subscription)
        return told

    def _tell(self, subscription: Subscription) -> int:
        """Tell one the present version; returns the bytes that this takes."""
        knows_last = self.partial_state and self._told[subscription] == self._version - 1
        change = self._difference if knows_last else b""
        self._told[subscription] = self._version
        subscription.notify(self._state, self._source.content_type, change)
        return len(change or self._state)
