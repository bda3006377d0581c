"""Gives memory back to the system when those who needed it have gone.

What is freed stays with the allocator, which gives back only what lies at the end of its heap.
After two thousand TLS connections that is a hundred megabytes of buffers, nearly all of them free.
So it is looked now and then how much is free, and when that is much more than before, whole pages
of it go back. It is done in a thread, outside of the interpreter. Where the C library is another
than glibc (since 2.33), nothing is done.
"""

import ctypes
import logging
from collections.abc import Callable
from contextlib import suppress

import trio

logger = logging.getLogger("sylk.server")

INTERVAL = 20.0
"""Seconds between two looks."""

WORTH = 16 * 1024 * 1024
"""Bytes that must have become free since the last time."""


class _Mallinfo2(ctypes.Structure):
    """As mallinfo(3) has it; the rest stands for what nobody asks here."""

    _fields_ = (
        ("before", ctypes.c_size_t * 8),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )


class Allocator:
    """The allocator of the C library, as far as it can be asked."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Raises AttributeError where the library has no such functions."""
        self._ask = library.mallinfo2
        self._ask.restype = _Mallinfo2
        self._trim = library.malloc_trim
        self._trim.argtypes = [ctypes.c_size_t]

    def free(self) -> int:
        """Return how many bytes it holds that nobody uses."""
        return int(self._ask().fordblks)

    def give_back(self) -> None:
        """Give whole pages that nobody uses to the system."""
        self._trim(0)


def find_allocator() -> Allocator | None:
    """Return the allocator of this process; None where it is one that we do not know."""
    try:
        return Allocator(ctypes.CDLL(None))
    except (OSError, AttributeError, TypeError):
        return None


class MemoryReturn:
    """Decides when it is worth while; `free` says how many bytes nobody uses."""

    def __init__(self, free: Callable[[], int], give_back: Callable[[], None]) -> None:
        self._free = free
        self._give_back = give_back
        self._floor: int | None = None
        """The least that was free since memory was given back: what was, is counted on as free."""

    def look(self) -> bool:
        """Give memory back if there is much; tells whether it was done."""
        free = self._free()
        if self._floor is None or free < self._floor:
            self._floor = free
        if free < self._floor + WORTH:
            return False
        self._give_back()
        self._floor = self._free()
        return True


async def give_memory_back() -> None:
    """Look now and then, until cancelled; returns where the allocator is unknown."""
    allocator = find_allocator()
    if allocator is None:
        return
    memory = MemoryReturn(allocator.free, allocator.give_back)
    while True:
        # Where there is not even room for a thread, it is no time to give memory back.
        with suppress(RuntimeError, MemoryError):
            if await trio.to_thread.run_sync(memory.look, abandon_on_cancel=True):
                logger.debug("memory that nobody needs was given back to the system")
        await trio.sleep(INTERVAL)
