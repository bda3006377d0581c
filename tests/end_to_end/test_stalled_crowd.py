"""A room of five hundred in which one, then fifty people stop reading: the others hear everything.

The listeners are bare sockets that one thread reads; they count the messages of the speaker.
"""

import resource
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import pytest

from tests.end_to_end.server import HOST, RunningServer, StartServer
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_msrp import take_frame

CROWD = 500
STALLED = 50
LIMIT = 256 * 1024
"""What may wait for one of them."""
PATIENCE = 60.0
FILLING = "x" * 60_000
SMALL = 4096
MEMORY = 64 * 1024 * 1024
"""What the room may take beyond the queues of those who are waited for."""


@dataclass(slots=True)
class Ear:
    """What one of them has heard."""

    sock: socket.socket
    numbers: list[int] = field(default_factory=list[int])
    tail: bytes = b""

    def take(self, data: bytes) -> None:
        """Find the numbers, which stand between two marks that nothing else has."""
        data = self.tail + data
        at = data.find(b"#")
        while at >= 0 and (end := data.find(b"#", at + 1)) >= 0:
            self.numbers.append(int(data[at + 1 : end]))
            at = data.find(b"#", end + 1)
        self.tail = b"" if at < 0 else data[at:]


class Crowd(threading.Thread):
    """Reads what those hear who read."""

    def __init__(self, ears: list[Ear]) -> None:
        super().__init__(daemon=True)
        self.ears = ears
        self.said = 0
        self.news = threading.Condition()
        self.over = False
        self._selector = selectors.DefaultSelector()
        for ear in ears:
            ear.sock.setblocking(False)
            self._selector.register(ear.sock, selectors.EVENT_READ, ear)

    def run(self) -> None:
        while not self.over:
            for key, _ in self._selector.select(0.2):
                ear: Ear = key.data
                with suppress(BlockingIOError):
                    data = ear.sock.recv(1024 * 1024)
                    if not data:
                        self._selector.unregister(ear.sock)
                    ear.take(data)
            with self.news:
                self.news.notify_all()
        self._selector.close()

    def wait_heard(self, count: int) -> None:
        """Wait until each has heard `count` messages."""
        with self.news:
            self.news.wait_for(
                lambda: all(len(ear.numbers) >= count for ear in self.ears), PATIENCE
            )
        for ear in self.ears:
            assert ear.numbers == list(range(count))


@pytest.fixture(autouse=True)
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * CROWD if hard == resource.RLIM_INFINITY else min(4 * CROWD, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Room:
    """The five hundred, and alice, who speaks."""

    def __init__(self, server: RunningServer, stack: ExitStack, stalled: int) -> None:
        self.server = server
        self.alice = stack.enter_context(WireClient(server, "alice")).join()
        self.stalled = [self._enter(stack, f"stalled{n}", SMALL) for n in range(stalled)]
        readers = [self._enter(stack, f"reader{n}") for n in range(CROWD - 1 - stalled)]
        self.crowd = Crowd([Ear(sock) for _, sock in readers])
        stack.callback(self.crowd.join)
        stack.callback(setattr, self.crowd, "over", True)
        self.crowd.start()
        self.said = 0

    def _enter(
        self, stack: ExitStack, user: str, receive_buffer: int | None = None
    ) -> tuple[WireClient, socket.socket]:
        client = stack.enter_context(WireClient(self.server, user))
        assert client.invite().status == 200
        sock = stack.enter_context(socket.socket())
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect((HOST, self.server.msrp_tcp))
        sock.sendall(client.frame(None))
        data = b""
        while (taken := take_frame(data)) is None:
            data += sock.recv(1)
        assert taken[0].status == 200
        return client, sock

    def say(self) -> None:
        """Say the next number, with a long filling."""
        self.alice.say(f"#{self.said}# {FILLING}")
        self.said += 1


@pytest.mark.parametrize("stalled", [1, STALLED])
def test_who_stops_reading_is_let_go_and_the_others_hear_all_in_order(
    running_server: StartServer, stalled: int
) -> None:
    server = running_server({"MSRP": {"outbox_limit": LIMIT}, "SIP": {"max_request_rate": 100_000}})
    with ExitStack() as stack:
        room = Room(server, stack, stalled)
        before = server.rss
        while sum("closed: too slow" in line for line in server.log_lines) < stalled:
            room.say()
            room.crowd.wait_heard(room.said)
            assert server.rss - before < MEMORY + stalled * LIMIT
        for _ in range(3):
            room.say()
        room.crowd.wait_heard(room.said)
        for client, _ in room.stalled:
            assert "too slow" in client.await_bye()["Reason"]
        assert server.rss - before < MEMORY
