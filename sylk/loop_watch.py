"""Sees when the loop is held: when one task runs for so long that nobody else is served.

The loop tells at each turn when it begins to run tasks and when it has run them, which costs less
than a microsecond. A thread of its own looks now and then whether a turn has begun too long ago,
and notes where the loop is held, for a turn that never ends tells nothing itself. What ends is one
line of the log, with how long it took and where; what does not end within STUCK seconds is one too.

systemd sees the same from outside, as it is no longer fed (`sylk.notify`), and starts the server
anew.
"""

import logging
import sys
import threading
import time
import traceback

import trio

logger = logging.getLogger("sylk.server")

STUCK = 10.0
"""Seconds after which a loop that is held is told of while it is."""

_LOOKS = 4
"""How often the thread looks in the time that a turn may take."""


class LoopWatch(trio.abc.Instrument):
    """Watches one loop; `limit` is how many seconds a turn may take."""

    def __init__(self, limit: float, stuck: float = STUCK) -> None:
        self._limit = limit
        self._stuck = stuck
        self._began: float | None = None
        """When the turn began that runs now; None while the loop waits."""
        self._held_at: tuple[float, str] | None = None
        """Where a turn was when it had taken too long, by its beginning."""
        self._is_over = threading.Event()
        self.stalls = 0
        """How many turns have taken too long."""
        self._longest = 0.0

    async def run(self) -> None:
        """Watch the loop in which this runs, until cancelled."""
        thread = threading.Thread(
            target=self._look, args=[threading.get_ident()], name="sylk-watch", daemon=True
        )
        trio.lowlevel.add_instrument(self)
        thread.start()
        try:
            await trio.sleep_forever()
        finally:
            trio.lowlevel.remove_instrument(self)
            self._is_over.set()

    def take_longest(self) -> float:
        """Return how many seconds the longest turn took since this was asked last."""
        longest, self._longest = self._longest, 0.0
        return longest

    # In the loop

    def after_io_wait(self, timeout: float) -> None:
        """Take it that a turn begins."""
        self._began = time.monotonic()

    def before_io_wait(self, timeout: float) -> None:
        """Take it that a turn has ended."""
        began, self._began = self._began, None
        if began is None:
            return
        held = time.monotonic() - began
        self._longest = max(self._longest, held)
        if held > self._limit:
            self.stalls += 1
            seen = self._held_at
            where = seen[1] if seen is not None and seen[0] == began else ""
            logger.warning(
                "nobody was served for %.1f s: the loop was held", held, extra={"detail": where}
            )

    # In the thread

    def _look(self, loop: int) -> None:
        told = 0.0
        while not self._is_over.wait(self._limit / _LOOKS):
            began = self._began
            if began is None:
                continue
            held = time.monotonic() - began
            if held > self._limit and (self._held_at is None or self._held_at[0] != began):
                self._held_at = began, _where(loop)
            if held > self._stuck and told != began:
                told = began
                logger.error(
                    "nobody is served since %.0f s: the loop is stuck",
                    held,
                    extra={"detail": _where(loop)},
                )


def _where(thread: int) -> str:
    """Return what a thread is doing, as a traceback shows it."""
    frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage] - the only way to see it
    frame = frames.get(thread)
    return "" if frame is None else "".join(traceback.format_stack(frame))
