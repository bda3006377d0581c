"""The bare loop in C, bare_loop.c: compiled when it is wanted, and told what to do line by line."""

import os
import re
import select
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.server_process import cpu_seconds
from benchmarks.talker import Said, Talk
from benchmarks.wire import LoadError

_SOURCE = Path(__file__).with_suffix(".c")
_PATIENCE = 60.0


def compiler() -> str | None:
    """Return the C compiler of this machine, if it has one."""
    return shutil.which(os.environ.get("CC", "cc"))


class BareLoop:
    """The loop with its connections to the listeners; it is killed when its block is left.

    It sends `frame`, with another number each time.
    """

    def __init__(self, folder: Path, port: int, count: int, frame: bytes) -> None:
        command, path = folder / "bare_loop", folder / "frame"
        self._frame_size = len(frame)
        path.write_bytes(re.sub(rb"#\d{8}#", b"#00000000#", frame, count=1))
        if not command.exists():
            options = ["-O2", "-o", str(command), str(_SOURCE)]
            done = subprocess.run(
                [compiler() or "cc", *options], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise LoadError(f"the compiler says:\n{done.stderr[-2000:]}")
        self._process = subprocess.Popen(
            [command, str(port), str(count), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.pid = self._process.pid

    def await_ready(self) -> None:
        """Wait until all connections are open."""
        self._line(_PATIENCE)

    def tell(self, command: Talk, /) -> None:
        """Let it talk."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command.seconds} {command.rate or 0}\n".encode())

    def expect(self, _kind: type[Said], /) -> Said:
        """Wait for the end of the talk."""
        count, *times = map(int, self._line(_PATIENCE).split())
        return Said(count, self._frame_size, [each / 1e9 for each in times])

    def _line(self, patience: float) -> bytes:
        assert self._process.stdout is not None
        deadline = time.monotonic() + patience
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise LoadError(f"no answer of the loop in C within {patience:.0f} s")
            data = self._process.stdout.read(65536)
            if not data:
                raise LoadError("the loop in C has ended")
            line += data
        return line

    def cpu_seconds(self) -> float:
        """Return the processor time that the loop has taken."""
        return cpu_seconds(self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
