"""The signals of the operator, from the start of the server to the last moment of its process.

The interpreter takes a moment to start the server and another to end after it. A signal that comes
in the first must not be lost, and one in the last, a second SIGTERM of a supervisor that has run
out of patience, must neither kill the process, which would make of a polite end a failure, nor
raise KeyboardInterrupt where nobody expects it.
"""

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType

import trio


class Signals:
    """Runs an action for each signal, in the loop; from when it is made until `ignore`."""

    def __init__(self, actions: Mapping[signal.Signals, Callable[[], object]]) -> None:
        """Take the signals of `actions`; only the main thread may."""
        self._actions = actions
        self._early: list[int] = []
        self._token: trio.lowlevel.TrioToken | None = None
        for number in actions:
            signal.signal(number, self._take)

    def start(self) -> None:
        """Run the actions from now on, in the loop that calls this; first those of before."""
        self._token = trio.lowlevel.current_trio_token()
        for number in self._early:
            self._run(number)

    def ignore(self) -> None:
        """Let the signals do nothing any more, also while the interpreter ends."""
        for number in self._actions:
            signal.signal(number, signal.SIG_IGN)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self._token is None:
            self._early.append(number)
            return
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._run, number)

    def _run(self, number: int) -> None:
        self._actions[signal.Signals(number)]()
