"""A process that talks into a history until it is killed: run by test_kill.

Each number that is acknowledged is printed on a line of its own.
"""

import logging
import os
import sys
import time
from functools import partial
from pathlib import Path

import trio
from sylk_conference.history import HistoryLimits, HistoryStore, Said


def acknowledge(number: int) -> None:
    os.write(1, b"%d\n" % number)


async def talk(path: Path, begin: int) -> None:
    limits = HistoryLimits(age=0, count=5000)
    store = HistoryStore(path, limits, logging.getLogger("history"))
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        store.enter("lobby@x", "alice@x")
        number = begin
        while True:
            # More at one time than one transaction takes, and then a pause, as people do.
            for _ in range(number % 1500):
                number += 1
                body = b"%d %s" % (number, b"x" * (number % 3000))
                said = Said("lobby@x", time.time(), "a", [body])
                store.add(said, partial(acknowledge, number))
            number += 1
            await store.wait_for_room()
            await trio.lowlevel.checkpoint()


if __name__ == "__main__":
    trio.run(talk, Path(sys.argv[1]), int(sys.argv[2]))
