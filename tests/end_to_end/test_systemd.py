"""The server under a manager like systemd, its unit, and the container that is built of it."""

import os
import re
import signal
import socket
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.end_to_end.programs import program
from tests.end_to_end.server import COMMAND, write_settings

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 20.0


class Manager:
    """Hears what the server tells."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(TIMEOUT)

    def wait_for(self, line: str) -> None:
        while line not in self.socket.recv(4096).decode().splitlines():
            pass


def test_a_manager_hears_ready_watchdog_reload_and_stop(tmp_path: Path) -> None:
    manager = Manager(tmp_path / "notify")
    folder = tmp_path / "server"
    folder.mkdir()
    write_settings(folder, {})
    given = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    with manager.socket, open(os.devnull, "w") as nowhere:
        process = subprocess.Popen(
            [COMMAND], cwd=folder, env={**os.environ, **given}, stderr=nowhere
        )
        try:
            manager.wait_for("READY=1")
            manager.wait_for("WATCHDOG=1")
            process.send_signal(signal.SIGHUP)
            manager.wait_for("RELOADING=1")
            manager.wait_for("READY=1")
            # A process that stalls feeds nobody; what was fed before may still wait to be read.
            process.send_signal(signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            manager.socket.settimeout(1)
            with pytest.raises(TimeoutError):
                manager.wait_for("nothing more")
            manager.socket.settimeout(TIMEOUT)
            process.send_signal(signal.SIGCONT)
            manager.wait_for("WATCHDOG=1")
            process.send_signal(signal.SIGTERM)
            manager.wait_for("STOPPING=1")
            assert process.wait(TIMEOUT) == 0
        finally:
            process.kill()
            process.wait()


def install_unit(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(COMMAND), "install-unit", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done


def test_the_unit_names_this_server_and_is_one_that_systemd_takes(tmp_path: Path) -> None:
    text = install_unit().stdout
    assert f"ExecStart={COMMAND} --config /etc/sylk/sylk.ini\n" in text
    assert "@COMMAND@" not in text
    assert "Type=notify\n" in text
    assert "WatchdogSec=30\n" in text
    analyze = program("systemd-analyze", "systemd")
    unit = tmp_path / "sylk-server.service"
    unit.write_text(text)
    done = subprocess.run(
        [analyze, "verify", unit], capture_output=True, text=True, timeout=60, check=False
    )
    assert unit.name not in done.stderr, done.stderr
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=20", unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_server_in_a_place_that_the_unit_hides_is_not_installed(tmp_path: Path) -> None:
    places = ("--directory", str(tmp_path), "--settings", str(tmp_path / "etc" / "sylk.ini"))
    hidden = any(COMMAND.is_relative_to(top) for top in ("/home", "/root", "/tmp"))
    done = install_unit("--write", *places, status=1 if hidden else 0)
    if hidden:
        assert "which the unit hides from the server: install Sylk elsewhere" in done.stderr
        assert list(tmp_path.iterdir()) == []
    else:
        assert (tmp_path / "sylk-server.service").is_file()
        assert "spool_dir = /var/lib/sylk" in (tmp_path / "etc" / "sylk.ini").read_text()


def test_the_container_is_built_of_files_that_are_there() -> None:
    text = (ROOT / "docs" / "deploy" / "Dockerfile").read_text()
    sources = {
        name
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert sources == {"pyproject.toml", "uv.lock", "README.md", "LICENSE", "sylk", "apps"}
    ignored = (ROOT / "docs" / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == sources
    assert all((ROOT / name).exists() for name in sources)
    (version,) = re.findall(r"^UV_VERSION := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f"uv=={version}" in text
    assert "uv sync --frozen --no-dev" in text
    (user,) = re.findall(r"^USER (\d+)$", text, re.MULTILINE)
    assert int(user) > 0
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    (command,) = re.findall(r'^ENTRYPOINT \["(.*)"\]$', text, re.MULTILINE)
    assert command in scripts
