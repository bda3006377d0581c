"""A hundred calls a second for minutes: no call fails, and nothing is left behind.

Run with SYLK_SOAK=1, and with -s to see the figures. `make soak` is the soak of
everything else: here a few seconds of it show that it still runs.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.server import RunningServer, StartServer
from tests.end_to_end.sipp import run_sipp

RATE = 100
SECONDS = 60
MAX_GROWTH = 8 * 1024 * 1024
"""Bytes by which a second minute may grow the process; the first one fills its tables."""


def one_minute(server: RunningServer, transport: str, folder: Path) -> int:
    """Make the calls of one minute and return the memory of the server after them."""
    folder.mkdir()
    cpu = server.cpu_seconds
    run_sipp(
        "load",
        server,
        transport,
        folder,
        *("-r", str(RATE), "-m", str(RATE * SECONDS)),
        timeout=SECONDS + 40,
        trace_messages=False,
    )
    used = server.cpu_seconds - cpu
    print(
        f"\n{transport}: {RATE * SECONDS} calls, none failed, {used:.1f} s of CPU, "
        f"{server.rss / 1e6:.1f} MB, {server.open_files} descriptors"
    )
    return server.rss


@pytest.mark.soak
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_hundred_calls_a_second_for_minutes(
    transport: str, running_server: StartServer, tmp_path: Path
) -> None:
    server = running_server()
    print(f"\n{transport}: {server.rss / 1e6:.1f} MB before")
    first = one_minute(server, transport, tmp_path / "first")
    second = one_minute(server, transport, tmp_path / "second")
    assert second - first < MAX_GROWTH


def test_a_few_seconds_of_a_mixed_load_lose_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.1", "--pace", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
