"""Everything that a server is made of, from the settings file, read and checked."""

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from typing import Self

from sylk import __version__
from sylk.admission import AdmissionPolicy
from sylk.admission_config import (
    admission_policy,
    connection_limits,
    message_limits,
    subscription_bounds,
)
from sylk.application import Application
from sylk.application_config import read_applications
from sylk.call.session_timer import SessionTimerSettings
from sylk.config import RawConfig
from sylk.discovery import ApplicationTypes, find_applications
from sylk.errors import RemoteProtocolError, TransportError
from sylk.media_sections import MsrpSettings, RelaySection
from sylk.net.addresses import WILDCARDS, local_address_towards
from sylk.net.certificate import (
    CertificateFiles,
    CertificateInfo,
    ensure_certificate,
    read_certificate,
)
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.sip_transports import SipTransportSettings
from sylk.net.tls import TlsContexts
from sylk.relay_config import relay_settings, standing_relay
from sylk.routing import RoutingTable
from sylk.sections import MetricsSettings, ServerSettings, SipSettings, TlsSettings
from sylk.session.endpoint import EndpointSettings
from sylk.share import Share
from sylk.sip.transaction_bounds import TransactionBounds
from sylk.sip.uri import MAX_PORT, SipURI
from sylk.trace.filters import Filter, parse_filter
from sylk.trace.message import Privacy
from sylk.trace.settings import TraceSettings
from sylk.trace.tracer import TraceOptions
from sylk.trace.writer import Output
from sylk.worker_folders import folder_of

PORTS_OF_A_WORKER = 2
"""How far the ports of a worker are from those of the one before: MSRP has two, side by side."""

_OUTSIDE = ("192.0.2.1", "2001:db8::1")


@dataclass(frozen=True, slots=True)
class ServerSections:
    """The sections of the server itself, by their names in lower case."""

    server: ServerSettings = field(default_factory=ServerSettings)
    sip: SipSettings = field(default_factory=SipSettings)
    msrp: MsrpSettings = field(default_factory=MsrpSettings)
    relay: RelaySection = field(default_factory=RelaySection)
    tls: TlsSettings = field(default_factory=TlsSettings)
    trace: TraceSettings = field(default_factory=TraceSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)

    @classmethod
    def read(cls, raw: RawConfig) -> Self:
        """Read them from the settings file; raises ConfigError."""
        return cls(
            raw.section(ServerSettings, ServerSettings.section),
            raw.section(SipSettings, SipSettings.section),
            raw.section(MsrpSettings, MsrpSettings.section),
            raw.section(RelaySection, RelaySection.section),
            raw.section(TlsSettings, TlsSettings.section),
            raw.section(TraceSettings, TraceSettings.section),
            raw.section(MetricsSettings, MetricsSettings.section),
        )


@dataclass(slots=True)
class ServerConfig:
    """Everything that a server is made of, read and checked."""

    endpoint: EndpointSettings
    applications: Mapping[str, Application]
    routing: RoutingTable
    admission: AdmissionPolicy
    """Who may come in."""
    certificate: CertificateInfo | None = None
    """What our TLS certificate says; None without TLS."""
    trace: TraceOptions = field(default_factory=TraceOptions)
    """Whose messages are written to files, and how."""
    sections: ServerSections = field(default_factory=ServerSections)
    """The settings that are in force."""
    share: Share = field(default_factory=Share)
    """Which part of all addresses is answered by this process."""


def build_config(
    raw: RawConfig, further: ApplicationTypes | None = None, share: Share | None = None
) -> ServerConfig:
    """Turn the settings file into what a server is made of; raises ConfigError.

    `further` are applications by name, beside those that are found. `share` is that of a worker.
    """
    share = share or Share()
    sections = ServerSections.read(raw)
    server = sections.server
    types = find_applications(server.extra_applications_dir, server.disabled_applications)
    types.update(further or {})
    routing = routing_table(raw, server, types)
    read = read_applications(raw, types, server.disabled_applications, routing)
    applications: dict[str, Application] = {}
    for name, kind in types.items():
        settings = read[name].settings
        applications[name] = kind(settings)
        applications[name].address_settings = read[name].address_settings(settings)
        applications[name].state_dir = folder_of(server.spool_dir, share.index) / name
        applications[name].share = share
    _check_tls(raw, sections.msrp, sections.tls)
    _check_workers(raw, sections)
    policy = admission_policy(raw, server, sections.sip, sections.tls)
    files = _certificate_files(server, sections.sip, sections.msrp, sections.tls)
    tls = None if files is None else _tls_contexts(files, sections.tls)
    endpoint = _endpoint_settings(raw, sections, policy, tls)
    tags = {tag for application in applications.values() for tag in application.extensions}
    endpoint.extensions += tuple(sorted(tags))
    _take_ports(endpoint.msrp, share)
    return ServerConfig(
        endpoint,
        applications,
        routing,
        policy,
        None if files is None else read_certificate(files.certificate),
        trace=_trace_options(raw, server, share),
        sections=sections,
        share=share,
    )


def check_sections(raw: RawConfig, sections: ServerSections) -> None:
    """Raise ConfigError where a server could not be made of these; makes and opens nothing."""
    _check_tls(raw, sections.msrp, sections.tls)
    _check_workers(raw, sections)
    policy = admission_policy(raw, sections.server, sections.sip, sections.tls)
    _endpoint_settings(raw, sections, policy, None)
    _trace_options(raw, sections.server, Share())


def routing_table(raw: RawConfig, server: ServerSettings, types: ApplicationTypes) -> RoutingTable:
    """Return which application answers which address; raises ConfigError."""
    return RoutingTable(
        server.default_application,
        server.application_map,
        types,
        server.disabled_applications,
        raw.error,
    )


def _endpoint_settings(
    raw: RawConfig, sections: ServerSections, policy: AdmissionPolicy, tls: TlsContexts | None
) -> EndpointSettings:
    sip, msrp = sections.sip, sections.msrp
    endpoint = EndpointSettings(
        name=f"Sylk/{__version__}",
        extensions=("replaces", "join", "nosub"),
        tls=tls,
        subscriptions=subscription_bounds(sip),
        refusal_lines=sip.max_refusal_lines,
        transactions=TransactionBounds(sip.max_transactions, sip.max_transactions_size),
        outbound_proxy=_outbound_proxy(raw, sip),
        sip=_sip_transports(sip, sections.tls, policy),
        msrp=_msrp_port(msrp, sip, sections.tls, policy),
        session_timer=_session_timer(raw, sip),
    )
    endpoint.msrp.relay = relay_settings(raw, sections.server, sip, msrp)
    endpoint.standing_relay = standing_relay(raw, msrp)
    return endpoint


def _session_timer(raw: RawConfig, sip: SipSettings) -> SessionTimerSettings:
    if 0 < sip.session_expires < sip.min_session_expires:
        raise raw.error(
            SipSettings.section, "session_expires", "must be 0, or min_session_expires at least"
        )
    return SessionTimerSettings(sip.session_expires, sip.min_session_expires)


def _sip_transports(
    sip: SipSettings, tls: TlsSettings, policy: AdmissionPolicy
) -> SipTransportSettings:
    return SipTransportSettings(
        host=sip.local_ip,
        udp_port=sip.local_udp_port,
        tcp_port=sip.local_tcp_port,
        tls_port=sip.local_tls_port,
        verify_peers=tls.ca_file is not None,
        advertised_host=sip.advertised_ip,
        limits=message_limits(sip),
        connections=connection_limits(sip, policy),
        idle_timeout=sip.idle_timeout,
        message_timeout=sip.message_timeout,
        handshake_timeout=sip.handshake_timeout,
        outbox_limit=sip.outbox_limit,
    )


def _msrp_port(
    msrp: MsrpSettings, sip: SipSettings, tls: TlsSettings, policy: AdmissionPolicy
) -> MsrpPortSettings:
    return MsrpPortSettings(
        host=msrp.local_ip,
        port=msrp.local_tcp_port,
        tls_port=msrp.local_tls_port,
        use_tls=msrp.use_tls,
        cema=msrp.cema,
        verify_peers=tls.ca_file is not None,
        advertised_host=msrp.advertised_ip or sip.advertised_ip,
        connections=connection_limits(msrp, policy),
        max_message_size=msrp.max_message_size,
        stream_above=msrp.stream_above,
        max_stream_size=msrp.max_stream_size,
        outbox_limit=msrp.outbox_limit,
        max_waiting=msrp.max_waiting,
        outbox_timeout=msrp.outbox_timeout,
        keepalive_interval=msrp.keepalive_interval,
        reconnect_timeout=msrp.reconnect_timeout,
        establish_timeout=msrp.establish_timeout,
    )


def port_of(port: int, share: Share) -> int:
    """Return the port of a worker, where `port` is that of the settings; 0 is any for each."""
    return port + PORTS_OF_A_WORKER * share.index if port else 0


def _take_ports(msrp: MsrpPortSettings, share: Share) -> None:
    """Let a worker have ports of its own for MSRP; the first is the relay, if there is one."""
    if msrp.port is not None:
        msrp.port = port_of(msrp.port, share)
    if msrp.tls_port is not None:
        msrp.tls_port = port_of(msrp.tls_port, share)
    if share.index:
        msrp.relay = None


def _check_workers(raw: RawConfig, sections: ServerSections) -> None:
    """Refuse what several workers cannot do."""
    server, msrp = sections.server, sections.msrp
    if server.workers == 1:
        return
    if server.bonjour == "yes":
        raise raw.error(ServerSettings.section, "bonjour", "needs workers to be 1")
    ports = [
        port_of(port, Share(index, server.workers))
        for port in (msrp.local_tcp_port, msrp.local_tls_port)
        for index in range(server.workers)
        if port
    ]
    if len(set(ports)) < len(ports):
        raise raw.error(
            MsrpSettings.section,
            "local_tls_port",
            f"each worker has ports {PORTS_OF_A_WORKER} further than the one before, and these meet"
            " those of local_tcp_port: let the two be an odd number apart",
        )
    if max(ports, default=0) > MAX_PORT:
        raise raw.error(
            MsrpSettings.section, "local_tcp_port", "the last worker has no port left above it"
        )


def _outbound_proxy(raw: RawConfig, sip: SipSettings) -> SipURI | None:
    """Return the proxy of what we send, written as a SIP URI or as host:port."""
    text = sip.outbound_proxy
    if text is None:
        return None
    try:
        return SipURI.parse(text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}")
    except RemoteProtocolError:
        raise raw.error(
            SipSettings.section, "outbound_proxy", "must be a SIP URI or host:port"
        ) from None


def _trace_options(raw: RawConfig, server: ServerSettings, share: Share) -> TraceOptions:
    """Return whose messages are traced, and where to."""
    trace = raw.section(TraceSettings, TraceSettings.section)
    return TraceOptions(
        output=Output(
            directory=folder_of(trace.directory or server.spool_dir / "traces", share.index),
            max_file_size=trace.max_file_size,
            max_files=trace.max_files,
            privacy=Privacy(with_bodies=trace.bodies, with_credentials=not trace.mask_credentials),
        ),
        from_start=_filters(raw, "trace_sip", trace.trace_sip),
        msrp_from_start=_filters(raw, "trace_msrp", trace.trace_msrp),
        pcap=trace.pcap,
        duration=trace.duration,
    )


def _filters(raw: RawConfig, key: str, words: Sequence[str]) -> Sequence[Filter] | None:
    match [word.lower() for word in words]:
        case [] | ["none" | "no" | "off" | "false"]:
            return None
        case ["all" | "yes" | "on" | "true"]:
            return ()
        case _:
            try:
                return tuple(map(parse_filter, words))
            except ValueError as error:
                problem = f"{error} (or none, or all)"
                raise raw.error(TraceSettings.section, key, problem) from None


def _tls_contexts(files: CertificateFiles, tls: TlsSettings) -> TlsContexts:
    return TlsContexts(
        *astuple(files), ca_file=tls.ca_file, client_certificates=tls.client_certificates
    )


def _check_tls(raw: RawConfig, msrp: MsrpSettings, tls: TlsSettings) -> None:
    """Refuse settings that say TLS and would do without, or with another certificate."""
    if tls.private_key is not None and tls.certificate is None:
        raise raw.error(TlsSettings.section, "private_key", "needs certificate to be set too")
    if msrp.use_tls and msrp.local_tls_port is None:
        raise raw.error(MsrpSettings.section, "use_tls", "needs local_tls_port to be set too")


def _certificate_files(
    server: ServerSettings, sip: SipSettings, msrp: MsrpSettings, tls: TlsSettings
) -> CertificateFiles | None:
    """Return our certificate, made now if there is none; None where nothing speaks TLS."""
    if sip.local_tls_port is None and msrp.local_tls_port is None:
        return None
    if tls.certificate is not None:
        return CertificateFiles(tls.certificate, tls.private_key or tls.certificate)
    names = [socket.gethostname()]
    return ensure_certificate(server.spool_dir / "tls", names, _addresses(sip), datetime.now(UTC))


def _addresses(sip: SipSettings) -> list[str]:
    """Return the addresses at which a peer may expect our certificate."""
    found = ["127.0.0.1"]
    if sip.advertised_ip is not None:
        found.append(sip.advertised_ip)
    if ":" in sip.local_ip:
        found.append("::1")
    if sip.local_ip not in WILDCARDS:
        found.append(sip.local_ip)
    else:
        for outside in _OUTSIDE if sip.local_ip == "::" else _OUTSIDE[:1]:
            with suppress(TransportError):
                # Any address outside tells which of ours leads there; nothing is sent to it.
                found.append(local_address_towards((outside, 0)))
    return list(dict.fromkeys(found))
