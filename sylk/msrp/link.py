"""What a session needs of its surroundings, so that it imports neither connection nor registry."""

from typing import Protocol, TypeVar

from sylk.msrp.outgoing_stream import OutgoingStream

Session = TypeVar("Session", contravariant=True)


class SessionLink(Protocol[Session]):
    """The connection of a session."""

    def attach(self, session: Session) -> None:
        """Take a session that is to be bound to this connection."""
        ...

    def queue(self, data: bytes) -> None:
        """Send these bytes with what else there is."""
        ...

    def queue_piece(self, stream: OutgoingStream, data: bytes) -> None:
        """Send bytes of the open chunk of a stream, or its head."""
        ...

    def announce(self, session: Session) -> None:
        """Note that the session has one more event."""
        ...

    def release(self, session: Session) -> None:
        """Let go of a session that is over."""
        ...


class SessionIndex(Protocol[Session]):
    """The list in which a session can be found."""

    def remove(self, session: Session) -> None:
        """Strike out a session that is over."""
        ...
