"""What sessions and connections need of each other, so that neither imports the other."""

from typing import Protocol, TypeVar

from sylk.msrp.frame import Frame
from sylk.msrp.outgoing_stream import OutgoingStream

Session = TypeVar("Session", contravariant=True)
Link = TypeVar("Link", contravariant=True)


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

    def waiting(self) -> int:
        """Return how many bytes wait to be written out."""
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


class FrameTaker(Protocol[Link]):
    """Who takes frames that are for no session: a relay, or a client that logs in to one."""

    def receive_frame(self, link: Link, frame: Frame, now: float) -> bool:
        """Take a frame that came over `link`; False leaves it to whoever else there is."""
        ...
