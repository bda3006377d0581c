"""Traces as an operator has them: the real commands, the files, and Wireshark's dissectors."""

import os
import re
import shlex
import signal
import socket
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.chat_client import scripted
from tests.end_to_end.programs import program
from tests.end_to_end.server import COMMAND, HOST, RunningServer, StartServer, started
from tests.end_to_end.tls_setup import tls_port, with_tls
from tests.end_to_end.wire_client import ROOM, WireClient
from tests.end_to_end.wire_sip import SipWire
from tests.trace.test_text import read_back
from tests.trace.test_writer import messages_in

STRANGER = "127.0.0.2"


def trace(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `sylk-server trace` in the folder of a server."""
    return subprocess.run(
        [str(COMMAND), "trace", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def do(server: RunningServer, *arguments: str) -> str:
    """Run a command that must succeed, and return what it prints."""
    done = trace(server.folder, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def text_file(server: RunningServer) -> Path:
    return server.folder / "var" / "spool" / "traces" / "messages.log"


def messages(text: str) -> list[bytes]:
    """Return the octets of each message in a readable file, keep-alives and faults left out."""
    blocks = re.findall(r"^#\d+ .* bytes\n(?:    \|.*\n)+\n", text, re.MULTILINE)
    return [read_back(block) for block in blocks]


def first_lines(text: str) -> list[str]:
    return [octets.partition(b"\r\n")[0].decode() for octets in messages(text)]


def dissect(file: Path, *fields: str, only: str = "sip") -> list[list[str]]:
    """Return the values of `fields` in each packet that the filter `only` lets through."""
    done = subprocess.run(
        [
            *(str(program("tshark", "tshark")), "-n", "-r", str(file), "-Y", only),
            *("-T", "fields", "-E", "separator=|"),
            *(word for field in fields for word in ("-e", field)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line.split("|") for line in done.stdout.splitlines()]


def visit(
    server: RunningServer, user: str, transport: str = "udp", room: str = ROOM, source: str = HOST
) -> WireClient:
    """Join a room and leave it; what the client has seen is in it still."""
    with WireClient(server, user, transport=transport, room=room, source=source) as client:
        client.join()
        client.leave()
    return client


# For whom


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_calls_of_one_user(shared_server: RunningServer, transport: str) -> None:
    server = shared_server
    visit(server, "early")
    printed = do(server, "on", "--user", f"alice@{HOST}", "--for", "10m", "--pcap")
    file = text_file(server)
    assert re.fullmatch(
        rf"tracing user:alice@{HOST} until \d\d:\d\d:\d\d \(0:10:00 from now\)\n"
        rf"  into {file}\n  into {file.with_suffix('.pcap')}\n",
        printed,
    )
    alice = visit(server, "alice", transport)
    visit(server, "bob")
    status = do(server, "status").splitlines()[0]
    assert re.fullmatch(r"tracing user:alice@\S+ until .*: 6 messages so far", status)
    ended = do(server, "off")
    assert re.match(rf"traced user:alice@{HOST}: 6 messages\nthe files are in /", ended)

    text = file.read_text(encoding="utf-8")
    invite, bye = "INVITE sip:lobby@127.0.0.1 SIP/2.0", r"BYE sip:\S+ SIP/2\.0"
    assert re.fullmatch(
        rf"{invite}\nSIP/2\.0 100 .*\nSIP/2\.0 200 OK\nACK .*\n{bye}\nSIP/2\.0 200 OK",
        "\n".join(first_lines(text)),
    )
    # As it was on the wire, to the octet.
    assert messages(text)[1:3] == [response.raw for response in alice.responses]
    assert "bob" not in text
    assert "early" not in text
    assert f" SIP received {transport} {HOST}:{alice.wire.port} -> {HOST}:" in text

    packets = dissect(file.with_suffix(".pcap"), "sip.Method", "sip.Status-Code", "sip.Call-ID")
    assert {call_id for *_, call_id in packets} == {alice.call_id}
    assert [method or status for method, status, _ in packets] == [
        *("INVITE", "100", "200", "ACK", "BYE", "200")
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_room_and_an_address_at_the_same_time(shared_server: RunningServer) -> None:
    server = shared_server
    printed = do(server, "on", "--room", "garden", "--address", f"{STRANGER}/32")
    assert printed.startswith(f"tracing room:garden, address:{STRANGER} until ")
    do(server, "on", "--room", "cellar")
    visit(server, "alice")
    visit(server, "bob", room=f"garden@{HOST}")
    visit(server, "carol", source=STRANGER)
    visit(server, "dave", room=f"cellar@{HOST}")
    assert re.findall("(.*): 6 messages", do(server, "off")) == ["traced room:cellar"]
    text = text_file(server).read_text(encoding="utf-8")
    callers = re.findall(r"\| From: <sip:(\w+)@", text)
    assert "alice" not in callers
    assert [callers.count(name) for name in ("bob", "carol", "dave")] == [6, 6, 6]


def test_a_call_over_tls_is_traced_in_clear(tmp_path: Path) -> None:
    settings = with_tls(tmp_path / "spool")
    settings["Trace"] = {"trace_sip": "all", "pcap": "yes"}
    with started(tmp_path / "server", settings) as server:
        room = f"sip:lobby@{HOST}:{tls_port(server, 'SIP')}"
        with scripted(room, "--transport", "tls", "--name", "alice") as alice:
            alice.printed.wait_for("Welcome")
            assert alice.leave() == 0
        status = do(server, "status", "--config", str(server.folder / "sylk.ini"))
        assert status.startswith("tracing everything until the server ends: ")
        assert "still traced, until the server ends" in do(server, "off")
    file = tmp_path / "spool" / "traces" / "messages.log"
    text = file.read_text(encoding="utf-8")
    assert f" SIP received tls {HOST}:" in text
    methods = [line.partition(" ")[0] for line in first_lines(text)]
    assert methods == ["INVITE", "SIP/2.0", "SIP/2.0", "ACK", "BYE", "SIP/2.0"]
    assert text.endswith(" trace of everything ends: the server ends\n")
    found = dissect(file.with_suffix(".pcap"), "sip.Method", "ip.src", "sdp.media.proto")
    assert found[0] == ["INVITE", HOST, "TCP/MSRP"]
    assert [method for method, *_ in found] == ["INVITE", "", "", "ACK", "BYE", ""]


# What peers send


def test_nothing_that_a_peer_sends_passes_for_a_line_of_the_trace(
    shared_server: RunningServer,
) -> None:
    server = shared_server
    do(server, "on", "--address", HOST)
    forged = "#1 2026-11-21T00:00:00.000Z SIP received udp 192.0.2.1:1 -> 192.0.2.2:2 9 bytes"
    with WireClient(server, "eve") as eve, closing(SipWire(server)) as wire:
        wire.send(f"\x1b[2J\r\n\r\n{forged}\n--- all is well\n".encode() + b"\xff\x9b")
        wire.send(b"\r\n\r\n")
        fields = ("Subject: \x1b]0;x\x07", f"X-Forged:\r\n\t{forged}", "X-Turned: \u202e")
        answer = eve.ask("OPTIONS", *fields, body=f"\r\n{forged}\r\n    | x\r\n".encode())
        assert answer.status == 200
    do(server, "off")
    text = text_file(server).read_text(encoding="utf-8")
    assert messages_in(text) == [1, 2, 3, 4]
    assert all(line.isprintable() for line in text.split("\n"))
    assert re.search(r"^#1 .* malformed \(.*\): \\x1b\[2J\\x0d\\x0a", text, re.MULTILINE)
    assert re.search(r"^#2 .* 4 bytes keep-alive$", text, re.MULTILINE)
    assert text.count(f"\n    | {forged}") == 1
    assert text.count("\n---") == 2  # It begins and ends.


# The files


def test_files_are_begun_anew_when_they_are_full(running_server: StartServer) -> None:
    limits: dict[str, object] = {"max_file_size": "64k", "max_files": 3, "bodies": "no"}
    server = running_server({"Trace": {"trace_sip": "user:alice", "pcap": "yes", **limits}})
    with WireClient(server, "alice", transport="tcp") as alice:
        for _ in range(150):
            assert alice.ask("OPTIONS", f"X-Long: {'x' * 2000}", body=b"secret").status == 200
    server.stop()
    folder = text_file(server).parent
    names = ["messages.1", "messages.2", "messages"]
    expected = {f"{name}.{form}" for name in names for form in ("log", "pcap")}
    assert set(os.listdir(folder)) == expected
    sizes = [(folder / name).stat().st_size for name in sorted(expected)]
    assert max(sizes) <= 64 * 1024
    numbers: list[int] = []
    for name in ("messages.2", "messages.1", "messages"):
        text = (folder / f"{name}.log").read_text(encoding="utf-8")
        numbers += messages_in(text)
        assert "secret" not in text
        assert dissect(folder / f"{name}.pcap", "sip.Method")
    assert numbers == list(range(numbers[0], 301))
    assert 1 < numbers[0] < 250


def test_a_full_disk_costs_messages_of_the_trace_alone(tmp_path: Path) -> None:
    wrapper = tmp_path / "with-a-small-disk"
    # What is measured while tests run would find the disk full, too, and say so at the end.
    unmeasured = "unset COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG"
    command = f'exec {shlex.quote(str(COMMAND))} "$@"'
    wrapper.write_text(f"#!/bin/sh\n{unmeasured}\nulimit -f 8\n{command}\n", "ascii")
    wrapper.chmod(0o700)
    settings = {"Trace": {"trace_sip": "all", "pcap": "yes"}}
    server = RunningServer(tmp_path / "server", settings, wrapper)
    try:
        for number in range(5):
            visit(server, f"user{number}")
        server.wait_for_log(r"WARNING .* the trace cannot be written, .*: File too large$")
        printed = do(server, "status")
        assert re.search(r"^lost: \d+ messages?, as the disk was too slow, or full$", printed, re.M)
        assert re.search(r"^nothing can be written now: .*File too large$", printed, re.M)
        server.stop()
    finally:
        server.kill()
    text = text_file(server).read_text(encoding="utf-8")
    assert len(text) <= 4096
    # What was put back whole left room for a line or two.
    assert re.search(r"\n(?:    \|.*\n)+\n--- \S+ lost before here: \d+ messages\n--- ", text)
    assert first_lines(text)[0].startswith("INVITE ")
    assert dissect(text_file(server).with_suffix(".pcap"), "sip.Method")[0] == ["INVITE"]


# When


def test_a_trace_goes_off_by_itself(running_server: StartServer) -> None:
    server = running_server({"Trace": {"duration": 1}})
    printed = do(server, "on")
    assert printed.startswith("tracing everything until ")
    server.wait_for_log(r"trace of everything is off \(its time is over\), messages: 0$")
    assert do(server, "status").startswith("nothing is traced; ")
    visit(server, "alice")
    assert messages_in(text_file(server).read_text(encoding="utf-8")) == []


# Commands and servers


def test_a_folder_that_cannot_be_written_is_told_to_who_asks(running_server: StartServer) -> None:
    server = running_server({"Trace": {"directory": "file/traces"}})
    (server.folder / "file").touch()
    done = trace(server.folder, "on")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert re.search(r"nothing is traced: \S+/file/traces/messages.log: Not a directory", line)
    visit(server, "alice")


def test_a_wrong_setting_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "sylk.ini").write_text("[Trace]\ntrace_sip = alice\n", encoding="utf-8")
    done = subprocess.run(
        [str(COMMAND)], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("sylk-server: sylk.ini:2: [Trace] trace_sip: must be ")


def test_a_server_that_died_does_not_stand_in_the_way(tmp_path: Path) -> None:
    settings = {"Server": {"spool_dir": tmp_path / "spool"}}
    with started(tmp_path / "next", settings) as server:
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server.process.returncode = 0
    assert (tmp_path / "spool" / "control.socket").is_socket()
    path = tmp_path / "spool" / "control.socket"
    with started(tmp_path / "after", settings) as server:
        assert do(server, "status").startswith("nothing is traced")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_a_path_that_is_too_long_for_a_socket(tmp_path: Path) -> None:
    spool = tmp_path / ("x" * 100)
    with started(tmp_path / "server", {"Server": {"spool_dir": spool}}) as server:
        server.wait_for_log("longer than the 107 bytes .*: choose a shorter spool_dir")
        visit(server, "alice")
        done = trace(server.folder, "status")
        assert done.returncode == 1
        assert "the path has more than 107 bytes" in done.stderr


def test_a_client_that_hangs_on_the_socket_holds_nothing_up(shared_server: RunningServer) -> None:
    server = shared_server
    path = server.folder / "var" / "spool" / "control.socket"
    idle = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    try:
        for one in idle:
            one.connect(str(path))
            one.sendall(b'{"command": "trace on"')
        visit(server, "alice")
        assert do(server, "status").startswith("nothing is traced")
    finally:
        for one in idle:
            one.close()
