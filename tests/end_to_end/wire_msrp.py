"""MSRP as bytes on a plain socket, written from RFC 4975 alone."""

import re
import secrets
import socket
from dataclasses import dataclass
from time import monotonic

from tests.end_to_end.wire_sip import TIMEOUT, Silence

_START = re.compile(rb"MSRP (\S+) (.*)")


@dataclass(slots=True)
class Frame:
    """A request or a response; `what` is the method, or the status with its comment."""

    transaction_id: str
    what: str
    headers: dict[str, str]
    body: bytes
    flag: str

    @property
    def status(self) -> int:
        """Return the status of a response, 0 for a request."""
        return int(self.what[:3]) if self.what[:3].isdigit() else 0


def take_frame(data: bytes) -> tuple[Frame, bytes] | None:
    """Return the first frame in `data` and what follows it, None when it is not all there."""
    line, end, rest = data.partition(b"\r\n")
    if not end:
        return None
    match = _START.fullmatch(line)
    assert match is not None, f"no MSRP frame begins with {line!r}"
    identifier = match[1]
    found = re.search(rb"(?:^|\r\n)-------" + re.escape(identifier) + rb"([$+#])\r\n", rest)
    if found is None:
        return None
    head, _, body = rest[: found.start()].partition(b"\r\n\r\n")
    headers = dict(field.split(": ", 1) for field in head.decode().split("\r\n") if field)
    frame = Frame(identifier.decode(), match[2].decode(), headers, body, found[1].decode())
    return frame, rest[found.end() :]


def render_frame(
    what: str,
    to_path: str,
    from_path: str,
    headers: list[str] | None = None,
    body: bytes | None = None,
    transaction_id: str | None = None,
    flag: str = "$",
) -> bytes:
    """Return a frame; with a body, `headers` must end with its Content-Type."""
    identifier = transaction_id or secrets.token_hex(8)
    lines = [f"MSRP {identifier} {what}", f"To-Path: {to_path}", f"From-Path: {from_path}"]
    head = "\r\n".join([*lines, *(headers or [])]).encode()
    content = b"" if body is None else b"\r\n\r\n" + body
    return head + content + f"\r\n-------{identifier}{flag}\r\n".encode()


class MsrpWire:
    """A TCP connection to the MSRP port."""

    def __init__(self, host: str, port: int, source: str = "") -> None:
        self._socket = socket.create_connection((host, port), TIMEOUT, (source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self._buffer = b""

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def receive(self, timeout: float = TIMEOUT) -> Frame:
        """Return the next frame; raises Silence, or EOFError when the connection is closed."""
        deadline = monotonic() + timeout
        while True:
            if (taken := take_frame(self._buffer)) is not None:
                frame, self._buffer = taken
                return frame
            self._socket.settimeout(max(deadline - monotonic(), 0.001))
            try:
                data = self._socket.recv(262144)
            except TimeoutError:
                raise Silence from None
            except ConnectionResetError:
                raise EOFError from None
            if not data:
                raise EOFError
            self._buffer += data

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
        """Close the connection."""
        self._socket.close()
