"""`sylk-server check` with a server that runs, and with each kind of fault."""

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sylk.spool import LAYOUT
from tests.end_to_end.server import COMMAND, HOST, StartServer, write_settings


def check(folder: Path, status: int, *arguments: str) -> list[str]:
    done = subprocess.run(
        [str(COMMAND), "check", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def faults(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("OK ")]


def test_all_is_well_before_the_first_start_and_nothing_is_made(tmp_path: Path) -> None:
    write_settings(tmp_path, {})
    lines = check(tmp_path, 0)
    assert faults(lines) == []
    assert [path.name for path in tmp_path.iterdir()] == ["sylk.ini"]


def test_all_is_well_while_the_server_runs(running_server: StartServer) -> None:
    server = running_server()
    ports = {
        "SIP": {"local_udp_port": server.sip_udp, "local_tcp_port": server.sip_tcp},
        "MSRP": {"local_tcp_port": server.msrp_tcp},
    }
    # What the system chose is asked for by its number now.
    write_settings(server.folder, ports)
    lines = check(server.folder, 0)
    assert faults(lines) == []
    assert sum("the server that runs has it" in line for line in lines) == 3
    assert any(f"the server with the pid {server.process.pid} runs in it" in line for line in lines)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("[SIP]\nlocal_udp_prt = 1\n", "sylk.ini:2: [SIP] local_udp_prt: there is no such setting"),
        ("[Conference]\nmax_rooms = 0\n", "sylk.ini:2: [Conference] max_rooms: must be at least"),
        ("[Conferenc]\n", "sylk.ini:1: [Conferenc]: there is no such section"),
        ("[Server]\nextra_applications_dir = none_here\n", "none_here is no folder"),
        ("[TLS]\nprivate_key = x\n", "private_key: needs certificate"),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: str, complaint: str) -> None:
    (tmp_path / "sylk.ini").write_text(settings)
    lines = [line for line in check(tmp_path, 1) if line.startswith("FAIL  configuration  ")]
    assert len(lines) == 1
    assert complaint in lines[0]


def test_every_wrong_setting_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "sylk.ini").write_text("[SIP]\na = 1\nb = 2\n[MSRP]\nc = 3\n")
    assert [line.split()[2] for line in check(tmp_path, 1)] == [
        "sylk.ini:2:",
        "sylk.ini:3:",
        "sylk.ini:5:",
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (line,) = check(tmp_path, 1, "--config", "other.ini")
    assert line.startswith("FAIL  configuration  other.ini: there is no such file; ")


def test_a_port_of_somebody_else(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        write_settings(tmp_path, {"SIP": {"local_tcp_port": port}})
        (line,) = faults(check(tmp_path, 1))
    assert line.startswith(f"FAIL  ports          SIP: cannot listen on tcp {HOST}:{port}: ")
    assert line.endswith("has it: end that, or set another in [SIP] local_tcp_port")


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    write_settings(tmp_path, {"SIP": {"local_tls_port": 0}, "TLS": {"certificate": "x.pem"}})
    (line,) = faults(check(tmp_path, 1))
    assert line.startswith("FAIL  certificate    x.pem: there is no such certificate file; mend ")


def test_a_spool_folder_that_cannot_be_used(tmp_path: Path) -> None:
    write_settings(tmp_path, {})
    spool = tmp_path / "var" / "spool"
    spool.mkdir(parents=True)
    (spool / "layout").write_text(f"{LAYOUT + 1}\n")
    (line,) = faults(check(tmp_path, 1))
    assert f"layout {LAYOUT + 1} is of a newer version" in line
    (spool / "layout").unlink()
    spool.rmdir()
    spool.write_text("")
    (line,) = faults(check(tmp_path, 1))
    assert line.startswith("FAIL  spool ")


def test_passwords_that_nobody_has(tmp_path: Path) -> None:
    write_settings(tmp_path, {"SIP": {"authenticate": "yes"}})
    (line,) = faults(check(tmp_path, 0))
    assert line.startswith("WARN  passwords ")
    assert line.endswith("; give each user one: sylk-server passwd USER@REALM")


def test_json_has_the_same(tmp_path: Path) -> None:
    write_settings(tmp_path, {"SIP": {"authenticate": "yes"}})
    told: Any = json.loads("\n".join(check(tmp_path, 0, "--json")))
    assert told["ok"] is True
    assert [one["subject"] for one in told["findings"] if one["level"] == "WARN"] == ["passwords"]
