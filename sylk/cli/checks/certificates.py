"""Checks the certificate: whether TLS can use it, until when, and for whom it is."""

import ipaddress
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sylk.cli.checks.finding import Finding, fail, ok, warn
from sylk.errors import ConfigError
from sylk.net.certificate import CertificateInfo, check_pair, read_certificate
from sylk.server_config import ServerSections

SUBJECT = "certificate"
EXPIRES_SOON = timedelta(days=14)

_LOOSE = 0o077
"""Rights of others to a private key, of which they should have none."""


def check_certificates(
    sections: ServerSections, domains: Collection[str], now: datetime | None = None
) -> Iterator[Finding]:
    """Yield what is to be said of the certificate that peers are shown."""
    tls = sections.tls
    if sections.sip.local_tls_port is None and sections.msrp.local_tls_port is None:
        yield ok(SUBJECT, "none is needed: nothing speaks TLS")
        return
    certificate, key = tls.certificate, tls.private_key or tls.certificate
    is_ours = certificate is None or key is None
    if certificate is None or key is None:
        folder = sections.server.spool_dir / "tls"
        certificate, key = folder / "self-signed.crt", folder / "self-signed.key"
        if not certificate.exists():
            yield ok(SUBJECT, "a self-signed one is made at the first start")
            return
    try:
        check_pair(certificate, key)
        info = read_certificate(certificate)
    except ConfigError as error:
        cure = "remove both files" if is_ours else "mend certificate and private_key in [TLS]"
        yield fail(SUBJECT, str(error), cure)
        return
    yield from _dates(certificate, info, now or datetime.now(UTC), is_ours=is_ours)
    if not is_ours:
        yield from _names(certificate, info, domains)
    yield from _rights(key)


def _dates(path: Path, info: CertificateInfo, now: datetime, *, is_ours: bool) -> Iterator[Finding]:
    day = f"{info.not_after:%Y-%m-%d}"
    if is_ours:
        yield ok(SUBJECT, f"{path}: self-signed, until {day}; made anew in time")
    elif now < info.not_before:
        cure = "set the clock of this machine, or wait"
        yield fail(SUBJECT, f"{path}: valid only from {info.not_before:%Y-%m-%d %H:%M} UTC", cure)
    elif now > info.not_after:
        yield fail(SUBJECT, f"{path}: has expired on {day}", "get another one, then reload")
    elif info.not_after - now < EXPIRES_SOON:
        left = (info.not_after - now).days
        yield warn(SUBJECT, f"{path}: has {left} days left", "get another one, then reload")
    else:
        yield ok(SUBJECT, f"{path}: until {day}")


def _names(path: Path, info: CertificateInfo, domains: Collection[str]) -> Iterator[Finding]:
    names = {name.lower() for name in (*info.names, *info.addresses)}
    names |= {uri[4:].lower() for uri in info.uris if uri.lower().startswith("sip:")}
    missing = sorted(domain for domain in domains if domain not in names)
    shown = ", ".join([*info.names, *info.addresses]) or "nobody"
    if missing:
        yield warn(
            SUBJECT,
            f"{path}: is for {shown}, not for {', '.join(missing)}",
            "clients that look will refuse it: get one that names the domain itself (RFC 5922)",
        )
    else:
        yield ok(SUBJECT, f"{path}: is for {shown}")


def _rights(key: Path) -> Iterator[Finding]:
    mode = key.stat().st_mode
    if mode & _LOOSE & 0o007:
        yield warn(SUBJECT, f"{key}: everybody on this machine can read it", f"chmod o= {key}")


def is_name(host: str) -> bool:
    """Tell whether a host is a domain that others could look up."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost"))
    return False
