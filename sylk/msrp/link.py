"""What a session needs of its surroundings, so that it knows neither connection nor registry."""

from typing import Protocol


class SessionLink(Protocol):
    """The connection of a session."""

    def queue(self, data: bytes) -> None:
        """Send these bytes."""
        ...

    def announce(self, session: object) -> None:
        """Note that the session has one more event."""
        ...

    def release(self, session: object) -> None:
        """Let go of a session that is over."""
        ...


class SessionIndex(Protocol):
    """The list in which a session can be found."""

    def remove(self, session: object) -> None:
        """Strike out a session that is over."""
        ...
