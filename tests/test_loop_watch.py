"""Tests of sylk.loop_watch, in a loop that is really held."""

import logging
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from sylk.loop_watch import LoopWatch

LIMIT = 0.05


@asynccontextmanager
async def watched(watch: LoopWatch) -> AsyncGenerator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.testing.wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


def hold_the_loop(seconds: float) -> None:
    time.sleep(seconds)


async def test_a_turn_that_takes_too_long_is_one_line_that_says_where(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = LoopWatch(LIMIT)
    async with watched(watch):
        hold_the_loop(10 * LIMIT)
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
    (record,) = [record for record in caplog.records if "held" in record.getMessage()]
    assert record.levelno == logging.WARNING
    assert "hold_the_loop" in getattr(record, "detail", "")
    assert watch.stalls == 1
    assert watch.take_longest() >= 10 * LIMIT
    assert watch.take_longest() == 0


async def test_a_loop_that_waits_is_not_held(caplog: pytest.LogCaptureFixture) -> None:
    watch = LoopWatch(LIMIT)
    async with watched(watch):
        await trio.sleep(4 * LIMIT)
    assert watch.stalls == 0
    assert not caplog.records


async def test_a_loop_that_is_stuck_is_told_of_while_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = threading.Event()

    class Seen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "stuck" in record.getMessage():
                seen.set()

    handler = Seen()
    logging.getLogger("sylk.server").addHandler(handler)
    try:
        async with watched(LoopWatch(LIMIT, stuck=2 * LIMIT)):
            # Without the other thread it would be held for ever.
            assert seen.wait(20)
    finally:
        logging.getLogger("sylk.server").removeHandler(handler)
    (record,) = [record for record in caplog.records if "stuck" in record.getMessage()]
    assert record.levelno == logging.ERROR


async def test_the_thread_ends_with_the_watch() -> None:
    async with watched(LoopWatch(LIMIT)):
        (watcher,) = [one for one in threading.enumerate() if one.name == "sylk-watch"]
    watcher.join(20)
    assert not watcher.is_alive()
