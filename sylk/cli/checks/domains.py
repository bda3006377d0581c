"""Checks whether the domains that are set up lead here, as a client would find it (RFC 3263)."""

import socket
from collections.abc import Callable, Iterator, Sequence

import trio

from sylk.cli.checks.certificates import is_name
from sylk.cli.checks.finding import Finding, ok, warn
from sylk.config import RawConfig
from sylk.errors import RemoteProtocolError, TransportError
from sylk.net.resolver import Resolver
from sylk.server_config import ServerSections
from sylk.sip.location import Target
from sylk.sip.uri import SipURI

SUBJECT = "DNS"
TIMEOUT = 10.0
"""Seconds for each domain."""

Find = Callable[[str, Sequence[str]], Sequence[Target]]
"""Returns where a domain's SIP servers are, given our transports; raises TransportError."""


def domains_of(raw: RawConfig, sections: ServerSections) -> list[str]:
    """Return the domains that the settings name as ours: realm, domains, and those of addresses."""
    hosts = [sections.sip.realm, *sections.sip.domains]
    hosts += [key.rpartition("@")[2] for key in sections.server.application_map if "." in key]
    hosts += [name.rpartition("@")[2] for name in raw.sections if "@" in name]
    return sorted({host.lower() for host in hosts if is_name(host)})


def check_domains(
    domains: Sequence[str], sections: ServerSections, find: Find | None = None
) -> Iterator[Finding]:
    """Yield what is to be said of each domain."""
    sip = sections.sip
    ports = {"udp": sip.local_udp_port, "tcp": sip.local_tcp_port, "tls": sip.local_tls_port}
    spoken = [name for name, port in ports.items() if port is not None]
    if not domains:
        yield ok(SUBJECT, "no domain is set up: people call the address of the machine")
    for domain in domains:
        record = f"_sip._udp.{domain}. SRV 0 0 {ports['udp'] or 5060} NAME-OF-THIS-MACHINE."
        try:
            targets = (find or find_servers)(domain, spoken)
        except (TransportError, RemoteProtocolError) as error:
            yield warn(SUBJECT, f"{domain}: {error}", f"add the record {record}")
            continue
        here = [one for one in targets if _is_here(one.address[0], sip.advertised_ip)]
        shown = ", ".join(f"{one.transport} {one.address[0]}:{one.address[1]}" for one in targets)
        if not here:
            cure = "is it for a proxy before this server? Else let it lead here: " + record
            yield warn(SUBJECT, f"{domain}: leads to {shown}, which is not this machine", cure)
        elif wrong := [one for one in here if ports.get(one.transport) != one.address[1]]:
            shown = ", ".join(f"{one.transport} port {one.address[1]}" for one in wrong)
            yield warn(SUBJECT, f"{domain}: leads to {shown}, where nobody listens", "mend the SRV")
        else:
            yield ok(SUBJECT, f"{domain}: leads here, {shown}")


def find_servers(domain: str, transports: Sequence[str]) -> Sequence[Target]:
    """Ask the DNS of this machine; raises TransportError."""

    async def ask() -> Sequence[Target]:
        with trio.move_on_after(TIMEOUT):
            return await Resolver().resolve(SipURI.parse(f"sip:{domain}"), transports)
        raise TransportError(f"the DNS does not answer within {TIMEOUT:g} s")

    return trio.run(ask)


def _is_here(address: str, advertised: str | None) -> bool:
    if address == advertised:
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # Only an address of this machine can be bound.
            probe.bind((address, 0))
    except OSError:
        return False
    return True
