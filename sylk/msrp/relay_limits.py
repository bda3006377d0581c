"""The bounds of a relay: what clients, and those who write to them, can make it keep."""

from dataclasses import dataclass


@dataclass(slots=True)
class RelayLimits:
    """Times in seconds, sizes in bytes."""

    min_expires: int = 60
    max_expires: int = 86_400
    default_expires: int = 43_200
    """For a client that names no time. COMPAT: deployed ones name none and never ask again."""
    max_clients: int = 1000
    """Connections that have a path."""
    max_paths: int = 32
    """Paths of one user at one time: each session needs one."""
    max_next_hops: int = 1000
    """Connections that we have opened."""
    max_transactions: int = 4096
    """Requests from one connection that were passed on and wait for an answer."""
    transaction_timeout: float = 30.0
    """RFC 4976 section 6.4.1."""
    max_waiting: int = 256 * 1024
    """What may wait for a connection that is being opened; more is refused with 408."""
    max_backlog: int = 1024 * 1024
    """What may wait for a slow connection; with more waiting no message is begun."""
    idle_timeout: float = 3600.0
    """After which a connection that nobody uses is closed (RFC 4976 section 6.5)."""
    max_failures: int = 4
    """Wrong credentials in a row that end the connection (RFC 4976 section 6.3)."""
    max_challenges: int = 16
    """AUTH requests without credentials in a row that end the connection."""
