"""The command `sylk-server passwd`, without a terminal and on one."""

import io
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from sylk.cli.passwd import MAX_PASSWORD, run
from sylk.sip.digest import hash_password
from sylk.users import UserFile

ALICE = "alice@example.com"
PATIENCE = 30  # seconds after which a command that hangs fails the test


class Place:
    """A settings file with a spool folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "sylk.ini"
        self.config.write_text(f"[Server]\nspool_dir = {folder / 'spool'}\n")
        self.users = folder / "spool" / "users"

    def run(self, *arguments: str, typed: str = "") -> int:
        return run(["--config", str(self.config), *arguments], io.StringIO(typed))

    def knows(self, password: str) -> bool:
        user = UserFile(self.users).find("alice", "example.com")
        digest = hash_password("alice", "example.com", password, "SHA-256")
        return user is not None and user.ha1["SHA-256"] == digest


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_password_from_the_input(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run(ALICE, "--stdin", typed="se cret \r\nmore\n") == 0
    assert place.knows("se cret ")
    assert capsys.readouterr() == ("alice@example.com has a new password\n", "")
    assert place.run(ALICE, "--stdin", typed="other") == 0
    assert place.knows("other")


def test_list_and_delete(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for address in ("bob@example.com", ALICE, "a@b@example.com"):
        assert place.run(address, "--stdin", typed="secret\n") == 0
    capsys.readouterr()
    assert place.run("--list") == 0
    assert capsys.readouterr().out.split() == ["a@b@example.com", ALICE, "bob@example.com"]
    assert place.run(ALICE, "--delete") == 0
    assert not place.knows("secret")
    assert capsys.readouterr().out == "alice@example.com has no password any more\n"
    assert place.run(ALICE, "--delete") == 1
    assert capsys.readouterr().err == ("sylk-server passwd: alice@example.com has no password\n")


@pytest.mark.parametrize("typed", ["", "\n", "x" * (MAX_PASSWORD + 1) + "\n"])
def test_passwords_that_are_not_taken(
    place: Place, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    assert place.run(ALICE, "--stdin", typed=typed) == 1
    assert capsys.readouterr().err.startswith("sylk-server passwd: the password is ")
    assert not place.users.exists()


def test_the_longest_password(place: Place) -> None:
    assert place.run(ALICE, "--stdin", typed="x" * MAX_PASSWORD + "\r\n") == 0
    assert place.knows("x" * MAX_PASSWORD)


def test_a_password_that_cannot_be_read(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    source = io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8")
    assert run(["--config", str(place.config), ALICE, "--stdin"], source) == 1
    assert "encoding" in capsys.readouterr().err


def test_without_a_terminal_nobody_is_asked(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.run(ALICE, typed="secret\nsecret\n") == 1
    assert "use --stdin" in capsys.readouterr().err
    assert not place.users.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["alice"],
        ["@example.com"],
        ["alice@"],
        ["--delete"],
        ["--list", ALICE],
        ["--list", "--delete"],
        [ALICE, "--delete", "--stdin"],
        [ALICE, "secret"],
    ],
)
def test_what_is_asked_for_must_make_sense(
    place: Place, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        place.run(*arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: sylk-server passwd ")


def test_a_file_that_cannot_be_used(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.users.parent.mkdir()
    place.users.write_text("oops\n")
    place.users.chmod(0o600)
    assert place.run(ALICE, "--stdin", typed="secret\n") == 2
    assert f"{place.users}:1: must be" in capsys.readouterr().err
    assert place.run("--list", "--config", str(place.config) + ".no") == 2
    assert place.run("al:ice@example.com", "--stdin", typed="secret\n") == 2


def read(terminal: int) -> bytes:
    """Return what was written to the terminal since, nothing once all have left it."""
    ready, _, _ = select.select([terminal], [], [], PATIENCE)
    if not ready:
        raise TimeoutError("the command says nothing more")
    try:
        return os.read(terminal, 1000)
    except OSError:
        return b""  # Linux has this for the end.


def on_a_terminal(place: Place, *typed: bytes) -> tuple[int, bytes]:
    """Run the command on a terminal; return its status, and what was to be seen there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sylk.cli.passwd", "--config", str(place.config), ALICE]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    try:
        os.close(theirs)
        seen = b""
        for line in typed:
            # getpass drops what was typed before it asked.
            while not seen.rstrip(b" ").endswith(b":"):
                seen += read(ours)
            os.write(ours, line)
            seen += b"\n"
        while more := read(ours):
            seen += more
        return process.wait(PATIENCE), seen
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(place: Place) -> None:
    status, seen = on_a_terminal(place, b"secret\n", b"secret\n")
    assert status == 0
    assert place.knows("secret")
    assert b"has a new password" in seen
    assert b"secret" not in seen


@pytest.mark.parametrize("typed", [(b"secret\n", b"sceret\n"), (b"secret\n", b"\4"), (b"\n",)])
def test_on_a_terminal_one_can_think_better_of_it(place: Place, typed: tuple[bytes, ...]) -> None:
    status, seen = on_a_terminal(place, *typed)
    assert (status, b"Traceback" in seen) == (1, False)
    assert b"nothing is changed" in seen
    assert not place.users.exists()
