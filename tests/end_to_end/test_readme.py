"""What the README promises: its application runs, its settings are read, its error is that one."""

import re
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.chat_client import room_of, scripted
from tests.end_to_end.server import StartServer

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SERVER = Path(sys.executable).parent / "sylk-server"


def test_the_application_of_the_readme_greets(running_server: StartServer, tmp_path: Path) -> None:
    source = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    application_map = re.search(r"^ +application_map = (.*greeter.*)$", README, re.MULTILINE)
    assert source is not None
    assert application_map is not None
    folder = tmp_path / "apps.d"
    folder.mkdir()
    (folder / "greeter.py").write_text(source[1], encoding="utf-8")
    server = running_server(
        {"Server": {"extra_applications_dir": folder, "application_map": application_map[1]}}
    )
    with scripted("--name", "Zoe", room_of(server, "greeter")) as chat:
        chat.printed.wait_for(r"greeter: Hello, Zoe!")
    server.wait_for_log("greeted sip:zoe")


def test_the_error_of_the_readme_is_what_the_server_says(tmp_path: Path) -> None:
    shown = re.search(r"^ +(sylk-server: sylk\.ini:.*)$", README, re.MULTILINE)
    assert shown is not None
    (tmp_path / "sylk.ini").write_text("[SIP]\nlocal_udp_prt = 5060\n", encoding="utf-8")
    done = subprocess.run(
        [SERVER], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert done.stderr.strip() == shown[1]
