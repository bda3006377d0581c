"""The command line's end of the control socket, against servers that answer in odd ways."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sylk.cli.control import NoAnswer, ask, objects, strings

HELLO = b'{"server": "sylk", "protocol": 1, "version": "9.9", "pid": 1}\n'


@contextmanager
def server_that_says(folder: Path, hello: bytes, answer: bytes) -> Generator[list[bytes]]:
    """Answer one connection while inside; gives the list into which the request goes."""
    requests: list[bytes] = []

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(hello)
            if answer:
                requests.append(lines.readline())
                connection.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "control.socket"))
        listening.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield requests
        thread.join(10)


def test_a_request_gets_its_answer(tmp_path: Path) -> None:
    with server_that_says(tmp_path, HELLO, b'{"ok": true, "n": 1}\n') as requests:
        assert ask(tmp_path, "count", to=7) == {"ok": True, "n": 1}
    assert requests == [b'{"command": "count", "to": 7}\n']


@pytest.mark.parametrize(
    ("hello", "answer", "complaint"),
    [
        (HELLO, b'{"ok": false, "error": "not today"}\n', "not today"),
        (HELLO, b"{}\n", "the server refuses"),
        (b'{"ok": false, "error": "too many"}\n', b"", "too many"),
        (
            HELLO.replace(b"1,", b"2,"),
            b"",
            "the server is 9.9: use the sylk-server of that version",
        ),
        (b"{}\n", b"", "the server is of another version"),
        (b"", b"", "went away before it answered"),
        (HELLO, b"\n", "went away before it answered"),
        (b"SSH-2.0\n", b"", "went away before it answered"),
    ],
)
def test_what_is_no_answer_is_told(
    tmp_path: Path, hello: bytes, answer: bytes, complaint: str
) -> None:
    with server_that_says(tmp_path, hello, answer), pytest.raises(NoAnswer) as caught:
        ask(tmp_path, "count")
    assert complaint in str(caught.value)


def test_a_server_that_died_does_not_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control.socket"))
    with pytest.raises(NoAnswer, match="no server listens on"):
        ask(tmp_path, "count")


def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="the path has more than 107 bytes"):
        ask(tmp_path / ("x" * 200), "count")


def test_what_else_is_in_a_list_is_left_out() -> None:
    assert objects([{"a": 1}, 2, "b"]) == [{"a": 1}]
    assert strings([{"a": 1}, 2, "b"]) == ["b"]
    assert objects(None) == strings("no list") == []
