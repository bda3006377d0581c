"""Workers that die, that cannot start, and that lose their front."""

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.server import (
    COMMAND,
    HOST,
    START_TIMEOUT,
    RunningServer,
    StartServer,
    write_settings,
)
from tests.end_to_end.test_workers import ROOMS, SETTINGS, serving
from tests.end_to_end.wire_client import WireClient


def pids_of(server: RunningServer) -> list[int]:
    """Return the processes of the workers, in the order of the workers."""
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            command = (entry / "cmdline").read_bytes().split(b"\0")
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == server.process.pid:
                place = command[command.index(b"--worker") + 1].decode()
                found[int(place.partition('"index": ')[2].partition(",")[0])] = int(entry.name)
    return [found[index] for index in sorted(found)]


def test_one_that_dies_is_started_anew_and_the_others_go_on(running_server: StartServer) -> None:
    server = serving(running_server(SETTINGS))
    lost, kept = (WireClient(server, "alice", room=f"{name}@{HOST}") for name in ROOMS)
    with lost, kept:
        for client in (lost, kept):
            client.join()
        os.kill(pids_of(server)[0], signal.SIGKILL)
        server.wait_for_log(r"worker 0 has died \(SIGKILL\)")
        # Who is about to start is told when it serves.
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log(r"sylk/1 +settings read again")
        kept.say_nothing()
        server.wait_for_log("worker 0 serves again", 2 * START_TIMEOUT)
        # The call is gone with its worker, and the room is open for new ones.
        assert lost.bye().status == 481
        with WireClient(server, "bob", room=lost.room) as bob:
            bob.join()
            bob.leave()
        kept.say_nothing()
        kept.leave()
    assert server.log.count("has died") == 1


def test_all_say_goodbye_when_the_server_is_told_to_end(running_server: StartServer) -> None:
    server = serving(running_server(SETTINGS))
    clients = [WireClient(server, "alice", room=f"{name}@{HOST}").join() for name in ROOMS]
    server.process.send_signal(signal.SIGTERM)
    for client in clients:
        with client:
            client.await_bye()
    server.stop()


def test_they_end_when_their_front_has_died(tmp_path: Path) -> None:
    server = serving(RunningServer(tmp_path / "server", SETTINGS))
    with WireClient(server, "alice", room=f"{ROOMS[1]}@{HOST}") as alice:
        alice.join()
        server.process.kill()
        server.wait_for_log(r"sylk/\d +the front has gone", times=2)
        assert alice.msrp is not None
        with suppress(EOFError, OSError):
            while alice.msrp.receive():
                pass
    # The log ends when the last of them has ended.
    server.kill()


def test_a_server_whose_workers_cannot_start_says_why_and_ends(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        write_settings(folder, {**SETTINGS, "MSRP": {"local_tcp_port": port}})
        done = subprocess.run(
            [str(COMMAND)], cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert "set another in [MSRP] local_tcp_port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"Server": {"workers": 2, "bonjour": "yes"}}, "bonjour"),
        ({"MSRP": {"local_tcp_port": 2855, "local_tls_port": 2857}}, "odd number"),
        ({"MSRP": {"local_tcp_port": 65534}}, "no port left"),
        ({"Server": {"workers": 0}}, "workers"),
    ],
)
def test_what_several_cannot_do_is_refused(
    tmp_path: Path, settings: dict[str, dict[str, object]], said: str
) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    write_settings(folder, {**SETTINGS, **settings})
    done = subprocess.run(
        [str(COMMAND)], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
