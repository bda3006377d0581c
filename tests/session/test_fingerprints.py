"""Certificates named by fingerprints in SDP, in every form that RFC 8122 knows."""

import hashlib

import pytest

from sylk.net.certificate import CertificateFiles, first_certificate
from tests.peers import Answering, assert_nothing_left, running_server
from tests.session.tls_peers import (
    MakeSettings,
    TlsCaller,
    TlsListener,
    accepted_media,
    refused_media,
)

BITS = {"sha-1": 160, "sha-256": 256, "sha-384": 384, "sha-512": 512}


def named(certificate: bytes, name: str) -> str:
    """Return the value of a=fingerprint, written from RFC 8122 alone; an unknown hash is zeros."""
    bits = BITS.get(name.lower())
    if bits is None:
        return f"{name} 00:00"
    digest = hashlib.new(name.lower().replace("-", ""), certificate).digest()
    assert len(digest) * 8 == bits
    return f"{name} " + ":".join(f"{octet:02X}" for octet in digest)


def lines(certificate: bytes, values: list[str]) -> list[str]:
    """Return the lines; one that begins with ! is of another certificate, lower case stays."""
    found: list[str] = []
    for value in values:
        text = named(b"another" if value.startswith("!") else certificate, value.lstrip("!?"))
        found.append(f"a=fingerprint:{text.lower() if value.lstrip('!').startswith('?') else text}")
    return found


@pytest.mark.parametrize(
    "values",
    [
        ["SHA-384"],
        ["sha-512"],
        # RFC 8122 wants upper-case digits; some clients write others.
        ["?SHA-256"],
        ["?sha-512"],
        # Several certificates, or hashes of one: a match in the best hash is enough.
        ["!sha-256", "sha-256"],
        ["!sha-256", "sha-512"],
        ["!sha-1", "sha-256"],
        ["sha-256", "sha-384", "sha-512"],
        ["sha3-256", "sha-256"],
        ["md5", "sha-1"],
    ],
)
async def test_a_certificate_that_is_named_is_believed(
    answering: Answering, with_tls: MakeSettings, phone: CertificateFiles, values: list[str]
) -> None:
    certificate = first_certificate(phone.certificate)
    async with (
        running_server(with_tls(), application=answering.application) as server,
        TlsListener(phone) as listener,
        TlsCaller(server) as caller,
    ):
        await accepted_media(caller, listener, answering, *lines(certificate, values))
        await assert_nothing_left(server)


@pytest.mark.parametrize(
    "values",
    [
        ["!SHA-384"],
        ["!sha-512"],
        ["!?sha-512"],
        ["!sha-256", "!sha-256"],
        # What a better hash denies, a worse one does not make good.
        ["sha-256", "!sha-512"],
        ["sha-1", "!sha-256"],
        ["md5"],
        ["sha3-256"],
    ],
)
async def test_a_certificate_that_is_not_named_is_refused_aloud(
    answering: Answering, with_tls: MakeSettings, phone: CertificateFiles, values: list[str]
) -> None:
    certificate = first_certificate(phone.certificate)
    async with (
        running_server(with_tls(), application=answering.application) as server,
        TlsListener(phone) as listener,
        TlsCaller(server) as caller,
    ):
        reason = await refused_media(server, caller, listener, *lines(certificate, values))
        assert "not the one that its SDP names" in reason
        assert "its SDP names" in await answering.wait_over()
