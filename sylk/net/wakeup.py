"""Something that a task may wait for, and mostly none does.

A `trio.Event` takes a quarter of a kilobyte whether anybody waits or not, and as much again in him
who waits; each of ten thousand sessions has several, and nearly all of them idle.
"""

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task


class Wakeup:
    """Lets tasks wait until they are woken; who comes later waits for the next time."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: tuple[Task, ...] = ()

    async def wait(self) -> None:
        """Wait for the next `wake`."""
        task = trio.lowlevel.current_task()
        self._waiting = (*self._waiting, task)
        # Trio forgets it as soon as the task is to go on, be it because it was cancelled.
        task.custom_sleep_data = self
        try:
            await trio.lowlevel.wait_task_rescheduled(_let_go)
        except BaseException:
            self._waiting = tuple(one for one in self._waiting if one is not task)
            raise

    def wake(self) -> None:
        """Let all go on who wait now."""
        waiting, self._waiting = self._waiting, ()
        for task in waiting:
            if task.custom_sleep_data is self:
                trio.lowlevel.reschedule(task)


class Gate:
    """Lets tasks through while it is open, and makes them wait while it is not."""

    __slots__ = ("_opened", "is_open")

    def __init__(self, *, is_open: bool = False) -> None:
        self.is_open = is_open
        self._opened = Wakeup()

    def open(self) -> None:
        """Let all through who wait, and who comes later."""
        self.is_open = True
        self._opened.wake()

    def close(self) -> None:
        """Let nobody through from now on."""
        self.is_open = False

    async def wait(self) -> None:
        """Wait until it is open; always a checkpoint."""
        if self.is_open:
            await trio.lowlevel.checkpoint()
        else:
            await self._opened.wait()


def _let_go(_raise_cancel: RaiseCancelT) -> Abort:
    return Abort.SUCCEEDED
