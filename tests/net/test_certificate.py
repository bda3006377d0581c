import shutil
import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

from sylk.errors import ConfigError, TransportError
from sylk.net.certificate import (
    RENEWAL,
    VALIDITY,
    CertificateFiles,
    check_pair,
    check_sip_domain,
    ensure_certificate,
    fingerprint,
    fingerprints,
    first_certificate,
    load_pair,
    matches_fingerprints,
    read_certificate,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return ensure_certificate(tmp_path / "tls", ["chat.example.com"], ["192.0.2.1"], NOW)


def openssl(*arguments: str) -> str:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    return subprocess.run(
        ["openssl", *arguments], capture_output=True, text=True, check=True, timeout=30
    ).stdout


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_makes_a_certificate_with_every_identity(tmp_path: Path) -> None:
    files = ensure_certificate(
        tmp_path / "tls",
        ["chat.example.com", "Bücher.example", "chat.example.com"],
        ["192.0.2.1", "2001:db8::1"],
        NOW,
    )
    info = read_certificate(files.certificate)
    assert info.names == ("chat.example.com", "xn--bcher-kva.example")
    assert info.addresses == ("192.0.2.1", "2001:db8::1")
    assert info.uris == ("sip:chat.example.com", "sip:xn--bcher-kva.example")
    assert info.not_before < NOW
    assert info.not_after - info.not_before == VALIDITY <= timedelta(days=825)
    assert info.fingerprint == fingerprint(first_certificate(files.certificate))
    check_pair(files.certificate, files.private_key)


def test_makes_a_certificate_for_a_server_and_a_client(files: CertificateFiles) -> None:
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    extensions = certificate.extensions
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert not basic.value.ca
    usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {usage.dotted_string for usage in usages} == {
        "1.3.6.1.5.5.7.3.1",
        "1.3.6.1.5.5.7.3.2",
        "1.3.6.1.5.5.7.3.20",
    }
    assert not extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).critical
    assert certificate.serial_number.bit_length() > 64


def test_makes_one_for_localhost_when_there_is_no_name(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, [], [], NOW)
    assert read_certificate(files.certificate).names == ("localhost",)


def test_a_name_too_long_for_a_common_name_is_still_a_name(tmp_path: Path) -> None:
    name = ".".join(["a" * 60] * 3)
    files = ensure_certificate(tmp_path, [name], [], NOW)
    assert read_certificate(files.certificate).names == (name,)


def test_others_cannot_read_the_key(files: CertificateFiles) -> None:
    assert mode_of(files.private_key) == 0o600
    assert mode_of(files.certificate) == 0o644
    assert mode_of(files.certificate.parent) == 0o700
    assert sorted(files.certificate.parent.iterdir()) == [files.certificate, files.private_key]


def test_openssl_reads_the_same_facts(files: CertificateFiles) -> None:
    path = str(files.certificate)
    printed = openssl("x509", "-in", path, "-noout", "-fingerprint", "-sha256")
    digits = printed.strip().partition("=")[2]
    assert read_certificate(files.certificate).fingerprint == f"SHA-256 {digits}"
    names = openssl("x509", "-in", path, "-noout", "-ext", "subjectAltName")
    expected = "DNS:chat.example.com, URI:sip:chat.example.com, IP Address:192.0.2.1"
    assert expected in names
    assert "prime256v1" in openssl("x509", "-in", path, "-noout", "-text")


@pytest.mark.parametrize(
    ("age", "is_kept"),
    [
        (timedelta(0), True),
        (VALIDITY - RENEWAL - timedelta(days=1), True),
        (VALIDITY - RENEWAL, False),
        (VALIDITY + timedelta(days=1), False),
        # The clock was wrong when it was made, and is right now.
        (timedelta(days=-1), False),
    ],
)
def test_keeps_a_certificate_until_its_time_is_nearly_over(
    files: CertificateFiles, age: timedelta, is_kept: bool
) -> None:
    before = files.certificate.read_bytes(), files.private_key.read_bytes()
    again = ensure_certificate(files.certificate.parent, ["new.example.com"], [], NOW + age)
    assert again == files
    assert ((files.certificate.read_bytes(), files.private_key.read_bytes()) == before) is is_kept
    check_pair(files.certificate, files.private_key)
    assert read_certificate(files.certificate).is_valid_at(NOW + age)


@pytest.mark.parametrize("name", ["self-signed.key", "self-signed.crt"])
@pytest.mark.parametrize("content", [None, b"", b"half a file"])
def test_mends_what_a_crash_or_a_full_disk_left(
    files: CertificateFiles, name: str, content: bytes | None
) -> None:
    path = files.certificate.parent / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    ensure_certificate(path.parent, ["chat.example.com"], [], NOW)
    check_pair(files.certificate, files.private_key)
    assert mode_of(files.private_key) == 0o600


def test_says_that_the_folder_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"tls: a certificate cannot be written here: Not a dir"):
        ensure_certificate(tmp_path / "file" / "tls", ["chat.example.com"], [], NOW)


@pytest.mark.parametrize(
    ("names", "addresses"),
    [(["a..b"], []), (["x" * 64], []), ([""], []), (["a b"], []), ([], ["chat"])],
)
def test_refuses_what_cannot_be_in_a_certificate(
    tmp_path: Path, names: list[str], addresses: list[str]
) -> None:
    with pytest.raises(ConfigError, match=r"is no (host name|IP address) for a certificate"):
        ensure_certificate(tmp_path, names, addresses, NOW)
    assert list(tmp_path.iterdir()) == []


def test_tells_the_files_faults_apart(files: CertificateFiles, tmp_path: Path) -> None:
    other = ensure_certificate(tmp_path / "other", ["other.example.com"], [], NOW)
    absent, text = tmp_path / "absent.pem", tmp_path / "text.pem"
    text.write_text(
        "-----BEGIN CERTIFICATE-----\nabc!\n-----END CERTIFICATE-----\nPRIVATE KEY-----"
    )
    block = "-----BEGIN CERTIFICATE-----\nTWFueSBoYW5kcw==\n-----END CERTIFICATE-----\n"
    (tmp_path / "damaged.pem").write_text(block)
    good, key = files.certificate, files.private_key
    cases = {
        (absent, key): "absent.pem: there is no such certificate file",
        (tmp_path, key): "the certificate cannot be read: Is a directory",
        (key, key): "self-signed.key: holds no certificate in PEM form",
        (good, absent): "absent.pem: there is no such private key file",
        (good, None): "self-signed.crt: holds no private key in PEM form",
        (good, good): "self-signed.crt: holds no private key in PEM form",
        (good, text): "is damaged",
        (tmp_path / "damaged.pem", key): "is damaged",
        (good, other.private_key): "the private key does not belong to the certificate",
    }
    for (certificate, private_key), words in cases.items():
        with pytest.raises(ConfigError, match=words.replace(".", r"\.")) as caught:
            check_pair(certificate, private_key)
        assert "\n" not in str(caught.value)


def test_never_asks_for_the_password_of_a_key(files: CertificateFiles, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    key = serialization.load_pem_private_key(files.private_key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="the private key has a password"):
        check_pair(files.certificate, locked)


def test_takes_certificate_and_key_from_one_file(files: CertificateFiles, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(
        b"what is before counts for nothing\n"
        + files.private_key.read_bytes()
        + files.certificate.read_bytes()
    )
    check_pair(both)
    assert read_certificate(both) == read_certificate(files.certificate)


def test_says_that_a_certificate_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "damaged.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nTWFu\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigError, match="the certificate is damaged"):
        read_certificate(path)


def test_an_expired_certificate_can_be_read(files: CertificateFiles) -> None:
    info = read_certificate(files.certificate)
    assert info.is_valid_at(NOW)
    assert not info.is_valid_at(NOW + VALIDITY)
    assert not info.is_valid_at(NOW - timedelta(days=1))


def write_old_certificate(path: Path) -> None:
    """Write a certificate as they were long ago: a short RSA key, a common name alone."""
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old.example.com")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + VALIDITY)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


def test_an_old_certificate_has_its_common_name(tmp_path: Path) -> None:
    write_old_certificate(tmp_path / "old.pem")
    info = read_certificate(tmp_path / "old.pem")
    assert (info.names, info.addresses, info.uris) == (("old.example.com",), (), ())


def test_says_that_a_certificate_is_too_weak(tmp_path: Path) -> None:
    write_old_certificate(tmp_path / "old.pem")
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.set_ciphers("DEFAULT@SECLEVEL=2")
    with pytest.raises(ConfigError, match=r"old\.pem: the certificate is too weak for TLS"):
        load_pair(strict, tmp_path / "old.pem")


def test_leaves_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "self-signed.key").mkdir()
    with pytest.raises(ConfigError, match="a certificate cannot be written here"):
        ensure_certificate(tmp_path, ["chat.example.com"], [], NOW)
    assert list(tmp_path.iterdir()) == [tmp_path / "self-signed.key"]


def test_fingerprints_have_the_form_of_the_rfc() -> None:
    assert fingerprint(b"abc", "SHA-1") == (
        "SHA-1 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D"
    )
    assert len(fingerprint(b"abc")) == len("SHA-256 ") + 32 * 3 - 1


@pytest.mark.parametrize(
    ("digest", "names"),
    [
        ("sha256", ["SHA-256"]),
        ("sha384", ["SHA-256", "SHA-384"]),
        ("sha512", ["SHA-256", "SHA-512"]),
    ],
)
def test_a_description_tells_the_hash_of_the_signature_too(
    tmp_path: Path, digest: str, names: list[str]
) -> None:
    path = tmp_path / "a.crt"
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(tmp_path / "a.key")]
    openssl("req", "-x509", f"-{digest}", *key, "-subj", "/CN=a", "-out", str(path))
    certificate = first_certificate(path)
    assert fingerprints(certificate) == tuple(fingerprint(certificate, name) for name in names)


def test_of_what_is_no_certificate_one_fingerprint_is_told() -> None:
    assert fingerprints(b"abc") == (fingerprint(b"abc"),)


@pytest.mark.parametrize(
    ("values", "matches"),
    [
        ([fingerprint(b"abc")], True),
        ([fingerprint(b"abc").lower()], True),
        ([fingerprint(b"abd"), fingerprint(b"abc")], True),
        ([fingerprint(b"abd")], False),
        # RFC 8122 section 5.1: only the best of the hashes counts.
        ([fingerprint(b"abc", "sha-1"), fingerprint(b"abd", "sha-256")], False),
        ([fingerprint(b"abd", "sha-1"), fingerprint(b"abc", "sha-256")], True),
        ([fingerprint(b"abc", "sha-1"), "sha3-999 AB:CD"], True),
        ([], False),
        (["", " ", "sha-256", "md5 90:01:50:98:3C:D2:4F:B0:D6:96:3F:7D:28:E1:7F:72"], False),
    ],
)
def test_compares_fingerprints(values: list[str], matches: bool) -> None:
    assert matches_fingerprints(b"abc", values) is matches


@pytest.mark.parametrize(
    ("entries", "domain"),
    [
        ([("DNS", "Example.com")], "example.COM."),
        ([("DNS", "other.org"), ("DNS", "example.com")], "example.com"),
        ([("URI", "SIP:example.com"), ("DNS", "other.org")], "example.com"),
        ([("URI", "sip:example.com:5061;transport=tcp")], "example.com"),
        # These URIs are no SIP domains, so the host name counts.
        ([("URI", "sip:alice@other.org"), ("DNS", "example.com")], "example.com"),
        ([("URI", "https://other.org"), ("DNS", "example.com")], "example.com"),
        ([("IP Address", "192.0.2.1"), ("URI", "sip:example.com")], "192.0.2.1"),
        ([("IP Address", "2001:DB8:0:0:0:0:0:1")], "[2001:db8::1]"),
    ],
)
def test_finds_the_sip_domain(entries: list[tuple[str, str]], domain: str) -> None:
    check_sip_domain({"subjectAltName": tuple(entries)}, domain)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [("DNS", "*.example.com")],
        [("DNS", "example.com")],
        [("DNS", ".example.com")],
        [("URI", "sip:other.org"), ("DNS", "chat.example.com")],
        [("URI", "sips:chat.example.com")],
        [("URI", "sip:alice@chat.example.com")],
        [("email", "chat.example.com")],
    ],
)
def test_refuses_a_certificate_for_another_sip_domain(entries: list[tuple[str, str]]) -> None:
    with pytest.raises(TransportError, match=r"is not for chat\.example\.com, it is for"):
        check_sip_domain({"subjectAltName": tuple(entries)}, "chat.example.com")


def test_a_certificate_without_names_is_for_no_sip_domain() -> None:
    with pytest.raises(TransportError, match="for no SIP domain"):
        check_sip_domain({}, "example.com")
