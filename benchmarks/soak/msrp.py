"""MSRP as the soak speaks it: one connection with one session, frames as they come."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import trio

from benchmarks.soak.sip import Wire, close_now, secured
from benchmarks.wire import HOST, LoadError

PATIENCE = 20.0
"""Seconds that an answer may take."""

CHUNK = 32 * 1024
"""Bytes in each chunk of a large message."""

_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)


@dataclass(slots=True)
class Frame:
    """A request or a response; `what` is the method, or the status with its comment."""

    transaction: str
    what: str
    headers: dict[str, str]
    body: bytes
    flag: str


def take_frame(data: bytearray) -> Frame | None:
    """Take the first frame out of `data`, None when it is not all there."""
    end_of_line = data.find(b"\r\n")
    if end_of_line < 0:
        return None
    words = bytes(data[:end_of_line]).decode(errors="replace").split(" ", 2)
    if len(words) < 3 or words[0] != "MSRP":
        raise LoadError(f"no frame begins with {words}")
    mark = f"\r\n-------{words[1]}".encode()
    end = data.find(mark, end_of_line)
    if end < 0 or len(data) < end + len(mark) + 3:
        return None
    head, _, body = bytes(data[end_of_line + 2 : end]).partition(b"\r\n\r\n")
    flag = chr(data[end + len(mark)])
    del data[: end + len(mark) + 3]
    fields = (line.partition(": ") for line in head.decode(errors="replace").split("\r\n"))
    return Frame(words[1], words[2], {name: value for name, _, value in fields}, body, flag)


class Chat:
    """The connection of one session; `run` reads it, and hands each SEND on."""

    def __init__(self, local: str, remote: str, on_send: Callable[[Frame], None]) -> None:
        self.local = local
        self.remote = remote
        self._on_send = on_send
        self._stream: Wire | None = None
        self._waiting: dict[str, trio.MemorySendChannel[str]] = {}
        self._writing = trio.Lock()

    async def open(self, receive_buffer: int = 0) -> None:
        """Connect to where the path of the server leads."""
        authority = self.remote.partition("//")[2].partition("/")[0]
        sock = trio.socket.socket()
        if receive_buffer:
            sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, receive_buffer)
        await sock.connect((HOST, int(authority.rpartition(":")[2])))
        stream = trio.SocketStream(sock)
        self._stream = secured(stream) if self.remote.startswith("msrps:") else stream

    async def run(self, bytes_per_second: float = 0.0) -> None:
        """Read until the connection ends; so slowly, if that is said."""
        buffer = bytearray()
        with suppress(*_BROKEN):
            stream = self._stream
            assert stream is not None
            size = int(bytes_per_second) or 65536
            while data := await stream.receive_some(size):
                buffer += data
                while (frame := take_frame(buffer)) is not None:
                    await self._take(frame)
                if bytes_per_second:
                    await trio.sleep(len(data) / bytes_per_second)

    async def _take(self, frame: Frame) -> None:
        if frame.what[0].isdigit():
            waiting = self._waiting.pop(frame.transaction, None)
            if waiting is not None:
                waiting.send_nowait(frame.what)
        elif frame.what == "SEND":
            if frame.headers.get("Failure-Report", "yes") == "yes":
                await self.write(self._answer(frame))
            if frame.body:
                self._on_send(frame)

    def _answer(self, frame: Frame) -> bytes:
        to_path = frame.headers["From-Path"].partition(" ")[0]
        return (
            f"MSRP {frame.transaction} 200 OK\r\nTo-Path: {to_path}\r\n"
            f"From-Path: {self.local}\r\n-------{frame.transaction}$\r\n"
        ).encode()

    async def write(self, data: bytes) -> None:
        """Send bytes as they are; a connection that is closed swallows them."""
        with suppress(*_BROKEN):
            assert self._stream is not None
            async with self._writing:
                await self._stream.send_all(data)

    def request(
        self, method: str, headers: list[str], body: bytes | None = None, flag: str = "$"
    ) -> tuple[str, bytes]:
        """Return a request and its transaction id; with a body, Content-Type comes last."""
        transaction = os.urandom(6).hex()
        lines = [
            f"MSRP {transaction} {method}",
            f"To-Path: {self.remote}",
            f"From-Path: {self.local}",
            *headers,
        ]
        head = "\r\n".join(lines).encode()
        content = b"" if body is None else b"\r\n\r\n" + body
        return transaction, head + content + f"\r\n-------{transaction}{flag}\r\n".encode()

    async def ask(
        self, method: str, headers: list[str], body: bytes | None = None, flag: str = "$"
    ) -> int:
        """Send a request and return the status of its answer; raises LoadError without one."""
        transaction, data = self.request(method, headers, body, flag)
        send, receive = trio.open_memory_channel[str](1)
        self._waiting[transaction] = send
        try:
            await self.write(data)
            with trio.move_on_after(PATIENCE):
                return int((await receive.receive())[:3])
        finally:
            self._waiting.pop(transaction, None)
        raise LoadError(f"no answer to MSRP {method} {headers} of {self.local}")

    async def bind(self) -> int:
        """Name the session by an empty SEND, and return the status that it gets."""
        headers = [f"Message-ID: {os.urandom(6).hex()}", "Byte-Range: 1-0/0"]
        return await self.ask("SEND", headers)

    async def say(self, body: bytes) -> int:
        """Send a message/cpim, in chunks if it is long, and return the status that it gets."""
        identifier, size = os.urandom(6).hex(), len(body)
        status = 200
        for start in range(0, size, CHUNK):
            piece = body[start : start + CHUNK]
            last = start + len(piece)
            headers = [
                f"Message-ID: {identifier}",
                f"Byte-Range: {start + 1}-{last}/{size}",
                "Content-Type: message/cpim",
            ]
            status = await self.ask("SEND", headers, piece, "$" if last == size else "+")
            if status != 200:
                break
        return status

    def close(self) -> None:
        """Close the connection, without a word."""
        if self._stream is not None:
            close_now(self._stream)
