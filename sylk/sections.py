"""The sections of `sylk.ini` that belong to the server itself.

Those of the applications stand beside each application.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar, Literal

from sylk.settings import (
    ANY_NETWORK,
    Bytes,
    IPAddress,
    Networks,
    Port,
    Seconds,
    setting,
)

_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Which applications answer which requests, and where the server keeps things."""

    section: ClassVar[str] = "Server"

    default_application: str = setting(
        "conference",
        "The application for requests that nothing else claims.",
        restart=False,
    )
    application_map: Mapping[str, str] = setting(
        {"echo": "echo"},
        "Which application answers which address: a list of key:application. A key is user@domain, "
        "domain or user, looked up in this order.",
        restart=False,
    )
    disabled_applications: tuple[str, ...] = setting(
        (), "Applications that are not started; a request for one is refused with 404."
    )
    extra_applications_dir: Path | None = setting(
        None, "A folder with applications that are not installed as packages."
    )
    spool_dir: Path = setting(
        Path("var/spool"),
        "The folder for what outlives a restart. A relative path starts from the folder in which "
        "the server is started.",
    )
    workers: int = setting(
        1,
        "How many processes answer, so that as many processor cores are used. Each room is in one "
        "of them. With more than one, the ports of [MSRP] and [Metrics] are those of the first, "
        "each other one has ports 2 further than the one before; limits of rates, calls and MSRP "
        "connections hold for each; and nothing is announced by bonjour.",
        unit="processes",
        minimum=1,
        maximum=64,
    )
    bonjour: Literal["auto", "yes", "no"] = setting(
        "auto",
        "Whether the server, its rooms and its other services are announced to the neighbours by "
        "multicast DNS. auto does it unless SIP listens on loopback alone.",
    )
    bonjour_interfaces: tuple[str, ...] = setting(
        (), "The network interfaces on which it is announced, such as eth0; empty for all."
    )
    log_level: Literal["debug", "info", "warning", "error", "critical"] = setting(
        "info",
        "The least serious lines that still reach the log. sylk-server log-level changes it while "
        "the server runs.",
        restart=False,
    )
    log_format: Literal["text", "json"] = setting(
        "text", "How each line of the log is written: for people, or a JSON object for programs."
    )
    stall_limit: Seconds = setting(
        1,
        "For how long one piece of work may hold up all others before a line of the log says so, "
        "and where it was.",
        unit="seconds",
        minimum=0.05,
    )


@dataclass(frozen=True, kw_only=True)
class SipSettings:
    """Where SIP is spoken, with whom, and how much of it is taken."""

    section: ClassVar[str] = "SIP"

    local_ip: IPAddress = setting(
        "0.0.0.0",
        "The address to listen on; 0.0.0.0 is every IPv4 address of the machine, :: every address "
        "of both IPv4 and IPv6.",
    )
    local_udp_port: Port | None = setting(5060, "The UDP port; none does without UDP.")
    local_tcp_port: Port | None = setting(5060, "The TCP port; none does without TCP.")
    local_tls_port: Port | None = setting(5061, "The TLS port; none does without TLS.")
    advertised_ip: IPAddress | None = setting(
        None,
        "The address that peers are told to use; none takes the one that the peer is reached "
        "from. Needed behind a router that translates addresses.",
    )
    domains: tuple[str, ...] = setting(
        (),
        "The domains of this server. A room has the same people at each of them, at each address "
        "of the machine and at its host name; it is shown with the first domain, or with an "
        "address of the machine where there is none.",
    )
    outbound_proxy: str | None = setting(
        None,
        "The proxy for requests that the server sends of its own accord: a SIP URI or host:port, "
        "such as proxy.example.com:5060;transport=tcp. none sends them straight to the servers of "
        "whom they are for.",
    )
    trusted_peers: Networks = setting(
        ANY_NETWORK,
        "Who may send requests: any, none, or a list of addresses and networks. Others are "
        "refused with 403, or challenged with 401 if authenticate is on. Peers that it names, as "
        "any does not, are proxies that speak for others: whom they name in P-Asserted-Identity, "
        "he it is.",
        restart=False,
    )
    trusted_domains: tuple[str, ...] = setting(
        (),
        "The domains whose servers are trusted like peers that trusted_peers names, once they have "
        "shown a certificate for their domain. Needs client_certificates in [TLS].",
    )
    authenticate: bool = setting(
        False,
        "Whether a request that begins something (INVITE, SUBSCRIBE, REFER, MESSAGE) must carry "
        "the digest of a user to whom `sylk-server passwd USER@REALM` gave a password, and come "
        "from that user's address. Without it the answer is 401; in the name of somebody else, "
        "403. Peers that trusted_peers names need no digest; any names nobody.",
        restart=False,
    )
    realm: str = setting(
        "localhost",
        "The domain of the users who have a password: what stands behind the @ of their addresses.",
    )
    digest_algorithms: tuple[str, ...] = setting(
        ("SHA-256", "MD5"),
        "What a challenge offers, of SHA-256 and MD5; SHA-256 always comes first, in whatever "
        "order they stand here. Over UDP the answer to a request that is shorter than both takes "
        "has room for the last of them alone: who wants no MD5 lets it be SHA-256 alone. Some old "
        "clients give up when they see SHA-256 although they know MD5: for them let it be MD5 "
        "alone.",
        restart=False,
    )
    nonce_lifetime: Seconds = setting(
        300,
        "How long a client may use one challenge. Over it the client is given another one, which "
        "it answers without asking for the password again.",
        unit="seconds",
        minimum=10,
        maximum=86400,
        restart=False,
    )
    max_message_size: Bytes = setting(
        64 * 1024,
        "The longest message that is taken. A longer one is refused, and over TCP its connection "
        "is closed.",
        unit="bytes",
        minimum=4096,
        maximum=16 * 1024**2,
    )
    max_headers: int = setting(
        256,
        "The most header fields in a message. One with more is refused with 513, and over TCP its "
        "connection is closed.",
        unit="header fields",
        minimum=32,
    )
    max_header_size: Bytes = setting(
        8 * 1024,
        "The longest header field, and the longest first line. A longer one is refused with 513 or "
        "414, and over TCP its connection is closed.",
        unit="bytes",
        minimum=512,
    )
    max_body_size: Bytes = setting(
        64 * 1024,
        "The longest body, as far as max_message_size has room for it. A longer one is refused "
        "with 413, and over TCP its connection is closed.",
        unit="bytes",
        minimum=1024,
    )
    message_timeout: Seconds = setting(
        30,
        "How long a TCP peer may take to send the rest of a message that it has begun, before its "
        "connection is closed.",
        unit="seconds",
        minimum=1,
    )
    handshake_timeout: Seconds = setting(
        10,
        "How long a TLS handshake may take before its connection is closed.",
        unit="seconds",
        minimum=1,
    )
    max_request_rate: int = setting(
        100,
        "How many requests that begin something one source may send in a second; a source is an "
        "IPv4 address or an IPv6 network of 64 bits. In a burst it may send what it has for five "
        "seconds. Over it the answer is 503 with Retry-After, and none at all to a source that "
        "goes on.",
        unit="requests a second",
        minimum=1,
        restart=False,
    )
    max_refusal_lines: int = setting(
        100,
        "How many lines of the log a minute are about requests of one source that were refused. "
        "Over it they are counted, and the count is told. With log_level debug each has its line.",
        unit="lines a minute",
        minimum=1,
    )
    max_wrong_passwords: int = setting(
        20,
        "How many wrong passwords one source may give in a minute, and at once. Over it the answer "
        "to any password is 503 with Retry-After.",
        unit="passwords a minute",
        minimum=1,
        restart=False,
    )
    max_subscriptions: int = setting(
        20_000,
        "The most subscriptions and referrals at one time. Over it a new one is refused with 503 "
        "and Retry-After.",
        unit="subscriptions",
        minimum=1,
    )
    max_subscriptions_per_source: int = setting(
        2_000,
        "The most subscriptions and referrals of one source at one time. Over it a new one is "
        "refused with 503 and Retry-After.",
        unit="subscriptions",
        minimum=1,
    )
    max_transactions: int = setting(
        20_000,
        "The most requests that are kept at one time: over UDP each stays for 32 seconds, so that "
        "it is not acted upon twice. Over it a new one is refused with 503 and Retry-After.",
        unit="requests",
        minimum=100,
    )
    max_transactions_size: Bytes = setting(
        64 * 1024**2,
        "How much all of these requests may take. Over it a new one of more than 6 kB is refused "
        "with 503 and Retry-After; shorter ones are bounded by their number.",
        unit="bytes",
        minimum=1024**2,
    )
    unlimited_peers: Networks = setting(
        _LOOPBACK,
        "Whom the limits for each source do not hold for: any, none, or a list of addresses and "
        "networks. They do not hold for peers that trusted_peers names either, since a proxy "
        "carries everybody.",
        restart=False,
    )
    max_connections: int = setting(
        10_000,
        "The most TCP connections at one time, and the most TLS connections. Over it a new one is "
        "closed at once.",
        unit="connections",
        minimum=1,
    )
    max_connections_per_source: int = setting(
        1_000,
        "The most TCP connections of one source at one time, and the most TLS connections. Over it "
        "a new one is closed at once.",
        unit="connections",
        minimum=1,
    )
    max_connection_rate: int = setting(
        100,
        "How many new connections of one source are taken in a second; in a burst, what it has for "
        "five seconds. Over it a new one is closed at once.",
        unit="connections a second",
        minimum=1,
    )
    outbox_limit: Bytes = setting(
        4 * 1024**2,
        "How much may wait for a TCP peer that is slow. Over it its connection is closed.",
        unit="bytes",
        minimum=64 * 1024,
    )
    idle_timeout: Seconds = setting(
        600,
        "How long a TCP connection that carries no call may be silent before it is closed.",
        unit="seconds",
        minimum=32,
    )
    max_sessions: int = setting(
        10_000,
        "The most calls at one time. Over it a new one is refused with 503 and Retry-After.",
        unit="calls",
        minimum=1,
        restart=False,
    )
    session_expires: int = setting(
        1800,
        "How long a call may last without a sign of life in SIP, where the peer knows session "
        "timers: one side refreshes it at half of the time, and over it the call is ended. 0 asks "
        "for no timer; a peer that asks for one gets it.",
        unit="seconds",
        minimum=0,
    )
    min_session_expires: int = setting(
        90,
        "The shortest such time that a peer may ask for. A shorter one is refused with 422, which "
        "tells this one.",
        unit="seconds",
        minimum=90,
    )


@dataclass(frozen=True, kw_only=True)
class TlsSettings:
    """The certificate that peers are shown, and the authorities that theirs are checked with."""

    section: ClassVar[str] = "TLS"

    certificate: Path | None = setting(
        None,
        "The certificate and its chain, in PEM; none makes a self-signed one at the first start "
        "and keeps it in spool_dir.",
    )
    private_key: Path | None = setting(
        None, "The certificate's private key, in PEM; none takes it from the certificate's file."
    )
    ca_file: Path | None = setting(
        None,
        "The authorities, in PEM, by which the certificate of a server that is called must be "
        "signed, and that of a client that shows one; none takes any certificate.",
    )
    client_certificates: Literal["no", "optional", "required"] = setting(
        "no",
        "Whether SIP clients are asked for a certificate that ca_file has signed. With optional a "
        "client may do without; with required its connection is closed.",
    )


@dataclass(frozen=True, kw_only=True)
class MetricsSettings:
    """Where the figures of the server are told in the form of Prometheus."""

    section: ClassVar[str] = "Metrics"

    port: Port | None = setting(
        None,
        "The TCP port where http://local_ip:port/metrics is answered; none does without. 0 takes "
        "any that is free.",
    )
    local_ip: IPAddress = setting(
        "127.0.0.1",
        "The address to listen on. Whoever reaches it reads the figures: nobody is asked for a "
        "password.",
    )
