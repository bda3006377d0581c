"""Captures what goes over loopback, and has Wireshark's dissectors read it."""

import os
import queue
import signal
import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.programs import program
from tests.end_to_end.server import HOST, RunningServer

TIMEOUT = 20.0
UNKNOWN = "tcp.len > 0 and not sip and not msrp and not tcp.analysis.retransmission"
"""What no dissector knows; on a busy machine TCP sends a segment twice, which is dissected once."""
_PROBE_INTERVAL = 0.2
"""Seconds between two probes; how long a capture takes to begin is known to nobody."""


@dataclass(slots=True)
class Packet:
    """What the dissectors found in one packet: the values of each field that was asked for."""

    fields: dict[str, list[str]]

    def __getitem__(self, name: str) -> list[str]:
        return self.fields[name]


class Capture:
    """A running capture of the ports of one server."""

    def __init__(self, server: RunningServer, file: Path) -> None:
        self._tshark = program("tshark", "tshark")
        self.server = server
        self.file = file
        self._seen: queue.Queue[str | None] = queue.Queue()
        self._probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._probe.bind((HOST, 0))
        probe_port = self._probe.getsockname()[1]
        ports = (server.sip_udp, server.sip_tcp, server.msrp_tcp, probe_port)
        self._process = subprocess.Popen(
            [
                *(str(self._tshark), "-i", "lo", "-l", "-P", "-n", "-w", str(file)),
                *("-f", " or ".join(f"port {port}" for port in ports)),
                *("-T", "fields", "-e", "udp.dstport", "-e", "data.len"),
                *("-d", f"udp.port=={probe_port},data"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._errors = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._seen.put(line.strip())
        self._seen.put(None)

    def wait_until_seen(self, size: int) -> None:
        """Send probes of `size` bytes to ourselves until the capture shows one.

        Whatever was sent before this began is then in the file, and what is sent after it returns
        will be.
        """
        port = self._probe.getsockname()[1]
        for _ in range(int(TIMEOUT / _PROBE_INTERVAL)):
            self._probe.sendto(bytes(size), (HOST, port))
            try:
                while (line := self._seen.get(timeout=_PROBE_INTERVAL)) is not None:
                    if line.split() == [str(port), str(size)]:
                        return
            except queue.Empty:
                continue
            break  # tshark has ended
        self.close()
        complaint = f"tshark captures nothing on lo: {self._errors.strip()}"
        if os.environ.get("CI"):
            pytest.fail(complaint)
        pytest.skip(complaint)

    def close(self) -> None:
        """End the capture."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        if not self._process.stderr.closed:
            self._errors = self._process.stderr.read()
            self._process.stderr.close()
        self._process.stdout.close()
        self._probe.close()

    def dissect(self, display_filter: str, *fields: str) -> list[Packet]:
        """Return the packets that a filter lets through, with these fields."""
        server = self.server
        decode = (
            f"udp.port=={server.sip_udp},sip",
            f"tcp.port=={server.sip_tcp},sip",
            f"tcp.port=={server.msrp_tcp},msrp",
        )
        done = subprocess.run(
            [
                *(str(self._tshark), "-n", "-r", str(self.file), "-Y", display_filter),
                *(word for rule in decode for word in ("-d", rule)),
                *("-T", "fields", "-E", "separator=|", "-E", "aggregator=\x1f"),
                *(word for field in fields for word in ("-e", field)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return [
            Packet(
                {
                    name: value.split("\x1f") if value else []
                    for name, value in zip(fields, line.split("|"), strict=True)
                }
            )
            for line in done.stdout.splitlines()
        ]


@contextmanager
def capturing(server: RunningServer, file: Path) -> Generator[Capture]:
    """Capture what the server sends and receives while inside."""
    capture = Capture(server, file)
    try:
        capture.wait_until_seen(1)
        yield capture
        capture.wait_until_seen(2)
    finally:
        capture.close()
