"""What somebody gets in place of a message whose type his client does not take.

Text in another form becomes plain text; of alternatives (RFC 2046 section 5.1.4) the plain text is
taken. What has no text is left out. No I/O, no clock.
"""

from sylk.payload.content_type import ContentType, matches_any
from sylk.payload.html_text import text_of_html

PLAIN = "text/plain"
_PLAIN_PART = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"

MAX_SIZE = 256 * 1024
"""Bytes of a content that is turned into text; a larger one has no alternative."""


def text_alternative(content_type: str, content: bytes) -> bytes | None:
    """Return content as plain text, MIME headers included; None where there is no text in it."""
    if len(content) > MAX_SIZE or not matches_any(content_type, ("text/*",)):
        return None
    # Both Markdown and what else is text can be read as it stands.
    text = content.decode("utf-8", "replace")
    if ContentType.parse(content_type).subtype == "html":
        text = text_of_html(text)
    return _PLAIN_PART + text.encode("utf-8", "replace") if text.strip() else None
