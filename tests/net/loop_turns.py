"""Writes down the turns of the loop between what a test writes down itself."""

from collections.abc import Generator
from contextlib import contextmanager

import trio


class _Turns(trio.abc.Instrument):
    def __init__(self, diary: list[str]) -> None:
        self._diary = diary

    def before_io_wait(self, timeout: float) -> None:
        self._diary.append("turn")


@contextmanager
def turns_in(diary: list[str]) -> Generator[None]:
    """Write "turn" into the diary at the end of each turn of the loop while inside."""
    instrument = _Turns(diary)
    trio.lowlevel.add_instrument(instrument)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(instrument)


def done_in_each_turn(diary: list[str]) -> list[list[str]]:
    """Return what stands between two turns, of those in which something was done."""
    turns: list[list[str]] = [[]]
    for entry in diary:
        if entry == "turn":
            turns.append([])
        else:
            turns[-1].append(entry)
    return [done for done in turns if done]
