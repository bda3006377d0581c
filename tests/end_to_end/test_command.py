"""How the command starts, whom it admits, and how it ends."""

import re
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.server import COMMAND, HOST, StartServer, write_settings
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_sip import SipWire

STRANGER = "127.0.0.2"


def run_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is to fail at once."""
    return subprocess.run(
        [str(COMMAND), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


# Starting


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("[SIP]\nlocal_udp_port = many\n", r"sylk\.ini:2: .*local_udp_port"),
        ("[SIP]\nlocal_tcp_prot = 0\n", r"sylk\.ini:2: .*local_tcp_port"),
        ("[Sip]\n", r"sylk\.ini:1: .*SIP"),
        ("local_tcp_port = 0\n", r"sylk\.ini:1: "),
        ("[Server]\n\ndefault_application = confrence\n", r"sylk\.ini:3: .*conference"),
        ("[Conference]\nmax_rooms = 0\n", r"sylk\.ini:2: .*max_rooms"),
        ("[Server]\nextra_applications_dir = nowhere\n", r"nowhere"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(tmp_path: Path, settings: str, complaint: str) -> None:
    (tmp_path / "sylk.ini").write_text(settings, encoding="utf-8")
    done = run_command(tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert re.search(complaint, line), line
    assert not done.stdout


def test_a_settings_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    done = run_command(tmp_path, "--config", "other.ini")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "other.ini" in line


def test_an_application_that_cannot_be_imported_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "sylk.ini").write_text("[Server]\nextra_applications_dir = apps\n", "utf-8")
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "wrong.py").write_text("import nothing_of_this_name\n", "utf-8")
    done = run_command(tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "nothing_of_this_name" in line


@pytest.mark.parametrize(
    ("kind", "section", "key"),
    [
        (socket.SOCK_DGRAM, "SIP", "local_udp_port"),
        (socket.SOCK_STREAM, "SIP", "local_tcp_port"),
        (socket.SOCK_STREAM, "MSRP", "local_tcp_port"),
    ],
)
def test_a_port_in_use_is_told_in_one_line(
    tmp_path: Path, kind: socket.SocketKind, section: str, key: str
) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((HOST, 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        write_settings(tmp_path, {section: {key: port}})
        done = run_command(tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(port) in line
    assert "EADDRINUSE" in line


# Whom it admits


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_strangers_are_refused(running_server: StartServer, transport: str) -> None:
    server = running_server({"SIP": {"trusted_peers": HOST}})
    with (
        WireClient(server, "alice", transport=transport) as alice,
        WireClient(server, "mallory", transport=transport, source=STRANGER) as mallory,
    ):
        alice.join()
        assert mallory.invite().status == 403
        mallory.wire.send(mallory.request("ACK"))
        server.wait_for_log(rf"\[{mallory.call_id}\] refused INVITE .* with 403")
        alice.leave()


# Ending


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_everybody_is_told_when_the_server_ends(
    running_server: StartServer, number: signal.Signals
) -> None:
    server = running_server()
    with (
        WireClient(server, "alice") as alice,
        WireClient(server, "bob", transport="tcp") as bob,
        WireClient(server, "carol", headers=("X-Sylk-App: echo",)) as carol,
    ):
        for client in (alice, bob, carol):
            client.join()
        server.process.send_signal(number)
        for client in (alice, bob, carol):
            assert client.await_bye()["Call-ID"] == client.call_id
        server.stop(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_again_and_again_does_not_spoil_the_end(
    running_server: StartServer, number: signal.Signals
) -> None:
    server = running_server()
    while server.process.poll() is None:
        server.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(0.001)
    # Its exit status and its log are looked at.
    server.stop()


def test_a_peer_that_does_not_answer_does_not_keep_the_server(running_server: StartServer) -> None:
    server = running_server()
    with (
        WireClient(server, "alice") as alice,
        WireClient(server, "bob", transport="tcp") as bob,
        WireClient(server, "carol") as carol,
    ):
        alice.join()
        bob.join()
        # Neither ACK nor media of hers ever come.
        carol.wire.send(carol.invitation())
        carol.await_answer()
        server.stop()


def test_the_server_ends_while_its_ports_are_busy(running_server: StartServer) -> None:
    server = running_server()
    wires = [SipWire(server, "tcp") for _ in range(20)]
    try:
        for wire in wires:
            wire.send(b"INVITE sip:lobby@127.0.0.1 SIP/2.0\r\nVia: ")
        server.stop()
    finally:
        for wire in wires:
            wire.close()


def test_two_servers_live_side_by_side(running_server: StartServer) -> None:
    first, second = running_server(), running_server()
    with WireClient(first, "alice") as alice, WireClient(second, "bob") as bob:
        alice.join()
        bob.join()
        alice.leave()
        bob.leave()
