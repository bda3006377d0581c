"""`sylk-server status`, `rooms` and `log-level`, on a server with people in it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.end_to_end.server import COMMAND, RunningServer, StartServer
from tests.end_to_end.wire_client import WireClient


def run(folder: Path, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [str(COMMAND), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def ask(server: RunningServer, *arguments: str) -> Any:
    return json.loads(run(server.folder, *arguments, "--json"))


def test_who_is_in_which_room_is_told(running_server: StartServer) -> None:
    server = running_server({"lobby@127.0.0.1": {"subject": "Tea"}})
    with WireClient(server, "alice") as alice, WireClient(server, "bob") as bob:
        for client in (alice, bob):
            client.join()
        alice.say("hello")
        assert bob.hear().text == "hello"
        (room,) = ask(server, "rooms")["rooms"]
        assert room["address"] == "sip:lobby@127.0.0.1"
        assert (room["people"], room["participants"], room["messages"]) == (2, 2, 1)
        assert (room["subject"], room["locked"], room["history"]) == ("Tea", False, True)
        told = ask(server, "status")
        assert told["sessions"] == 2
        assert told["msrp_connections"] == 2
        assert told["counters"]["sip_received"] >= 4
        assert told["counters"]["msrp_bytes_sent"] > 0
        assert told["applications"]["conference"] == {
            "rooms": 1,
            "people": 2,
            "participants": 2,
            "messages_total": 1,
        }
        shown = run(server.folder, "status")
        assert f"pid {server.process.pid}, up " in shown
        assert "conference: participants" in shown
        head, line = run(server.folder, "rooms").splitlines()
        assert head.split() == ["room", "people", "clients", "messages", "waiting", "is", "subject"]
        assert line.split()[:4] == ["sip:lobby@127.0.0.1", "2", "2", "1"]
        assert line.endswith("history  Tea")
        for client in (alice, bob):
            client.leave()
    server.wait_for_log("room sip:lobby@127.0.0.1 closed")


def test_without_a_server_one_line_says_so(tmp_path: Path) -> None:
    for command in ("status", "rooms", "log-level"):
        error = run(tmp_path, command, status=1)
        assert error.startswith(f"sylk-server {command}: no server listens on var/spool/")


def test_the_level_of_one_application_is_changed_while_it_runs(running_server: StartServer) -> None:
    server = running_server({"Server": {"log_level": "info"}})
    with WireClient(server, "alice") as alice:
        alice.join()
        server.wait_for_log("alice@.* joined")
        alice.leave()
    shown = run(server.folder, "log-level", "conference", "warning")
    assert shown == "log level: info\nconference: warning\n"
    with WireClient(server, "bob") as bob:
        bob.join()
        bob.leave()
    assert run(server.folder, "log-level", "conference", "default") == "log level: info\n"
    with WireClient(server, "carol") as carol:
        carol.join()
        server.wait_for_log("carol@.* joined")
        carol.leave()
    assert "bob@127.0.0.1 joined" not in server.log
    assert "there is no level" in run(server.folder, "log-level", "loud", status=1)
