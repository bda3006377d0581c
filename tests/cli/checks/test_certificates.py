"""The certificate: dates, names, key and rights, each with its cure."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sylk.cli.checks.certificates import check_certificates, is_name
from sylk.cli.checks.finding import Finding, Level
from sylk.media_sections import MsrpSettings
from sylk.net.certificate import VALIDITY, CertificateFiles, ensure_certificate
from sylk.sections import ServerSettings, SipSettings, TlsSettings
from sylk.server_config import ServerSections

MADE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return ensure_certificate(tmp_path / "given", ["chat.example.com"], ["192.0.2.5"], MADE)


def check(
    files: CertificateFiles, now: datetime = MADE, domains: tuple[str, ...] = ()
) -> list[Finding]:
    tls = TlsSettings(certificate=files.certificate, private_key=files.private_key)
    return list(check_certificates(ServerSections(tls=tls), domains, now))


def test_a_good_one_is_ok(files: CertificateFiles) -> None:
    found = check(files, domains=("chat.example.com",))
    assert {one.level for one in found} == {Level.OK}
    assert f"until {MADE + VALIDITY:%Y-%m}" in found[0].text
    assert "is for chat.example.com, 192.0.2.5" in found[1].text


@pytest.mark.parametrize(
    ("when", "level", "text"),
    [
        (MADE - timedelta(days=2), Level.FAIL, "valid only from"),
        (MADE + VALIDITY - timedelta(days=5), Level.WARN, "has 4 days left"),
        (MADE + VALIDITY + timedelta(days=1), Level.FAIL, "has expired on"),
    ],
)
def test_its_dates_are_looked_at(
    files: CertificateFiles, when: datetime, level: Level, text: str
) -> None:
    first = check(files, when)[0]
    assert first.level is level
    assert text in first.text
    assert first.cure


def test_a_domain_that_it_is_not_for_is_told(files: CertificateFiles) -> None:
    warned = check(files, domains=("example.com",))[1]
    assert warned.level is Level.WARN
    assert warned.text.endswith("is for chat.example.com, 192.0.2.5, not for example.com")


def test_a_key_of_another_certificate_is_told(files: CertificateFiles, tmp_path: Path) -> None:
    other = ensure_certificate(tmp_path / "other", ["other.example"], [], MADE)
    (only,) = check(CertificateFiles(files.certificate, other.private_key))
    assert only.level is Level.FAIL
    assert "does not belong to the certificate" in only.text


def test_a_key_that_all_can_read_is_told(files: CertificateFiles) -> None:
    files.private_key.chmod(0o644)
    warned = check(files)[-1]
    assert warned.level is Level.WARN
    assert warned.cure == f"chmod o= {files.private_key}"


def test_our_own_needs_no_care(tmp_path: Path) -> None:
    sections = ServerSections(server=ServerSettings(spool_dir=tmp_path))
    (first,) = check_certificates(sections, ["example.com"], MADE)
    assert first.text == "a self-signed one is made at the first start"
    made = ensure_certificate(tmp_path / "tls", ["vm"], [], MADE)
    (second,) = check_certificates(sections, ["example.com"], MADE)
    assert second.level is Level.OK
    made.private_key.write_text("")
    (third,) = check_certificates(sections, [], MADE)
    assert (third.level, third.cure) == (Level.FAIL, "remove both files")


def test_without_tls_there_is_nothing_to_look_at() -> None:
    sections = ServerSections(
        sip=SipSettings(local_tls_port=None), msrp=MsrpSettings(local_tls_port=None)
    )
    (only,) = check_certificates(sections, [])
    assert (only.level, only.text) == (Level.OK, "none is needed: nothing speaks TLS")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("example.com", True),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
        ("localhost", False),
        ("machine.local", False),
    ],
)
def test_what_is_a_domain(host: str, expected: bool) -> None:
    assert is_name(host) is expected
