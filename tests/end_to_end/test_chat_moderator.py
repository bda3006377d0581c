"""`sylk-chat` in rooms of the server itself: names, whispers, moderators, what was said before."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.end_to_end.chat_client import TerminalChat, at_terminal, room_of, scripted
from tests.end_to_end.server import HOST, RunningServer, started

TIME = r"\d\d:\d\d "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Run a server in whose rooms Alice is the moderator."""
    folder = tmp_path_factory.mktemp("moderated")
    settings = {"Conference": {"moderators": f"alice@{HOST}", "remove": "moderators"}}
    with started(folder, settings) as running:
        yield running


def person(name: str, room: str) -> list[str]:
    """Return how somebody calls a room under his own name."""
    return [room, "--name", name, "--from", f"sip:{name.lower()}@{HOST}"]


def wait_to_see(chat: TerminalChat, name: str) -> None:
    """Ask who is here until somebody is: names are told once in a while only."""
    count = 0
    while name not in chat.printed.text:
        count += 1
        chat.type("/who\r")
        chat.printed.wait_for(rf"(?s)(?:\d here:.*){{{count}}}")


def test_a_moderator_at_a_terminal(server: RunningServer) -> None:
    room = room_of(server, "people")
    with at_terminal(*person("Alice", room)) as alice, ExitStack() as stack:
        alice.printed.wait_for(r"\* 1 here: Alice")
        bob = stack.enter_context(at_terminal(*person("Bob", room)))
        bob.printed.wait_for(r"\* 2 here: Alice, Bob")
        bob.type("/nick Bobby\r")
        bob.printed.wait_for("You are Bobby now")
        bob.type("hello\r")
        alice.printed.wait_for(TIME + "Bobby: hello")
        alice.type("/nick Bobby\r")
        alice.printed.wait_for("! /nick: 425")
        wait_to_see(alice, "Bobby <bob@")
        alice.type("/msg Bobby psst\r")
        bob.printed.wait_for(TIME + r"Alice \(private\): psst")
        bob.type("/lock\r")
        bob.printed.wait_for("! /lock: 403 only moderators may do that")
        alice.type("/subject Tea at five\r")
        bob.printed.wait_for("has given the room the subject: Tea at five")
        alice.type("/mute Bobby\r")
        bob.printed.wait_for("has muted you")
        bob.type("but\r")
        bob.printed.wait_for("not delivered: 403")
        alice.type("/unmute Bobby\r")
        bob.printed.wait_for("has unmuted you")
        alice.type("/ban Bobby 1h\r")
        bob.printed.wait_for("Banned by Alice")
        # That was no polite end.
        assert bob.wait() == 3
        again = stack.enter_context(at_terminal(*person("Bob", room)))
        assert again.wait() == 1
        again.printed.wait_for("403")
        alice.type("/quit\r")
        assert alice.wait() == 0


def test_what_was_said_is_shown_to_who_comes_later_and_to_who_asks(server: RunningServer) -> None:
    room = room_of(server, "archive")
    with scripted(*person("Carol", room)) as carol:
        carol.say("one", "two")
        assert carol.leave() == 0
    with scripted(*person("Dave", room), "--commands") as dave:
        dave.printed.wait_for(TIME + r"Carol(?: \(earlier\))?: one\n")
        dave.printed.wait_for(TIME + r"Carol(?: \(earlier\))?: two\n")
        dave.say("/history 1")
        dave.printed.wait_for(r"(?s)two\n.*two\n")
        dave.say("/who")
        dave.printed.wait_for("Only you are here")
        assert dave.leave() == 0
