"""Applications of the operator's own, from a folder: one that works, and one that does not."""

from pathlib import Path

import pytest

from tests.end_to_end.server import RunningServer, StartServer
from tests.end_to_end.wire_client import WireClient

FIFTEEN_LINES = '''\
"""Says everything backwards."""

from sylk.application import Application
from sylk.session import Invitation


class Backwards(Application):
    """Says everything backwards."""

    name = "backwards"

    async def handle_invitation(self, invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            async for message in chat:
                await chat.send(message.text[::-1])
'''

BROKEN = '''\
"""Fails in each handler, before and in the middle of a call."""

from sylk.application import Application


class Broken(Application):
    """Fails at once."""

    name = "broken"

    async def handle_invitation(self, invitation):
        raise RuntimeError("the application is broken")

    async def handle_message(self, message):
        raise RuntimeError("the application is broken")


class Fragile(Application):
    """Fails at the first message."""

    name = "fragile"

    async def handle_invitation(self, invitation):
        async with invitation.accept() as chat:
            async for message in chat:
                raise RuntimeError("the application has broken")
'''


@pytest.fixture
def server(running_server: StartServer, tmp_path: Path) -> RunningServer:
    folder = tmp_path / "applications"
    (folder / "a_package").mkdir(parents=True)
    (folder / "a_package" / "__init__.py").write_text(FIFTEEN_LINES, encoding="utf-8")
    (folder / "a_file.py").write_text(BROKEN, encoding="utf-8")
    return running_server({"Server": {"extra_applications_dir": folder}})


def traceback_after(server: RunningServer, call_id: str) -> tuple[list[str], str]:
    """Return the log entries about a call that are errors, and the traceback that follows."""
    lines = server.log_lines
    errors = [
        number for number, line in enumerate(lines) if f"[{call_id}]" in line and " ERROR " in line
    ]
    following = lines[errors[-1] + 1 :] if errors else []
    end = next((n for n, line in enumerate(following) if not line.startswith("    | ")), None)
    return [lines[number] for number in errors], "\n".join(following[:end])


def test_fifteen_lines_are_an_application(server: RunningServer) -> None:
    assert len(FIFTEEN_LINES.splitlines()) <= 16
    with WireClient(server, "alice", headers=("X-Sylk-App: backwards",)) as alice:
        alice.join()
        alice.say("Hallo, Wörld")
        assert alice.hear_all().text == "dlröW ,ollaH"
        alice.leave()


def test_application_map_takes_a_foreign_application_too(
    running_server: StartServer, tmp_path: Path
) -> None:
    folder = tmp_path / "applications"
    folder.mkdir()
    (folder / "backwards.py").write_text(FIFTEEN_LINES, encoding="utf-8")
    settings = {"extra_applications_dir": folder, "application_map": "mirror:backwards"}
    server = running_server({"Server": settings})
    with WireClient(server, "alice", room="mirror@127.0.0.1", transport="tcp") as alice:
        alice.join()
        alice.say("abc")
        assert alice.hear_all().text == "cba"
        alice.leave()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_a_broken_application_breaks_is_its_own_request_alone(
    server: RunningServer, transport: str
) -> None:
    server.expected_tracebacks = 1
    with WireClient(server, "alice") as alice, WireClient(server, "bob") as bob:
        alice.join()
        bob.join()
        alice.say("before")
        with WireClient(
            server, "carol", transport=transport, headers=("X-Sylk-App: broken",)
        ) as carol:
            assert carol.invite().status == 500
            carol.wire.send(carol.request("ACK"))
        alice.say("after")
        assert [bob.hear_text(), bob.hear_text()] == ["before", "after"]
        server.wait_for_log(r"\| RuntimeError: the application is broken")
        errors, traceback = traceback_after(server, carol.call_id)
        assert len(errors) == 1
        assert "handle_invitation" in traceback
        alice.leave()
        bob.leave()


def test_a_broken_application_answers_a_message_with_500(server: RunningServer) -> None:
    server.expected_tracebacks = 1
    with WireClient(server, "carol") as carol:
        answer = carol.ask("MESSAGE", "X-Sylk-App: broken", body=b"")
        assert answer.status == 500
        server.wait_for_log(r"\| RuntimeError: the application is broken")
        errors, _ = traceback_after(server, carol.call_id)
        assert len(errors) == 1


def test_a_call_whose_application_breaks_is_ended_with_a_bye(server: RunningServer) -> None:
    server.expected_tracebacks = 1
    with (
        WireClient(server, "alice") as alice,
        WireClient(server, "carol", headers=("X-Sylk-App: fragile",)) as carol,
    ):
        alice.join()
        carol.join()
        carol.say("hello")
        assert carol.await_bye()["Call-ID"] == carol.call_id
        server.wait_for_log(r"\| RuntimeError: the application has broken")
        errors, _ = traceback_after(server, carol.call_id)
        assert len(errors) == 1
        alice.say("still here")
        alice.leave()


def test_an_invitation_that_comes_twice_is_one_call(server: RunningServer) -> None:
    """RFC 3261 section 17.2.1: a repeated INVITE is answered again, by the same answer."""
    with WireClient(server, "alice") as alice:
        invite = alice.invitation()
        alice.wire.send(invite)
        alice.wire.send(invite)
        alice.await_answer()
        alice.wire.send(alice.request("ACK"))
        alice.connect()
        alice.say("hello")
        assert alice.bye().status == 200
        answers = {message.raw for message in alice.responses if message.status == 200}
        assert len(answers) == 1
        server.wait_for_log("alice@127.0.0.1 left")
        assert server.log.count("alice@127.0.0.1 joined") == 1
