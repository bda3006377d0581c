"""Requests as large as they may be, so many that keeping them all would fill the memory.

Each INVITE is refused for its offer, and its transaction waits for an ACK that does not come.
"""

from collections import Counter

import pytest

from tests.end_to_end.hostile import is_well
from tests.end_to_end.server import HOST, RunningServer, StartServer
from tests.end_to_end.wire_client import WireClient

SIZE = 60_000
"""Bytes of a body; a message may have 64 KiB."""
AT_ONCE = 20
"""Requests that are sent before their answers are read."""
MAX_GROWTH = 128 * 1024 * 1024
"""Bytes that transactions may take in all, with what Python adds to what is counted."""


def refusals(server: RunningServer, count: int, size: int) -> Counter[int]:
    """Send INVITEs with a body that is no offer, and return how many were refused with what."""
    statuses = Counter[int]()
    body = b"x" * size
    with WireClient(server, "mallory", room=f"echo@{HOST}", transport="tcp") as mallory:
        for _ in range(0, count, AT_ONCE):
            mallory.wire.send(
                b"".join(mallory.request("INVITE", body=body) for _ in range(AT_ONCE))
            )
            for _ in range(AT_ONCE):
                answer = mallory.wire.final_response("INVITE")
                statuses[answer.status] += 1
                if answer.status == 503:
                    assert answer["Retry-After"].isdigit()
    return statuses


def test_large_requests_do_not_fill_the_memory(running_server: StartServer) -> None:
    server = running_server()
    before = server.rss
    statuses = refusals(server, 4000, SIZE)
    growth = server.rss - before
    # Large requests take the room of large ones only.
    assert is_well(server)
    assert set(statuses) == {488, 503}
    assert statuses[488] > 500
    assert growth < MAX_GROWTH, f"they take {growth / 1e6:.1f} MB"


@pytest.mark.parametrize(
    ("setting", "size", "kept"),
    [({"max_transactions": 100}, 10, 100), ({"max_transactions_size": "1M"}, SIZE, 17)],
)
def test_the_operator_says_how_much_is_kept(
    running_server: StartServer, setting: dict[str, object], size: int, kept: int
) -> None:
    server = running_server({"SIP": setting})
    assert refusals(server, 140, size) == {488: kept, 503: 140 - kept}
