"""The control socket: its protocol, its bounds, and its file."""

import json
import os
import socket
import stat
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from sylk import __version__
from sylk.control import (
    IDLE_TIMEOUT,
    MAX_CONNECTIONS,
    MAX_LINE,
    MAX_PATH,
    Command,
    ControlError,
    ControlSocket,
    Json,
    decode,
    encode,
)


async def echo(request: Json) -> Json:
    await trio.lowlevel.checkpoint()
    return {"said": request.get("say")}


async def refuse(_request: Json) -> Json:
    await trio.lowlevel.checkpoint()
    raise ControlError("not today")


async def fail(_request: Json) -> Json:
    await trio.lowlevel.checkpoint()
    raise LookupError("a bug")


async def answer_nonsense(_request: Json) -> Json:
    await trio.lowlevel.checkpoint()
    return {"value": object()}


COMMANDS: Mapping[str, Command] = {
    "echo": echo,
    "refuse": refuse,
    "fail": fail,
    "nonsense": answer_nonsense,
}


@asynccontextmanager
async def listening(folder: Path) -> AsyncGenerator[ControlSocket]:
    with closing(ControlSocket(folder)) as control:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(control.run, COMMANDS)
            yield control
            nursery.cancel_scope.cancel()


class Client:
    """One connection, which reads and writes lines."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = b""

    async def line(self) -> Json | None:
        """Return the next answer, None when the connection is closed."""
        with trio.fail_after(2 * IDLE_TIMEOUT):
            while b"\n" not in self._buffer:
                try:
                    data = await self.stream.receive_some()
                except trio.BrokenResourceError:
                    return None
                if not data:
                    return None
                self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    async def ask(self, line: bytes) -> Json | None:
        await self.stream.send_all(line + b"\n")
        return await self.line()


@asynccontextmanager
async def client(control: ControlSocket) -> AsyncGenerator[Client]:
    async with await trio.open_unix_socket(str(control.path)) as stream:
        yield Client(stream)


@asynccontextmanager
async def greeted(control: ControlSocket) -> AsyncGenerator[Client]:
    async with client(control) as one:
        hello = {"server": "sylk", "protocol": 1, "version": __version__, "pid": os.getpid()}
        assert await one.line() == hello
        yield one


# The protocol


async def test_requests_are_answered_in_order(tmp_path: Path) -> None:
    async with listening(tmp_path) as control, greeted(control) as one:
        await one.stream.send_all(
            b'{"command": "echo", "say": "a"}\n\n{"command": "echo", "say": "\\u00fc"}\n'
        )
        assert await one.line() == {"ok": True, "said": "a"}
        assert await one.line() == {"ok": True, "said": "ü"}


async def test_a_request_that_comes_byte_by_byte(tmp_path: Path) -> None:
    async with listening(tmp_path) as control, greeted(control) as one:
        for octet in b'{"command": "echo", "say": 1}\n':
            await one.stream.send_all(bytes([octet]))
        assert await one.line() == {"ok": True, "said": 1}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"no json", "a line must be a JSON object"),
        (b"[1]", "a line must be a JSON object"),
        (b"[" * 60_000, "a line must be a JSON object"),
        (b"\xff\xfe", "a line must be a JSON object"),
        (b"{}", "there is no command None; there are: echo, fail, nonsense, refuse"),
        (b'{"command": ["echo"]}', "there is no command ['echo']; there are: "),
        (b'{"command": "dance"}', "there is no command 'dance'; there are: "),
        (b'{"command": "refuse"}', "not today"),
    ],
)
async def test_what_cannot_be_done_is_told_and_the_connection_goes_on(
    tmp_path: Path, line: bytes, sentence: str
) -> None:
    async with listening(tmp_path) as control, greeted(control) as one:
        answer = await one.ask(line)
        assert answer is not None
        assert answer["ok"] is False
        assert str(answer["error"]).startswith(sentence)
        assert await one.ask(b'{"command": "echo"}') == {"ok": True, "said": None}


@pytest.mark.parametrize("command", ["fail", "nonsense"])
async def test_a_bug_in_a_command_is_logged_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    async with listening(tmp_path) as control, greeted(control) as one:
        answer = await one.ask(encode({"command": command}).rstrip())
        assert answer == {"ok": False, "error": "the server has a fault, which is in its log"}
        assert await one.ask(b'{"command": "echo"}') == {"ok": True, "said": None}
    (record,) = caplog.records
    assert record.exc_info is not None


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_what_is_encoded_is_one_line_and_decoded_again(value: Json) -> None:
    line = encode(value)
    assert line.count(b"\n") == 1
    assert decode(line) == value


# The bounds


async def test_a_request_without_an_end_is_not_kept(tmp_path: Path) -> None:
    async with listening(tmp_path) as control, greeted(control) as one:
        answer = await one.ask(b'"' + b"x" * (2 * MAX_LINE) + b'"')
        assert answer == {"ok": False, "error": f"a request may have {MAX_LINE} bytes"}
        assert await one.line() is None


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


async def test_who_says_nothing_is_not_waited_for(tmp_path: Path, jumping_clock: MockClock) -> None:
    async with listening(tmp_path) as control, greeted(control) as one:
        begin = trio.current_time()
        assert await one.line() is None
        assert trio.current_time() - begin >= IDLE_TIMEOUT


async def test_too_many_at_a_time_are_told_so(tmp_path: Path) -> None:
    async with listening(tmp_path) as control:
        async with trio.open_nursery() as nursery:

            async def hold(task_status: trio.TaskStatus[None]) -> None:
                async with greeted(control):
                    task_status.started()
                    await trio.sleep_forever()

            for _ in range(MAX_CONNECTIONS):
                await nursery.start(hold)
            async with client(control) as one:
                answer = await one.line()
                assert answer == {"ok": False, "error": "too many commands at a time: try again"}
                assert await one.line() is None
            nursery.cancel_scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        async with greeted(control) as one:
            assert await one.ask(b'{"command": "echo"}') == {"ok": True, "said": None}


async def test_who_leaves_at_once_leaves_no_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(tmp_path) as control:
        for _ in range(3):
            async with client(control):
                pass
            async with client(control) as one:
                await one.stream.send_all(b'{"command": "echo"}\n' * 1000)
        async with greeted(control) as one:
            assert await one.ask(b'{"command": "echo"}') == {"ok": True, "said": None}
    assert not caplog.records


# The file


def test_nobody_else_can_open_it_and_it_goes_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "spool"
    with closing(ControlSocket(folder)) as control:
        mode = control.path.lstat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert os.listdir(folder) == ["control.socket"]
    assert os.listdir(folder) == []


DYING = """\
import os, sys
from pathlib import Path
from sylk.control import ControlSocket
control = ControlSocket(Path(sys.argv[1]))
os._exit(0)
"""


async def test_the_socket_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    await trio.run_process([sys.executable, "-c", DYING, str(tmp_path)])
    assert (tmp_path / "control.socket").is_socket()
    (tmp_path / "control.new").touch()
    async with listening(tmp_path) as control, greeted(control):
        assert os.listdir(tmp_path) == ["control.socket"]


def test_the_socket_of_a_living_server_is_left_to_it(tmp_path: Path) -> None:
    with closing(ControlSocket(tmp_path)) as first:
        inode = first.path.lstat().st_ino
        with pytest.raises(ControlError) as caught:
            ControlSocket(tmp_path)
        assert str(caught.value) == (
            f"the server with the pid {os.getpid()} uses {first.path}: end it, or give this one a "
            "spool_dir of its own in [Server]"
        )
        assert first.path.lstat().st_ino == inode


def test_at_the_end_the_socket_of_somebody_else_stays(tmp_path: Path) -> None:
    first = ControlSocket(tmp_path)
    first.path.unlink()
    with closing(ControlSocket(tmp_path)) as second:
        first.close()
        assert second.path.is_socket()


def test_what_is_no_socket_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "control.socket").write_text("precious")
    with pytest.raises(ControlError, match="is no socket: remove it"):
        ControlSocket(tmp_path)
    assert (tmp_path / "control.socket").read_text() == "precious"


def test_how_long_the_path_may_be(tmp_path: Path) -> None:
    missing = MAX_PATH - len(str(tmp_path / "x" / "control.socket")) + 1
    with closing(ControlSocket(tmp_path / ("x" * missing))) as control:
        assert len(str(control.path)) == MAX_PATH
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(control.path))
    with pytest.raises(ControlError, match=f"longer than the {MAX_PATH} bytes"):
        ControlSocket(tmp_path / ("x" * (missing + 1)))


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ControlError, match=r"cannot listen on .*: Not a directory"):
        ControlSocket(tmp_path / "file" / "spool")
