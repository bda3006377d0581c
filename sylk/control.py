"""The control socket: how the operator's commands reach a server that runs.

A Unix stream socket in the spool folder, open to the server's own user and to root. Both sides
send one JSON object a line. The server begins:

    {"server": "sylk", "protocol": 1, "version": "0.1.0", "pid": 4711}

and each request `{"command": "NAME", ...}` gets an answer, in order: `{"ok": true, ...}`, or
`{"ok": false, "error": "a sentence for the operator"}`. What commands there are, the caller says.
"""

import fcntl
import json
import logging
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import trio

from sylk import __version__
from sylk.net.patient_listener import PatientListener

logger = logging.getLogger("sylk.control")

SOCKET_FILE = "control.socket"
PROTOCOL = 1
"""Goes up when a client of the old one could misunderstand an answer."""

MAX_PATH = 107
"""The longest path of a Unix socket on Linux, in octets."""
MAX_LINE = 64 * 1024
"""The longest request or answer, in octets; over it the connection is closed."""
MAX_CONNECTIONS = 8
"""Over it a new connection is told so and closed."""
IDLE_TIMEOUT = 60.0
"""Seconds for which a connection may be silent."""

_NEW_FILE = "control.new"
_MODE = 0o600
_PEER = struct.Struct("=iII")
_PROBE_TIMEOUT = 1.0

Json = Mapping[str, object]
Command = Callable[[Json], Awaitable[Json]]
"""Gets the request and returns what the answer holds; raises ControlError."""


class ControlError(Exception):
    """What was asked for cannot be done; the message is a sentence for the operator."""


class ControlSocket:
    """The socket that a server listens on; `run` answers what comes over it."""

    def __init__(self, folder: Path) -> None:
        """Listen in `folder`; raises ControlError when that cannot be.

        The file of a server that has died is replaced, that of one that lives is not.
        """
        self.path = folder / SOCKET_FILE
        if len(os.fsencode(self.path)) > MAX_PATH:
            raise ControlError(
                f"{self.path} is longer than the {MAX_PATH} bytes that a socket's path may have: "
                "choose a shorter spool_dir, or a relative one"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder):
                _refuse_if_taken(self.path)
                self._socket = _listen(self.path, folder / _NEW_FILE)
                self._inode = os.stat(self.path).st_ino
        except OSError as error:
            raise ControlError(f"cannot listen on {self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Stop listening and remove the file, if it is ours still."""
        with suppress(OSError):
            if os.lstat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        self._socket.close()

    async def run(self, commands: Mapping[str, Command]) -> None:
        """Answer requests for `commands`, until cancelled."""
        listener = PatientListener(self._socket, "a command")
        room = trio.CapacityLimiter(MAX_CONNECTIONS)

        async def serve(stream: trio.SocketStream) -> None:
            async with stream:
                try:
                    await _serve(stream, commands, room)
                except trio.BrokenResourceError:
                    pass  # Who asked has gone.
                except Exception:
                    logger.exception("serving a control connection failed")

        await trio.serve_listeners(serve, [listener])


async def _serve(
    stream: trio.SocketStream, commands: Mapping[str, Command], room: trio.CapacityLimiter
) -> None:
    """Answer one connection until it ends, or raises BrokenResourceError."""
    try:
        room.acquire_nowait()
    except trio.WouldBlock:
        await _send(stream, _refusal("too many commands at a time: try again"))
        return
    try:
        hello = {"server": "sylk", "protocol": PROTOCOL, "version": __version__}
        await _send(stream, encode({**hello, "pid": os.getpid()}))
        await _answer_lines(stream, commands)
    finally:
        room.release()


async def _answer_lines(stream: trio.SocketStream, commands: Mapping[str, Command]) -> None:
    """Answer each line that comes, until the peer ends or is silent for too long."""
    buffer = bytearray()
    while True:
        data = b""
        with trio.move_on_after(IDLE_TIMEOUT):
            data = await stream.receive_some(MAX_LINE)
        if not data:
            return
        buffer += data
        *lines, rest = bytes(buffer).split(b"\n")
        for line in lines:
            if line:
                await _send(stream, await _answer(line, commands))
        buffer = bytearray(rest)
        if len(rest) > MAX_LINE:
            await _send(stream, _refusal(f"a request may have {MAX_LINE} bytes"))
            return


async def _answer(line: bytes, commands: Mapping[str, Command]) -> bytes:
    try:
        request = decode(line)
        name = request.get("command")
        command = commands.get(name) if isinstance(name, str) else None
        if command is None:
            known = ", ".join(sorted(commands))
            raise ControlError(f"there is no command {name!r}; there are: {known}")
        return encode({"ok": True, **await command(request)})
    except ControlError as error:
        return _refusal(str(error))
    except Exception:
        logger.exception("a command failed")
        return _refusal("the server has a fault, which is in its log")


async def _send(stream: trio.SocketStream, line: bytes) -> None:
    with trio.move_on_after(IDLE_TIMEOUT) as patience:
        await stream.send_all(line)
    if patience.cancelled_caught:
        raise trio.BrokenResourceError("the peer takes no answer")


def _refusal(sentence: str) -> bytes:
    return encode({"ok": False, "error": sentence})


def encode(value: Json) -> bytes:
    """Return one line of the protocol."""
    return json.dumps(value).encode("ascii") + b"\n"


def decode(line: bytes) -> Json:
    """Return the object that a line holds; raises ControlError."""
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        raise ControlError("a line must be a JSON object") from None
    if not isinstance(value, dict):
        raise ControlError("a line must be a JSON object")
    return cast("dict[str, object]", value)


# The file


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Keep another server that starts at the same time out of `folder`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_if_taken(path: Path) -> None:
    """Raise ControlError if somebody listens on `path`, or if it is no socket at all."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlError(f"{path} is there and is no socket: remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_TIMEOUT)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except OSError:
            owner = "another server"
        else:
            owner = f"the server with the pid {_peer_pid(probe)}"
    raise ControlError(
        f"{owner} uses {path}: end it, or give this one a spool_dir of its own in [Server]"
    )


def _peer_pid(probe: socket.socket) -> int:
    credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return _PEER.unpack(credentials)[0]


def _listen(path: Path, beside: Path) -> socket.socket:
    """Return a socket that listens on `path`, where nobody sees it before it is complete."""
    with suppress(FileNotFoundError):
        os.unlink(beside)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(os.fspath(beside))
        os.chmod(beside, _MODE)
        listening.listen(MAX_CONNECTIONS)
        os.replace(beside, path)
    except BaseException:
        listening.close()
        raise
    return listening
