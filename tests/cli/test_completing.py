"""What Tab makes of a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.cli.completing import complete

NAMES = ["Alice", "Alistair", "Bob", "Bob B", "Zoë"]


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("/w", "ho "),
        ("/WH", "o "),
        ("/un", ""),
        ("/ki", "ck "),
        ("/nonsense", ""),
        ("z", "oë: "),
        ("al", "i"),
        ("Alic", "e: "),
        ("hello Zo", "ë "),
        ("/msg alis", "tair "),
        ("/msg Bob ", "B "),
        ("/msg bo", "b"),
        ("", ""),
        ("hello ", ""),
        ("x", ""),
    ],
)
def test_the_rest_is_added_as_far_as_it_is_certain(text: str, more: str) -> None:
    assert complete(text, NAMES)[0] == more


def test_what_there_is_to_choose_from() -> None:
    assert complete("al", NAMES)[1] == ["Alice", "Alistair"]
    assert complete("/un", NAMES)[1] == ["/unban", "/unmute", "/unlock"]
    assert complete("/", [])[0] == ""


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=10), max_size=5))
def test_what_is_added_belongs_to_a_choice(text: str, names: list[str]) -> None:
    more, choice = complete(text, names)
    assert not more or choice
    if more and len(choice) > 1:
        assert any(one.endswith(more) or more in one for one in choice)
