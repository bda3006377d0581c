"""Something that a task may wait for, and mostly none does.

A `trio.Event` takes a quarter of a kilobyte whether anybody waits or not; each of ten thousand
sessions has several, and nearly all of them idle.
"""

import trio


class Wakeup:
    """Lets tasks wait until they are woken; who comes later waits for the next time."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: trio.Event | None = None

    async def wait(self) -> None:
        """Wait for the next `wake`."""
        if self._event is None:
            self._event = trio.Event()
        await self._event.wait()

    def wake(self) -> None:
        """Let all go on who wait now."""
        event, self._event = self._event, None
        if event is not None:
            event.set()
