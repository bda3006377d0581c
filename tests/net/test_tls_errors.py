import ssl

import pytest

from sylk.net.tls_errors import tls_error


def error_for(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] something (_ssl.c:1)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "the peer showed no certificate, and must"),
        ("HTTP_REQUEST", "the peer does not speak TLS, it sent an HTTP request"),
        ("SOME_NEW_REASON", "TLS failed: some new reason"),
    ],
)
def test_an_operator_reads_words(reason: str, words: str) -> None:
    assert str(tls_error(error_for(reason))) == words


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        (10, "", "the peer's certificate has expired"),
        (62, "Hostname mismatch.", "the peer's certificate: Hostname mismatch"),
    ],
)
def test_a_certificate_that_is_not_taken_says_why(code: int, message: str, words: str) -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code, error.verify_message = code, message
    assert str(tls_error(error)) == words
