"""SIPp loses messages, sends them when they are too late, and changes calls that stand."""

from pathlib import Path

import pytest

from tests.end_to_end.server import RunningServer, StartServer
from tests.end_to_end.sipp import run_sipp

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@both_transports
@pytest.mark.parametrize(
    "scenario",
    ["cancel_late", "reinvite_after_bye", "old_cseq"],
)
def test_a_dialogue(
    scenario: str, transport: str, shared_server: RunningServer, tmp_path: Path
) -> None:
    run_sipp(scenario, shared_server, transport, tmp_path)


@both_transports
@pytest.mark.parametrize("scenario", ["reinvite_more_lines", "reinvite_no_sdp", "hold"])
def test_a_change_keeps_the_media(
    scenario: str, transport: str, shared_server: RunningServer, tmp_path: Path
) -> None:
    paths = run_sipp(scenario, shared_server, transport, tmp_path).log
    assert len(paths) >= 2
    assert len(set(paths)) == 1
    assert "a=path:msrp://" in paths[0]


def test_calls_of_which_a_fifth_is_lost(running_server: StartServer, tmp_path: Path) -> None:
    server = running_server()
    run_sipp("lossy", server, "udp", tmp_path, "-lost", "20", "-m", "20", "-r", "40", timeout=40)
    # Not 20: SIPp may take a repeated answer to its INVITE for that to its BYE, and never send one.
    assert server.log.count("ended: BYE") >= 15
