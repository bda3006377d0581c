"""Certificates: facts about one, whether its key fits, fingerprints, and one made at first start.

A server that nobody has given a certificate makes its own: clients then encrypt, and those that
compare the fingerprint in the session description (RFC 8122) know whom they talk to as well.
The `cryptography` library is imported only when a certificate is made or read, for it loads slowly.
"""

import hashlib
import ipaddress
import os
import re
import ssl
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sylk.errors import ConfigError, TransportError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

VALIDITY = timedelta(days=824)
"""How long a certificate that we make is valid; some systems refuse more than 825 days."""

RENEWAL = timedelta(days=30)
"""A certificate that we made is made anew when this little of its time is left."""

CLOCK_SKEW = timedelta(hours=1)
"""A new certificate is valid from a little earlier, for peers whose clock is behind."""

MAX_FILE_SIZE = 1024 * 1024
"""Bytes of a certificate or key file that are read; more is no such file."""

_MAX_COMMON_NAME = 64
_SIP_DOMAIN_USAGE = "1.3.6.1.5.5.7.3.20"

# RFC 8122 section 5 names these, best first; MD5 and MD2 must not be used.
_HASHES = {
    "sha-512": "sha512",
    "sha-384": "sha384",
    "sha-256": "sha256",
    "sha-224": "sha224",
    "sha-1": "sha1",
}


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where a certificate and its private key are, both in PEM form."""

    certificate: Path
    private_key: Path


@dataclass(frozen=True, slots=True)
class CertificateInfo:
    """What an operator wants to know of a certificate; times are in UTC.

    `names` are its host names, or its common name if it has no alternative names.
    """

    names: tuple[str, ...]
    addresses: tuple[str, ...]
    uris: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint: str
    """The SHA-256 fingerprint in the form of RFC 8122."""

    def is_valid_at(self, now: datetime) -> bool:
        """Tell whether `now` is in the time for which the certificate was made."""
        return self.not_before <= now <= self.not_after


def fingerprint(certificate: bytes, hash_name: str = "sha-256") -> str:
    """Return the fingerprint of a DER certificate as `a=fingerprint` has it (RFC 8122).

    `hash_name` is one of sha-1, sha-224, sha-256, sha-384, sha-512.
    """
    digest = hashlib.new(_HASHES[hash_name.lower()], certificate, usedforsecurity=False).digest()
    return f"{hash_name.upper()} {digest.hex(':').upper()}"


def fingerprints(certificate: bytes) -> tuple[str, ...]:
    """Return what the a=fingerprint lines say of a DER certificate (RFC 8122 section 5.1).

    SHA-256 first, and then the hash of its signature where that is a better one.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        signature = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        signature = None
    names = ["sha-256"]
    if signature is not None and signature.name in ("sha384", "sha512"):
        names.append(f"sha-{signature.name[3:]}")
    return tuple(fingerprint(certificate, name) for name in names)


def matches_fingerprints(certificate: bytes, fingerprints: Iterable[str]) -> bool:
    """Tell whether a DER certificate is one of those that a session description announces.

    `fingerprints` are the values of its a=fingerprint lines. Only those with the best hash that
    is known here count (RFC 8122 section 5.1); with none, nothing matches.
    """
    by_hash: dict[str, set[str]] = {}
    for value in fingerprints:
        hash_name, _, digits = value.strip().partition(" ")
        by_hash.setdefault(hash_name.lower(), set()).add(digits.strip().upper())
    for hash_name in _HASHES:
        if hash_name in by_hash:
            return fingerprint(certificate, hash_name).partition(" ")[2] in by_hash[hash_name]
    return False


def check_sip_domain(peer_certificate: Mapping[str, object], domain: str) -> None:
    """Raise TransportError unless a verified certificate is for a SIP domain (RFC 5922 section 7).

    `peer_certificate` is what ssl's `getpeercert` returns.
    """
    identities = sip_identities(peer_certificate)
    if _canonical(domain) not in identities:
        known = ", ".join(sorted(identities)) or "no SIP domain"
        raise TransportError(f"the peer's certificate is not for {domain}, it is for {known}")


def sip_identities(peer_certificate: Mapping[str, object]) -> frozenset[str]:
    """Return the SIP domains, in lower case, that a verified certificate is for (RFC 5922 7.1).

    `peer_certificate` is what ssl's `getpeercert` returns. Host names count only when there is no
    sip URI, and no wildcard matches. An IP address is taken for a peer that is named by one.
    """
    domains: set[str] = set()
    hosts: set[str] = set()
    addresses: set[str] = set()
    for entry in cast("Iterable[object]", peer_certificate.get("subjectAltName", ())):
        match entry:
            case ("DNS", str(host)):
                hosts.add(_canonical(host))
            case ("IP Address", str(address)):
                addresses.add(_canonical(address))
            case ("URI", str(uri)) if uri[:4].lower() == "sip:" and "@" not in uri:
                domains.add(_canonical(re.split("[:;?]", uri[4:], maxsplit=1)[0]))
            case _:
                continue
    return frozenset((domains or hosts) | addresses)


def _canonical(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return host.rstrip(".").lower()


# Files that an operator gave


def first_certificate(path: Path) -> bytes:
    """Return the first certificate of a PEM file in DER form; raises ConfigError."""
    text = _read(path, "certificate").decode("latin-1")
    begin, end = text.find(ssl.PEM_HEADER), text.find(ssl.PEM_FOOTER)
    try:
        if begin < 0 or end < 0:
            raise ValueError("no PEM block")
        return ssl.PEM_cert_to_DER_cert(text[begin : end + len(ssl.PEM_FOOTER)])
    except ValueError as error:
        raise ConfigError("holds no certificate in PEM form", file=str(path)) from error


def load_pair(context: ssl.SSLContext, certificate: Path, private_key: Path | None = None) -> None:
    """Load a certificate with its chain and key into `context`; raises ConfigError.

    Without `private_key` the key is in the same file.
    """
    key_file = private_key or certificate
    first_certificate(certificate)
    if b"PRIVATE KEY-----" not in _read(key_file, "private key"):
        raise ConfigError("holds no private key in PEM form", file=str(key_file))
    asked: list[bool] = []

    def refuse_password() -> str:
        # Without this OpenSSL asks on the terminal, and waits.
        asked.append(True)
        return ""

    try:
        context.load_cert_chain(certificate, key_file, refuse_password)
    except (ssl.SSLError, OSError) as error:
        reason = str(getattr(error, "reason", "") or "")
        if asked:
            raise ConfigError(
                "the private key has a password; give one without", file=str(key_file)
            ) from error
        if "MISMATCH" in reason:
            raise ConfigError(
                f"the private key does not belong to the certificate {certificate}",
                file=str(key_file),
            ) from error
        if reason in ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"):
            raise ConfigError("the certificate is too weak for TLS", file=str(certificate)) from (
                error
            )
        raise ConfigError(
            f"the certificate or its private key {key_file} is damaged", file=str(certificate)
        ) from error


def check_pair(certificate: Path, private_key: Path | None = None) -> None:
    """Raise ConfigError unless TLS can use this certificate with this key."""
    load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, private_key)


def read_certificate(path: Path) -> CertificateInfo:
    """Return the facts of the first certificate of a PEM file.

    Raises ConfigError when there is none. One that has expired is no error here: see
    `CertificateInfo.is_valid_at`.
    """
    der = first_certificate(path)
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(der)
        names, addresses, uris = _identities(certificate)
        return CertificateInfo(
            names=names,
            addresses=addresses,
            uris=uris,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            fingerprint=fingerprint(der),
        )
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ConfigError("the certificate is damaged", file=str(path)) from error


def _identities(
    certificate: "x509.Certificate",
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common_names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return tuple(str(name.value) for name in common_names), (), ()
    return (
        tuple(found.get_values_for_type(x509.DNSName)),
        tuple(str(address) for address in found.get_values_for_type(x509.IPAddress)),
        tuple(found.get_values_for_type(x509.UniformResourceIdentifier)),
    )


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_SIZE)
    except FileNotFoundError as error:
        raise ConfigError(f"there is no such {what} file", file=str(path)) from error
    except OSError as error:
        raise ConfigError(f"the {what} cannot be read: {error.strerror}", file=str(path)) from error


# The certificate of our own


def ensure_certificate(
    folder: Path, names: Sequence[str], addresses: Sequence[str], now: datetime
) -> CertificateFiles:
    """Return the self-signed certificate in `folder`, made first if need be.

    It is made when there is none that works, or when less than `RENEWAL` of its time is left; it
    is not made anew for other names, so that clients which have come to trust it go on doing so.
    `names` are host names, `addresses` are IP addresses; `now` has a time zone. Raises ConfigError.
    """
    files = CertificateFiles(folder / "self-signed.crt", folder / "self-signed.key")
    if not _is_usable(files, now):
        certificate, private_key = _make_certificate(names, addresses, now)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A certificate without its key is seen to be useless at the next start.
            _write(files.private_key, private_key, 0o600)
            _write(files.certificate, certificate, 0o644)
        except OSError as error:
            raise ConfigError(
                f"a certificate cannot be written here: {error.strerror}", file=str(folder)
            ) from error
    return files


def _is_usable(files: CertificateFiles, now: datetime) -> bool:
    try:
        check_pair(files.certificate, files.private_key)
        info = read_certificate(files.certificate)
    except ConfigError:
        return False
    return info.is_valid_at(now) and info.not_after - now > RENEWAL


def _make_certificate(
    names: Sequence[str], addresses: Sequence[str], now: datetime
) -> tuple[bytes, bytes]:
    """Return (certificate, private key) in PEM form."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(key, names, addresses, now)
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _sign(
    key: "ec.EllipticCurvePrivateKey", names: Sequence[str], addresses: Sequence[str], now: datetime
) -> "x509.Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    hosts = list(dict.fromkeys(_ascii_name(name) for name in names))
    if not hosts and not addresses:
        hosts = ["localhost"]
    # RFC 5922 section 7.1: a sip URI without a user says which domain the server is for.
    identities: list[x509.GeneralName] = [
        *(x509.DNSName(host) for host in hosts),
        *(x509.UniformResourceIdentifier(f"sip:{host}") for host in hosts),
        *(x509.IPAddress(_ip_address(address)) for address in dict.fromkeys(addresses)),
    ]
    common_name = next((name for name in [*hosts, "sylk"] if len(name) <= _MAX_COMMON_NAME), "sylk")
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    usages = [
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        x509.ObjectIdentifier(_SIP_DOMAIN_USAGE),
    ]
    start = now.astimezone(UTC) - CLOCK_SKEW
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + VALIDITY)
        .add_extension(x509.SubjectAlternativeName(identities), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def _ascii_name(name: str) -> str:
    try:
        host = name.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        host = ""
    if not re.fullmatch(r"[a-z0-9._-]+", host):
        raise ConfigError(f"{name!r} is no host name for a certificate")
    return host


def _ip_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(address.partition("%")[0])
    except ValueError as error:
        raise ConfigError(f"{address!r} is no IP address for a certificate") from error


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a whole file or nothing: a crash leaves the old one."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
