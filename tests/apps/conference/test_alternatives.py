"""Plain text in place of what a client does not take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.alternatives import MAX_SIZE, text_alternative

HEAD = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"


@pytest.mark.parametrize(
    ("content_type", "content", "text"),
    [
        ("text/html; charset=utf-8", "<p>Grüße</p><p>x &lt; y</p>".encode(), "Grüße\nx < y"),
        ("text/markdown", b"# hello", "# hello"),
        ("TEXT/HTML", b"<b>hi</b>", "hi"),
        ("text/html", b"<script>x</script>", None),
        ("image/png", b"iVBORw0KGgo=", None),
        ("application/im-iscomposing+xml", b"<isComposing/>", None),
        ("text/html", b"x" * (MAX_SIZE + 1), None),
    ],
)
def test_text_stays_text_and_the_rest_is_left_out(
    content_type: str, content: bytes, text: str | None
) -> None:
    expected = None if text is None else HEAD + text.encode()
    assert text_alternative(content_type, content) == expected


@given(st.binary(max_size=200))
def test_any_content_has_text_or_none(content: bytes) -> None:
    found = text_alternative("text/html", content)
    assert found is None or found.startswith(HEAD)
