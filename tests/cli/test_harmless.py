import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.cli.harmless import harmless, harmless_lines, harmless_name

ANY_TEXT = st.text(st.characters(exclude_categories=()))


def drives(text: str) -> list[str]:
    """Return the characters that a terminal, or the layout of text, would obey."""
    bidi = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return [
        char
        for char in text
        if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(char) in bidi
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("bell\x07", "bell␇"),
        ("\x7f", "␡"),
        ("\x9b31m", "\ufffd31m"),
        ("a\tb", "a   b"),
        ("gpj.\u202eexe", "gpj.\ufffdexe"),
        ("\udc80", "\ufffd"),
        ("👩‍👧 ä \u0646\u200c\u0627", "👩‍👧 ä \u0646\u200c\u0627"),
    ],
)
def test_what_is_shown_of_a_line(text: str, shown: str) -> None:
    assert harmless(text) == shown


@given(ANY_TEXT)
def test_nothing_in_a_line_drives_a_terminal(text: str) -> None:
    assert not drives(harmless(text))


@given(ANY_TEXT)
def test_nothing_in_lines_drives_a_terminal(text: str) -> None:
    lines = harmless_lines(text)
    assert lines
    assert not drives("".join(lines))


@given(ANY_TEXT, st.integers(2, 50))
def test_a_name_is_short_and_one_word_of_the_line(text: str, limit: int) -> None:
    name = harmless_name(text, limit)
    assert not drives(name)
    assert len(name) <= limit + 2
    assert name.startswith('"') or not set(name) & set(':"<>')


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one", ["one"]),
        ("one\r\ntwo\n\n", ["one", "two"]),
        ("one\x0btwo\u2028three\rfour", ["one", "two", "three", "four"]),
        ("", [""]),
        ("\n\n", [""]),
    ],
)
def test_how_a_text_is_cut(text: str, lines: list[str]) -> None:
    assert harmless_lines(text) == lines


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("  Alice\n  Liddell ", "Alice Liddell"),
        ("bob: hi", '"bob: hi"'),
        ("* bob", '"* bob"'),
        ('"bob"', "\"'bob'\""),
        ("bob <bob@example.com>", '"bob <bob@example.com>"'),
        ("a\u200db", "ab"),
        ("x" * 50, "x" * 39 + "…"),
    ],
)
def test_what_is_shown_of_a_name(name: str, shown: str) -> None:
    assert harmless_name(name) == shown
