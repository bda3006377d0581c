"""A flow: the way over which a message came, and over which the answer goes back.

A client behind a NAT can be reached only over the connection, or the pair of UDP addresses, which
it opened itself. Engines therefore never name a socket; they name the flow, and the transport
layer keeps the map from flows to sockets.
"""

from dataclasses import dataclass

Address = tuple[str, int]


def show_address(address: Address) -> str:
    """Return host and port as one text, an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Flow:
    """One pair of addresses over one transport, and for a stream one connection.

    `transport` is "udp", "tcp" or "tls". `connection_id` tells apart two connections which had
    the same pair of addresses one after the other; it is 0 for UDP.
    """

    transport: str
    local: Address
    remote: Address
    connection_id: int = 0

    @property
    def reliable(self) -> bool:
        """True when the transport itself repeats what was lost (RFC 3261 section 17)."""
        return self.transport != "udp"

    @property
    def secure(self) -> bool:
        """True when the transport is encrypted, as a `sips` URI asks (RFC 3261 section 26.2)."""
        return self.transport == "tls"
