"""Tests of sylk.memory_return."""

import subprocess
import sys

import pytest

from sylk.memory_return import WORTH, MemoryReturn, find_allocator


class Heap:
    """What is free, and what of it the system has got back."""

    def __init__(self) -> None:
        self.free = 0
        self.given = 0

    def give_back(self) -> None:
        self.given += 1


@pytest.mark.parametrize("first", [0, 5 * WORTH])
def test_memory_is_given_back_when_much_of_it_has_become_free(first: int) -> None:
    heap = Heap()
    heap.free = first
    memory = MemoryReturn(lambda: heap.free, heap.give_back)
    assert not memory.look()
    heap.free += WORTH - 1
    assert not memory.look()
    heap.free += 1
    assert memory.look()
    assert heap.given == 1
    # Still counted as free, as it is when only its pages went.
    assert not memory.look()


def test_what_is_used_again_and_freed_again_is_given_back_again() -> None:
    heap = Heap()
    memory = MemoryReturn(lambda: heap.free, heap.give_back)
    for _ in range(3):
        heap.free = 0
        assert not memory.look()
        heap.free = WORTH
        assert memory.look()
    assert heap.given == 3


_SCRIPT = """
import sys
from pathlib import Path
from sylk.memory_return import find_allocator

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

allocator = find_allocator()
pieces = [bytes(20_000) for _ in range(5_000)]
full = resident()
# One piece in a hundred stays, so that nothing of it lies at the end of the heap.
pieces = pieces[::100]
free = allocator.free()
before = resident()
allocator.give_back()
print(full, before, free, resident())
"""


@pytest.mark.skipif(find_allocator() is None, reason="the C library is not glibc")
def test_the_system_really_gets_it() -> None:
    """In a process of its own, whose memory nobody else changes."""
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True
    )
    full, before, free, after = map(int, result.stdout.split())
    assert free > 80_000_000
    assert before > full - 20_000_000
    assert after < full - 80_000_000
