"""Kamailio, a SIP proxy in C that we did not write, set up to answer all that comes by itself."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.wire import HOST, LoadError

_CONFIGURATION = Path(__file__).with_name("answer.cfg")
_READY = "ready to answer"
_START_LIMIT = 20.0
_ATTEMPTS = 50
_MEGABYTES = 512
"""Shared memory: it remembers each transaction for some seconds."""


@dataclass(slots=True)
class Answering:
    """One that runs: its first process, which is the leader of a session, and its port."""

    pid: int
    port: int
    """For UDP and TCP."""


def is_installed() -> bool:
    """Tell whether it can be started here."""
    return shutil.which("kamailio") is not None


@contextmanager
def answering() -> Generator[Answering]:
    """Run it while inside; raises LoadError when it does not start."""
    with tempfile.TemporaryDirectory(prefix="sylk-bench-") as name:
        folder = Path(name)
        shutil.copy(_CONFIGURATION, folder)
        port = _free_port()
        listen = [word for kind in ("udp", "tcp") for word in ("-l", f"{kind}:{HOST}:{port}")]
        command = ["kamailio", "-f", "./answer.cfg", "-w", ".", "-Y", ".", "-DD", "-E"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "-m", str(_MEGABYTES), "-M", "16", *listen],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            _await_ready(process, folder / "log")
            yield Answering(process.pid, port)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    """Return a port that is free for UDP and for TCP."""
    for _ in range(_ATTEMPTS):
        with (
            suppress(OSError),
            socket.socket(type=socket.SOCK_DGRAM) as udp,
            socket.socket() as tcp,
        ):
            udp.bind((HOST, 0))
            port: int = udp.getsockname()[1]
            tcp.bind((HOST, port))
            return port
    raise LoadError(f"no port was free in {_ATTEMPTS} attempts")


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while _READY not in (text := log.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise LoadError(f"Kamailio did not start:\n{text[-2000:]}")
        time.sleep(0.05)
