"""What systemd is told, over a socket of the test in its place."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from sylk.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def test_each_state_is_told(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    for tell in (notifier.ready, notifier.reloading, notifier.stopping):
        tell()
    told = [manager.recv(1000).decode().splitlines() for _ in range(3)]
    assert told[0] == ["READY=1", "STATUS=serving"]
    assert told[1][0] == "RELOADING=1"
    assert told[1][1].removeprefix("MONOTONIC_USEC=").isdigit()
    assert told[2] == ["STOPPING=1", "STATUS=saying goodbye"]


def test_an_abstract_socket_is_reached() -> None:
    name = f"sylk-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert listening.recv(1000).startswith(b"READY=1")


def test_without_systemd_nothing_is_sent(tmp_path: Path) -> None:
    Notifier({}).ready()
    # Nobody listens there, which is no fault of the server.
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()


@pytest.mark.parametrize(
    ("given", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "3000000"}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_when_the_watchdog_is_fed(given: dict[str, str], interval: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/x", **given}).watchdog_interval == interval
    assert Notifier(given).watchdog_interval is None


async def test_the_loop_feeds_the_watchdog(manager: socket.socket) -> None:
    given = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000"}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Notifier(given).feed_watchdog)
        for _ in range(3):
            assert await trio.to_thread.run_sync(manager.recv, 1000) == b"WATCHDOG=1"
        nursery.cancel_scope.cancel()
    await Notifier({}).feed_watchdog()
