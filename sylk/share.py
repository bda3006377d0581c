"""Which part of all addresses a process has, where several workers are one server.

An address belongs to a worker by the user part of its URI: a room has the same people at each host
of the server, and a request inside a call comes to a Contact with the user of the room.
"""

from dataclasses import dataclass
from urllib.parse import unquote
from zlib import crc32


def worker_of(user: str | None, count: int) -> int:
    """Return which of `count` workers has the addresses with this user part, not escaped."""
    return crc32((user or "").encode("utf-8", "surrogatepass")) % count


def user_of(address: str) -> str | None:
    """Return the user part, not escaped, of user@host as a URI has it; None if it has none."""
    user, at, _ = address.rpartition("@")
    return unquote(user, errors="surrogateescape") if at else None


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one process; by default there is one, which has all."""

    index: int = 0
    count: int = 1

    def owns(self, user: str | None) -> bool:
        """Tell whether addresses with this user part are answered by this process."""
        return worker_of(user, self.count) == self.index
