"""Waiting for something that mostly nobody waits for."""

import trio
import trio.testing

from sylk.net.wakeup import Wakeup


async def test_all_who_wait_are_woken_and_who_comes_later_is_not() -> None:
    wakeup = Wakeup()
    wakeup.wake()
    woken: list[int] = []

    async def wait(number: int) -> None:
        await wakeup.wait()
        woken.append(number)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, 1)
            nursery.start_soon(wait, 2)
            await trio.testing.wait_all_tasks_blocked()
            assert woken == []
            wakeup.wake()
            nursery.start_soon(wait, 3)
            await trio.testing.wait_all_tasks_blocked()
            assert sorted(woken) == [1, 2]
            wakeup.wake()
    assert woken[2] == 3
