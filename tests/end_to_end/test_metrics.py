"""Metrics and the log for programs, of the real command."""

import json
import re
import urllib.request
from datetime import datetime

from tests.end_to_end.server import StartServer
from tests.end_to_end.wire_client import WireClient


def test_a_scraper_reads_the_figures(running_server: StartServer) -> None:
    server = running_server({"Metrics": {"port": 0}})
    line = server.wait_for_log("metrics on http://")
    (url,) = re.findall(r"http://\S+", line)
    with WireClient(server, "alice") as alice:
        alice.join()
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = answer.read().decode()
        alice.leave()
    assert re.search(r"^sylk_sessions 1\.0$", text, re.MULTILINE)
    assert re.search(r"^sylk_conference_participants 1\.0$", text, re.MULTILINE)
    assert re.search(r"^process_open_fds \d", text, re.MULTILINE)


def test_the_log_can_be_json(running_server: StartServer) -> None:
    server = running_server({"Server": {"log_format": "json"}})
    with WireClient(server, "alice") as alice:
        alice.join()
        server.wait_for_log("joined")
        alice.leave()
    entries = [json.loads(line) for line in server.log_lines]
    (joined,) = [one for one in entries if " joined " in one["message"]]
    assert joined["call_id"] == alice.call_id
    assert (joined["level"], joined["source"]) == ("info", "conference")
    assert datetime.fromisoformat(joined["time"]).tzinfo is not None
