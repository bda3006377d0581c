"""The link between a front and a worker, over a real pair of sockets."""

import socket

import pytest
import trio

from sylk.net.worker_link import (
    Carried,
    Frame,
    Gone,
    InUse,
    Open,
    Opened,
    Pause,
    Ready,
    Waiting,
    WorkerLink,
)
from sylk.sip.flow import Flow
from tests.sip.user_agents import TLS, UDP

PATIENCE = 20.0
FRAMES: list[Frame] = [
    Carried(UDP, b"OPTIONS"),
    Carried(TLS, bytes(range(256)) * 1000, frozenset({"example.com"})),
    Gone(TLS),
    Pause(TLS),
    Waiting(TLS, 5),
    Open(7, "tls", ("192.0.2.9", 5061), "example.com"),
    Opened(7, TLS),
    Opened(8, None, "nobody is there"),
    InUse([TLS, Flow("tcp", ("::1", 1), ("::1", 2), 3)]),
    Ready(),
]


class Failures(list[str]):
    """Why an end has given up."""


async def test_what_one_end_sends_the_other_gets_in_order() -> None:
    ours, theirs = socket.socketpair()
    failures = Failures()
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            one = WorkerLink(ours, nursery, failures.append)
            other = WorkerLink(theirs, nursery, failures.append)
            for frame in FRAMES:
                one.send(frame)
            got: list[Frame] = []
            async for frame in other.frames():
                got.append(frame)
                if len(got) == len(FRAMES):
                    # What has come is read before the end is seen.
                    one.close()
            other.close()
    assert got == FRAMES
    assert not failures


@pytest.mark.parametrize("step", [1, 3, 1000])
async def test_frames_that_come_in_pieces(step: int) -> None:
    ours, between = socket.socketpair()
    again, theirs = socket.socketpair()
    with trio.fail_after(PATIENCE), between, again:
        async with trio.open_nursery() as nursery:
            one = WorkerLink(ours, nursery, pytest.fail)
            other = WorkerLink(theirs, nursery, pytest.fail)
            for frame in (Ready(), Gone(TLS), Ready()):
                one.send(frame)
            one.close()
            data = b""
            while chunk := between.recv(65536):
                data += chunk
            got: list[Frame] = []

            async def read() -> None:
                got.extend([frame async for frame in other.frames()])

            nursery.start_soon(read)
            for begin in range(0, len(data), step):
                again.sendall(data[begin : begin + step])
                await trio.testing.wait_all_tasks_blocked()
            again.close()
        other.close()
    assert got == [Ready(), Gone(TLS), Ready()]


async def test_an_end_that_reads_nothing_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    failures = Failures()
    with theirs:
        async with trio.open_nursery() as nursery:
            link = WorkerLink(ours, nursery, failures.append, limit=1000)
            for _ in range(10):
                link.send(Carried(UDP, bytes(500_000)))
            link.close()
            assert link.waiting == 0
            nursery.cancel_scope.cancel()
    assert len(failures) == 1
    assert "too slow" in failures[0]


async def test_an_end_that_is_gone_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    failures = Failures()
    theirs.close()
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            link = WorkerLink(ours, nursery, failures.append)
            assert [frame async for frame in link.frames()] == []
            link.send(Ready())
            link.close()
    assert len(failures) == 1
