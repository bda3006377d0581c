"""The torture messages of RFC 4475 and RFC 5118 through a core: each gets an acceptable status."""

import json
from pathlib import Path
from typing import cast

import pytest

from sylk.sip.core import IncomingRequest, Refused
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.parser import MalformedMessage
from sylk.sip.stream import KeepAlivePing, StreamParser
from tests.corpora import corpus
from tests.sip.user_agents import TCP, UDP, events_of, make_core, read, responses_of

# What a user agent may say where the manifest leaves it open. The core says 100 to an INVITE that
# it hands on, and 481 to one that claims a dialog.
OPEN = {"wsinv": {481}, "esc01": {100}, "longreq": {100}, "inv2543": {100}}
# No Via, so that nobody could make anything of an answer.
UNANSWERABLE = {"test"}
# Unfinished on a stream: the body of one is too short, the other has no empty line.
WAITS_ON_A_STREAM = {"clerr", "baddn"}


def manifest() -> list[dict[str, object]]:
    path = corpus("rfc4475") / "manifest.json"
    return cast(list[dict[str, object]], json.loads(path.read_text(encoding="utf-8")))


def status_of(message: Request | Response | MalformedMessage, flow: Flow) -> int | None:
    """Return the status that a message gets; None when it is dropped, 0 when it is handed on."""
    core = make_core()
    core.receive_message(message, flow, 0.0)
    events = events_of(core)
    assert all(isinstance(event, IncomingRequest | Refused) for event in events)
    statuses = [response.status for response in responses_of(core)]
    assert len(statuses) <= 1
    if statuses:
        return statuses[0]
    return 0 if any(isinstance(event, IncomingRequest) for event in events) else None


def acceptable(entry: dict[str, object]) -> set[int]:
    listed = set(cast(list[int], entry["acceptable_status"]))
    # 100 and "handed on" let the layer above choose among those of an accepted request.
    handed_on = {100, 0} if listed & {200, 202, 404} else set[int]()
    return listed | handed_on | OPEN.get(str(entry["name"]), set())


def test_each_datagram_gets_an_acceptable_status() -> None:
    folder = corpus("rfc4475")
    for entry in manifest():
        status = status_of(read((folder / str(entry["file"])).read_bytes()), UDP)
        if entry["kind"] == "response" or entry["name"] in UNANSWERABLE:
            assert status is None, entry["name"]
        else:
            assert status in acceptable(entry), (entry["name"], status)


def test_each_message_on_a_stream_gets_an_acceptable_status_or_the_end() -> None:
    folder = corpus("rfc4475")
    for entry in manifest():
        parser = StreamParser()
        parser.receive_data((folder / str(entry["file"])).read_bytes())
        try:
            message = parser.next_event()
        except MalformedMessage as error:
            # Without a frame the connection closes, so that a status is a courtesy.
            if error.framing_lost:
                status = status_of(error, TCP)
                assert status is None or 400 <= status < 600, entry["name"]
                continue
            message = error
        if message is None:
            assert entry["name"] in WAITS_ON_A_STREAM
            continue
        assert not isinstance(message, KeepAlivePing)
        status = status_of(message, TCP)
        if entry["kind"] == "response":
            assert status is None, entry["name"]
        else:
            assert status in acceptable(entry), (entry["name"], status)


@pytest.mark.parametrize("folder", ["rfc5118"])
def test_ipv6_messages_are_answered_or_dropped(folder: str) -> None:
    files: list[Path] = sorted(corpus(folder).glob("*.dat"))
    assert files
    flow = Flow("udp", ("2001:db8::1", 5060), ("2001:db8::9:1", 5060))
    for path in files:
        message = read(path.read_bytes())
        status = status_of(message, flow)
        if isinstance(message, Response):
            assert status is None
        elif isinstance(message, MalformedMessage):
            assert status is None or 400 <= status < 600
        else:
            assert status is not None
