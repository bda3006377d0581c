"""SIP as text on plain sockets: enough of a user agent to test one, written from the RFC alone."""

import secrets
import socket
from dataclasses import dataclass
from time import monotonic

from tests.end_to_end.server import HOST, RunningServer

TIMEOUT = 10.0
"""Seconds until a message must have come; only a test that fails waits for so long."""


class Silence(Exception):
    """Nothing came in time."""


@dataclass(slots=True)
class SipMessage:
    """A message, taken apart but not understood."""

    start_line: str
    headers: list[tuple[str, str]]
    body: bytes
    raw: bytes

    @property
    def status(self) -> int:
        """Return the status of a response, 0 for a request."""
        return int(self.start_line.split()[1]) if self.start_line.startswith("SIP/") else 0

    @property
    def method(self) -> str:
        """Return the method that a request has, or that a response is for."""
        return self["CSeq"].split()[1]

    def all(self, name: str) -> list[str]:
        """Return the values of all header fields of this name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        values = self.all(name)
        assert values, f"there is no {name} in:\n{self.raw.decode()}"
        return values[0]

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def answer(self, status: str) -> bytes:
        """Return a response to this request."""
        copied = ("via", "from", "to", "call-id", "cseq")
        lines = [f"{key}: {value}" for key, value in self.headers if key.lower() in copied]
        return "\r\n".join([f"SIP/2.0 {status}", *lines, "Content-Length: 0", "", ""]).encode()


def take_message(data: bytes) -> tuple[SipMessage, bytes] | None:
    """Return the first message in `data` and what follows it, None when it is not all there."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    start_line, *lines = head.decode().split("\r\n")
    headers = [
        (name.strip(), value.strip()) for name, _, value in (x.partition(":") for x in lines)
    ]
    length = next(int(value) for name, value in headers if name.lower() == "content-length")
    if len(rest) < length:
        return None
    raw = head + blank + rest[:length]
    return SipMessage(start_line, headers, rest[:length], raw), rest[length:]


class SipWire:
    """A UDP socket, or a TCP connection, to the server."""

    def __init__(self, server: RunningServer, transport: str = "udp", source: str = HOST) -> None:
        self.transport = transport
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.settimeout(TIMEOUT)
        if transport == "tcp":
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.bind((source, 0))
        port = server.sip_udp if transport == "udp" else server.sip_tcp
        self._socket.connect((server.host, port))
        self.host, self.port = self._socket.getsockname()
        self._buffer = b""
        self._waiting: list[SipMessage] = []

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def receive(self, timeout: float = TIMEOUT) -> SipMessage:
        """Return the next message; raises Silence, or EOFError at the end of a connection."""
        if self._waiting:
            return self._waiting.pop(0)
        deadline = monotonic() + timeout
        while True:
            if (taken := take_message(self._buffer)) is not None:
                message, self._buffer = taken
                return message
            self._socket.settimeout(max(deadline - monotonic(), 0.001))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise Silence from None
            if not data:
                raise EOFError
            self._buffer += data

    def response(self, method: str, timeout: float = TIMEOUT) -> SipMessage:
        """Return the next response to a request of this method; requests wait meanwhile."""
        put_aside: list[SipMessage] = []
        try:
            while True:
                message = self.receive(timeout)
                if message.status and message.method == method:
                    return message
                if not message.status:
                    put_aside.append(message)
        finally:
            self._waiting = put_aside + self._waiting

    def final_response(self, method: str) -> SipMessage:
        """Return the next response to a request of this method that is not provisional."""
        while (message := self.response(method)).status < 200:
            pass
        return message

    def request(self, method: str, timeout: float = TIMEOUT) -> SipMessage:
        """Return the next request of this method; what else comes is dropped."""
        while True:
            message = self.receive(timeout)
            if not message.status and message.method == method:
                return message

    def rest(self) -> bytes:
        """Return what comes until the connection is closed; raises Silence if it is not."""
        data, self._buffer = self._buffer, b""
        self._socket.settimeout(TIMEOUT)
        try:
            while piece := self._socket.recv(65536):
                data += piece
        except TimeoutError:
            raise Silence from None
        except ConnectionResetError:
            pass
        return data

    def shut_down(self) -> None:
        """Finish sending, but go on receiving."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    # Writing requests

    def via(self) -> str:
        """Return a Via header field with a new branch."""
        return (
            f"Via: SIP/2.0/{self.transport.upper()} {self.host}:{self.port}"
            f";branch=z9hG4bK{secrets.token_hex(8)};rport"
        )

    def contact(self, user: str) -> str:
        """Return a Contact header field for requests to us."""
        parameter = ";transport=tcp" if self.transport == "tcp" else ""
        return f"Contact: <sip:{user}@{self.host}:{self.port}{parameter}>"


def render_request(
    start_line: str, headers: list[str], body: bytes = b"", content_type: str = "application/sdp"
) -> bytes:
    """Return a request; Content-Type is written when there is a body."""
    lines = [start_line, *headers]
    if body:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
