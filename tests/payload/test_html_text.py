import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.payload.html_text import text_of_html

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<b>Hello</b>,\n world", "Hello, world"),
        ("<html><head><title>x</title><style>p{}</style></head><body>hi</body></html>", "hi"),
        ("<p>one</p><p>two<br>three</p>", "one\ntwo\nthree"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("1 &lt; 2 &amp; 3 &#8364; &#x20ac; &nonsense;", "1 < 2 & 3 € € &nonsense;"),
        ("1 < 2 and <3", "1 < 2 and <3"),
        ("<!DOCTYPE html>a<!-- <b>c -->d<!-- e", "ad<!-- e"),
        ("<![foo[x]]>", "<![foo[x]]>"),
        ("&#" + "9" * 5000 + ";", "&#" + "9" * 5000 + ";"),
        ('<a href="x">link</a>', "link"),
    ],
)
def test_the_text_of_html(html: str, text: str) -> None:
    assert text_of_html(html) == text


@given(ANY_TEXT | st.text('<>![]-/?&#;=" aDOCTYPE'))
def test_any_html_has_a_text(html: str) -> None:
    assert isinstance(text_of_html(html), str)
