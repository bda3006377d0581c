"""What a session tells its user (RFC 4975 section 7, RFC 7701 section 7)."""

from dataclasses import dataclass

from sylk.msrp.frame import ByteRange, Frame
from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.receipt import Receipt


@dataclass(slots=True)
class IncomingMessage:
    """A whole message, put together from its chunks.

    `frame` is the request that completed it and waits for an answer, unless `answered` says that
    it has one; `settled` is set once the user has answered it.
    """

    message_id: bytes
    content_type: bytes
    body: bytes
    success_report: bool
    failure_report: bytes
    frame: Frame
    answered: bool = False
    settled: bool = False
    receipt: Receipt | None = None
    """What reports on it are counted by, once there was one."""


@dataclass(slots=True)
class Bound:
    """The session has its connection; messages may be sent from now on."""


@dataclass(slots=True)
class Detached:
    """The connection is lost; for a bounded time the session waits to be bound to another one.

    Told again when an attempt to bind it came to nothing.
    """

    reason: str


@dataclass(slots=True)
class Rebound:
    """The session has a connection again, and goes on where it was."""


@dataclass(slots=True)
class MessageReceived:
    """A message came; accept or refuse it, once."""

    message: IncomingMessage


@dataclass(slots=True)
class PieceReceived:
    """Bytes of a message that is too large to be put together, as they came.

    `start` counts from zero. `flag` ends the chunk in which they came, and is empty while that
    goes on. With `completes` nothing is missing any more, and the message waits to be accepted.
    """

    stream: IncomingStream
    start: int
    body: bytes
    flag: bytes
    completes: bool = False


@dataclass(slots=True)
class StreamAborted:
    """No more comes of such a message: its sender, or the session, has given it up."""

    stream: IncomingStream


@dataclass(slots=True)
class NicknameRequested:
    """The peer wants to be called `nickname`, or gives up its name when that is empty."""

    nickname: str
    frame: Frame


@dataclass(slots=True)
class NicknameAnswered:
    """The peer answered our NICKNAME; 408 when it did not within the transaction time-out."""

    transaction_id: bytes
    status: int
    comment: bytes


@dataclass(slots=True)
class MessageAccepted:
    """The next hop took our message: a 200 response came."""

    message_id: bytes


@dataclass(slots=True)
class MessageFailed:
    """Our message was refused, or not answered in time (408)."""

    message_id: bytes
    status: int
    comment: bytes


@dataclass(slots=True)
class ReportReceived:
    """The other end reports on bytes of our message; `byte_range` is None when it did not say.

    With 200 they have arrived; what has been reported before is not told again.
    """

    message_id: bytes
    status: int
    byte_range: ByteRange | None
    comment: bytes = b""


@dataclass(slots=True)
class MessageReported:
    """Success is reported now on every byte of our message; told once."""

    message_id: bytes


@dataclass(slots=True)
class FanOutAnswered:
    """The peer answered a message that went to many, or one that nobody knows.

    An error came as a response or as a REPORT, a success as a REPORT. `identifier` is the
    transaction id or the Message-ID, which a fan-out chooses alike.
    """

    identifier: bytes
    status: int
    comment: bytes


@dataclass(slots=True)
class Closed:
    """The session is over; nothing follows."""

    reason: str


SessionEvent = (
    Bound
    | Detached
    | Rebound
    | MessageReceived
    | PieceReceived
    | StreamAborted
    | NicknameRequested
    | NicknameAnswered
    | MessageAccepted
    | MessageFailed
    | ReportReceived
    | MessageReported
    | FanOutAnswered
    | Closed
)
