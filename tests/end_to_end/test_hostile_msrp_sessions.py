"""Heads that are no heads, sessions of others, and answers and reports that nobody waits for.

Each test runs beside a chat in which every message must arrive in order, see `undisturbed`.
"""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_msrp import Frame, MsrpWire, render_frame

DEN = f"den@{HOST}"
ESTABLISH = 3


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("sessions") / "server"
    with started(folder, {"MSRP": {"establish_timeout": ESTABLISH}}) as server:
        yield server


@pytest.fixture
def server(module_server: RunningServer) -> Iterator[RunningServer]:
    with undisturbed_chat(module_server):
        yield module_server


@pytest.fixture
def mallory(server: RunningServer) -> Iterator[WireClient]:
    """Return somebody who stands in a room of his own, and must still be well at the end."""
    with WireClient(server, "mallory", room=DEN) as client:
        client.join()
        yield client
        client.say_nothing()
        client.leave()


def response(wire: MsrpWire) -> Frame:
    """Return the next response, and drop what else comes."""
    while not (frame := wire.receive()).status:
        pass
    return frame


def ask(client: WireClient, frame: bytes) -> int:
    """Send a frame and return the status of its answer."""
    assert client.msrp is not None
    client.msrp.send(frame)
    return response(client.msrp).status


# Heads


@pytest.mark.parametrize("more", [b"X: y\r\n" * 65, b"X-Long: " + b"y" * 20_000 + b"\r\n"])
def test_more_than_64_headers_or_a_line_without_end_close_the_connection(
    server: RunningServer, mallory: WireClient, more: bytes
) -> None:
    wire = MsrpWire(HOST, server.msrp_tcp)
    frame = render_frame("SEND", mallory.remote_path, mallory.path, ["Message-ID: heads"])
    head, end, rest = frame.partition(b"Message-ID: ")
    wire.send(head + more + end + rest)
    assert wire.rest() == b""
    wire.close()
    server.wait_for_log(rf"{HOST}:{wire.port}\b.*too (many|long)")


def test_64_headers_are_answered(mallory: WireClient) -> None:
    headers = [f"X-{number}: y" for number in range(61)]
    frame = render_frame(
        "SEND", mallory.remote_path, mallory.path, [*headers, "Message-ID: many"], None
    )
    assert frame.count(b": ") == 64
    assert ask(mallory, frame) == 200


@pytest.mark.parametrize("missing", ["To-Path", "From-Path"])
def test_a_request_without_a_path_gets_400(mallory: WireClient, missing: str) -> None:
    frame = re.sub(rf"{missing}: [^\r]*\r\n".encode(), b"", mallory.frame(None))
    assert ask(mallory, frame) == 400


def test_a_request_without_any_path_gets_400(mallory: WireClient) -> None:
    assert ask(mallory, b"MSRP nowhere SEND\r\nMessage-ID: 1\r\n-------nowhere$\r\n") == 400


@pytest.mark.parametrize("method", ["INVITE", "PUBLISH", "X" * 32, "AUTH"])
def test_an_unknown_method_gets_501(mallory: WireClient, method: str) -> None:
    assert ask(mallory, render_frame(method, mallory.remote_path, mallory.path)) == 501


@pytest.mark.parametrize("method", ["send", "X" * 33, "S3ND", "SE ND", "1000 OK"])
def test_what_is_no_method_gets_400(mallory: WireClient, method: str) -> None:
    assert ask(mallory, render_frame(method, mallory.remote_path, mallory.path)) == 400


# Session-ids


def test_who_guesses_session_ids_gets_481_each_time_and_no_more_time(
    server: RunningServer, mallory: WireClient
) -> None:
    wire = MsrpWire(HOST, server.msrp_tcp)
    authority = mallory.remote_path.rpartition("/")[0]
    own = mallory.remote_path.rpartition("/")[2].partition(";")[0]
    guesses = [secrets.token_hex(10) for _ in range(500)]
    guesses += [own[:-1], own + "0", own.upper() + "X", own[::-1] + "1"]
    for guess in guesses:
        wire.send(render_frame("SEND", f"{authority}/{guess};tcp", mallory.path, ["Message-ID: 1"]))
        assert response(wire).status == 481
    assert wire.rest() == b""
    wire.close()


@pytest.mark.parametrize("what", ["empty", "content", "another sender", "report"])
def test_a_second_connection_does_not_push_out_the_first(
    server: RunningServer, mallory: WireClient, what: str
) -> None:
    with WireClient(server, "eve", room=DEN) as eve:
        eve.join()
        second = MsrpWire(HOST, server.msrp_tcp)
        match what:
            case "empty":
                frame = mallory.frame(None)
            case "content":
                frame = mallory.frame(b"pushed out", "text/plain")
            case "another sender":
                frame = render_frame("SEND", mallory.remote_path, eve.path, ["Message-ID: 1"])
            case _:
                status = ["Message-ID: 1", "Byte-Range: 1-1/1", "Status: 000 200 OK"]
                frame = render_frame("REPORT", mallory.remote_path, mallory.path, status)
                # It is never answered (RFC 4975 section 7.2); what follows it shows that it came.
                second.send(frame)
                frame = mallory.frame(None)
        for _ in range(3):
            second.send(frame)
            assert response(second).status == 506
        second.close()
        mallory.say("it is still mine")
        assert eve.hear_text() == "it is still mine"
        eve.say("and I speak to it")
        assert mallory.hear_text() == "and I speak to it"
        eve.leave()


# Reports and responses


def report(client: WireClient, message_id: str, status: str = "000 200 OK") -> bytes:
    lines = [f"Message-ID: {message_id}", "Byte-Range: 1-10/10", f"Status: {status}"]
    return render_frame("REPORT", client.remote_path, client.path, lines)


def test_a_storm_of_reports_on_unknown_messages_is_dropped_in_silence(
    mallory: WireClient,
) -> None:
    assert mallory.msrp is not None
    for _ in range(100):
        mallory.msrp.send(b"".join(report(mallory, secrets.token_hex(8)) for _ in range(100)))
    mallory.msrp.send(mallory.frame(None))
    # None of them is answered: what comes next is the answer to what followed them.
    while (frame := mallory.msrp.receive()).what == "SEND":
        pass
    assert frame.what == "200 OK"


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Message-ID: 1"],
        ["Message-ID: 1", "Byte-Range: x", "Status: 000 200 OK"],
        ["Message-ID: 1", "Byte-Range: 1-1/1", "Status: 200"],
        ["Message-ID: 1", "Byte-Range: 1-1/1", "Status: 999 200 what"],
        ["Message-ID: 1", "Byte-Range: 9-1/1", f"Status: 000 {'9' * 99}"],
    ],
)
def test_a_report_that_is_malformed_is_dropped_in_silence(
    mallory: WireClient, lines: list[str]
) -> None:
    assert mallory.msrp is not None
    mallory.msrp.send(render_frame("REPORT", mallory.remote_path, mallory.path, lines))
    mallory.msrp.send(mallory.frame(None))
    while (frame := mallory.msrp.receive()).what == "SEND":
        pass
    assert frame.what == "200 OK"


@pytest.mark.parametrize("what", ["200 OK", "413 Message too large", "481 X", "999", "000 nothing"])
def test_responses_that_are_late_double_or_to_nothing_change_nothing(
    server: RunningServer, mallory: WireClient, what: str
) -> None:
    assert mallory.msrp is not None
    with WireClient(server, "eve", room=DEN) as eve:
        eve.join()
        for number in range(3):
            eve.say(f"number {number}")
            frame = mallory.hear().frame
            # The first was, or was not, wanted; the others come late and double.
            answer = render_frame(
                *(what, frame.headers["From-Path"], frame.headers["To-Path"]),
                transaction_id=frame.transaction_id,
            )
            stray = render_frame(what, frame.headers["From-Path"], frame.headers["To-Path"])
            mallory.msrp.send((answer + stray) * 200)
            mallory.msrp.send(report(mallory, frame.headers["Message-ID"], "000 481 gone") * 200)
        mallory.say("I am still here")
        assert eve.hear_text() == "I am still here"
        eve.leave()
