"""The bare loop in C sends what that in Python sends: each message to each listener, numbered."""

import socket
from pathlib import Path

import pytest

from benchmarks.bare_loop import BareLoop, compiler
from benchmarks.talker import Said, Talk
from benchmarks.wire import HOST

FRAME = b"MSRP t1 SEND\r\n\r\n#00000042# text\r\n-------t1$\r\n"
COUNT = 3
SHORT = 0.01  # so that what is sent has room in the sockets, and nobody needs to read meanwhile

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler here")


@pytest.mark.parametrize("rate", [None, 1000.0])
def test_every_listener_gets_every_message(tmp_path: Path, rate: float | None) -> None:
    with socket.create_server((HOST, 0)) as server:
        with BareLoop(tmp_path, server.getsockname()[1], COUNT, FRAME) as loop:
            listeners = [server.accept()[0] for _ in range(COUNT)]
            loop.await_ready()
            loop.tell(Talk(SHORT, rate))
            said = loop.expect(Said)
        numbers = range(said.messages)
        expected = b"".join(FRAME.replace(b"00000042", b"%08d" % number) for number in numbers)
        assert said.messages > 0
        for listener in listeners:
            with listener:
                assert read_all(listener) == expected
    assert said.frame_size == len(FRAME)
    assert len(said.times) == (said.messages if rate else 0)
    assert said.times == sorted(said.times)


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while more := sock.recv(1 << 20):
        data += more
    return data
