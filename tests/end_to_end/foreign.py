"""Runs a program of others beside the server for as long as a test wants: its output, its end."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.end_to_end.chat_client import Printed
from tests.end_to_end.server import HOST

EXIT_TIMEOUT = 5.0
"""Seconds to end politely; after them it is ended by force, with all that it has started."""
_ATTEMPTS = 50


def free_port(*kinds: socket.SocketKind, following: int = 0) -> int:
    """Return a port that nobody has right now, for a program that cannot choose one itself.

    It is free for each of `kinds`, and so are the `following` ones.
    """
    for _ in range(_ATTEMPTS):
        with ExitStack() as stack, suppress(OSError):
            port = 0
            for number in range(following + 1):
                for kind in kinds:
                    one = stack.enter_context(socket.socket(socket.AF_INET, kind))
                    one.bind((HOST, port + number if port else 0))
                    port = port or int(one.getsockname()[1])
            return port
    pytest.fail(f"no port was free in {_ATTEMPTS} attempts")


class ForeignProgram:
    """One process, which may have children of its own, and what it prints."""

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
        assert self.process.stdout is not None
        self.printed = Printed(self.process.stdout.fileno())

    def type(self, line: str) -> None:
        """Write a line to its input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def stop(self) -> None:
        """End it, politely if it can; harmless when it has ended."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(EXIT_TIMEOUT)
        self.kill()

    def kill(self) -> None:
        """End it at once, with all that it has started; harmless when it has ended."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.printed.finish()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
