"""The real command, started in an empty folder: its ports, its log, its end.

What the log says is read by a thread while the server runs, so a test can wait for a line without
asking again and again.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

HOST = "127.0.0.1"
COMMAND = Path(sys.executable).parent / "sylk-server"
START_TIMEOUT = 20.0
"""Seconds until the ports must be open; a machine that is busy with other tests is slow."""
STOP_TIMEOUT = 5.0
"""Seconds that a server has to say goodbye to everybody and end."""
LOG_TIMEOUT = 10.0
"""Seconds to wait for a line of the log."""

Settings = Mapping[str, Mapping[str, object]]
"""Section to key to value, as they go into sylk.ini."""

_DEFAULTS: Settings = {
    "SIP": {
        "local_ip": HOST,
        "local_udp_port": 0,
        "local_tcp_port": 0,
        "local_tls_port": "none",
        # Tests look for the line of each refusal.
        "max_refusal_lines": 1_000_000,
    },
    "MSRP": {
        "local_ip": HOST,
        "local_tcp_port": 0,
        "local_tls_port": "none",
        # Most tests look at ends; those of connections that come back give them time.
        "reconnect_timeout": 0,
    },
}
_LISTENING = re.compile(r"listening for (SIP|MSRP) on (udp|tcp) \S+ port (\d+)")
_SOURCE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ")


def write_settings(folder: Path, settings: Settings) -> None:
    """Write sylk.ini into `folder`: loopback and ports that the system chooses, then `settings`."""
    sections = {name: {**_DEFAULTS.get(name, {})} for name in {**_DEFAULTS, **settings}}
    for name, values in settings.items():
        sections[name].update(values)
    text = "\n".join(
        "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in values.items())])
        for name, values in sections.items()
    )
    (folder / "sylk.ini").write_text(f"{text}\n", encoding="utf-8")


class RunningServer:
    """One process of the server."""

    def __init__(
        self, folder: Path, settings: Settings, command: Path = COMMAND, *arguments: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        assert not list(folder.iterdir()), "the server is to start in an empty folder"
        write_settings(folder, settings)
        self.folder = folder
        host = str(settings.get("SIP", {}).get("local_ip", HOST))
        self.host = HOST if host == "0.0.0.0" else host
        self.expected_tracebacks = 0
        """How many tracebacks the test brings about on purpose."""
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._is_closed = False
        self.process = subprocess.Popen(
            [str(command), *arguments], cwd=folder, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            self.wait_for_log(r"applications: ", START_TIMEOUT)
        except BaseException:
            self.kill()
            raise
        ports = {
            (protocol, transport): int(port)
            for protocol, transport, port in _LISTENING.findall(self.log)
        }
        self.sip_udp = ports["SIP", "udp"]
        self.sip_tcp = ports["SIP", "tcp"]
        self.msrp_tcp = ports["MSRP", "tcp"]

    # The log

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self._lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._is_closed = True
            self._news.notify_all()

    @property
    def log_lines(self) -> list[str]:
        """Return the lines so far."""
        with self._news:
            return list(self._lines)

    @property
    def log(self) -> str:
        """Return the log so far, as one text."""
        return "\n".join(self.log_lines)

    @property
    def entries(self) -> list[str]:
        """Return the lines that begin an entry, which leaves out those of tracebacks."""
        return [line for line in self.log_lines if _SOURCE.match(line)]

    def wait_for_log(self, pattern: str, timeout: float = LOG_TIMEOUT, *, times: int = 1) -> str:
        """Wait until `pattern` is in `times` lines of the log, and return the last of these."""

        def found() -> list[str]:
            return [line for line in self._lines if re.search(pattern, line)]

        with self._news:
            self._news.wait_for(lambda: self._is_closed or len(found()) >= times, timeout)
            lines = found()
        assert len(lines) >= times, f"{pattern!r} is {len(lines)} times in the log:\n{self.log}"
        return lines[times - 1]

    @property
    def tracebacks(self) -> str:
        """Return each entry that has a traceback, with it."""
        lines = self.log_lines
        marked = [
            line
            for line, following in zip(lines, [*lines[1:], ""], strict=True)
            if line.startswith("    | ") or following.startswith("    | ")
        ]
        return "\n".join(marked)

    # What it costs

    @property
    def rss(self) -> int:
        """Return the memory that the process holds, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        match = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert match is not None
        return int(match[1]) * 1024

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time that the process has used, in seconds."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    @property
    def open_files(self) -> int:
        """Return how many descriptors the process holds."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    # The end

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End the server politely; it must end well and in time, and have had no surprises."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            status = self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"the server did not end within {STOP_TIMEOUT} s:\n{self.log}")
        self._close()
        assert status == 0, f"exit status {status}:\n{self.log}"
        found = self.log.count("Traceback")
        assert found == self.expected_tracebacks, f"{found} tracebacks:\n{self.tracebacks}"

    def kill(self) -> None:
        """End the server at once; harmless when it has ended."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join(STOP_TIMEOUT)
        assert self.process.stderr is not None
        self.process.stderr.close()


@contextmanager
def started(folder: Path, settings: Settings | None = None) -> Generator[RunningServer]:
    """Run a server while inside; what `RunningServer.stop` asserts, it asserts at the end."""
    server = RunningServer(folder, settings or {})
    try:
        yield server
        server.stop()
    finally:
        server.kill()


StartServer = Callable[..., RunningServer]


@pytest.fixture
def running_server(tmp_path: Path) -> Iterator[StartServer]:
    """Give a function that starts a server with settings; each is stopped after the test."""
    with ExitStack() as stack:

        def start(settings: Settings | None = None) -> RunningServer:
            number = len(list(tmp_path.glob("server*")))
            running: AbstractContextManager[RunningServer] = started(
                tmp_path / f"server{number}", settings
            )
            return stack.enter_context(running)

        yield start


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Run one server with the default settings for all tests of a module."""
    with started(tmp_path_factory.mktemp("shared") / "server") as server:
        yield server
