"""The server of a soak: the real command, its ports, what it says of itself, and its log."""

import os
import re
from dataclasses import dataclass, fields
from pathlib import Path

import trio

from benchmarks.server_process import ServerProcess, resident_kilobytes
from benchmarks.soak.sip import Ports
from benchmarks.wire import HOST, LoadError

SETTINGS = f"""\
[SIP]
local_ip = {HOST}
local_udp_port = 0
local_tcp_port = 0
local_tls_port = 0

[MSRP]
local_ip = {HOST}
local_tcp_port = 0
local_tls_port = 0
keepalive_interval = 10

[Metrics]
port = 0

[Conference]
report_timeout = 5
max_calls_by_one = 1000

[members@{HOST}]
allow = example.com

[nobody@{HOST}]
deny = all
"""
"""Everything else is as it comes, history too."""

_ADDRESS = re.compile(r"listening for (SIP|MSRP) on (udp|tcp|tls) \S+ port (\d+)")
_METRICS = re.compile(r"http://[^/\s]+:(\d+)/metrics")
_LEVEL = re.compile(rb"^\S+ \S+ (WARNING|ERROR|CRITICAL) ", re.MULTILINE)
_FIGURE = re.compile(r"^sylk_(\w+) ([0-9.e+]+)$", re.MULTILINE)


@dataclass(slots=True)
class Sample:
    """How the server is at one moment, so many seconds after the start of the soak."""

    time: float
    memory: int
    """Bytes that it holds."""
    descriptors: int
    cpu: float
    """Seconds of processor time so far."""
    tasks: int = 0
    sessions: int = 0
    subscriptions: int = 0
    sip_connections: int = 0
    msrp_connections: int = 0
    msrp_waiting: int = 0


_TOLD = {one.name for one in fields(Sample)} - {"time", "memory", "descriptors", "cpu"}


class SoakedServer:
    """A server under load."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process
        self._log = process.log_path.open("rb")
        self.warnings = 0
        self.errors = 0
        self.tracebacks = 0
        self.worst: list[str] = []
        """The first lines of the log at WARNING or worse."""
        ports = {(one, two): int(port) for one, two, port in _ADDRESS.findall(process.log())}
        self.ports = Ports(ports["SIP", "udp"], ports["SIP", "tcp"], ports["SIP", "tls"])
        self.msrp_port = ports["MSRP", "tcp"]
        metrics = _METRICS.search(process.log())
        if metrics is None:
            raise LoadError(f"the server tells no metrics:\n{process.log()}")
        self._metrics_port = int(metrics[1])

    async def sample(self, time: float) -> Sample:
        """Look at the server now."""
        pid = self.process.pid
        sample = Sample(
            time,
            resident_kilobytes(pid) * 1024,
            len(os.listdir(f"/proc/{pid}/fd")),
            self.process.cpu_seconds(),
        )
        for name, value in _FIGURE.findall(await self._metrics()):
            if name in _TOLD:
                setattr(sample, name, int(float(value)))
        return sample

    async def _metrics(self) -> str:
        stream = await trio.open_tcp_stream(HOST, self._metrics_port)
        async with stream:
            await stream.send_all(b"GET /metrics HTTP/1.0\r\n\r\n")
            return b"".join([data async for data in stream]).decode()

    def read_log(self) -> None:
        """Count what is new in the log."""
        for line in self._log:
            self.tracebacks += b"Traceback (most recent call last)" in line
            level = _LEVEL.match(line)
            if level is None:
                continue
            if level[1] == b"WARNING":
                self.warnings += 1
            else:
                self.errors += 1
            if len(self.worst) < 20:
                self.worst.append(line.decode(errors="replace").rstrip())

    def keep_log(self, path: Path) -> None:
        """Copy the log."""
        path.write_bytes(self.process.log_path.read_bytes())
