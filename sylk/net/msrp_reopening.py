"""Opens the connections of active sessions again, as long as a session waits for one.

The first attempt is made at once, since most connections break alone; the next ones after pauses
that double. A connection that did not last counts as one more attempt, so that a peer which takes
every connection and closes it costs no more than one that takes none. The session itself knows how
long it waits.
"""

import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import trio

from sylk.errors import TransportError
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_table import SessionState
from sylk.sip.flow import Address

logger = logging.getLogger("sylk.msrp")

FIRST_PAUSE = 0.5
"""Seconds between the first attempt and the second; they double with each one more."""

LONGEST_PAUSE = 4.0

ATTEMPT_TIMEOUT = 5.0
"""Seconds that one attempt may take until the connection stands."""

STEADY = 10.0
"""Seconds for which a connection must have lasted so that the pauses are short again."""


@dataclass(slots=True)
class Way:
    """Where a session connected to, and how often it has tried to do so again."""

    fingerprints: Sequence[str]
    target: Address | None
    attempts: int = 0
    bound_at: float | None = None
    """When the connection that was lost last had come to stand; None once that is considered."""

    def next_pause(self) -> float:
        """Return how long to wait before the next attempt, and count it.

        It is shortened by chance, so that those whose network came back together do not come at
        the same moment.
        """
        if self.bound_at is not None and trio.current_time() - self.bound_at >= STEADY:
            self.attempts = 0
        self.bound_at = None
        # The exponent is bounded, as the number of attempts is not.
        pause = FIRST_PAUSE * 2.0 ** min(self.attempts - 1, 8) if self.attempts else 0.0
        self.attempts += 1
        return min(pause, LONGEST_PAUSE) * random.uniform(0.5, 1.0)


Connect = Callable[[MsrpSession, Way], Coroutine[Any, Any, None]]


class Reopening:
    """The active sessions of one port, and the ways to their peers."""

    def __init__(self, connect: Connect) -> None:
        """`connect` opens a connection and binds the session to it; it raises TransportError."""
        self._connect = connect
        self._ways: dict[MsrpSession, Way] = {}

    def learn(self, session: MsrpSession, way: Way) -> None:
        """Remember how a session got its first connection."""
        self._ways[session] = way

    def forget(self, session: MsrpSession) -> None:
        """Let go of a session that is over."""
        self._ways.pop(session, None)

    def begin(self, session: MsrpSession, nursery: trio.Nursery) -> None:
        """Look for another connection, if it is our part to open it."""
        way = self._ways.get(session)
        if way is not None:
            nursery.start_soon(self._run, session, way)

    def bound(self, session: MsrpSession) -> None:
        """Take it that the session has its connection."""
        way = self._ways.get(session)
        if way is not None:
            way.bound_at = trio.current_time()

    async def _run(self, session: MsrpSession, way: Way) -> None:
        while True:
            await trio.sleep(way.next_pause())
            if session.state is not SessionState.DETACHED:
                return
            try:
                with trio.move_on_after(ATTEMPT_TIMEOUT) as patience:
                    await self._connect(session, way)
                    return
                if patience.cancelled_caught:
                    logger.debug("no connection within %g s", ATTEMPT_TIMEOUT)
            except TransportError as error:
                logger.debug("no connection: %s", error)
