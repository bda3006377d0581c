"""Signals before, in and after the loop. Each test runs a process of its own to send them to."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
import trio
from sylk.cli.signals import Signals

number = signal.Signals(int(sys.argv[1]))
came = trio.Event()
signals = Signals({number: came.set})

def send():
    os.kill(os.getpid(), number)

async def main():
    signals.start()
    if sys.argv[2] != "before":
        send()
    with trio.fail_after(10):
        await came.wait()

if sys.argv[2] == "before":
    send()
trio.run(main)
send()
signals.ignore()
send()
print("ended")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("when", ["before", "in the loop"])
def test_a_signal_acts_once_and_hurts_never(number: signal.Signals, when: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(number.value), when],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ended\n", "")
