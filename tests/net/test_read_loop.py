"""Reading many connections from one task."""

import socket

import trio
import trio.testing

from sylk.net.read_loop import ReadLoop


async def test_each_is_read_when_something_has_come_until_it_is_removed() -> None:
    heard: list[tuple[int, bytes]] = []
    come = trio.Event()
    pairs = [socket.socketpair() for _ in range(100)]

    def read(number: int) -> None:
        heard.append((number, pairs[number][0].recv(100)))
        come.set()

    loop = ReadLoop(read)
    for number, (ours, _) in enumerate(pairs):
        loop.add(ours, number)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(loop.run)
            pairs[3][1].send(b"hello")
            await come.wait()
            assert heard == [(3, b"hello")]
            loop.remove(pairs[3][0])
            loop.remove(pairs[3][0])
            come = trio.Event()
            for _, theirs in pairs:
                theirs.send(b"all")
            while len(heard) < 100:
                come = trio.Event()
                await come.wait()
            nursery.cancel_scope.cancel()
    assert sorted(heard[1:]) == [(number, b"all") for number in range(100) if number != 3]
    loop.close()
    for pair in pairs:
        for one in pair:
            one.close()


async def test_one_that_is_removed_by_what_another_has_read_is_not_read() -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    heard: list[int] = []
    come = trio.Event()

    def read(number: int) -> None:
        heard.append(number)
        loop.remove(pairs[1 - number][0])
        loop.remove(pairs[number][0])
        come.set()

    loop = ReadLoop(read)
    for number, (ours, theirs) in enumerate(pairs):
        loop.add(ours, number)
        theirs.send(b"both at one time")
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(loop.run)
            await come.wait()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert len(heard) == 1
    loop.close()
    for pair in pairs:
        for one in pair:
            one.close()
