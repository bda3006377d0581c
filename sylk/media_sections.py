"""The sections of `sylk.ini` that are about media: how chats are carried."""

from dataclasses import dataclass
from typing import ClassVar

from sylk.settings import Bytes, IPAddress, Port, Seconds, setting


@dataclass(frozen=True, kw_only=True)
class MsrpSettings:
    """Where MSRP is spoken, and how much is kept for a recipient that is slow."""

    section: ClassVar[str] = "MSRP"

    local_ip: IPAddress = setting(
        "0.0.0.0",
        "The address to listen on; 0.0.0.0 is every IPv4 address of the machine, :: every address "
        "of both IPv4 and IPv6.",
    )
    local_tcp_port: Port = setting(2855, "The TCP port; 0 takes any that is free.")
    local_tls_port: Port | None = setting(
        2856, "The TLS port; none does without MSRP over TLS. 0 takes any that is free."
    )
    advertised_ip: IPAddress | None = setting(
        None,
        "The address in the paths that peers are given; none takes that of [SIP], or else the "
        "one that the peer is reached from.",
    )
    use_tls: bool = setting(
        False,
        "Whether MSRP over TLS is offered where the offer is ours. A call that comes in gets what "
        "it asks for.",
    )
    cema: bool = setting(
        True,
        "Whether a border controller may lead MSRP connections through itself by rewriting the c= "
        "and m= lines of SDP (RFC 6714). no goes by the paths alone, for networks in which "
        "something rewrites these lines and carries no MSRP.",
    )
    max_connections: int = setting(
        20_000,
        "The most connections at one time. Over it a new one is closed at once.",
        unit="connections",
        minimum=1,
    )
    max_connections_per_source: int = setting(
        2_000,
        "The most connections of one source at one time. Over it a new one is closed at once. As "
        "in [SIP], it does not hold for unlimited_peers.",
        unit="connections",
        minimum=1,
    )
    max_connection_rate: int = setting(
        200,
        "How many new connections of one source are taken in a second; in a burst, what it has for "
        "five seconds. Over it a new one is closed at once.",
        unit="connections a second",
        minimum=1,
    )
    max_message_size: Bytes = setting(
        10 * 1024**2,
        "The largest message that an application takes whole, all its chunks together. A larger "
        "one is refused with 413. Rooms pass larger ones on as they come: see stream_above.",
        unit="bytes",
        minimum=1024,
    )
    stream_above: Bytes = setting(
        64 * 1024,
        "The size up to which a room puts a message together that comes in several chunks, since "
        "many clients cannot. A larger one is passed on chunk by chunk as it comes.",
        unit="bytes",
        minimum=1024,
    )
    max_stream_size: Bytes = setting(
        4 * 1024**3,
        "The largest message that a room passes on as it comes. A larger one is ended with 413.",
        unit="bytes",
        minimum=1024**2,
    )
    outbox_limit: Bytes = setting(
        4 * 1024**2,
        "How much may wait for one recipient that is slow. Over it the session of that recipient "
        "is ended.",
        unit="bytes",
        minimum=64 * 1024,
    )
    outbox_timeout: Seconds = setting(
        30,
        "How long a recipient may take no byte of what waits for it before its session is ended.",
        unit="seconds",
        minimum=1,
    )
    keepalive_interval: Seconds = setting(
        60,
        "How long a session may be silent before an empty message is sent to see whether the "
        "peer is still there. Without an answer within 30 seconds more the session is ended.",
        unit="seconds",
        minimum=5,
    )
    establish_timeout: Seconds = setting(
        15,
        "How long a peer may take to connect and name its session after the call is answered, "
        "before the call is ended.",
        unit="seconds",
        minimum=1,
    )
