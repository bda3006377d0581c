"""The server behind a relay: clients come to its rooms through Kamailio, and through ours."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.chat_client import converse, room_of, scripted
from tests.end_to_end.kamailio_relay import PASSWORD, relaying
from tests.end_to_end.server import HOST, StartServer, started
from tests.end_to_end.test_relay import USERS, relay_settings, relay_uri, with_users
from tests.end_to_end.tls_setup import Sections

USER = "alice"


@contextmanager
def kamailio(folder: Path) -> Generator[tuple[str, str]]:
    with relaying(folder) as relay:
        yield relay.uri, PASSWORD


@contextmanager
def ours(folder: Path) -> Generator[tuple[str, str]]:
    with started(folder, relay_settings()) as server:
        yield relay_uri(with_users(server)), USERS[USER]


def behind(uri: str, password: str, folder: Path) -> Sections:
    file = folder / "password"
    file.write_text(f"{password}\n", encoding="utf-8")
    return {
        "MSRP": {
            "local_tls_port": 0,
            # Nobody can connect to it there.
            "advertised_ip": "192.0.2.9",
            "relay": uri,
            "relay_user": USER,
            "relay_password_file": file,
        },
    }


def in_front(uri: str, password: str, folder: Path, user: str) -> list[str]:
    """Return what lets a client use the relay too."""
    file = folder / f"{user}.password"
    file.write_text(f"{password}\n", encoding="utf-8")
    return ["--relay", uri, "--from", f"sip:{user}@{HOST}", "--password-file", str(file)]


def test_people_meet_in_a_room_behind_our_relay(
    running_server: StartServer, tmp_path: Path
) -> None:
    with ours(tmp_path / "relay") as (uri, password):
        server = running_server(behind(uri, password, tmp_path))
        server.wait_for_log(f"sessions go through the relay {HOST}")
        room = room_of(server, "behind")
        with (
            scripted(room, "--name", "alice", *in_front(uri, password, tmp_path, USER)) as alice,
            scripted(room, "--tls", "--name", "bob") as bob,
        ):
            converse({"alice": alice, "bob": bob})
        server.stop()


def test_people_meet_in_a_room_behind_kamailio(running_server: StartServer, tmp_path: Path) -> None:
    # It connects to who has no path through it, as the text has it, so both have one.
    with kamailio(tmp_path / "relay") as (uri, password):
        server = running_server(behind(uri, password, tmp_path))
        server.wait_for_log(f"sessions go through the relay {HOST}")
        room = room_of(server, "behind")
        with (
            scripted(room, "--name", "alice", *in_front(uri, password, tmp_path, "alice")) as alice,
            scripted(room, "--name", "bob", *in_front(uri, password, tmp_path, "bob")) as bob,
        ):
            converse({"alice": alice, "bob": bob})
        server.stop()


def test_a_relay_that_comes_back_is_used_again(running_server: StartServer, tmp_path: Path) -> None:
    with started(tmp_path / "relay", relay_settings()) as first:
        uri = relay_uri(with_users(first))
        server = running_server(behind(uri, USERS[USER], tmp_path))
        server.wait_for_log(f"sessions go through the relay {HOST}")
        first.stop()
    server.wait_for_log(f"the path through the relay {HOST} is lost")
    settings = relay_settings()
    settings["MSRP"]["local_tls_port"] = int(uri.partition(";")[0].rpartition(":")[2])
    with started(tmp_path / "relay2", settings) as second:
        with_users(second)
        server.wait_for_log(f"sessions go through the relay {HOST}", times=2)
        with scripted(room_of(server, "again"), "--tls", "--name", "bob") as bob:
            converse({"bob": bob})
        server.stop()
