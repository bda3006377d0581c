"""Checks by what address people reach the server, and whom that leaves out."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from sylk.cli.checks.finding import Finding, ok, warn
from sylk.errors import TransportError
from sylk.net.addresses import WILDCARDS, local_address_towards
from sylk.server_config import ServerSections
from sylk.sip.flow import Address

SUBJECT = "address"

_OUTSIDE = {"0.0.0.0": ("192.0.2.1", 0), "::": ("2001:db8::1", 0)}
"""Addresses of nobody: what leads there is the address that others know us by."""

Towards = Callable[[Address], str]


def check_addresses(
    sections: ServerSections, towards: Towards = local_address_towards
) -> Iterator[Finding]:
    """Yield by what address peers are told to come; `towards` finds ours on the way to another."""
    sip = sections.sip
    if sip.advertised_ip is not None:
        yield _advertised(sip.advertised_ip)
        return
    host = sip.local_ip
    if host in WILDCARDS:
        try:
            host = towards(_OUTSIDE[host])
        except TransportError:
            yield ok(SUBJECT, "no network leads outside: this machine alone reaches it")
            return
    address = ip_address(host)
    if address.is_loopback:
        yield ok(SUBJECT, f"{host}: this machine alone reaches it")
    elif address.is_private or address.is_link_local:
        yield ok(SUBJECT, f"{host}: reached from this network; from outside see docs/nat.md")
    else:
        yield ok(SUBJECT, f"{host}: reached from everywhere, as far as firewalls let it")


def _advertised(advertised: str) -> Finding:
    if ip_address(advertised).is_loopback or ip_address(advertised).is_unspecified:
        return warn(
            SUBJECT,
            f"peers are told {advertised}, where nobody else reaches it",
            "set [SIP] advertised_ip to the address that others reach, or to none",
        )
    return ok(SUBJECT, f"peers are told {advertised}")
