"""A UDP socket that repeats what is lost, as RFC 3261 wants, in a thread of its own.

Requests are repeated until they are answered, the ACK whenever a 200 comes again, and answers
whenever a request does. What it hands on, it hands on once.
"""

import errno
import queue
import select
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from tests.end_to_end.server import HOST, RunningServer
from tests.end_to_end.wire_client import ROOM, WireClient
from tests.end_to_end.wire_sip import TIMEOUT, Silence, SipMessage, SipWire, take_message

# RFC 3261 section 17.1.1.1, in seconds.
T1 = 0.5
T2 = 4.0
PATIENCE = 64 * T1 + 8
"""Seconds until a message must have come: all repetitions of it, and their delay."""
_TURN = 0.05
"""Seconds between looks at what is due."""


@dataclass(slots=True)
class _Repeated:
    data: bytes
    due: float
    interval: float = T1


@contextmanager
def _too_large() -> Generator[None]:
    """Take it quietly that a router refused a datagram: the next one is sent in fragments."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EMSGSIZE:
            raise


def _key(message: SipMessage) -> tuple[str, str]:
    """Return what names a transaction: the branch, and the method."""
    return message["Via"].partition("branch=")[2].partition(";")[0], message.method


class RepeatingWire(SipWire):
    """The same verbs as `SipWire`, over UDP."""

    def __init__(self, server: RunningServer, source: str = HOST) -> None:
        super().__init__(server, "udp", source)
        self._requests: dict[tuple[str, str], _Repeated] = {}
        self._acks: dict[str, bytes] = {}
        self._answers: dict[tuple[str, str], bytes] = {}
        self._seen: set[bytes] = set()
        self._arrived: queue.SimpleQueue[SipMessage] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self.repetitions = 0
        """Requests and ACKs that were sent again."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        """Send a message, and again as long as that may be needed."""
        taken = take_message(data)
        assert taken is not None
        message = taken[0]
        with self._lock:
            if message.status:
                self._answers[_key(message)] = data
            elif message.method == "ACK":
                self._acks[message["CSeq"].split()[0]] = data
            else:
                self._requests[_key(message)] = _Repeated(data, monotonic() + T1)
        self._try_send(data)

    def receive(self, timeout: float = TIMEOUT) -> SipMessage:
        """Return the next message that did not come before; it has its time to be repeated."""
        if self._waiting:
            return self._waiting.pop(0)
        try:
            return self._arrived.get(timeout=max(timeout, PATIENCE))
        except queue.Empty:
            raise Silence from None

    def close(self) -> None:
        """Close the socket."""
        self._is_closed.set()
        self._thread.join()
        super().close()

    def _run(self) -> None:
        while not self._is_closed.is_set():
            is_readable = bool(select.select([self._socket], [], [], _TURN)[0])
            with self._lock:
                if is_readable:
                    self._read()
                self._repeat()

    def _read(self) -> None:
        with _too_large():
            taken = take_message(self._socket.recv(65536))
            assert taken is not None
            self._take(taken[0])

    def _try_send(self, data: bytes) -> None:
        with _too_large():
            super().send(data)

    def _repeat(self) -> None:
        now = monotonic()
        for repeated in self._requests.values():
            if repeated.due <= now:
                self._send_again(repeated.data)
                repeated.interval = min(2 * repeated.interval, T2)
                repeated.due = now + repeated.interval

    def _send_again(self, data: bytes) -> None:
        self.repetitions += 1
        self._try_send(data)

    def _take(self, message: SipMessage) -> None:
        key = _key(message)
        answer, ack = self._answers.get(key), self._acks.get(message["CSeq"].split()[0])
        if message.status >= 200 or (message.status and message.method == "INVITE"):
            # A provisional response ends the repetition of an INVITE (section 17.1.1.2).
            self._requests.pop(key, None)
        if not message.status and answer is not None:
            self._try_send(answer)
        if message.status >= 200 and message.method == "INVITE" and ack is not None:
            self._send_again(ack)
        if message.raw not in self._seen:
            self._seen.add(message.raw)
            self._arrived.put(message)


class RepeatingClient(WireClient):
    """A `WireClient` over UDP that does not give up."""

    def __init__(
        self,
        server: RunningServer,
        user: str,
        *,
        room: str = ROOM,
        source: str = HOST,
        headers: tuple[str, ...] = (),
    ) -> None:
        super().__init__(server, user, room=room, source=source, headers=headers)
        self.wire.close()
        self.repeating = RepeatingWire(server, source)
        self.wire = self.repeating
