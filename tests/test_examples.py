"""The examples do what they say, as the programs that they are."""

import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.wire_msrp import Frame, render_frame, take_frame

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
OURS = "msrp://127.0.0.1:2855/client;tcp"
TIMEOUT = 20.0


class Listener:
    """A peer on a plain socket, that a client connects to."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(TIMEOUT)
        self.path = f"msrp://127.0.0.1:{self._listening.getsockname()[1]}/peer;tcp"
        self._socket: socket.socket | None = None
        self._buffer = b""

    def accept(self) -> None:
        self._socket, _ = self._listening.accept()
        self._socket.settimeout(TIMEOUT)

    def receive(self) -> Frame:
        assert self._socket is not None
        while (taken := take_frame(self._buffer)) is None:
            data = self._socket.recv(65536)
            assert data, "the client has closed"
            self._buffer += data
        frame, self._buffer = taken
        return frame

    def send(self, data: bytes) -> None:
        assert self._socket is not None
        self._socket.sendall(data)

    def answer(self, frame: Frame, what: str = "200 OK") -> None:
        paths = frame.headers["From-Path"], frame.headers["To-Path"]
        self.send(render_frame(what, *paths, transaction_id=frame.transaction_id))

    def close(self) -> None:
        self._listening.close()
        if self._socket is not None:
            self._socket.close()


@pytest.fixture
def peer() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def client(peer: Listener) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / "msrp_client.py"), peer.path, OURS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_the_client_binds_sends_and_prints_what_comes(
    peer: Listener, client: subprocess.Popen[str]
) -> None:
    assert client.stdin is not None
    assert client.stdout is not None
    assert client.stderr is not None
    peer.accept()
    bind = peer.receive()
    assert (bind.what, bind.body, bind.headers["To-Path"]) == ("SEND", b"", peer.path)
    assert bind.headers["From-Path"] == OURS
    peer.answer(bind)
    headers = ["Message-ID: 1", "Byte-Range: 1-5/5", "Content-Type: text/plain"]
    peer.send(render_frame("SEND", OURS, peer.path, headers, b"hello"))
    assert peer.receive().status == 200
    assert client.stdout.readline() == "hello\n"
    client.stdin.write("and hello to you\n")
    client.stdin.flush()
    said = peer.receive()
    assert (said.body, said.headers["Content-Type"]) == (b"and hello to you", "text/plain")
    peer.answer(said, "403 Forbidden")
    assert client.stderr.readline() == "not delivered: 403 Forbidden\n"
    peer.close()
    assert client.stderr.readline() == "over: the peer left\n"
    assert client.wait(TIMEOUT) == 0


APPLICATIONS = sorted(path.parent for path in EXAMPLES.glob("*/pyproject.toml"))
PUBLIC = (
    *("sylk.application", "sylk.errors", "sylk.payload", "sylk.room_status"),
    *("sylk.session", "sylk.settings"),
)


@pytest.mark.parametrize("folder", APPLICATIONS, ids=lambda path: path.name)
def test_an_application_is_a_short_package_that_uses_public_names(folder: Path) -> None:
    source = (folder / f"{folder.name}.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) < 60
    imported = re.findall(r"^from (sylk\S*)", source, re.MULTILINE)
    assert imported
    assert all(name.startswith(PUBLIC) for name in imported)
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (entry,) = project["entry-points"]["sylk.applications"].values()
    module, _, name = entry.partition(":")
    assert module == folder.name
    assert f"class {name}(Application):" in source
    assert (folder / f"test_{folder.name}.py").is_file()


def test_there_are_three_applications() -> None:
    assert [folder.name for folder in APPLICATIONS] == ["bridge", "welcome", "word_counter"]


def test_an_example_is_short() -> None:
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 80
        assert set(re.findall(r"^from (sylk\S*)", text, re.MULTILINE)) == {"sylk.msrp"}
