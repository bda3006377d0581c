"""How header names are spelled when a frame is written anew.

Frames hold names in lower case. COMPAT: deployed clients know a header only by the letter case of
the RFCs, so whoever passes a frame on restores it.
"""

from collections.abc import Mapping

_SPELLING = {
    b"message-id": b"Message-ID",
    b"content-id": b"Content-ID",
    b"www-authenticate": b"WWW-Authenticate",
}


def render_headers(headers: Mapping[bytes, bytes]) -> bytes:
    """Write header lines, each with its CRLF, in the order in which they came."""
    return b"".join(
        b"%b: %b\r\n" % (_SPELLING.get(name) or name.title(), value)
        for name, value in headers.items()
    )
