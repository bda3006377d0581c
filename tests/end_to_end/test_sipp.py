"""SIPp calls the real command: each scenario of sipp/ over UDP and over TCP."""

import re
from pathlib import Path

import pytest

from tests.end_to_end.server import RunningServer, StartServer
from tests.end_to_end.sipp import run_sipp

RINGS = '''
"""Rings, and never answers."""

import trio

from sylk.application import Application
from sylk.session import Invitation


class Rings(Application):
    """Rings, and never answers."""

    name = "rings"

    async def handle_invitation(self, invitation: Invitation) -> None:
        """Ring."""
        await invitation.ring()
        await trio.sleep_forever()
'''

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@both_transports
@pytest.mark.parametrize(
    "scenario",
    [
        "invite_bye",
        "options",
        "bye_unknown",
        "invite_audio",
        "invite_unknown_app",
        "invite_require",
        "invite_wrong_type",
        "delayed_offer",
        "publish",
        "juggle",
    ],
)
def test_a_dialogue(
    scenario: str, transport: str, shared_server: RunningServer, tmp_path: Path
) -> None:
    run_sipp(scenario, shared_server, transport, tmp_path)


@both_transports
def test_a_reinvite_keeps_the_media(
    transport: str, shared_server: RunningServer, tmp_path: Path
) -> None:
    paths = run_sipp("reinvite", shared_server, transport, tmp_path).log
    assert len(paths) == 2
    assert paths[0] == paths[1]
    assert re.search("a=path:msrp://", paths[0])


def test_an_answer_that_is_not_acknowledged_is_repeated_over_udp(
    shared_server: RunningServer, tmp_path: Path
) -> None:
    messages = run_sipp("no_ack", shared_server, "udp", tmp_path, "-nr").messages
    answers = re.findall(
        r"^SIP/2.0 200 OK\n(?:.+\n)*CSeq: 1 INVITE$", messages.replace("\r", ""), re.M
    )
    assert len(answers) == 3
    assert len(set(answers)) == 1


def test_an_answer_that_is_not_acknowledged_is_repeated_over_tcp_too(
    shared_server: RunningServer, tmp_path: Path
) -> None:
    # RFC 3261 section 13.3.1.4: a proxy may go on over UDP, so the transport does not matter.
    run_sipp("no_ack", shared_server, "tcp", tmp_path)


@both_transports
def test_a_call_that_is_given_up_while_it_rings(
    transport: str, running_server: StartServer, tmp_path: Path
) -> None:
    folder = tmp_path / "applications"
    folder.mkdir()
    (folder / "rings.py").write_text(RINGS, encoding="utf-8")
    server = running_server({"Server": {"extra_applications_dir": folder}})
    run_sipp("cancel", server, transport, tmp_path, "-key", "app", "rings")


@both_transports
def test_a_caller_who_brings_no_media_is_let_go(
    transport: str, running_server: StartServer, tmp_path: Path
) -> None:
    server = running_server({"MSRP": {"establish_timeout": 1}})
    run_sipp("invite_no_media", server, transport, tmp_path)
    server.wait_for_log("media did not come within 1 s")


@both_transports
def test_a_hundred_calls_a_second(
    transport: str, running_server: StartServer, tmp_path: Path
) -> None:
    server = running_server()
    run_sipp(
        "load",
        server,
        transport,
        tmp_path,
        *("-r", "100", "-m", "500"),
        timeout=30,
        trace_messages=False,
    )
