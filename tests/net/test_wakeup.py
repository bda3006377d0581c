"""Waiting for something that mostly nobody waits for."""

import trio
import trio.testing

from sylk.net.wakeup import Gate, Wakeup


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


async def test_who_gives_up_is_not_woken() -> None:
    wakeup = Wakeup()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(wakeup.wait)
                await trio.testing.wait_all_tasks_blocked()
                # Both before the task that is cancelled has run again.
                nursery.start_soon(cancel_and_wake, scope, wakeup)
                await wakeup.wait()
            assert scope.cancelled_caught
            with trio.CancelScope() as again:
                again.cancel()
                await wakeup.wait()
            assert again.cancelled_caught
            wakeup.wake()


async def cancel_and_wake(scope: trio.CancelScope, wakeup: Wakeup) -> None:
    scope.cancel()
    wakeup.wake()


async def test_a_gate_lets_through_while_it_is_open() -> None:
    gate, passed = Gate(), list[int]()

    async def go_through(number: int) -> None:
        await gate.wait()
        passed.append(number)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_through, 1)
            await trio.testing.wait_all_tasks_blocked()
            assert passed == []
            gate.open()
            await gate.wait()
            gate.close()
            nursery.start_soon(go_through, 2)
            await trio.testing.wait_all_tasks_blocked()
            assert (gate.is_open, passed) == (False, [1])
            gate.open()
    assert passed == [1, 2]


async def test_an_open_gate_is_a_checkpoint() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await Gate(is_open=True).wait()
    assert scope.cancelled_caught
