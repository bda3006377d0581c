"""Tests of sylk.net.alarm, under a clock that jumps to the next deadline."""

import tracemalloc
from collections.abc import Callable
from time import monotonic
from weakref import WeakSet

import pytest
import trio
import trio.testing

from sylk.net.alarm import AlarmClock
from sylk.net.turns import SLICE
from tests.net.loop_turns import done_in_each_turn, turns_in


class Diary:
    """Writes down who rang, and when."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, float]] = []
        self.begun = trio.current_time()

    def ring(self, name: str) -> Callable[[float], None]:
        return lambda now: self.entries.append((name, round(now - self.begun, 3)))


async def run_for(clock: AlarmClock, seconds: float) -> None:
    with trio.move_on_after(seconds):
        await clock.run()


async def test_alarms_ring_in_order(autojump_clock: trio.testing.MockClock) -> None:
    clock, diary, now = AlarmClock(), Diary(), trio.current_time()
    for name, after in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        clock.set(name, now + after, diary.ring(name))
    assert len(clock) == 3
    await run_for(clock, 10.0)
    assert diary.entries == [("a", 1.0), ("b", 2.0), ("c", 3.0)]
    assert len(clock) == 0


async def test_an_alarm_that_is_overdue_rings_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    clock, diary = AlarmClock(), Diary()
    clock.set("a", trio.current_time() - 5.0, diary.ring("a"))
    await run_for(clock, 1.0)
    assert diary.entries == [("a", 0.0)]


async def test_a_later_call_takes_the_place_of_the_earlier(
    autojump_clock: trio.testing.MockClock,
) -> None:
    clock, diary, now = AlarmClock(), Diary(), trio.current_time()
    clock.set("a", now + 1.0, diary.ring("first"))
    clock.set("a", now + 4.0, diary.ring("second"))
    clock.set("b", now + 2.0, diary.ring("old handler"))
    clock.set("b", now + 2.0, diary.ring("new handler"))
    await run_for(clock, 10.0)
    assert diary.entries == [("new handler", 2.0), ("second", 4.0)]


async def test_an_alarm_can_be_taken_away(autojump_clock: trio.testing.MockClock) -> None:
    clock, diary = AlarmClock(), Diary()
    clock.set("a", trio.current_time() + 1.0, diary.ring("a"))
    clock.set("a", None, diary.ring("a"))
    clock.set("never there", None, diary.ring("x"))
    assert len(clock) == 0
    await run_for(clock, 10.0)
    assert diary.entries == []


async def test_an_earlier_alarm_wakes_the_sleeper(autojump_clock: trio.testing.MockClock) -> None:
    clock, diary = AlarmClock(), Diary()
    clock.set("late", trio.current_time() + 8.0, diary.ring("late"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_for, clock, 10.0)
        await trio.sleep(1.0)
        clock.set("early", trio.current_time() + 1.0, diary.ring("early"))
        clock.set("later", trio.current_time() + 9.5, diary.ring("later"))
    assert diary.entries == [("early", 2.0), ("late", 8.0)]


async def test_a_handler_may_set_its_own_alarm_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    clock, diary = AlarmClock(), Diary()

    def tick(now: float) -> None:
        diary.ring("tick")(now)
        clock.set("tick", now + 3.0, tick)

    clock.set("tick", trio.current_time() + 3.0, tick)
    await run_for(clock, 10.0)
    assert diary.entries == [("tick", 3.0), ("tick", 6.0), ("tick", 9.0)]


async def test_a_handler_may_take_another_alarm_away_that_is_due_as_well(
    autojump_clock: trio.testing.MockClock,
) -> None:
    clock, diary, at = AlarmClock(), Diary(), trio.current_time() + 1.0
    clock.set("a", at, lambda now: clock.set("b", None, diary.ring("b")))
    clock.set("b", at, diary.ring("b"))
    await run_for(clock, 2.0)
    assert diary.entries == []


async def test_who_always_wants_to_be_called_at_once_keeps_nobody_from_running() -> None:
    clock = AlarmClock()
    rounds = 0

    def at_once(now: float) -> None:
        nonlocal rounds
        rounds += 1
        clock.set("busy", now, at_once)

    clock.set("busy", trio.current_time(), at_once)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.run)
        while rounds < 3:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert rounds >= 3


async def test_others_come_in_between_alarms_that_take_their_time() -> None:
    """Thousands may be due at one moment."""
    clock = AlarmClock()
    diary: list[str] = []

    def take_time(now: float) -> None:
        diary.append("alarm")
        end = monotonic() + SLICE
        while monotonic() < end:
            pass

    def take_away(now: float) -> None:
        take_time(now)
        clock.set("last", None, take_time)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            clock.set(number, trio.current_time(), take_away)
        # What is taken away while others ring does not ring.
        clock.set("last", trio.current_time(), take_time)
        with turns_in(diary):
            nursery.start_soon(clock.run)
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert done_in_each_turn(diary) == 5 * [["alarm"]]


async def test_a_handler_that_fails_harms_nobody(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    clock, diary, now = AlarmClock(), Diary(), trio.current_time()

    def fail(now: float) -> None:
        raise RuntimeError("a bug")

    clock.set("bad", now + 1.0, fail)
    clock.set("same time", now + 1.0, diary.ring("same time"))
    clock.set("later", now + 2.0, diary.ring("later"))
    await run_for(clock, 5.0)
    assert diary.entries == [("same time", 1.0), ("later", 2.0)]
    (record,) = caplog.records
    assert "'bad'" in record.getMessage()


class Key:
    """A key that can be watched."""


async def test_alarms_that_were_taken_away_are_not_kept() -> None:
    clock, diary, alive = AlarmClock(), Diary(), WeakSet[Key]()
    for _ in range(10_000):
        key = Key()
        alive.add(key)
        clock.set(key, trio.current_time() + 1000.0, diary.ring("x"))
        clock.set(key, None, diary.ring("x"))
    assert len(clock) == 0
    assert len(alive) <= 100


async def test_an_alarm_that_is_moved_often_takes_the_memory_of_a_few() -> None:
    clock, diary, now = AlarmClock(), Diary(), trio.current_time()
    ring = diary.ring("x")
    tracemalloc.start()
    try:
        for step in range(20_000):
            clock.set("moving", now + 1000.0 + step, ring)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 50_000  # 20,000 entries would be more than two million bytes
