"""What a NOTIFY carries: the whole state, or what changed since the one before (RFC 6665 4.3)."""

from dataclasses import dataclass

from sylk.errors import LocalProtocolError


@dataclass(slots=True)
class NotifiedState:
    """A state as its subscriber is told it.

    `difference` tells the same to a subscriber who knows the state before; it is good for one
    NOTIFY, for whoever asks again wants the whole.
    """

    body: bytes = b""
    content_type: str | None = None
    difference: bytes = b""

    def __post_init__(self) -> None:
        if self.body and self.content_type is None:
            raise LocalProtocolError("a body needs a content type")

    def take_body(self) -> bytes:
        """Return what goes into the next NOTIFY."""
        body, self.difference = self.difference or self.body, b""
        return body
