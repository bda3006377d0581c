"""What a session needs of its surroundings, so that it imports neither connection nor registry."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sylk.msrp.session import MsrpSession


class SessionLink(Protocol):
    """The connection of a session."""

    def attach(self, session: "MsrpSession") -> None:
        """Take a session that is to be bound to this connection."""
        ...

    def queue(self, data: bytes) -> None:
        """Send these bytes with what else there is."""
        ...

    def announce(self, session: "MsrpSession") -> None:
        """Note that the session has one more event."""
        ...

    def release(self, session: "MsrpSession") -> None:
        """Let go of a session that is over."""
        ...


class SessionIndex(Protocol):
    """The list in which a session can be found."""

    def remove(self, session: "MsrpSession") -> None:
        """Strike out a session that is over."""
        ...
