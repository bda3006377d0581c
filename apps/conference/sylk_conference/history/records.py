"""What is kept of a room, who was there when it was said, and how much of it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio


@dataclass(slots=True)
class Record:
    """One message that everybody in a room got; a private one is never made into a record."""

    room: str
    """user@host of the room."""
    at: float
    """When the server passed it on, in seconds since 1970 (UTC)."""
    sender: str
    """The URI of who said it."""
    body: bytes
    """The message/cpim body as it was delivered: From and DateTime stand in it."""
    sequence: int = 0
    """Its place in the order of all that was ever said; the store gives it."""


@dataclass(slots=True)
class Said:
    """What one participant said to everybody in one go, to be made into records."""

    room: str
    """user@host of the room."""
    at: float
    """When the server passed it on, in seconds since 1970 (UTC)."""
    sender: str
    """The URI of who said it."""
    bodies: Sequence[bytes]
    """The message/cpim bodies, in their order."""


@dataclass(slots=True, eq=False)
class Visit:
    """One session's time in a room, from `HistoryStore.enter` to `HistoryStore.leave`."""

    room: str
    user: str
    since: int | None = None
    """The last sequence number of the user's time here before; None for who was never here, and for
    who is here with another client."""
    until: int | None = None
    """The last sequence number before this visit; None until it is on disk."""
    begun: trio.Event | None = field(default_factory=trio.Event)
    """Set, and None from then on, once the beginning is on disk, or will not be soon."""

    def begin(self) -> None:
        """Take it that the beginning is on disk, or will not be soon."""
        if self.begun is not None:
            self.begun.set()
            self.begun = None


@dataclass(frozen=True, kw_only=True)
class HistoryLimits:
    """How much is kept, and how long somebody may be held up by a disk."""

    age: float = 86400.0
    """Seconds for which a record is kept; 0 for as long as the others allow."""
    count: int = 10_000
    """Records of one room, of which the oldest go first; 0 for as many as the others allow."""
    size: int = 1024**3
    """Bytes in use in the file; over it the oldest records of all rooms go."""
    pending: int = 2 * 1024**2
    """Bytes that wait for the disk: over it senders wait, and with no disk nothing is kept."""
    patience: float = 5.0
    """Seconds that an acknowledgment, a reader or the end of the server waits for the disk."""
    retry: float = 10.0
    """Seconds between two attempts to write after one has failed."""
