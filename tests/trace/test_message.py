"""What of a message reaches the disk: bodies and proofs of passwords as the operator wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.trace.message import Privacy, mask_credentials
from tests.trace.messages import INVITE, LOCAL, REMOTE, traced

DIGEST = (
    b'Digest username="alice", realm="example.com", nonce="n", uri="sip:lobby@example.com", '
    b'response="%b", cnonce="c", nc=00000001, qop=auth'
)
PROOF = b"6629fae49393a05397450978507c4ef1"


def request_with(field: bytes, body: bytes = b"") -> bytes:
    return b"BYE sip:a@b SIP/2.0\r\n" + field + b"\r\nCSeq: 1 BYE\r\n\r\n" + body


@pytest.mark.parametrize(
    "name",
    [b"Authorization", b"Proxy-Authorization", b"AUTHORIZATION", b"authorization ", b"X\r\n\tAuth"],
)
def test_the_response_of_a_digest_is_masked_and_nothing_else(name: bytes) -> None:
    octets = request_with(name + b": " + DIGEST % PROOF)
    masked = mask_credentials(octets)
    assert masked == octets.replace(PROOF, b"*" * len(PROOF))


@pytest.mark.parametrize(
    "value",
    [
        b"Basic c2VjcmV0",
        b"Bearer  c2VjcmV0",
        b"\r\n Basic c2VjcmV0",
        b"Basic \r\n c2VjcmV0",
        b"Digest Response = c2VjcmV0",
        b'Digest response="c2VjcmV0',
        b'Digest RSPAUTH="c2VjcmV0"',
        b'Digest realm="a",response=\r\n "c2VjcmV0"',
    ],
)
def test_however_a_proof_is_written_it_is_masked(value: bytes) -> None:
    octets = request_with(b"Authorization: " + value)
    masked = mask_credentials(octets)
    assert b"c2VjcmV0" in octets
    assert b"c2VjcmV0" not in masked
    assert len(masked) == len(octets)
    assert masked.endswith(b"\r\nCSeq: 1 BYE\r\n\r\n")


def test_a_message_without_proofs_stays_as_it_was() -> None:
    body = b"my response=yes to Authorization: Basic questions"
    challenge = b'WWW-Authenticate: Digest realm="r", nonce="n"'
    octets = request_with(challenge, body)
    assert mask_credentials(octets) == octets
    assert mask_credentials(INVITE) == INVITE


@given(st.binary(max_size=200), st.booleans())
def test_masking_takes_whatever_comes_and_keeps_the_length(octets: bytes, is_auth: bool) -> None:
    octets = b"Authorization: " + octets if is_auth else octets
    masked = mask_credentials(octets)
    assert len(masked) == len(octets)
    assert all(new in (old, ord("*")) for old, new in zip(octets, masked, strict=True))


def test_what_is_shown_follows_the_settings() -> None:
    octets = request_with(b"Authorization: " + DIGEST % PROOF, b"hello")
    message = traced(octets)
    assert Privacy(with_bodies=True, with_credentials=True).show(message) == octets
    assert Privacy().show(message) == mask_credentials(octets)
    without = Privacy(with_bodies=False, with_credentials=True).show(message)
    assert without == octets.removesuffix(b"hello")


def test_a_message_without_the_end_of_its_header_is_shown_whole() -> None:
    assert Privacy(with_bodies=False).show(traced(b"INVITE sip:")) == b"INVITE sip:"


def test_who_sent_it_and_to_whom() -> None:
    assert (traced().source, traced().destination) == (REMOTE, LOCAL)
    sent = traced(received=False)
    assert (sent.source, sent.destination) == (LOCAL, REMOTE)


def test_an_msrp_frame_without_its_body_keeps_its_end_line() -> None:
    frame = b"MSRP a1 SEND\r\nContent-Type: a/b\r\n\r\nsecret\r\n-------a1+\r\n"
    message = traced(frame)
    message.protocol = "msrp"
    shown = Privacy(with_bodies=False).show(message)
    assert shown == b"MSRP a1 SEND\r\nContent-Type: a/b\r\n\r\n-------a1+\r\n"
    message.octets = answer = b"MSRP a1 200 OK\r\n-------a1$\r\n"
    assert Privacy(with_bodies=False).show(message) == answer
