"""`sylk-chat` looks around on the loopback interface, where a server says that it is there."""

import secrets

from tests.end_to_end.chat_client import at_terminal, scripted
from tests.end_to_end.server import StartServer


def test_a_person_looks_around_and_joins_by_a_key(running_server: StartServer) -> None:
    # Other tests may tell of something on loopback: this one is at the top of the list.
    user = f"hall-{secrets.token_hex(3)}"
    room = {"permanent": "yes", "description": f"0 {user}"}
    server = running_server({"Server": {"bonjour": "yes"}, f"{user}@localhost": room})
    with at_terminal("--browse", "--name", "Ann") as ann:
        ann.printed.wait_for("Looking for rooms and people here")
        ann.printed.wait_for(f"0 {user}")
        ann.printed.wait_for("no participants")
        ann.type("kkkkkkkk\r")
        ann.printed.wait_for("Welcome! You are the first one here")
        # By its name alone it is the same room.
        with scripted(user, "--name", "Bob") as bob:
            bob.printed.wait_for("Here already: Ann")
            bob.say("hello")
            ann.printed.wait_for("Bob: hello")
            assert bob.leave() == 0
        ann.type("/quit\r")
        assert ann.wait() == 0
        assert ann.modes() == ann.modes_before
    server.stop()


def test_a_key_leaves_the_list(running_server: StartServer) -> None:
    running_server()
    with at_terminal("--browse") as chat:
        chat.printed.wait_for("leaves")
        chat.type("q")
        assert chat.wait() == 0
        assert chat.modes() == chat.modes_before


def test_a_script_gets_a_line_for_each(running_server: StartServer) -> None:
    user = f"hall-{secrets.token_hex(3)}"
    running_server({"Server": {"bonjour": "yes"}, f"{user}@localhost": {"permanent": "yes"}})
    with scripted("--browse", "--seconds", "4") as chat:
        line = chat.printed.wait_for(f"Conference Room {user}\t.*\n")
        assert f"sip:{user}@127.0.0.1:" in line
        assert chat.wait() == 0


def test_a_name_that_nobody_has_is_told() -> None:
    with scripted(f"nobody-{secrets.token_hex(3)}") as chat:
        assert chat.wait() == 1
