"""`sylk-chat` in a room that knows nicknames, private messages and all that: by hand, by script."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cli import small_focus
from tests.end_to_end.chat_client import at_terminal, room_of, scripted
from tests.end_to_end.server import RunningServer, started

TIME = r"\d\d:\d\d "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Run a server whose rooms are those of a small focus."""
    folder = tmp_path_factory.mktemp("rooms")
    (folder / "applications").mkdir()
    shutil.copy(small_focus.__file__, folder / "applications" / "small.py")
    settings = {
        "Server": {
            "extra_applications_dir": folder / "applications",
            "default_application": "small",
        }
    }
    with started(folder / "server", settings) as running:
        yield running


def test_two_at_terminals(server: RunningServer) -> None:
    room = room_of(server, "people")
    with at_terminal(room, "--name", "Alice") as alice, ExitStack() as stack:
        alice.printed.wait_for(r"2001-02-0\d \d\d:\d\d Carol \(earlier\): what was")
        alice.printed.wait_for(TIME + r"\* 1 here: Alice")
        alice.printed.wait_for(r"\* The subject is: Tea")
        bob = stack.enter_context(at_terminal(room, "--name", "Bob"))
        bob.printed.wait_for(TIME + r"\* 2 here: Alice, Bob")
        alice.type("/nick Ali B\r")
        alice.printed.wait_for("You are Ali B now")
        bob.type("hello\r")
        alice.printed.wait_for(TIME + "Bob: hello")
        bob.type("how are")
        alice.printed.wait_for("Bob is writing")
        bob.type(" you?\r")
        alice.printed.wait_for(TIME + r"Bob: how are you\?")
        alice.type("/msg B\tpsst\r")
        alice.printed.wait_for(TIME + r"Ali B → Bob \(private\): psst")
        bob.printed.wait_for(TIME + r"Ali B \(private\): psst")
        bob.type("/re\tfine\r")
        alice.printed.wait_for(TIME + r"Bob \(private\): fine")
        alice.type("/who\r")
        alice.printed.wait_for(r"Ali B <alice-\w+@127.0.0.1> \(you, Alice\)")
        alice.type("/lock\r")
        alice.printed.wait_for("! /lock: 403 Forbidden")
        alice.type("/subject Cake\r")
        bob.printed.wait_for(r"\* The subject is: Cake")
        alice.type("/ban\r")
        alice.printed.wait_for(r"Write /ban NAME \[TIME\]")
        alice.type("/invite dora\r")
        alice.printed.wait_for(r"\* dora@127.0.0.1: ringing")
        alice.type("pick up\r")
        alice.printed.wait_for(r"\* dora@127.0.0.1 is in")
        alice.type("/kick Bob\r")
        alice.printed.wait_for(r"\* bob-\w+@127.0.0.1 is out")
        bob.printed.wait_for("The other side has left: put out")
        assert bob.wait() == 0
        alice.type("/quit\r")
        assert alice.wait() == 0
        assert alice.modes() == alice.modes_before


def test_a_script_with_commands(server: RunningServer) -> None:
    room = room_of(server, "scripts")
    with scripted(room, "--name", "Bob") as bob, ExitStack() as stack:
        bob.printed.wait_for("Carol")
        robot = stack.enter_context(scripted(room, "--name", "Robot", "--commands"))
        robot.printed.wait_for("Carol")
        robot.say("/nick R2", "hello", "/subject Oil", "//me", "/lock", "/nonsense")
        bob.printed.wait_for(TIME + "R2: hello\n")
        bob.printed.wait_for(TIME + "R2: /me\n")
        robot.errors.wait_for("sylk-chat: /nonsense is no command")
        assert robot.leave() == 3
        assert "sylk-chat: /lock: 403 Forbidden" in robot.errors.text
        assert "commands that came to nothing: 1" in robot.errors.text
        assert "You are R2 now." in robot.printed.text


def test_a_script_without_says_each_line_as_it_is(server: RunningServer) -> None:
    room = room_of(server, "lines")
    with scripted(room, "--name", "Bob") as bob, scripted(room, "--name", "Robot") as robot:
        bob.printed.wait_for("Carol")
        robot.printed.wait_for("Carol")
        robot.say("/nick R2", "//me")
        bob.printed.wait_for(TIME + "Robot: /nick R2\n")
        bob.printed.wait_for(TIME + "Robot: //me\n")
        assert robot.leave() == 0
