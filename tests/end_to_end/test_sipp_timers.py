"""SIPp with session timers (RFC 4028) and UPDATE (RFC 3311): each side refreshes, or fails to."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.server import RunningServer, StartServer
from tests.end_to_end.sipp import run_sipp

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@both_transports
@pytest.mark.parametrize("scenario", ["timer_refreshed", "timer_too_short", "timer_unknown"])
def test_a_dialogue(
    scenario: str, transport: str, shared_server: RunningServer, tmp_path: Path
) -> None:
    run_sipp(scenario, shared_server, transport, tmp_path)


@both_transports
def test_hold_by_update_keeps_the_media(
    transport: str, shared_server: RunningServer, tmp_path: Path
) -> None:
    paths = run_sipp("update_hold", shared_server, transport, tmp_path).log
    assert len(paths) == 3
    assert len(set(paths)) == 1


LONG = ("no_ack_at_all", "timer_update", "timer_reinvite", "timer_expired")
"""Scenarios that wait: RFC 3261 gives the first 32 s, RFC 4028 has no session of less than 90 s."""


def test_the_server_refreshes_waits_and_gives_up(
    running_server: StartServer, tmp_path: Path
) -> None:
    # No caller here brings media.
    server = running_server({"MSRP": {"establish_timeout": 120}})

    def call(scenario: str, transport: str) -> None:
        folder = tmp_path / f"{scenario}-{transport}"
        folder.mkdir()
        run_sipp(scenario, server, transport, folder, "-nr", timeout=75)

    with ThreadPoolExecutor(2 * len(LONG)) as pool:
        for future in [
            pool.submit(call, scenario, transport)
            for scenario in LONG
            for transport in ("udp", "tcp")
        ]:
            future.result()
