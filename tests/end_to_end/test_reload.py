"""SIGHUP makes the real command read sylk.ini again, and drops nobody."""

import signal
from pathlib import Path

import pytest

from tests.end_to_end.server import RunningServer, Settings, StartServer, write_settings
from tests.end_to_end.wire_client import WireClient

GATE = '''\
"""Calls by the settings of the address that is called."""

from dataclasses import dataclass

from sylk.application import Application
from sylk.session import Invitation
from sylk.settings import setting


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    answer: str = setting("open", "What is said to everything.", restart=False)
    status: int = setting(0, "With what a call is refused; 0 takes it.", restart=False)


class Gate(Application):
    """Answers as its settings say."""

    name = "gate"
    settings_class = GateSettings
    address_settings_class = GateSettings

    async def handle_invitation(self, invitation: Invitation) -> None:
        address = invitation.request_uri.address
        if status := self.address_settings.of(address).status:
            await invitation.reject(status)
            return
        async with invitation.accept() as chat:
            async for message in chat:
                await chat.send(self.address_settings.of(address).answer)
'''


class Operator:
    """Writes the file of a server that runs, and tells it."""

    def __init__(self, server: RunningServer, base: dict[str, dict[str, object]]) -> None:
        self.server = server
        self._base = base

    def set(self, settings: Settings) -> None:
        merged = {**self._base}
        for name, values in settings.items():
            merged[name] = {**self._base.get(name, {}), **values}
        write_settings(self.server.folder, merged)
        self.server.process.send_signal(signal.SIGHUP)


@pytest.fixture
def operator(running_server: StartServer, tmp_path: Path) -> Operator:
    folder = tmp_path / "applications"
    folder.mkdir()
    (folder / "gate.py").write_text(GATE, encoding="utf-8")
    base: dict[str, dict[str, object]] = {
        "Server": {"extra_applications_dir": folder, "application_map": "gate:gate"}
    }
    return Operator(running_server(base), base)


def test_settings_change_while_people_are_there(operator: Operator) -> None:
    server = operator.server
    with WireClient(server, "alice", room="gate@127.0.0.1") as alice:
        alice.join()
        alice.say("one")
        assert alice.hear_all().text == "open"
        operator.set({"gate@127.0.0.1": {"answer": "shut", "status": 603}, "Gate": {"status": 486}})
        server.wait_for_log(r"taken up: \[Gate\] status, \[gate@127\.0\.0\.1\]$")
        # Her call goes on, under the new settings; new calls are refused.
        alice.say("two")
        assert alice.hear_all().text == "shut"
        with WireClient(server, "bob", room="gate@127.0.0.1") as bob:
            assert bob.invite().status == 603
        with WireClient(server, "bob", room="gate@elsewhere.example") as bob:
            assert bob.invite().status == 486
        alice.leave()


def test_a_wrong_file_changes_nothing_and_says_where(operator: Operator) -> None:
    server = operator.server
    operator.set({"gate@127.0.0.1": {"status": 603, "anwser": "shut"}})
    line = server.wait_for_log("the settings stay as they were")
    assert "ERROR" in line
    assert "sylk.ini:" in line
    assert "[gate@127.0.0.1] anwser: there is no such setting; did you mean answer?" in line
    (server.folder / "sylk.ini").unlink()
    server.process.send_signal(signal.SIGHUP)
    assert "cannot be read" in server.wait_for_log("the settings stay as they were", times=2)
    with WireClient(server, "alice", room="gate@127.0.0.1") as alice:
        alice.join()
        alice.leave()


def test_the_log_gets_its_level_and_says_what_needs_a_restart(operator: Operator) -> None:
    server = operator.server
    waiting = r"WARNING .* a restart is needed to take up \[MSRP\] outbox_limit$"
    joined = "joined sip:lobby"
    operator.set({"Server": {"log_level": "warning"}, "MSRP": {"outbox_limit": "1M"}})
    server.wait_for_log(waiting)
    with WireClient(server, "alice", room="lobby@127.0.0.1") as alice:
        alice.join()
        alice.leave()
    operator.set({"MSRP": {"outbox_limit": "1M"}})
    server.wait_for_log(waiting, times=2)
    assert joined not in server.log
    with WireClient(server, "alice", room="lobby@127.0.0.1") as alice:
        alice.join()
        server.wait_for_log(joined)
        alice.leave()


def test_a_room_changes_its_rules_and_keeps_its_people(running_server: StartServer) -> None:
    room = "team@127.0.0.1"
    operator = Operator(running_server(), {})
    server = operator.server
    with (
        WireClient(server, "alice", room=room) as alice,
        WireClient(server, "bob", room=room) as bob,
    ):
        alice.join()
        bob.join()
        operator.set({room: {"allow": "carol@127.0.0.1", "whisper": "none"}})
        server.wait_for_log(r"taken up: \[team@127\.0\.0\.1\]$")
        with WireClient(server, "eve", room=room) as eve:
            assert eve.invite().status == 403
        with WireClient(server, "eve", room="lobby@127.0.0.1") as eve:
            eve.join()
            eve.leave()
        alice.say("still here")
        assert bob.hear_text() == "still here"
        operator.set({room: {"allow": "eve@127.0.0.1"}})
        server.wait_for_log(r"taken up: \[team@127\.0\.0\.1\]$", times=2)
        with WireClient(server, "eve", room=room) as eve:
            eve.join()
            eve.leave()
        bob.leave()
        alice.leave()
