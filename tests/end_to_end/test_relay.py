"""The relay, end to end: the real server, `sylk-chat --relay`, and sockets that do wrong."""

import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.chat_client import converse, room_of, scripted
from tests.end_to_end.passwords import set_password
from tests.end_to_end.server import HOST, RunningServer, StartServer, started
from tests.end_to_end.tls_setup import Sections, tls_port

REALM = "relay.example.com"
USERS = {"alice": "wonderland", "bob": "builder"}
TIMEOUT = 10.0


def relay_settings(**relay: object) -> Sections:
    given: dict[str, object] = {"enabled": "yes", "host": HOST, "realm": REALM}
    return {
        "MSRP": {"local_tls_port": 0},
        "Relay": {**given, "allowed_networks": "127.0.0.0/8", **relay},
    }


def with_users(server: RunningServer) -> RunningServer:
    for user, password in USERS.items():
        set_password(server, f"{user}@{REALM}", password)
    return server


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Run a server that is nothing but a relay to its clients."""
    with started(tmp_path_factory.mktemp("relay") / "server", relay_settings()) as server:
        yield with_users(server)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Run another server, which has the rooms and does not know of the relay."""
    settings: Sections = {"MSRP": {"local_tls_port": 0}}
    with started(tmp_path_factory.mktemp("rooms") / "server", settings) as server:
        yield server


def relay_uri(server: RunningServer) -> str:
    return f"msrps://{HOST}:{tls_port(server, 'MSRP')};tcp"


def behind(relay: RunningServer, folder: Path, user: str, password: str | None = None) -> list[str]:
    """Return what makes `sylk-chat` go through the relay as one of its users."""
    file = folder / f"{user}.password"
    file.write_text(f"{password or USERS[user]}\n", encoding="utf-8")
    return [
        *("--relay", relay_uri(relay), "--from", f"sip:{user}@{HOST}", "--name", user),
        *("--password-file", str(file)),
    ]


def test_two_clients_of_the_relay_and_one_without_meet_in_a_room(
    relay: RunningServer, rooms: RunningServer, tmp_path: Path
) -> None:
    room = room_of(rooms, "behind")
    with (
        scripted(room, *behind(relay, tmp_path, "alice")) as alice,
        scripted(room, *behind(relay, tmp_path, "bob")) as bob,
        scripted(room, "--name", "carol") as carol,
    ):
        converse({"alice": alice, "bob": bob, "carol": carol})
    for user in USERS:
        relay.wait_for_log(f"relay path for '{user}' from {HOST}:")


def test_the_relay_serves_the_rooms_of_its_own_server(
    running_server: StartServer, tmp_path: Path
) -> None:
    server = with_users(running_server(relay_settings()))
    room = room_of(server, "own")
    with (
        scripted(room, *behind(server, tmp_path, "alice")) as alice,
        scripted(room, "--name", "carol") as carol,
    ):
        converse({"alice": alice, "carol": carol})


def test_a_long_message_goes_through(
    relay: RunningServer, rooms: RunningServer, tmp_path: Path
) -> None:
    text = "".join(f"{number:07d} " for number in range(25_000))
    with scripted(room_of(rooms, "echo"), *behind(relay, tmp_path, "alice")) as chat:
        chat.say(text)
        chat.printed.wait_for(f"{text[-100:].strip()}\\s*\n")
        assert chat.leave() == 0


def test_a_wrong_password_is_told(
    relay: RunningServer, rooms: RunningServer, tmp_path: Path
) -> None:
    arguments = behind(relay, tmp_path, "alice", "wrong")
    with scripted(room_of(rooms), *arguments) as chat:
        assert chat.wait() == 1
        assert f"the relay {HOST}: 401" in chat.errors.text
    relay.wait_for_log(r"AUTH from \S+ refused: 401 wrong credentials of 'alice'")


def test_an_address_that_guesses_is_not_let_in_for_a_while(
    running_server: StartServer, rooms: RunningServer, tmp_path: Path
) -> None:
    settings = relay_settings(max_wrong_passwords=2)
    server = with_users(running_server({**settings, "SIP": {"unlimited_peers": "none"}}))
    for password, status in (("wrong", 401), ("guess", 401), (USERS["alice"], 403)):
        with scripted(room_of(rooms), *behind(server, tmp_path, "alice", password)) as chat:
            assert chat.wait() == 1
            assert f"the relay {HOST}: {status}" in chat.errors.text
    server.wait_for_log("refused: 403 too many wrong passwords from its address")


def test_a_server_that_is_no_relay_is_told(rooms: RunningServer, tmp_path: Path) -> None:
    with scripted(room_of(rooms), *behind(rooms, tmp_path, "alice")) as chat:
        assert chat.wait() == 1
        assert f"the relay {HOST}: 501" in chat.errors.text


def test_a_relay_needs_a_password(rooms: RunningServer) -> None:
    with scripted(room_of(rooms), "--relay", "msrps://relay.example.com;tcp") as chat:
        assert chat.wait() == 2
        assert "--relay needs a password" in chat.errors.text


def test_the_networks_behind_the_relay_are_closed(
    running_server: StartServer, rooms: RunningServer, tmp_path: Path
) -> None:
    server = with_users(running_server(relay_settings(allowed_networks="none")))
    with scripted(room_of(rooms), *behind(server, tmp_path, "alice")) as chat:
        assert chat.wait() != 0
    server.wait_for_log(rf"no way to {HOST}:\d+ for the relay: its address is not among")
    server.stop()


class Wire:
    """One TLS connection to the relay."""

    def __init__(self, server: RunningServer) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection((HOST, tls_port(server, "MSRP")), TIMEOUT)
        self.socket = context.wrap_socket(plain)
        self.data = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_until(self, pattern: bytes) -> bytes:
        while not re.search(pattern, self.data):
            data = self.socket.recv(65536)
            assert data, self.data
            self.data += data
        return self.data

    def read_to_end(self) -> bytes:
        while data := self.socket.recv(65536):
            self.data += data
        return self.data


def test_a_flood_of_auth_ends_its_connection_and_nobody_elses(
    relay: RunningServer, rooms: RunningServer, tmp_path: Path
) -> None:
    with scripted(room_of(rooms, "flood"), *behind(relay, tmp_path, "alice")) as alice:
        alice.printed.wait_for("Welcome")
        for _ in range(5):
            wire = Wire(relay)
            with wire.socket:
                wire.send(
                    b"".join(
                        b"MSRP a%d AUTH\r\nTo-Path: msrps://x;tcp\r\nFrom-Path: msrps://y;tcp\r\n"
                        b"-------a%d$\r\n" % (number, number)
                        for number in range(50)
                    )
                )
                assert 0 < wire.read_to_end().count(b" 401 Unauthorized") <= 50
        assert alice.leave() == 0
    relay.wait_for_log("closed: AUTH failed too often", times=5)


def test_a_guessed_path_leads_nowhere(relay: RunningServer) -> None:
    port = tls_port(relay, "MSRP")
    wire = Wire(relay)
    with wire.socket:
        for number in range(20):
            wire.send(
                b"MSRP g%02d SEND\r\nTo-Path: msrps://%b:%d/%020x;tcp msrps://%b:1/x;tcp\r\n"
                b"From-Path: msrps://%b:2/y;tcp\r\nMessage-ID: m\r\n-------g%02d$\r\n"
                % (number, HOST.encode(), port, number, HOST.encode(), HOST.encode(), number)
            )
        wire.read_until(rb"MSRP g19 481")
    assert wire.data.count(b" 481 ") == 20
