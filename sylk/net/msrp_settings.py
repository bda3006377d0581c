"""Where MSRP is spoken, and what bounds its links and sessions."""

from dataclasses import dataclass, field

from sylk.msrp.session_limits import SessionLimits
from sylk.msrp.uri import DEFAULT_PORT
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.outbox import DEFAULT_LIMIT, DEFAULT_TIMEOUT
from sylk.net.relay_traffic import RelaySettings


@dataclass(slots=True)
class MsrpPortSettings:
    """Where MSRP listens, and the bounds of each link (bytes, seconds, a count)."""

    host: str = "0.0.0.0"
    port: int | None = DEFAULT_PORT
    tls_port: int | None = None
    use_tls: bool = False
    """Whether an offer of ours is for MSRP over TLS."""
    cema: bool = True
    """Whether a middlebox may anchor the connection (RFC 6714)."""
    verify_peers: bool = False
    """Whether a peer whose SDP names no certificate must show one that an authority has signed."""
    advertised_host: str | None = None
    connections: ConnectionLimits = field(default_factory=lambda: ConnectionLimits(20_000))
    max_message_size: int = 10 * 1024 * 1024
    stream_above: int = 64 * 1024
    max_stream_size: int = 4 * 1024**3
    outbox_limit: int = DEFAULT_LIMIT
    outbox_timeout: float = DEFAULT_TIMEOUT
    max_waiting: int = 512 * 1024 * 1024
    """What may wait for all peers together."""
    keepalive_interval: float = 60.0
    reconnect_timeout: float = 20.0
    """How long a session outlives its connection; 0 ends it at once."""
    establish_timeout: float = 15.0
    relay: RelaySettings | None = None
    """What we carry for others (RFC 4976); None where we are no relay."""

    def session_limits(self, *, streams: bool) -> SessionLimits:
        """Return the bounds of one session; with `streams` it takes large messages in pieces."""
        return SessionLimits(
            max_message_size=self.max_message_size,
            stream_above=self.stream_above if streams else None,
            max_stream_size=self.max_stream_size,
            keepalive_interval=self.keepalive_interval,
            reconnect_timeout=self.reconnect_timeout,
            max_kept=self.outbox_limit,
        )
