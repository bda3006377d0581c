"""The machine fails: no descriptors, a clock that jumps, no memory.

Each makes one line of the log, ends nothing that need not end, and passes by itself, or the server
ends and is there again with all that it has acknowledged.
"""

import re
import resource
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.end_to_end.hostile import is_well
from tests.end_to_end.programs import program
from tests.end_to_end.server import COMMAND, HOST, RunningServer, started
from tests.end_to_end.test_history import shown_to
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_sip import Silence

CONNECTIONS = 10
"""At each port, while there are no descriptors."""
SPARE = 2 * 1024 * 1024
"""Bytes that a server still gets which is to run out of memory."""
DEN = f"den@{HOST}"
HOUR = 3600
ENDING = 8
"""Seconds; without memory the history cannot be asked whether it is done, which ends after five."""
CLOCK_SOURCE = Path(__file__).with_name("clock.c")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, dict[str, object]]:
    """Settings of servers that have one spool folder, one after the other."""
    return {"Server": {"spool_dir": tmp_path / "spool"}}


def chat_goes_on(alice: WireClient, bob: WireClient, what: str) -> None:
    for number in range(5):
        alice.say(f"{what} {number}")
        assert bob.hear_text() == f"{what} {number}"


# Descriptors


def test_no_descriptors_is_one_line_and_passes(
    tmp_path: Path, settings: dict[str, dict[str, object]]
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(started(tmp_path / "server", settings))
        alice = stack.enter_context(WireClient(server, "alice")).join()
        bob = stack.enter_context(WireClient(server, "bob", transport="tcp")).join()
        chat_goes_on(alice, bob, "before")
        pid = server.process.pid
        before, files = resource.prlimit(pid, resource.RLIMIT_NOFILE), server.open_files
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, before[1]))
        ports = [server.sip_tcp, server.msrp_tcp]
        for port in CONNECTIONS * ports:
            stack.enter_context(socket.create_connection((HOST, port)))
        control = stack.enter_context(socket.socket(socket.AF_UNIX))
        control.connect(str(tmp_path / "spool" / "control.socket"))
        for port in ports:
            server.wait_for_log(f"cannot accept on tcp port {port} for now: Too many open files")
        server.wait_for_log("cannot take a command for now: Too many open files")
        # Who is here talks on; and is kept, as before.
        for number in range(10):
            chat_goes_on(alice, bob, f"meanwhile {number}")
            assert bob.ask("OPTIONS").status == 200
        lines = [line for line in server.entries if "Too many open files" in line]
        assert len(lines) == len(ports) + 1, lines
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        assert is_well(server)
        assert "meanwhile 9 4" in shown_to(server, "stranger")


# The clock


class Clock:
    """A clock of one server that a test sets: what it asks for the time is ours."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.set(0)
        library = folder / "clock.so"
        command = [str(program("gcc", "gcc")), "-shared", "-fPIC", "-o", str(library)]
        subprocess.run([*command, str(CLOCK_SOURCE)], check=True, capture_output=True)
        self.environment = (f"LD_PRELOAD={library}", f"CLOCK_OFFSET={self._file}")

    def set(self, seconds: int) -> None:
        """Let the clock be wrong by so many seconds, from this moment on."""
        mode = "r+b" if self._file.exists() else "w+b"
        with self._file.open(mode) as file:
            file.write(struct.pack("q", seconds))


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def server_with_clock(
    tmp_path: Path, clock: Clock, settings: dict[str, dict[str, object]]
) -> Iterator[RunningServer]:
    command = Path("/usr/bin/env")
    arguments = (*clock.environment, str(COMMAND))
    server = RunningServer(tmp_path / "server", settings, command, *arguments)
    try:
        yield server
        server.stop()
    finally:
        server.kill()


def year_of(line: str) -> int:
    return int(line[:4])


def test_a_clock_that_jumps_ends_nothing(server_with_clock: RunningServer, clock: Clock) -> None:
    """Only what is kept goes by the clock, in the order in which it was said; no time-out does."""
    server = server_with_clock
    with WireClient(server, "alice") as alice, WireClient(server, "bob", transport="tcp") as bob:
        alice.join()
        bob.join()
        said: list[str] = []
        for jump in (0, 5 * HOUR, -365 * 24 * HOUR, 0):
            clock.set(jump)
            chat_goes_on(alice, bob, f"at {jump}")
            said += [f"at {jump} {number}" for number in range(5)]
            assert alice.ask("OPTIONS").status == 200
            assert is_well(server)
        years = {year_of(line) for line in server.entries}
        assert len(years) == 2, "the clock of the server did not jump"
        assert shown_to(server, "stranger")[-len(said) :] == said
        alice.leave()
        bob.leave()
    assert not re.search(" (WARNING|ERROR) ", server.log)


# Memory


def address_space(server: RunningServer) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    match = re.search(r"^VmSize:\s+(\d+) kB$", status, re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


def use_up_memory(server: RunningServer) -> None:
    """Say much to somebody who does not read, until the session, or the server, ends for it."""
    with (
        suppress(AssertionError, EOFError, ConnectionError, Silence),
        WireClient(server, "mallory", room=DEN) as mallory,
        WireClient(server, "stalled", room=DEN) as stalled,
    ):
        mallory.join()
        stalled.join()
        while server.process.poll() is None:
            mallory.say("x" * 60_000)


def test_the_end_of_memory_is_told_and_leaves_no_half_dead_server(
    tmp_path: Path, settings: dict[str, dict[str, object]]
) -> None:
    settings["MSRP"] = {"outbox_limit": "1G", "max_waiting": "1G"}
    settings["Conference"] = {"message_rate": 0}
    server = RunningServer(tmp_path / "server", settings)
    try:
        with WireClient(server, "alice") as alice:
            alice.join()
            alice.say("kept")
            most = address_space(server) + SPARE
            resource.prlimit(server.process.pid, resource.RLIMIT_AS, (most, most))
            use_up_memory(server)
            with suppress(subprocess.TimeoutExpired):
                server.process.wait(ENDING)
        if server.process.poll() is None:
            # One session had to end for it, and what it held was enough for all others.
            assert is_well(server)
        else:
            assert server.process.returncode == 1
            server.wait_for_log("^sylk-server: memory is used up")
    finally:
        server.kill()
    del settings["MSRP"]
    with started(tmp_path / "again", settings) as again:
        assert "kept" in shown_to(again, "stranger")
