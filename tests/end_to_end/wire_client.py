"""A small chat client of our own on plain sockets, which shares not a line with the server.

It is written straight down: each call sends, waits for the answer, and puts aside what else came.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from types import TracebackType
from typing import Self

from tests.end_to_end.server import HOST, RunningServer
from tests.end_to_end.wire_msrp import Frame, MsrpWire, render_frame
from tests.end_to_end.wire_sip import TIMEOUT, SipMessage, SipWire, render_request

ROOM = f"lobby@{HOST}"


@dataclass(slots=True)
class Heard:
    """One message, unwrapped from its CPIM."""

    sender: str
    recipient: str
    text: str
    content_type: str
    frame: Frame


def unwrap(frame: Frame) -> Heard:
    """Return what a SEND with message/cpim says."""
    assert frame.headers["Content-Type"] == "message/cpim"
    envelope, _, rest = frame.body.partition(b"\r\n\r\n")
    head, _, content = rest.partition(b"\r\n\r\n")
    headers, mime = _fields(envelope), _fields(head)
    return Heard(headers["From"], headers["To"], content.decode(), mime["Content-Type"], frame)


def _fields(data: bytes) -> dict[str, str]:
    fields = {"From": "", "To": "", "Content-Type": ""}
    for line in data.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        fields[name] = value
    return fields


def wrap(sender: str, recipient: str, text: str) -> bytes:
    """Return a message/cpim body."""
    lines = [
        f"From: <sip:{sender}>",
        f"To: <sip:{recipient}>",
        f"DateTime: {datetime.now(UTC).isoformat()}",
        "",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
    ]
    return "\r\n".join(lines).encode()


def chat_offer(path: str, host: str = HOST, setup: str = "active") -> bytes:
    """Return an SDP offer of one chat, as clients write it."""
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=-",
        "t=0 0",
        "m=message 2855 TCP/MSRP *",
        f"c=IN IP4 {host}",
        f"a=path:{path}",
        "a=accept-types:message/cpim text/*",
        "a=accept-wrapped-types:*",
        f"a=setup:{setup}",
    ]
    return "\r\n".join([*lines, ""]).encode()


class WireClient:
    """One participant with one call."""

    def __init__(
        self,
        server: RunningServer,
        user: str,
        *,
        room: str = ROOM,
        transport: str = "udp",
        source: str = HOST,
        headers: tuple[str, ...] = (),
    ) -> None:
        self.user = user
        self.address = f"{user}@{HOST}"
        self.room = room
        self.wire = SipWire(server, transport, source)
        self.source = source
        self.path = f"msrp://{source}:2855/{secrets.token_hex(8)};tcp"
        self.call_id = f"{secrets.token_hex(8)}@{HOST}"
        self.responses: list[SipMessage] = []
        """Every response to the INVITE."""
        self.remote_path = ""
        self.msrp: MsrpWire | None = None
        self.headers = headers
        self._from = f"From: <sip:{self.address}>;tag={secrets.token_hex(4)}"
        self._to = f"To: <sip:{room}>"
        self._target = f"sip:{room}"
        self._cseq = 0
        self._frames: list[Frame] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all sockets, without a word."""
        self.wire.close()
        if self.msrp is not None:
            self.msrp.close()

    # SIP

    def request(
        self,
        method: str,
        *headers: str,
        body: bytes = b"",
        content_type: str = "application/sdp",
        via: str = "",
    ) -> bytes:
        """Return a request with the next CSeq; ACK and CANCEL have that of the INVITE."""
        if method not in ("ACK", "CANCEL"):
            self._cseq += 1
        lines = [
            via or self.wire.via(),
            "Max-Forwards: 70",
            self._from,
            self._to,
            f"Call-ID: {self.call_id}",
            f"CSeq: {self._cseq} {method}",
            self.wire.contact(self.user),
            *headers,
        ]
        return render_request(f"{method} {self._target} SIP/2.0", lines, body, content_type)

    def ask(self, method: str, *headers: str, body: bytes = b"") -> SipMessage:
        """Send a request and return its final response."""
        self.wire.send(self.request(method, *headers, body=body))
        return self.wire.final_response(method)

    def invitation(self) -> bytes:
        """Return the INVITE with our offer."""
        offer = chat_offer(self.path)
        return self.request("INVITE", *self.headers, body=offer)

    def invite(self) -> SipMessage:
        """Send the INVITE and return the final response, acknowledged if it is a 200."""
        self.wire.send(self.invitation())
        final = self.await_answer()
        if final.status == 200:
            self.wire.send(self.request("ACK"))
        return final

    def await_answer(self) -> SipMessage:
        """Return the final response to the INVITE, having learnt from it."""
        while not self.responses or self.responses[-1].status < 200:
            self.responses.append(self.wire.response("INVITE"))
        final = self.responses[-1]
        self._to = f"To: {final['To']}"
        if final.status == 200:
            self._target = final["Contact"].partition("<")[2].partition(">")[0]
            lines = final.body.decode().split("\r\n")
            (self.remote_path,) = [line[7:] for line in lines if line.startswith("a=path:")]
        return final

    def bye(self) -> SipMessage:
        """Send a BYE and return its answer."""
        return self.ask("BYE")

    def await_bye(self, timeout: float = TIMEOUT) -> SipMessage:
        """Wait for the BYE of the server, answer it, and return it."""
        bye = self.wire.request("BYE", timeout)
        self.wire.send(bye.answer("200 OK"))
        return bye

    # MSRP

    def connect(self) -> None:
        """Connect to the path of the server and bind the session with an empty SEND."""
        authority = self.remote_path.partition("://")[2].partition("/")[0]
        host, _, port = authority.rpartition(":")
        self.msrp = MsrpWire(host, int(port), self.source)
        assert self.send(None) == 200

    def join(self) -> Self:
        """Join the room."""
        final = self.invite()
        assert final.status == 200, final.raw.decode()
        self.connect()
        return self

    def leave(self) -> None:
        """Leave the room and close all sockets."""
        assert self.bye().status == 200
        self.close()

    def frame(self, body: bytes | None, content_type: str = "message/cpim") -> bytes:
        """Return a SEND with this body, or an empty one."""
        size = len(body or b"")
        headers = [f"Message-ID: {secrets.token_hex(8)}", f"Byte-Range: 1-{size}/{size}"]
        if body is not None:
            headers.append(f"Content-Type: {content_type}")
        return render_frame("SEND", self.remote_path, self.path, headers, body)

    def send(self, body: bytes | None, content_type: str = "message/cpim") -> int:
        """Send a SEND and return the status of its answer."""
        assert self.msrp is not None
        frame = self.frame(body, content_type)
        self.msrp.send(frame)
        identifier = frame.split()[1].decode()
        while True:
            answer = self._receive()
            if answer.status and answer.transaction_id == identifier:
                return answer.status
            self._frames.append(answer)

    def say(self, text: str, to: str | None = None) -> None:
        """Say something to the room, or to one person in it."""
        assert self.send(wrap(self.address, to or self.room, text)) == 200

    def say_nothing(self) -> None:
        """Send an empty message, which must be answered: the session is well."""
        assert self.send(None) == 200

    def _receive(self, timeout: float = TIMEOUT) -> Frame:
        assert self.msrp is not None
        frame = self.msrp.receive(timeout)
        # A 200 is sent when neither "partial" nor "no" tells not to (RFC 4975 section 7.2).
        if frame.what == "SEND" and frame.headers.get("Failure-Report", "yes") == "yes":
            self.msrp.send(
                render_frame(
                    "200 OK",
                    frame.headers["From-Path"].partition(" ")[0],
                    frame.headers["To-Path"],
                    transaction_id=frame.transaction_id,
                )
            )
        return frame

    def hear_all(self, timeout: float = TIMEOUT) -> Heard:
        """Return the next message, of the room itself too, and answer it."""
        # Keep-alives do not make it longer.
        deadline = monotonic() + timeout
        while True:
            frame = self._frames.pop(0) if self._frames else self._receive(deadline - monotonic())
            if frame.what == "SEND" and frame.body:
                return unwrap(frame)

    def hear(self, timeout: float = TIMEOUT) -> Heard:
        """Return the next message that is of a person, and answer it."""
        deadline = monotonic() + timeout
        while f"<sip:{self.room}>" in (heard := self.hear_all(deadline - monotonic())).sender:
            pass
        return heard

    def hear_text(self, timeout: float = TIMEOUT) -> str:
        """Return the text of the next message that is of a person."""
        return self.hear(timeout).text
