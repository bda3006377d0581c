"""Reads many connections from one task, so that an idle one has none.

A task that waits for bytes takes five kilobytes, and to turn to it takes longer than most reads do:
ten thousand idle sessions would take fifty megabytes for waiting. Here they share one selector,
and one task waits for that.
"""

import selectors
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, cast

import trio

from sylk.net.turns import Turns

Connection = TypeVar("Connection")


class HasDescriptor(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """Return its descriptor."""
        ...


class ReadLoop(Generic[Connection]):
    """Calls `read` with each connection that has something to read, until it is removed.

    `read` must not raise: nobody could be told.
    """

    def __init__(self, read: Callable[[Connection], None]) -> None:
        self._read = read
        self._selector = selectors.DefaultSelector()
        self._turns = Turns()

    def add(self, stream: HasDescriptor, connection: Connection) -> None:
        """Have `connection` read whenever there is something in its stream."""
        self._selector.register(stream.fileno(), selectors.EVENT_READ, connection)

    def remove(self, stream: HasDescriptor) -> None:
        """Read it no more, if it is read; to be called before it is closed."""
        if stream.fileno() in self._selector.get_map():
            self._selector.unregister(stream.fileno())

    async def run(self) -> None:
        """Read until cancelled."""
        waiting = self._selector.get_map()
        while True:
            await trio.lowlevel.wait_readable(self._selector.fileno())
            await self._turns.take()
            for key, _ in self._selector.select(0):
                # What was read before may have removed this one.
                if waiting.get(key.fd) is key:
                    self._read(cast(Connection, key.data))
                    await self._turns.next()

    def close(self) -> None:
        """Give up what the system keeps for it."""
        self._selector.close()
