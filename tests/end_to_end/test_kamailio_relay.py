"""Clients of ours behind Kamailio as their relay, in a room of the server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.chat_client import converse, room_of, scripted
from tests.end_to_end.kamailio_relay import PASSWORD, KamailioRelay, relaying
from tests.end_to_end.server import HOST, RunningServer, started


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KamailioRelay]:
    with relaying(tmp_path_factory.mktemp("kamailio") / "relay") as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    settings: dict[str, dict[str, object]] = {"MSRP": {"local_tls_port": 0}}
    with started(tmp_path_factory.mktemp("rooms") / "server", settings) as running:
        yield running


def behind(relay: KamailioRelay, folder: Path, user: str, password: str = PASSWORD) -> list[str]:
    file = folder / f"{user}.password"
    file.write_text(f"{password}\n", encoding="utf-8")
    return [
        *("--relay", relay.uri, "--from", f"sip:{user}@{HOST}", "--name", user),
        *("--password-file", str(file)),
    ]


def test_two_clients_behind_kamailio_and_one_without_meet_in_a_room(
    relay: KamailioRelay, server: RunningServer, tmp_path: Path
) -> None:
    room = room_of(server, "behind")
    with (
        scripted(room, *behind(relay, tmp_path, "alice")) as alice,
        scripted(room, *behind(relay, tmp_path, "bob")) as bob,
        scripted(room, "--name", "carol") as carol,
    ):
        converse({"alice": alice, "bob": bob, "carol": carol})
    for user in ("alice", "bob"):
        relay.wait_for(f"path k[0-9]+ for {user} at ")
    relay.wait_for("SEND goes out")
    relay.wait_for("SEND comes in")


def test_kamailio_refuses_a_wrong_password(
    relay: KamailioRelay, server: RunningServer, tmp_path: Path
) -> None:
    arguments = behind(relay, tmp_path, "alice", "wrong")
    with scripted(room_of(server), *arguments) as chat:
        assert chat.wait() == 1
        assert f"the relay {HOST}: 401" in chat.errors.text
