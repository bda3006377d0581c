"""Runs SIPp, a SIP test tool that we did not write, with scenarios of ours."""

import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.foreign import free_port
from tests.end_to_end.programs import program
from tests.end_to_end.server import HOST, RunningServer

SCENARIOS = Path(__file__).parent / "sipp"
TIMEOUT = 15
"""Seconds for one scenario; SIPp then gives up and says so."""

# -t of SIPp: one socket for all calls.
TRANSPORTS = {"udp": "u1", "tcp": "t1"}


@dataclass(slots=True)
class Result:
    """What a run of SIPp left behind."""

    log: list[str]
    """The lines that `log` actions wrote."""
    messages: str
    """Every message, as SIPp shows it."""


def run_sipp(
    scenario: str,
    server: RunningServer,
    transport: str,
    folder: Path,
    *arguments: str,
    timeout: int = TIMEOUT,
    trace_messages: bool = True,
) -> Result:
    """Run a scenario against the server; the test fails unless every call of it succeeds."""
    sipp = program("sipp", "sip-tester")
    port = server.sip_udp if transport == "udp" else server.sip_tcp
    messages, errors, log = (folder / name for name in ("messages", "errors", "log"))
    command = [
        str(sipp),
        f"{HOST}:{port}",
        *("-sf", str(SCENARIOS / f"{scenario}.xml")),
        *("-t", TRANSPORTS[transport]),
        *("-i", HOST),
        # SIPp looks for a free port by itself, but not well when several begin at a time.
        *("-p", str(free_port(socket.SOCK_DGRAM, socket.SOCK_STREAM))),
        *("-s", "lobby"),
        *("-timeout", str(timeout), "-timeout_error"),
        *("-trace_err", "-error_file", str(errors)),
        *("-trace_logs", "-log_file", str(log)),
        "-nostdin",
    ]
    if trace_messages:
        command += ["-trace_msg", "-message_file", str(messages)]
    # One call unless the arguments say otherwise.
    command += [*(() if "-m" in arguments else ("-m", "1")), *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=timeout + 10, check=False
    )
    if done.returncode != 0:
        shown = _text(messages)[-6000:]
        pytest.fail(
            f"sipp {scenario} over {transport} ended with {done.returncode}\n"
            f"{_text(errors)[-3000:]}\n{shown}\n{done.stderr[-2000:]}\n{server.log[-3000:]}"
        )
    return Result(_text(log).splitlines(), _text(messages))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
