"""Names that strangers bring along are shown without what would forge the rest of the line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.display_names import MAX_LENGTH, harmless, shown_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Alice", "Alice"),
        ("Ünal Çelik 👍🏽", "Ünal Çelik 👍🏽"),
        # A joiner that Persian needs, and one that holds an emoji together.
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\u202eecilA\u2066", "ecilA"),
        ("Alice\u2028left the room", "Alice left the room"),
        ("a\x1b[2Jb\x07\x85c", "a [2Jb c"),
        ("root <sip:root@example.com>", "root sip:root@example.com"),
        ("  a \t b ", "a b"),
        ("\ud800x", "x"),
        ("x" * 5000, "x" * MAX_LENGTH + "…"),
        ("<>", ""),
    ],
)
def test_what_would_forge_is_taken_out(name: str, shown: str) -> None:
    assert shown_name(name) == shown


@given(st.text(st.characters()))
def test_whatever_it_is_one_line_is_left_of_it(name: str) -> None:
    for shown in (shown_name(name), harmless(name)):
        assert len(f"a{shown}b".splitlines()) == 1
        shown.encode()
    assert not set("<>") & set(shown_name(name))
    assert shown_name(shown_name(name).removesuffix("…")) == shown_name(name).removesuffix("…")
