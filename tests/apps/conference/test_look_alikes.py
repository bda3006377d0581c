"""Names that look alike have one look, and others have not."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.look_alikes import looks_of


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("BOY", "B0Y"),
        ("Ian", "lan"),
        ("Ian", "1an"),
        ("admin", "аdmin"),
        ("HELP", "НЕLР"),
        ("alice", "АLІСЕ"),
        ("paypal", "ра𝓎𝗉аl"),
        ("alice", "ａｌｉｃｅ"),
        ("Bernd", "Bemd"),
        ("wendy", "vvendy"),
        ("José", "Jоse\u0301"),
        ("O'Hara", "0’Hara"),
        ("a-b", "a‐b"),
        ("alice", "ALICE"),
        ("sᴀᴍ", "sam"),
    ],
)
def test_look_alikes_have_one_look(name: str, other: str) -> None:
    assert looks_of(name) & looks_of(other)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Jose", "José"),
        ("ian", "lan"),
        ("Bob", "Rob"),
        ("Иван", "Ivan"),
        ("Anna", "Ana"),
        ("5", "S"),
    ],
)
def test_names_that_can_be_told_apart_stay_apart(name: str, other: str) -> None:
    assert not looks_of(name) & looks_of(other)


@given(st.text(max_size=40))
def test_nothing_is_raised_and_width_makes_no_difference(name: str) -> None:
    assert looks_of(name) == looks_of(unicodedata.normalize("NFKD", name))
