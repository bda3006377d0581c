"""Tests of sylk.net.turns, with a clock that tests move by hand."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from sylk.net.turns import Turns
from tests.net.loop_turns import done_in_each_turn, turns_in

LENGTH = 1.0


class HandMoved:
    """A clock."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandMoved:
    return HandMoved()


@pytest.fixture
def turns(clock: HandMoved) -> Turns:
    return Turns(LENGTH, clock)


async def test_who_has_time_left_does_not_wait(turns: Turns, clock: HandMoved) -> None:
    with trio.testing.assert_no_checkpoints():
        await turns.take()
        clock.now += 0.9
        await turns.next()
        # Whoever comes in the same turn gets what is left of it.
        await turns.take()
    assert not turns.waiting


async def test_a_slice_that_nobody_used_up_is_followed_by_another(
    turns: Turns, clock: HandMoved
) -> None:
    await turns.take()
    clock.now += 50
    with trio.testing.assert_no_checkpoints():
        await turns.take()
        clock.now += 0.9
        await turns.next()


async def test_who_has_used_up_his_slice_lets_the_loop_turn(turns: Turns, clock: HandMoved) -> None:
    await turns.take()
    clock.now += LENGTH
    with trio.testing.assert_checkpoints():
        await turns.next()
    # And has another.
    clock.now += 0.5
    with trio.testing.assert_no_checkpoints():
        await turns.next()


async def test_a_slice_that_another_has_used_up_is_waited_for(
    turns: Turns, clock: HandMoved
) -> None:
    await turns.take()
    clock.now += LENGTH
    assert turns.is_over()
    with trio.testing.assert_checkpoints():
        await turns.take()
    assert not turns.is_over()


def worker(
    turns: Turns, clock: HandMoved, diary: list[str], name: str, pieces: int, cost: float
) -> Callable[[], Awaitable[object]]:
    async def work() -> None:
        await turns.take()
        for _ in range(pieces):
            diary.append(name)
            clock.now += cost
            await turns.next()

    return work


async def test_in_no_turn_is_more_done_than_one_slice(turns: Turns, clock: HandMoved) -> None:
    """However many there are, each gets on, and others come in between."""
    diary: list[str] = []
    names = ["a", "b", "c", "d"]
    with turns_in(diary):
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(worker(turns, clock, diary, name, 6, LENGTH / 2))
    done = done_in_each_turn(diary)
    assert max(map(len, done)) == 2
    assert sum(map(len, done)) == 6 * len(names)
    # Once there is a line, nobody is served twice before all others have been.
    firsts = [of_turn[0] for of_turn in done]
    assert sorted(firsts[1:5]) == names
    assert firsts[5:9] == firsts[1:5]


async def test_who_gives_up_in_the_line_holds_up_nobody(turns: Turns, clock: HandMoved) -> None:
    diary: list[str] = []
    async with trio.open_nursery() as nursery:
        await turns.take()
        clock.now += LENGTH
        assert turns.is_over()
        with trio.CancelScope() as first, trio.CancelScope() as second:
            async with trio.open_nursery() as impatient:
                impatient.start_soon(turns.take)
                impatient.start_soon(turns.take)
                nursery.start_soon(worker(turns, clock, diary, "a", 1, 0))
                await trio.lowlevel.checkpoint()
                first.cancel()
                second.cancel()
    assert diary == ["a"]
    assert not turns.waiting
