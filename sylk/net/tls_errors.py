"""What goes wrong with TLS, in words that an operator understands."""

import ssl

from sylk.errors import TransportError

_VERIFY_WORDS = {
    9: "the peer's certificate is not valid yet",
    10: "the peer's certificate has expired",
    18: "the peer's certificate is self-signed and not among the trusted ones",
    19: "the peer's certificate comes from an authority that is not trusted here",
    20: "the peer's certificate comes from an authority that is not trusted here",
    21: "the peer's certificate comes from an authority that is not trusted here",
    23: "the peer's certificate was revoked",
    26: "the peer's certificate was not made for what it is used for",
}

_REASON_WORDS = {
    "HTTP_REQUEST": "the peer does not speak TLS, it sent an HTTP request",
    "WRONG_VERSION_NUMBER": "the peer does not speak TLS, or no version that is spoken here",
    "UNSUPPORTED_PROTOCOL": "the peer speaks only TLS versions that are too old",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the peer refused our TLS version",
    "NO_SHARED_CIPHER": "the peer has no cipher in common with us",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the peer found no TLS parameters in common with us",
    "TLSV1_ALERT_UNKNOWN_CA": "the peer does not know who signed our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the peer refused our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the peer refused our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the peer says that our certificate has expired",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the peer wants a certificate of ours",
    "TLSV1_UNRECOGNIZED_NAME": "the peer has no certificate for the name that we asked for",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "what the peer sent was damaged on its way",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer showed no certificate, and must",
    "NO_RENEGOTIATION": "the peer wants to renegotiate, which is not allowed",
    "PROTOCOL_IS_SHUTDOWN": "the connection was closed",
}


def tls_error(error: ssl.SSLError) -> TransportError:
    """Map an error of TLS to ours, in words that an operator understands."""
    if isinstance(error, ssl.SSLCertVerificationError):
        # For a name that differs the library's own words hold the name.
        text = _VERIFY_WORDS.get(error.verify_code, "")
        return TransportError(text or f"the peer's certificate: {error.verify_message}".rstrip("."))
    reason = error.reason or ""
    text = _REASON_WORDS.get(reason)
    return TransportError(text or f"TLS failed: {reason.replace('_', ' ').lower() or error}")
