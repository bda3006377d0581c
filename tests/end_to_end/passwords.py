"""Gives users of a running server their passwords, with the real command."""

import subprocess

from tests.end_to_end.server import COMMAND, RunningServer


def passwd(server: RunningServer, *arguments: str, password: str = "") -> str:
    """Run `sylk-server passwd` beside the server and return what it prints."""
    done = subprocess.run(
        [str(COMMAND), "passwd", *arguments],
        cwd=server.folder,
        input=f"{password}\n",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def set_password(server: RunningServer, address: str, password: str) -> None:
    """Let a user, as user@realm, have this password."""
    passwd(server, "--stdin", address, password=password)
