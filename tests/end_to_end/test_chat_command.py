"""`sylk-chat` against the real server: what it prints, how it ends, what its exit status says."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.end_to_end.chat_client import room_of, scripted
from tests.end_to_end.server import HOST, RunningServer, StartServer

TIME = r"\d\d:\d\d "


def lines_of(text: str) -> list[str]:
    """Return the printed lines without their times."""
    lines = text.splitlines()
    assert all(re.match(TIME, line) or line.startswith("      ") for line in lines), text
    return [line[6:] for line in lines]


# A script


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_script_says_its_lines_and_prints_what_comes(
    shared_server: RunningServer, transport: str
) -> None:
    with scripted(room_of(shared_server, "echo", transport)) as chat:
        chat.say("one", "", "zwei äöü 👩‍👩‍👧", "/quit")
        chat.printed.wait_for("/quit\n")
        assert chat.leave() == 0
        assert lines_of(chat.printed.text) == ["echo: one", "echo: zwei äöü 👩‍👩‍👧", "echo: /quit"]
        assert not chat.errors.text


def test_the_last_answers_are_waited_for(shared_server: RunningServer) -> None:
    with scripted(room_of(shared_server, "echo"), "--linger", "2") as chat:
        chat.say("one")
        assert chat.leave() == 0
        assert lines_of(chat.printed.text) == ["echo: one"]


def test_two_people_hear_each_other_and_the_notices(shared_server: RunningServer) -> None:
    room = room_of(shared_server, "pair")
    with scripted(room, "--name", "Alice") as alice:
        alice.printed.wait_for(r"\* Welcome! You are the first one here")
        with scripted(room, "--name", "Bob", "--from", f"bob@{HOST}") as bob:
            alice.printed.wait_for(r"\* Bob <bob@127\.0\.0\.1> has joined the room")
            alice.say("hello")
            bob.printed.wait_for(TIME + "Alice: hello\n")
            bob.say("hi")
            alice.printed.wait_for(TIME + "Bob: hi\n")
            assert bob.leave() == 0
        alice.printed.wait_for(r"\* Bob <bob@127\.0\.0\.1> has left the room")
        assert alice.leave() == 0
        assert "Alice:" not in alice.printed.text


def test_two_chats_of_one_user_are_two_people(shared_server: RunningServer) -> None:
    room = room_of(shared_server, "twins")
    with scripted(room) as one, scripted(room) as other:
        one.printed.wait_for("Welcome")
        other.printed.wait_for("Welcome")
        one.say("here")
        other.printed.wait_for(r"-[0-9a-f]{4}: here\n")
        assert (one.leave(), other.leave()) == (0, 0)


def test_many_lines_all_come_back_in_order(shared_server: RunningServer) -> None:
    lines = [f"line {number}" for number in range(3000)]
    with scripted(room_of(shared_server, "echo")) as chat:
        chat.say(*lines)
        chat.printed.wait_for("line 2999\n")
        assert chat.leave() == 0
        assert lines_of(chat.printed.text) == [f"echo: {line}" for line in lines]


def test_what_would_drive_the_terminal_of_others_is_made_visible(
    shared_server: RunningServer,
) -> None:
    room = room_of(shared_server, "evil")
    with scripted(room) as victim:
        victim.printed.wait_for("Welcome")
        with scripted(room, "--name", "* bob: hi") as mallory:
            mallory.say("\x1b]0;owned\x07\x1b[2J\u202e", "a\rb")
            assert mallory.leave() == 0
        victim.printed.wait_for("has left")
        assert victim.leave() == 0
        assert '"* bob: hi": ␛]0;owned␇␛[2J\ufffd\n' in victim.printed.raw
        assert '"* bob: hi": a\n      b\n' in victim.printed.raw
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", victim.printed.raw)


def test_a_message_that_is_refused_is_told(running_server: StartServer) -> None:
    server = running_server({"MSRP": {"max_message_size": "2k"}})
    with scripted(room_of(server)) as chat:
        chat.say("x" * 5000, "short")
        assert chat.leave() == 3
        first, second = chat.errors.text.splitlines()
        assert re.fullmatch(r"sylk-chat: not delivered: 413 .+: “x+…”", first)
        assert second == "sylk-chat: messages not delivered: 1"


def test_an_interrupt_leaves_politely(shared_server: RunningServer) -> None:
    with scripted(room_of(shared_server, "leavers"), "--from", f"quitter@{HOST}") as chat:
        chat.printed.wait_for("Welcome")
        chat.process.send_signal(signal.SIGINT)
        assert chat.wait() == 0
    shared_server.wait_for_log(r"sip:quitter@127\.0\.0\.1 left .*: BYE")


def test_a_reader_that_has_enough_ends_the_chat(shared_server: RunningServer) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with scripted(room_of(shared_server, "echo"), output=writing) as chat:
        os.close(writing)
        chat.say("one")
        assert chat.wait() == 0
        assert not chat.errors.text


def test_a_server_that_ends_breaks_the_session(running_server: StartServer) -> None:
    server = running_server()
    with scripted(room_of(server)) as chat:
        chat.printed.wait_for("Welcome")
        server.stop()
        assert chat.wait() == 3
        ended = "the session ended: the other side left: The server stops"
        assert chat.errors.text == f"sylk-chat: {ended}\n"


def test_a_server_that_dies_breaks_the_session(running_server: StartServer) -> None:
    server = running_server()
    with scripted(room_of(server, transport="tcp")) as chat:
        chat.printed.wait_for("Welcome")
        server.process.kill()
        assert chat.wait() == 3
        assert chat.errors.text.startswith("sylk-chat: the session ended: ")
    server.kill()
    server.process.returncode = 0


# A call that does not come to stand


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_answer_of_the_server_is_told(running_server: StartServer, transport: str) -> None:
    server = running_server({"SIP": {"trusted_peers": "192.0.2.1"}})
    with scripted(room_of(server, transport=transport)) as chat:
        assert chat.wait() == 1
        assert chat.errors.text == "sylk-chat: the server answered 403 Forbidden\n"
        assert not chat.printed.text


@pytest.mark.parametrize(
    ("transport", "kind"), [("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)]
)
def test_a_port_without_a_server_is_told_at_once(transport: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as unused:
        unused.bind((HOST, 0))
        port = unused.getsockname()[1]
    with scripted(f"lobby@{HOST}:{port}", "--transport", transport) as chat:
        assert chat.wait() == 1
        (line,) = chat.errors.text.splitlines()
        assert line.startswith(f"sylk-chat: cannot connect to {HOST}:{port}")


def test_a_server_that_is_silent_is_given_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        port = silent.getsockname()[1]
        with scripted(f"lobby@{HOST}:{port}", "--timeout", "0.3") as chat:
            assert chat.wait() == 1
            assert f"no answer from {HOST} port {port} over udp within 0.3 s" in chat.errors.text


@pytest.mark.parametrize("local_ip", ["::1", "::"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_room_is_joined_over_ipv6(
    running_server: StartServer, local_ip: str, transport: str
) -> None:
    server = running_server({"SIP": {"local_ip": local_ip}, "MSRP": {"local_ip": local_ip}})
    port = server.sip_udp if transport == "udp" else server.sip_tcp
    room = f"sip:room@[::1]:{port};transport={transport}"
    with scripted(room, "--name", "Alice") as alice:
        alice.printed.wait_for(r"\* Welcome! You are the first one here")
        with scripted(room, "--name", "Bob", "--from", "sip:bob@[::1]") as bob:
            alice.printed.wait_for(r"\* Bob <bob@\[::1\]> has joined the room")
            bob.say("hello")
            alice.printed.wait_for(TIME + "Bob: hello\n")
            assert bob.leave() == 0
        assert alice.leave() == 0


def test_a_call_goes_through_a_proxy(shared_server: RunningServer) -> None:
    """Whom it is for is not looked up; the server stands for a proxy that keeps the call."""
    proxy = f"sip:{HOST}:{shared_server.sip_tcp};transport=tcp"
    with scripted("sip:echo@nowhere.invalid", "--proxy", proxy, "--verbose") as chat:
        chat.say("one")
        chat.printed.wait_for("echo: one\n")
        assert chat.leave() == 0
        assert f"Route: <{proxy};lr>" in chat.errors.text


def test_the_traffic_is_logged_where_it_is_wanted(
    shared_server: RunningServer, tmp_path: Path
) -> None:
    log = tmp_path / "chat.log"
    with scripted(room_of(shared_server, "echo"), "--verbose", "--log", str(log)) as chat:
        assert chat.leave() == 0
        assert not chat.errors.text
    assert "INVITE sip:echo@" in log.read_text("utf-8")
