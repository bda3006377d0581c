"""What one session may hold, and how long it waits."""

from dataclasses import dataclass

MAX_MESSAGE_SIZE = 1_048_576
"""Bytes of one message that is put together; a larger one is refused with 413."""

MAX_STREAM_SIZE = 1 << 62
"""Bytes of one message that is taken as it comes."""

MAX_OPEN_MESSAGES = 32
"""Messages of one session that wait for chunks; one more drops the oldest."""

MAX_TRANSACTIONS = 1024
"""Requests of one session without an answer; one more is a LocalProtocolError."""

TRANSACTION_TIMEOUT = 30.0
"""Seconds until a request without an answer has failed (RFC 4975 section 7.1.1)."""

BIND_TIMEOUT = 30.0
"""Seconds within which a session must be bound, or it closes."""

KEEPALIVE_INTERVAL = 60.0
"""Seconds of silence from the peer after which an empty SEND asks whether it is still there."""

DOUBT_TIMEOUT = 5.0
"""Seconds for an answer on a connection that the peer seems to have replaced by another one."""

MAX_KEPT = 4 * 1024 * 1024
"""Bytes of one session that are kept to be sent, or sent again, on its next connection."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The bounds of one session (bytes, counts, seconds)."""

    max_message_size: int = MAX_MESSAGE_SIZE
    stream_above: int | None = None
    """The size above which a message is handed on as it comes; None puts every one together."""
    max_stream_size: int = MAX_STREAM_SIZE
    max_open_messages: int = MAX_OPEN_MESSAGES
    max_transactions: int = MAX_TRANSACTIONS
    transaction_timeout: float = TRANSACTION_TIMEOUT
    bind_timeout: float = BIND_TIMEOUT
    keepalive_interval: float | None = KEEPALIVE_INTERVAL
    """None never asks."""
    reconnect_timeout: float = 0.0
    """How long a session waits for another connection when its own is lost; 0 ends it at once."""
    max_kept: int = MAX_KEPT


DEFAULT_LIMITS = SessionLimits()
