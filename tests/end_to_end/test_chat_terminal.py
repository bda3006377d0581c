"""`sylk-chat` at a terminal, with the real server: typing, reading, leaving."""

import signal

import pytest

from tests.end_to_end.chat_client import at_terminal, room_of, scripted
from tests.end_to_end.server import RunningServer, StartServer

TIME = r"\d\d:\d\d "


def test_a_person_types_and_reads(shared_server: RunningServer) -> None:
    room = room_of(shared_server, "people")
    with at_terminal(room, "--name", "Alice") as alice, scripted(room, "--name", "Bob") as bob:
        alice.printed.wait_for("You are Alice, in people@")
        bob.printed.wait_for("Welcome")
        alice.type("hello Bob\r")
        bob.printed.wait_for("Alice: hello Bob\n")
        alice.printed.wait_for(TIME + "Alice: hello Bob")
        # What comes while a line is half typed does not disturb it.
        alice.type("half a ")
        bob.say("hello Alice")
        alice.printed.wait_for(TIME + "Bob: hello Alice")
        alice.type("line\r")
        bob.printed.wait_for("Alice: half a line\n")
        alice.type("//me\r")
        bob.printed.wait_for("Alice: /me\n")
        alice.type("/nonsense\r")
        alice.printed.wait_for("/nonsense is no command. Type /help")
        alice.type("/help\r")
        alice.printed.wait_for("//text +say a line")
        # The keyboard is never let go of while lines are printed.
        assert alice.modes() != alice.modes_before
        alice.type("/quit\r")
        assert alice.wait() == 0
        assert alice.modes() == alice.modes_before
        bob.printed.wait_for("has left")
        assert "\x07" not in alice.printed.raw
        assert bob.leave() == 0


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_a_key_leaves(shared_server: RunningServer, key: str) -> None:
    with at_terminal(room_of(shared_server, "keys")) as chat:
        chat.printed.wait_for("keys>")
        chat.type(key)
        assert chat.wait() == 0
        assert chat.modes() == chat.modes_before


def test_a_signal_puts_the_terminal_in_order(shared_server: RunningServer) -> None:
    with at_terminal(room_of(shared_server, "signals")) as chat:
        chat.printed.wait_for("signals>")
        chat.process.send_signal(signal.SIGTERM)
        assert chat.wait() == 0
        assert chat.modes() == chat.modes_before


def test_a_server_that_ends_gives_the_terminal_back(running_server: StartServer) -> None:
    server = running_server()
    with at_terminal(room_of(server)) as chat:
        chat.printed.wait_for("lobby>")
        server.stop()
        chat.printed.wait_for("sylk-chat: the session ended: the other side left")
        assert chat.wait() == 3
        assert chat.modes() == chat.modes_before
