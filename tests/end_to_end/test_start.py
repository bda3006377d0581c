"""The first start, the faults that keep a server from starting, and the spool of an older one."""

import os
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from sylk.spool import LAYOUT
from tests.end_to_end.programs import missing
from tests.end_to_end.server import COMMAND, HOST, started, write_settings

TIMEOUT = 20.0


def fail(folder: Path, status: int = 1) -> str:
    """Start a server that is to fail at once, and return the one line that it says."""
    done = subprocess.run(
        [str(COMMAND)], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == status, done.stderr
    assert not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("sylk-server: ")
    return line


def test_a_port_in_use_is_told_with_its_owner_and_its_setting(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        write_settings(tmp_path, {"MSRP": {"local_tcp_port": port}})
        line = fail(tmp_path)
    assert f"cannot listen on tcp {HOST}:{port}: Address already in use" in line
    assert f"(pid {os.getpid()}) has it: end that, or set another in [MSRP] local_tcp_port" in line


def test_an_address_that_the_machine_has_not_is_told(tmp_path: Path) -> None:
    write_settings(tmp_path, {"SIP": {"local_ip": "192.0.2.77"}})
    assert fail(tmp_path).endswith(
        "no interface of this machine has that address: set [SIP] local_ip"
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no such certificate file"),
        ("nothing of the kind", "holds no certificate in PEM form"),
    ],
)
def test_a_wrong_certificate_is_told(tmp_path: Path, content: str | None, complaint: str) -> None:
    write_settings(tmp_path, {"SIP": {"local_tls_port": 0}, "TLS": {"certificate": "server.pem"}})
    if content is not None:
        (tmp_path / "server.pem").write_text(content)
    assert fail(tmp_path, status=2) == f"sylk-server: server.pem: {complaint}"


def test_a_missing_right_is_told(tmp_path: Path) -> None:
    # Not even root may make a folder there.
    write_settings(tmp_path, {"Server": {"spool_dir": "/sys/sylk"}})
    line = fail(tmp_path)
    assert line.startswith("sylk-server: cannot write in /sys/sylk: ")
    assert line.endswith("let the user of the server own it, or set spool_dir in [Server]")


def test_the_first_start_says_all_that_one_needs(tmp_path: Path) -> None:
    # The defaults are fixed ports, so it is started in a network of its own.
    isolated = ["unshare", "--net", "--map-root-user", "sh", "-c"]
    try:
        probe = subprocess.run([*isolated, "ip link set lo up"], check=False, capture_output=True)
    except FileNotFoundError:
        missing("unshare", "util-linux")
    if probe.returncode:
        pytest.skip(f"no network namespace can be made here: {probe.stderr.decode().strip()}")
    with subprocess.Popen(
        [*isolated, f"ip link set lo up && exec {COMMAND}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        lines = list(iter(server.stdout.readline, "\n"))
        lines += iter(server.stdout.readline, "\n")
        server.terminate()
        assert server.wait(TIMEOUT) == 0
    text = "".join(lines)
    assert "Nothing has to be set up" in lines[0]
    assert "join        sylk-chat 'sip:lobby@127.0.0.1'\n" in text
    assert "SIP on      udp 0.0.0.0:5060, tcp 0.0.0.0:5060, tls 0.0.0.0:5061\n" in text
    assert "MSRP on     tcp 0.0.0.0:2855, tls 0.0.0.0:2856\n" in text
    assert f"state in    {tmp_path}/var/spool\n" in text


def test_a_second_server_in_the_same_spool_folder_refuses_to_start(tmp_path: Path) -> None:
    settings = {"Server": {"spool_dir": tmp_path / "spool"}}
    with started(tmp_path / "first", settings) as first:
        (tmp_path / "second").mkdir()
        write_settings(tmp_path / "second", settings)
        assert fail(tmp_path / "second") == (
            f"sylk-server: {tmp_path}/spool is in use by the server with the pid "
            f"{first.process.pid}: end it, or give this one a spool_dir of its own in [Server]"
        )
    with started(tmp_path / "third", settings):
        pass


def test_the_spool_folder_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var" / "spool").mkdir(parents=True)
    (tmp_path / "var" / "spool" / "layout").write_text(f"{LAYOUT + 1}\n")
    write_settings(tmp_path, {})
    assert "of a newer version" in fail(tmp_path)


def test_the_spool_folder_of_the_version_before_is_opened_with_all_that_it_has(
    tmp_path: Path,
) -> None:
    spool = tmp_path / "spool"
    settings = {"Server": {"spool_dir": spool}, "SIP": {"local_tls_port": 0}}
    with started(tmp_path / "first", settings):
        pass
    # As 0.1.0 left it behind: no layout, no lock, the files at their places.
    for name in ("layout", "lock"):
        (spool / name).unlink()
    certificate = (spool / "tls" / "self-signed.crt").read_bytes()
    with sqlite3.connect(spool / "conference" / "history.db") as database:
        tables = database.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
    with started(tmp_path / "second", settings):
        assert (spool / "layout").read_text() == f"{LAYOUT}\n"
    assert (spool / "tls" / "self-signed.crt").read_bytes() == certificate
    with sqlite3.connect(spool / "conference" / "history.db") as database:
        names = "SELECT name FROM sqlite_master ORDER BY name"
        assert database.execute(names).fetchall() == tables
