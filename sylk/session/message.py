"""One chat message as an application gets it, whether it came wrapped in CPIM or bare."""

from sylk.errors import RemoteProtocolError
from sylk.msrp.events import IncomingMessage, PieceReceived, StreamAborted
from sylk.msrp.incoming_stream import IncomingStream
from sylk.payload.cpim import Address, CpimMessage, Envelope, split_envelope
from sylk.session.nickname import NicknameRequest

CPIM = "message/cpim"
CPIM_BYTES = CPIM.encode()


class MessagePiece:
    """Some bytes of a message that is too large to be put together (`start` counts from zero).

    With `is_aborted` no more comes of it, and it has no bytes.
    """

    __slots__ = ("body", "ends_chunk", "is_aborted", "is_complete", "start", "stream")

    def __init__(self, event: PieceReceived | StreamAborted) -> None:
        self.stream: IncomingStream = event.stream
        """The message that it belongs to: the same object for each of its pieces."""
        self.is_aborted = isinstance(event, StreamAborted)
        self.start = 0
        self.body = b""
        self.ends_chunk = False
        self.is_complete = False
        """True for the piece after which nothing is missing."""
        if isinstance(event, PieceReceived):
            self.start, self.body = event.start, event.body
            self.ends_chunk = bool(event.flag)
            self.is_complete = event.completes


class ChatMessage:
    """A message that has arrived in a chat.

    What is inside is read only when asked for; a switch that passes messages on reads nothing but
    the envelope. The accessors raise RemoteProtocolError (400) when the CPIM is malformed.
    """

    __slots__ = ("_cpim", "_envelope", "received")

    def __init__(self, received: IncomingMessage) -> None:
        self.received = received
        self._cpim: CpimMessage | None = None
        self._envelope: Envelope | None = None

    @property
    def body(self) -> bytes:
        """The body as it came, CPIM and all."""
        return self.received.body

    @property
    def is_cpim(self) -> bool:
        """Tell whether the message came wrapped."""
        outer = self.received.content_type
        return outer == CPIM_BYTES or outer.partition(b";")[0].strip().lower() == CPIM_BYTES

    @property
    def envelope(self) -> Envelope:
        """The CPIM headers as raw lines."""
        if self._envelope is None:
            self._envelope = split_envelope(self.received.body)
        return self._envelope

    @property
    def cpim(self) -> CpimMessage:
        """The whole CPIM message, parsed."""
        if self._cpim is None:
            if not self.is_cpim:
                raise RemoteProtocolError("the message is not wrapped in CPIM", 400)
            self._cpim = CpimMessage.parse(self.received.body)
        return self._cpim

    def check(self) -> None:
        """Read all there is to read, so that no accessor raises later.

        Raises RemoteProtocolError (400) when the CPIM is malformed.
        """
        if self.is_cpim:
            _ = self.cpim.from_, self.cpim.to

    @property
    def content_type(self) -> str:
        """The type of the content proper, with its parameters."""
        if self.is_cpim:
            return self.cpim.content_type
        return self.received.content_type.decode("utf-8", "replace")

    @property
    def content(self) -> bytes:
        """The content proper."""
        return self.cpim.content if self.is_cpim else self.received.body

    @property
    def text(self) -> str:
        """The content as text; what is not UTF-8 is replaced."""
        return self.content.decode("utf-8", "replace")

    @property
    def sender(self) -> Address | None:
        """The CPIM From, if there is one."""
        return self.cpim.from_ if self.is_cpim else None

    @property
    def recipients(self) -> list[Address]:
        """The CPIM To addresses."""
        return self.cpim.to if self.is_cpim else []


Incoming = ChatMessage | MessagePiece | NicknameRequest
"""What may come in a chat."""
