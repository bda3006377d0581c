"""Writes `docs/captures.md`: what an operator sees, as the real commands write it.

    unshare --net --map-root-user python -m tests.end_to_end.captures

It runs in a network of its own, since a first start takes the default ports. What is another on
each machine and at each time, such as a pid, is replaced, so that two runs give the same page.
"""

import re
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.server import COMMAND

PATIENCE = 20.0

_HEAD = """\
# What an operator sees

Made by `make captures` from the commands themselves; a test sees to it that it stays true. Process
numbers, times and sizes are made up.
"""
_FAULTS = (
    ("A setting that does not exist", "[SIP]\nlocal_udp_prt = 5060\n"),
    ("A port that somebody else has", ""),
    ("A certificate that is not there", "[TLS]\ncertificate = server.pem\n"),
    ("A spool folder that cannot be made", "[Server]\nspool_dir = sylk.ini/spool\n"),
    ("Passwords that nobody has", "[SIP]\nauthenticate = yes\nrealm = localhost\n"),
)
_REPLACED = (
    (r"pid \d+", "pid 4711"),
    (r"\bup [^,]+,", "up 12 s,"),
    (r"[\d.]+ [KMGT]iB free", "77.4 GiB free"),
    (r"[\d.]+ [KMG]?i?B of memory", "48.2 MiB of memory"),
    (r"(?m)^SIP messages +\d.*$", "SIP messages  0.42   0.42        4         4"),
    (r"(?m)^MSRP +\d.*$", "MSRP          82 B  216 B    786 B   2.0 KiB"),
    (r"(?m)^traffic .*$", "traffic       in/s  out/s  in, all  out, all"),
    (r"until \d{4}-\d\d-\d\d", "until 2029-02-22"),
    (r"python\d?[\d.]* \(pid", "python (pid"),
)


def captures() -> str:
    """Return the page; run in a network that has nobody else."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    parts = [_HEAD]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "sylk"
        folder.mkdir()
        with _server(folder) as greeting:
            parts.append(_part("First start", "sylk-server", greeting))
            with _people(("Alice", "Bob")):
                for title, command in (("Status", "status"), ("Rooms", "rooms")):
                    parts.append(_part(title, f"sylk-server {command}", _run(folder, command)))
            parts.append(_part("A second server", "sylk-server", _run(folder)))
            parts.append(_part("A running server", "sylk-server check", _run(folder, "check")))
            for title, settings in _FAULTS:
                faulty = Path(name) / title.split()[1]
                faulty.mkdir()
                (faulty / "sylk.ini").write_text(settings)
                parts.append(_part(title, "sylk-server check", _faults(faulty)))
        return "\n".join(parts).replace(name, "/srv")


@contextmanager
def _server(folder: Path) -> Generator[str]:
    """Run a server and give what it greets with."""
    with subprocess.Popen(
        [COMMAND], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("  end "):
            lines.append(server.stdout.readline())
        try:
            yield "".join(lines)
        finally:
            server.terminate()
            server.wait(PATIENCE)


@contextmanager
def _people(names: tuple[str, ...]) -> Generator[None]:
    """Have people in the lobby; the last one hears that all are here."""
    command = COMMAND.parent / "sylk-chat"
    clients: list[subprocess.Popen[str]] = []
    try:
        for name in names:
            client = subprocess.Popen(
                [command, "--name", name, "sip:lobby@127.0.0.1"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            clients.append(client)
            assert client.stdout is not None
            while "Welcome!" not in client.stdout.readline():
                pass
        yield
    finally:
        for client in clients:
            client.communicate("", PATIENCE)


def _run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [COMMAND, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def _faults(folder: Path) -> str:
    """Return what `check` finds wrong, without the ports that the running server has."""
    lines = [line for line in _run(folder, "check").splitlines() if not line.startswith("OK")]
    wanted = [line for line in lines if "ports" not in line] or lines[:1]
    return "\n".join(wanted) + "\n"


def _part(title: str, command: str, text: str) -> str:
    for pattern, replacement in _REPLACED:
        text = re.sub(pattern, replacement, text)
    shown = "\n".join(f"    {line}".rstrip() for line in [f"$ {command}", *text.splitlines()])
    return f"## {title}\n\n{shown}\n"


if __name__ == "__main__":
    print(captures(), end="")
