"""`sylk-server migrate`, and that the server runs with what it has made."""

import subprocess
from pathlib import Path

from tests.cli.test_migrate import CONFERENCE
from tests.end_to_end.server import COMMAND


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_file_is_written_once_and_is_well(tmp_path: Path) -> None:
    ports = "".join(f"local_{name}_port =\n" for name in ("tls",))
    (tmp_path / "config.ini").write_text(
        f"[SIP]\nlocal_ip = 127.0.0.1\nlocal_udp_port = 0\nlocal_tcp_port = 0\n{ports}"
    )
    (tmp_path / "conference.ini").write_text(CONFERENCE)
    done = run(tmp_path, "migrate", ".", "--output", "sylk.ini")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("wrote sylk.ini; sylk-server check --config sylk.ini looks at it")
    assert "[Conference] file_transfer_dir: files are messages like others here" in done.stderr
    checked = run(tmp_path, "check").stdout
    assert "OK    configuration  sylk.ini, " in checked
    again = run(tmp_path, "migrate", ".", "--output", "sylk.ini")
    assert again.returncode == 1
    assert again.stderr == "sylk-server migrate: sylk.ini: File exists\n"


def test_a_folder_without_settings_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, "migrate", ".")
    assert done.returncode == 1
    assert "there is no config.ini or conference.ini here" in done.stderr
