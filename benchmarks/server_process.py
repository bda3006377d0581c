"""Starts the real `sylk-server` command on free ports, and reads what it costs from /proc."""

import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.wire import HOST, LoadError

_START_LIMIT = 20.0
_STOP_LIMIT = 10.0
_TICKS = os.sysconf("SC_CLK_TCK")

_UDP_LINE = re.compile(r"listening for SIP on udp \S+ port (\d+)")
_SIP_LINE = re.compile(r"listening for SIP on tcp \S+ port (\d+)")
_MSRP_LINE = re.compile(r"listening for MSRP on tcp \S+ port (\d+)")
_WORKERS_LINE = re.compile(r"(\d+) workers serve")
_MSRP_TLS_LINE = re.compile(r"listening for MSRP on tls \S+ port (\d+)")

# Keep-alives would be counted as messages, and who talks without pause is to be heard.
_SETTINGS = """\
[SIP]
local_ip = {host}
local_udp_port = 0
local_tcp_port = 0
local_tls_port = none
{sip}
[MSRP]
local_ip = {host}
local_tcp_port = 0
local_tls_port = {msrp_tls_port}
keepalive_interval = 3600

[Conference]
message_rate = 0
history = {history}
"""


def cpu_seconds(pid: int) -> float:
    """Return the processor time, of user and system together, that a process has taken."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    # The name, in parentheses, may hold spaces.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def cpu_seconds_of_all(pid: int) -> float:
    """Return the processor time of a process and of all that are in its session."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        # A process may end while we look.
        with suppress(FileNotFoundError, ProcessLookupError):
            if entry.name.isdigit() and os.getsid(int(entry.name)) == pid:
                total += cpu_seconds(int(entry.name))
    return total


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        # A process may end while we look.
        with suppress(FileNotFoundError, ProcessLookupError):
            if entry.name.isdigit():
                stat = (entry / "stat").read_text(encoding="ascii", errors="replace")
                if int(stat.rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found


def machine_cpu_seconds() -> float:
    """Return the processor time that everything on this machine has taken."""
    first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    user, nice, system, _, _, irq, soft_irq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + soft_irq + steal) / _TICKS


def resident_kilobytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return _kilobytes(pid, "VmRSS:")


def peak_kilobytes(pid: int) -> int:
    """Return the most resident memory that a process has ever had."""
    return _kilobytes(pid, "VmHWM:")


def _kilobytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise LoadError("the server is gone")


class ServerProcess:
    """A server of its own for one measurement, in an empty folder.

    `more` are further settings, `sip` those of [SIP]; with `tls` it takes MSRP over TLS as well.
    `settings` stand in place of all of these. It may have several `workers`.
    """

    def __init__(
        self,
        more: str = "",
        *,
        sip: str = "",
        history: bool = False,
        tls: bool = False,
        settings: str = "",
        workers: int = 1,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sylk-bench-")
        folder = Path(self._folder.name)
        self.log_path = folder / "log"
        """Where the server logs."""
        settings = settings or _SETTINGS.format(
            host=HOST,
            history="yes" if history else "no",
            msrp_tls_port=0 if tls else "none",
            sip=sip,
        )
        server = f"[Server]\nworkers = {workers}\n" if workers > 1 else ""
        (folder / "sylk.ini").write_text(settings + server + more, encoding="utf-8")
        self._command = command = Path(sys.executable).with_name("sylk-server")
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [command], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.pid = self._process.pid
        try:
            self.sip_port = self._port(_SIP_LINE)
            self.sip_udp_port = self._port(_UDP_LINE)
            self.msrp_port = self._port(_MSRP_LINE)
            self.msrp_tls_port = self._port(_MSRP_TLS_LINE) if tls else 0
            if workers > 1:
                self._port(_WORKERS_LINE)
        except LoadError:
            self.stop()
            raise
        self.pids = [self.pid, *children_of(self.pid)]
        """All processes of the server."""

    def _port(self, line: re.Pattern[str]) -> int:
        deadline = time.monotonic() + _START_LIMIT
        while (match := line.search(self.log())) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LoadError(f"the server did not start:\n{self.log()}")
            time.sleep(0.05)
        return int(match[1])

    def set_password(self, address: str, password: str) -> None:
        """Let a user, as user@realm, have a password."""
        command = [self._command, "passwd", "--stdin", address]
        subprocess.run(
            command,
            cwd=self._folder.name,
            input=f"{password}\n",
            text=True,
            check=True,
            capture_output=True,
        )

    def log(self) -> str:
        """Return what the server has logged."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self) -> float:
        """Return the processor time that the server has taken."""
        return cpu_seconds(self.pid)

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            print(self.log()[-4000:], file=sys.stderr)
        self.stop()
