"""What the tests of hostile input share: spoiled requests, and what they may leave in the log."""

import re
from collections.abc import Callable

from tests.end_to_end.server import HOST, RunningServer
from tests.end_to_end.wire_client import WireClient

Spoil = Callable[[bytes], bytes]
"""Makes something wrong of a request that is right."""

NO_ANSWER = 0
"""Stands among the statuses where a request may be dropped, or its connection closed."""


def changed(pattern: str, replacement: str) -> Spoil:
    """Return what replaces the first match of `pattern`, which must be there; latin-1 is bytes."""
    what, by = re.compile(pattern.encode("latin-1")), replacement.encode("latin-1")

    def spoil(request: bytes) -> bytes:
        spoiled, count = what.subn(lambda match: match.expand(by), request, count=1)
        assert count == 1, f"{pattern!r} is not in {request!r}"
        return spoiled

    return spoil


def with_fields(*fields: str) -> Spoil:
    """Return what puts header fields right behind the request line."""
    lines = "".join(f"{field}\r\n" for field in fields).encode("latin-1")

    def spoil(request: bytes) -> bytes:
        start, end, rest = request.partition(b"\r\n")
        return start + end + lines + rest

    return spoil


class LinesAbout:
    """The log entries that name a port or call of ours from now on: ports are given out again."""

    def __init__(self, server: RunningServer, port: int, call_id: str = "nothing") -> None:
        self._server = server
        # A line that is very long is cut, and what is cut off may be the port.
        self._pattern = rf"{HOST}:{port}\b|\[{call_id}\]"
        self._before = len(self._all())

    def _all(self) -> list[str]:
        return [line for line in self._server.entries if re.search(self._pattern, line)]

    @property
    def count(self) -> int:
        """Return how many there are."""
        return len(self._all()) - self._before

    def wait_for_one(self) -> None:
        """Wait for a line; there must not be two."""
        self._server.wait_for_log(self._pattern, times=self._before + 1)
        assert self.count == 1, self._all()[self._before :]


def status_of(client: WireClient, spoiled: bytes) -> int:
    """Return the final status that a request gets, NO_ANSWER if it gets none.

    That shows when a good request behind it is answered first, or the connection is closed.
    """
    good = client.request("OPTIONS")
    number = take_cseq(good)
    try:
        client.wire.send(spoiled)
        client.wire.send(good)
        while (message := client.wire.receive()).status < 200:
            pass
    except (EOFError, ConnectionResetError, BrokenPipeError):
        return NO_ANSWER
    # A field that could not be read is not repeated in the answer.
    is_next = "CSeq" in message and message["CSeq"].split()[0] == number
    return NO_ANSWER if is_next else message.status


def take_cseq(request: bytes) -> str:
    """Return the number in the CSeq of a request."""
    return request.partition(b"\r\nCSeq: ")[2].split()[0].decode()


def is_well(server: RunningServer) -> bool:
    """Tell whether somebody new can join, say something and leave."""
    with WireClient(server, "newcomer") as newcomer:
        newcomer.join()
        newcomer.say_nothing()
        newcomer.leave()
    return True
