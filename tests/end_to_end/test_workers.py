"""The real command with two workers: for those who come it is one server."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sylk.share import worker_of
from sylk.trace.writer import TEXT_FILE
from tests.end_to_end.server import (
    COMMAND,
    HOST,
    START_TIMEOUT,
    RunningServer,
    StartServer,
    started,
    write_settings,
)
from tests.end_to_end.sipp import run_sipp
from tests.end_to_end.wire_client import WireClient

SETTINGS: dict[str, dict[str, object]] = {
    "Server": {"workers": 2},
    "lobby@127.0.0.1": {"permanent": "yes"},
}
NAMES = [f"room{number}" for number in range(20)]
ROOMS = [next(name for name in NAMES if worker_of(name, 2) == index) for index in range(2)]
"""A room in each of the two workers."""


def serving(server: RunningServer, count: int = 2) -> RunningServer:
    server.wait_for_log(f"{count} workers serve", 2 * START_TIMEOUT)
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with started(tmp_path_factory.mktemp("workers") / "server", SETTINGS) as server:
        yield serving(server)


def run(server: RunningServer, *arguments: str) -> str:
    done = subprocess.run(
        [str(COMMAND), *arguments],
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_people_talk_in_a_room_of_each(server: RunningServer, transport: str) -> None:
    ports: set[str] = set()
    with ExitStack() as stack:
        rooms: list[tuple[WireClient, WireClient]] = []
        for name in ROOMS:
            alice, bob = (
                stack.enter_context(
                    WireClient(server, user, room=f"{name}@{HOST}", transport=transport)
                ).join()
                for user in ("alice", "bob")
            )
            rooms.append((alice, bob))
            ports.add(alice.remote_path.split("/")[2])
        for number, (alice, bob) in enumerate(rooms):
            alice.say(f"tea {number}")
            assert bob.hear_text() == f"tea {number}"
        told = json.loads(run(server, "status", "--json"))
        assert told["sessions"] == 4
        assert told["applications"]["conference"]["people"] == 4
        assert [one["sessions"] for one in told["workers"]] == [2, 2]
        assert "2 workers (pids " in run(server, "status")
        shown = json.loads(run(server, "rooms", "--json"))["rooms"]
        # The room that is always open is in one worker, and in no other.
        names = sorted(["lobby", *ROOMS])
        assert [room["address"] for room in shown] == [f"sip:{name}@{HOST}" for name in names]
        for room in rooms:
            for client in room:
                client.leave()
    assert len(ports) == 2, "each worker has a port of its own for MSRP"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("scenario", ["invite_bye", "options", "bye_unknown", "juggle"])
def test_a_dialogue(server: RunningServer, scenario: str, transport: str, tmp_path: Path) -> None:
    for name in ROOMS:
        folder = tmp_path / name
        folder.mkdir()
        # The last -s counts.
        run_sipp(scenario, server, transport, folder, "-s", name)


def test_a_room_of_the_factory_is_found_by_its_name(server: RunningServer) -> None:
    for _ in range(4):
        with WireClient(server, "alice", room=f"conference-factory@{HOST}") as alice:
            final = alice.invite()
            alice.connect()
            name = final["Contact"].partition(":")[2].partition("@")[0]
            with WireClient(server, "bob", room=f"{name}@{HOST}") as bob:
                bob.join()
                bob.say("here I am")
                # The welcome, and who comes, is told by the room that the factory has made.
                while alice.hear_text() != "here I am":
                    pass
                bob.leave()
            alice.leave()


def test_who_joins_a_call_comes_to_its_room(server: RunningServer) -> None:
    here, there = ROOMS
    with WireClient(server, "alice", room=f"{here}@{HOST}") as alice:
        final = alice.invite()
        alice.connect()
        local = alice.request("BYE").partition(b"From: ")[2].partition(b"\r\n")[0].decode()
        tags = [text.partition(";tag=")[2] for text in (final["To"], local)]
        join = f"Join: {alice.call_id};to-tag={tags[0]};from-tag={tags[1]}"
        with WireClient(server, "bob", room=f"{there}@{HOST}", headers=(join,)) as bob:
            bob.join()
            bob.say("so do I", alice.room)
            assert alice.hear_text() == "so do I"
            bob.leave()
        alice.leave()


def test_a_trace_counts_what_each_has_seen(server: RunningServer) -> None:
    shown = run(server, "trace", "on", "--user", "tracy")
    assert shown.count("tracing") == 1
    assert shown.count("  into ") == 2
    for name in ROOMS:
        with WireClient(server, "tracy", room=f"{name}@{HOST}") as tracy:
            tracy.join().leave()
    # For each call INVITE, 100, 200, ACK, BYE and 200, and the 100 may be left out.
    ended = re.search(r"traced user:tracy: (\d+) messages", run(server, "trace", "off"))
    assert ended is not None
    assert 10 <= int(ended[1]) <= 14
    for folder in ("traces", "traces/worker-1"):
        file = server.folder / "var/spool" / folder / TEXT_FILE
        assert file.read_text(encoding="utf-8").count("INVITE sip:") == 1


def test_check_knows_the_ports_of_all(running_server: StartServer) -> None:
    server = serving(running_server(SETTINGS))
    ports = sorted(map(int, re.findall(r"MSRP on tcp \S+ port (\d+)", server.log)))
    lines = run(server, "check").splitlines()
    assert not [line for line in lines if not line.startswith("OK ")]
    for index, port in enumerate(ports):
        # The file names the port of the first, so that this is the port of one of them.
        settings = {"SIP": {"local_udp_port": server.sip_udp, "local_tcp_port": server.sip_tcp}}
        write_settings(
            server.folder, {**SETTINGS, **settings, "MSRP": {"local_tcp_port": port - 2 * index}}
        )
        shown = run(server, "check")
        assert f"MSRP tcp {HOST}:{port}: the server that runs has it" in shown


def test_what_is_malformed_is_answered(server: RunningServer) -> None:
    with WireClient(server, "alice") as alice:
        alice.wire.send(alice.request("OPTIONS").replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1))
        assert alice.wire.final_response("OPTIONS").status == 505


def test_the_settings_are_read_again_by_all(running_server: StartServer) -> None:
    server = serving(running_server(SETTINGS))
    process = server.process
    write_settings(server.folder, {**SETTINGS, "Conference": {"max_rooms": "none at all"}})
    process.send_signal(signal.SIGHUP)
    server.wait_for_log("the settings stay as they were: .*max_rooms")
    write_settings(server.folder, {**SETTINGS, "SIP": {"trusted_peers": "none"}})
    process.send_signal(signal.SIGHUP)
    server.wait_for_log(r"sylk/\d .*taken up: \[SIP\] trusted_peers", times=2)
    assert server.log.count("the settings stay as they were") == 1
    for name in ROOMS:
        with WireClient(server, "alice", room=f"{name}@{HOST}") as alice:
            assert alice.invite().status == 403
    assert "log level: debug" in run(server, "log-level", "debug")
    with WireClient(server, "alice") as alice:
        assert alice.ask("OPTIONS").status == 200
    server.wait_for_log(r"DEBUG +sylk/\d +received from")
    run(server, "log-level", "info")


def test_history_follows_when_there_are_more_or_fewer(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    said: list[str] = []
    for life, workers in enumerate((1, 2, 1)):
        settings = {"Server": {"workers": workers, "spool_dir": spool}}
        with started(tmp_path / f"server{life}", settings) as server:
            if workers > 1:
                serving(server, workers)
            for name in ROOMS:
                with WireClient(server, f"user{life}", room=f"{name}@{HOST}") as user:
                    user.join()
                    assert [user.hear_text() for _ in said] == said
                    user.say(f"life {life}")
                    user.leave()
        said.append(f"life {life}")
