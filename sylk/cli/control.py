"""The command line's end of the control socket: one request to the server that runs, one answer."""

import socket
from pathlib import Path
from typing import cast

from sylk.control import MAX_PATH, PROTOCOL, SOCKET_FILE, ControlError, Json, decode, encode

TIMEOUT = 15.0
"""Seconds that the server may take for an answer."""

MAX_ANSWER = 16 * 1024 * 1024
"""The longest answer that is taken, in octets."""


class NoAnswer(Exception):
    """No server answers, or it refuses; the message is for the operator."""


def ask(folder: Path, command: str, **values: object) -> Json:
    """Send a command to the server whose spool folder is `folder` and return its answer.

    Raises NoAnswer with one line that says what to do.
    """
    path = folder / SOCKET_FILE
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect(str(path))
            with connection.makefile("rb") as lines:
                _check_hello(decode(lines.readline(MAX_ANSWER)))
                connection.sendall(encode({"command": command, **values}))
                answer = decode(lines.readline(MAX_ANSWER))
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoAnswer(
            f"no server listens on {path}: start one, or name its settings with --config"
        ) from None
    except PermissionError:
        raise NoAnswer(f"{path} is for the user of the server and for root alone") from None
    except TimeoutError:
        raise NoAnswer(f"the server did not answer within {TIMEOUT:g} s") from None
    except OSError as error:
        # Python says so without a number when the path is too long.
        reason = error.strerror or f"the path has more than {MAX_PATH} bytes"
        raise NoAnswer(f"cannot reach a server on {path}: {reason}") from None
    except ControlError:
        raise NoAnswer(f"the server on {path} went away before it answered") from None
    if not answer.get("ok"):
        raise NoAnswer(str(answer.get("error", "the server refuses")))
    return answer


def _check_hello(hello: Json) -> None:
    if "error" in hello:
        raise NoAnswer(str(hello["error"]))
    if hello.get("protocol") != PROTOCOL:
        version = hello.get("version", "of another version")
        raise NoAnswer(f"the server is {version}: use the sylk-server of that version")


def objects(value: object) -> list[Json]:
    """Return the JSON objects in a list of an answer."""
    if not isinstance(value, list):
        return []
    return [
        cast("dict[str, object]", item)
        for item in cast("list[object]", value)
        if isinstance(item, dict)
    ]


def strings(value: object) -> list[str]:
    """Return the strings in a list of an answer."""
    if not isinstance(value, list):
        return []
    return [item for item in cast("list[object]", value) if isinstance(item, str)]
