"""What was said while somebody held the chat, for when he comes back. No I/O, no clock."""

from collections import deque
from collections.abc import Sequence


class Missed:
    """The latest messages that one participant has missed, within bounds."""

    def __init__(self, max_messages: int, max_size: int) -> None:
        """Keep at most so many messages, and so many bytes of them."""
        self._bodies: deque[bytes] = deque()
        self._size = 0
        self._max_messages = max_messages
        self._max_size = max_size
        self.lost = 0
        """How many older ones had to be given up."""

    def add(self, body: bytes) -> None:
        """Keep one more message/cpim body."""
        self._bodies.append(body)
        self._size += len(body)
        while len(self._bodies) > self._max_messages or self._size > self._max_size:
            self._size -= len(self._bodies.popleft())
            self.lost += 1

    def precede(self, bodies: Sequence[bytes]) -> None:
        """Put before all that is kept what was said earlier; only what comes later makes it go."""
        self._bodies.extendleft(reversed(bodies))
        self._size += sum(map(len, bodies))

    def take(self) -> list[bytes]:
        """Return what is kept, the oldest first, and keep nothing."""
        bodies = list(self._bodies)
        self._bodies.clear()
        self._size = self.lost = 0
        return bodies
