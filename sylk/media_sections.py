"""The sections of `sylk.ini` that are about media: how chats are carried, and for whom."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sylk.settings import Bytes, IPAddress, Networks, Port, Seconds, setting


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
    relay: str | None = setting(
        None,
        "The MSRP relay (RFC 4976) that carries the sessions of this server, such as "
        "msrps://relay.example.com;tcp, for a server that clients cannot connect to. Calls whose "
        "offer is in clear go through an msrp relay alone, those over TLS through an msrps one; "
        "others, and all while the relay cannot be reached, go without.",
    )
    relay_user: str | None = setting(None, "The user as whom the server logs in at that relay.")
    relay_password_file: Path | None = setting(
        None, "The file whose first line is the password of that user."
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
    max_waiting: Bytes = setting(
        512 * 1024**2,
        "How much may wait for all recipients together. Over it the session of the one for whom "
        "most waits is ended.",
        unit="bytes",
        minimum=1024**2,
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
        "peer is still there. Without an answer within 30 seconds more its connection is lost.",
        unit="seconds",
        minimum=5,
    )
    reconnect_timeout: Seconds = setting(
        20,
        "How long a session whose connection is lost may get another one; up to outbox_limit of "
        "what is said to it meanwhile is kept. After that it is ended. 0 ends it at once.",
        unit="seconds",
        minimum=0,
    )
    establish_timeout: Seconds = setting(
        15,
        "How long a peer may take to connect and name its session after the call is answered, "
        "before the call is ended.",
        unit="seconds",
        minimum=1,
    )


@dataclass(frozen=True, kw_only=True)
class RelaySection:
    """For whom the MSRP ports are a relay (RFC 4976): clients that peers cannot connect to."""

    section: ClassVar[str] = "Relay"

    enabled: bool = setting(
        False,
        "Whether users with a password may have their messages carried through the ports of "
        "[MSRP]. It needs local_tls_port there.",
    )
    host: str | None = setting(
        None,
        "The name under which clients and their peers reach this relay, as the certificate says "
        "it; none takes the advertised_ip of [MSRP] or [SIP], or else the name of the machine.",
    )
    realm: str | None = setting(
        None,
        "The domain of the users: those to whom `sylk-server passwd USER@REALM` gave a password. "
        "none takes the realm of [SIP].",
    )
    clear: bool = setting(
        False,
        "Whether a client may ask for a path without TLS, where everybody on the way reads along.",
    )
    allowed_networks: Networks = setting(
        (),
        "Where messages may be carried besides the public Internet: any, none, or a list of "
        "addresses and networks. A user can make the server connect to whatever is in them.",
    )
    min_expires: int = setting(
        60,
        "The shortest time for which a client gets a path. One that asks for less is told so.",
        unit="seconds",
        minimum=1,
    )
    max_expires: int = setting(
        86_400,
        "The longest time for which a client gets a path. One that asks for more is told so.",
        unit="seconds",
        minimum=60,
    )
    default_expires: int = setting(
        43_200,
        "The time for a client that asks for none. Many never ask again, and their sessions end "
        "with it.",
        unit="seconds",
        minimum=60,
    )
    max_clients: int = setting(
        1000,
        "The most connections that have a path. Over it a client is refused with 403.",
        unit="connections",
        minimum=1,
    )
    max_paths_per_client: int = setting(
        32,
        "The most paths that one user has at a time, one for each session. Over it a request for "
        "one more is refused with 403.",
        unit="paths",
        minimum=1,
    )
    max_wrong_passwords: int = setting(
        20,
        "How many wrong passwords one source may give in a minute, and at once. Over it the answer "
        "to any password is 403. As in [SIP], it does not hold for unlimited_peers.",
        unit="passwords a minute",
        minimum=1,
    )
    max_next_hops: int = setting(
        1000,
        "The most connections that are opened for clients. Over it messages to other places fail.",
        unit="connections",
        minimum=1,
    )
    idle_timeout: Seconds = setting(
        3600,
        "How long a connection that belongs to no path may be silent before it is closed.",
        unit="seconds",
        minimum=60,
    )
