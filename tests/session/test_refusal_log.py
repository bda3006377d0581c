"""Each refusal is one line that shows its source, unless they are too many."""

import logging

import pytest

from sylk.session.refusal_log import RefusalLog
from sylk.sip.events import Refused
from sylk.sip.flow import Flow
from tests.sip.user_agents import make

SOURCE = ("192.0.2.9", 5060)


def from_(host: str = SOURCE[0], *, reason: str = "nonsense") -> Refused:
    return Refused(None, Flow("udp", ("192.0.2.1", 5060), (host, 5060)), 400, reason)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return found


@pytest.fixture(autouse=True)
def at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sylk.session")


def test_a_request_is_shown_with_who_sent_it_and_whom_to(caplog: pytest.LogCaptureFixture) -> None:
    flow = Flow("udp", ("2001:db8::1", 5060), ("2001:db8::9", 5070))
    RefusalLog().write(Refused(make("INVITE"), flow, 404, "no such room"), 0.0)
    assert lines(caplog) == [
        "refused INVITE from sip:alice@example.com ([2001:db8::9]:5070) to sip:room@192.0.2.1 "
        "with 404: no such room"
    ]


def test_what_a_peer_makes_long_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    request = make("X" * 8000, uri=f"sip:{'y' * 8000}@192.0.2.1")
    request.headers.set("From", f"<sip:{'z' * 8000}@example.com>;tag=1")
    refused = Refused(request, Flow("udp", SOURCE, SOURCE), 501, "w" * 8000)
    RefusalLog().write(refused, 0.0)
    (line,) = lines(caplog)
    assert len(line) < 1000
    assert "(192.0.2.9:5060)" in line
    assert "with 501" in line


def test_a_flood_is_some_lines_a_minute_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog(10)
    for number in range(6000):
        log.write(from_(), number / 100)
    shown = lines(caplog)
    refusals = [line for line in shown if line.startswith("refused from")]
    counts = [int(line.split()[0]) for line in shown if "refusals more" in line]
    # Ten at once, and ten in the minute; what was left out since the last line is not told yet.
    assert len(refusals) == 19
    assert len(shown) == len(refusals) + len(counts)
    assert len(refusals) + sum(counts) == 6000 - 599
    # Another source has lines of its own, and tells of the rest.
    log.write(from_("192.0.2.10"), 60.0)
    assert lines(caplog) == [
        "599 refusals more are not shown: there were too many",
        "refused from 192.0.2.10:5060 with 400: nonsense",
    ]


def test_with_debug_each_has_its_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sylk.session")
    log = RefusalLog(1)
    for _ in range(5):
        log.write(from_(), 0.0)
    log.write(from_("192.0.2.10"), 0.0)
    assert len(lines(caplog)) == 6


def test_an_ipv6_network_is_one_source(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog(1)
    for number in range(10):
        log.write(from_(f"2001:db8::{number}"), 0.0)
    assert len(lines(caplog)) == 1
