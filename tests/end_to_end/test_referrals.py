"""A participant has people called into the room and put out: SIPp and baresip are those people."""

import socket
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep

from tests.end_to_end.baresip import baresip
from tests.end_to_end.foreign import ForeignProgram, free_port
from tests.end_to_end.programs import program
from tests.end_to_end.server import HOST, RunningServer, StartServer
from tests.end_to_end.sipp import SCENARIOS, TIMEOUT
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_msrp import Frame, render_frame, take_frame


def outcome(referrer: WireClient) -> list[str]:
    """Return the status lines that a referrer is told, until the last one."""
    lines: list[str] = []
    while True:
        notify = referrer.wire.request("NOTIFY")
        referrer.wire.send(notify.answer("200 OK"))
        lines.append(notify.body.decode().strip().removeprefix("SIP/2.0 "))
        if notify["Subscription-State"].startswith("terminated"):
            return lines


def _wait_until_taken(port: int) -> None:
    """Wait until a program listens: SIPp, which prints nothing of it before its end."""
    deadline = monotonic() + TIMEOUT
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                return
        assert monotonic() < deadline, "SIPp does not listen"
        sleep(0.01)


@contextmanager
def invited_sipp(folder: Path, media: int) -> Generator[tuple[ForeignProgram, int]]:
    """Run a SIPp that waits for one call; its media are to come to the port `media`."""
    port = free_port(socket.SOCK_DGRAM, socket.SOCK_STREAM)
    command = [
        str(program("sipp", "sip-tester")),
        *(f"{HOST}:{port}", "-sf", str(SCENARIOS / "invited.xml"), "-t", "u1"),
        *("-i", HOST, "-p", str(port), "-m", "1", "-key", "msrp_port", str(media)),
        *("-timeout", str(TIMEOUT), "-timeout_error", "-nostdin"),
        *("-trace_err", "-error_file", str(folder / "errors")),
    ]
    sipp = ForeignProgram(command, folder)
    try:
        _wait_until_taken(port)
        yield sipp, port
    finally:
        sipp.stop()


class Media:
    """Takes one MSRP connection of the server, and answers what comes."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0))
        self._listener.settimeout(TIMEOUT)
        self.port = self._listener.getsockname()[1]
        self._buffer = b""
        self._socket: socket.socket | None = None

    def accept(self) -> None:
        self._socket, _ = self._listener.accept()
        self._socket.settimeout(TIMEOUT)

    def take(self) -> Frame:
        assert self._socket is not None
        while (taken := take_frame(self._buffer)) is None:
            data = self._socket.recv(65536)
            assert data, "the connection is closed"
            self._buffer += data
        frame, self._buffer = taken
        to, sender = frame.headers["From-Path"], frame.headers["To-Path"]
        answer = render_frame("200 OK", to, sender, transaction_id=frame.transaction_id)
        self._socket.sendall(answer)
        return frame

    def close(self) -> None:
        self._listener.close()
        if self._socket is not None:
            self._socket.close()


def test_somebody_is_called_and_put_out(running_server: StartServer, tmp_path: Path) -> None:
    server = running_server({"Conference": {"remove": "participants"}})
    with (
        closing(Media()) as media,
        invited_sipp(tmp_path, media.port) as (sipp, port),
        WireClient(server, "alice") as alice,
        WireClient(server, "alice") as desk,
    ):
        alice.join()
        assert desk.ask("REFER", f"Refer-To: <sip:sipp@{HOST}:{port}>;method=INVITE").status == 202
        media.accept()
        assert media.take().body == b""
        lines = outcome(desk)
        assert (lines[0], lines[-1]) == ("100 Trying", "200 OK")
        assert b"Welcome!" in media.take().body
        alice.say("hello")
        assert media.take().body.endswith(b"hello")
        with WireClient(server, "alice") as again:
            assert again.ask("REFER", f"Refer-To: <sip:sipp@{HOST};method=BYE>").status == 202
            assert outcome(again)[-1] == "200 OK"
        # The scenario has seen to the rest.
        assert sipp.process.wait(TIMEOUT) == 0, sipp.printed.text
        server.wait_for_log(f"alice@{HOST} has put sipp@{HOST} out of")
        alice.leave()


def test_who_has_no_chat_declines(shared_server: RunningServer, tmp_path: Path) -> None:
    server = shared_server
    with (
        baresip(tmp_path, f"sip:bob@{HOST}") as bob,
        WireClient(server, "alice") as alice,
        WireClient(server, "alice") as desk,
    ):
        alice.join()
        assert desk.ask("REFER", f"Refer-To: <sip:bob@{HOST}:{bob.port}>").status == 202
        invite = bob.wait_for(r"INVITE sip:bob@[^\n]*\n(?:[^\n]+\n)+")
        assert f"Referred-By: <sip:alice@{HOST}>" in invite
        assert ";isfocus" in invite
        assert outcome(desk)[-1].startswith("488 ")
        alice.leave()
