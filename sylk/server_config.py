"""Everything that a server is made of, from the settings file, read and checked."""

import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

from sylk import __version__
from sylk.application import Application
from sylk.config import SERVER_SECTIONS, RawConfig
from sylk.discovery import find_applications
from sylk.errors import TransportError
from sylk.net.addresses import WILDCARDS, local_address_towards
from sylk.net.certificate import (
    CertificateFiles,
    CertificateInfo,
    ensure_certificate,
    read_certificate,
)
from sylk.net.msrp_port import MsrpPortSettings
from sylk.net.sip_transports import SipTransportSettings
from sylk.net.tls import TlsContexts
from sylk.routing import RoutingTable, TrustedPeers
from sylk.sections import MsrpSettings, ServerSettings, SipSettings, TlsSettings
from sylk.session.endpoint import EndpointSettings
from sylk.sip.authenticator import DEFAULT_ALGORITHMS, Authenticator
from sylk.sip.parser import Limits
from sylk.users import USERS_FILE, UserFile

_OUTSIDE = "192.0.2.1"


@dataclass(slots=True)
class ServerConfig:
    """Everything that a server is made of, read and checked."""

    endpoint: EndpointSettings
    applications: Mapping[str, Application]
    routing: RoutingTable
    trusted_peers: TrustedPeers
    max_sessions: int
    certificate: CertificateInfo | None = None
    """What our TLS certificate says; None without TLS."""
    authenticator: Authenticator | None = None
    """Whom it asks for a password; None where the address of a peer is all that counts."""


def build_config(raw: RawConfig) -> ServerConfig:
    """Turn the settings file into what a server is made of; raises ConfigError."""
    server = raw.section(ServerSettings, ServerSettings.section)
    sip = raw.section(SipSettings, SipSettings.section)
    msrp = raw.section(MsrpSettings, MsrpSettings.section)
    tls = raw.section(TlsSettings, TlsSettings.section)
    types = find_applications(server.extra_applications_dir, server.disabled_applications)
    names = {*types, *server.disabled_applications}
    raw.check_unused([*SERVER_SECTIONS, *(name.capitalize() for name in names)])
    routing = RoutingTable(
        server.default_application,
        server.application_map,
        types,
        server.disabled_applications,
        raw.error,
    )
    applications = {
        name: kind(raw.section(kind.settings_class, name.capitalize()))
        for name, kind in types.items()
    }
    _check_tls(raw, msrp, tls)
    files = _certificate_files(server, sip, msrp, tls)
    endpoint = EndpointSettings(
        name=f"Sylk/{__version__}",
        tls=None if files is None else TlsContexts(*astuple(files), ca_file=tls.ca_file),
        sip=SipTransportSettings(
            host=sip.local_ip,
            udp_port=sip.local_udp_port,
            tcp_port=sip.local_tcp_port,
            tls_port=sip.local_tls_port,
            verify_peers=tls.ca_file is not None,
            advertised_host=sip.advertised_ip,
            limits=Limits(max_message=sip.max_message_size),
            max_connections=sip.max_connections,
            idle_timeout=sip.idle_timeout,
        ),
        msrp=MsrpPortSettings(
            host=msrp.local_ip,
            port=msrp.local_tcp_port,
            tls_port=msrp.local_tls_port,
            use_tls=msrp.use_tls,
            verify_peers=tls.ca_file is not None,
            advertised_host=msrp.advertised_ip or sip.advertised_ip,
            max_connections=msrp.max_connections,
            max_message_size=msrp.max_message_size,
            outbox_limit=msrp.outbox_limit,
            outbox_timeout=msrp.outbox_timeout,
            keepalive_interval=msrp.keepalive_interval,
            establish_timeout=msrp.establish_timeout,
        ),
    )
    return ServerConfig(
        endpoint,
        applications,
        routing,
        TrustedPeers(sip.trusted_peers),
        sip.max_sessions,
        None if files is None else read_certificate(files.certificate),
        _authenticator(raw, server, sip),
    )


def _authenticator(
    raw: RawConfig, server: ServerSettings, sip: SipSettings
) -> Authenticator | None:
    """Return who asks for passwords; None where nobody does."""
    if not sip.authenticate:
        return None
    if not sip.realm:
        raise raw.error(SipSettings.section, "realm", "is empty: give the domain of the users")
    algorithms = [name.upper() for name in sip.digest_algorithms]
    if not algorithms or not set(algorithms) <= set(DEFAULT_ALGORITHMS):
        listed = ", ".join(DEFAULT_ALGORITHMS)
        raise raw.error(SipSettings.section, "digest_algorithms", f"must be some of {listed}")
    users = UserFile(server.spool_dir / USERS_FILE)
    return Authenticator(
        sip.realm,
        users.find,
        random_token=secrets.token_hex,
        nonce_lifetime=sip.nonce_lifetime,
        algorithms=algorithms,
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
    if sip.local_ip not in WILDCARDS:
        found.append(sip.local_ip)
    else:
        with suppress(TransportError):
            # Any address outside tells which of ours leads there; nothing is sent to it.
            found.append(local_address_towards((_OUTSIDE, 0)))
    return list(dict.fromkeys(found))
