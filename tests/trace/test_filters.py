"""Whose messages a filter lets in, and how a dialog stays traced."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.trace.filters import MAX_CALL_ID, Selection, Subject, parse_filter

ALICE = ("alice", "example.com")
BOB = ("bob", "example.org")
LOBBY = ("lobby", "example.com")


def about(*people: tuple[str, str], call_id: str | None = None) -> Subject:
    return Subject("192.0.2.1", call_id, frozenset(people))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("user:alice@example.com", "user:alice@example.com"),
        ("USER: Alice@EXAMPLE.com ", "user:alice@example.com"),
        ("user:sip:alice@example.com", "user:alice@example.com"),
        ("user:alice", "user:alice"),
        ("user:a%6Cice@[2001:DB8::1]:5060;transport=tls", "user:alice@2001:db8::1"),
        ("user:tel:+4930123", "user:+4930123"),
        ("room:lobby", "room:lobby"),
        ("room:lobby@example.com", "room:lobby@example.com"),
        ("address:192.0.2.1", "address:192.0.2.1"),
        ("address:192.0.2.77/24", "address:192.0.2.0/24"),
        ("address:[2001:db8::1]", "address:2001:db8::1"),
        ("address:2001:db8::/32", "address:2001:db8::/32"),
    ],
)
def test_a_filter_is_read(text: str, written: str) -> None:
    assert str(parse_filter(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        *("", "alice", "user:", "room: ", "user:a b", "user:@", "user:a@", "address:host.example"),
        *("address:192.0.2.0/33", "everything:all", "user:" + "a" * 600, "user:a\r\nb@c"),
    ],
)
def test_what_is_no_filter_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(must be|is longer)"):
        parse_filter(text)


@given(st.text(max_size=600))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    for kind in ("user", "room", "address", "x"):
        try:
            found = parse_filter(f"{kind}:{text}")
        except ValueError:
            continue
        assert str(found).startswith(kind)


@pytest.mark.parametrize(
    ("text", "subject", "lets_in"),
    [
        ("user:alice@example.com", about(ALICE), True),
        ("user:alice@example.com", about(BOB, ALICE), True),
        ("user:alice@example.com", about(("alice", "example.org")), False),
        ("user:alice@example.com", about(("alice", "")), False),
        ("user:alice", about(("alice", "anywhere")), True),
        ("user:+4930123", about(("+4930123", "")), True),
        ("user:ali", about(ALICE), False),
        ("user:lobby", about(LOBBY), True),
        ("room:lobby", about(LOBBY), False),
        ("room:lobby", Subject("192.0.2.1", None, frozenset(), frozenset([LOBBY])), True),
        ("room:lobby@example.com", Subject("::1", None, frozenset(), frozenset([LOBBY])), True),
        ("room:lobby@example.org", Subject("::1", None, frozenset(), frozenset([LOBBY])), False),
        ("address:192.0.2.0/24", about(), True),
        ("address:192.0.3.0/24", about(ALICE), False),
        ("address:2001:db8::/32", about(), False),
    ],
)
def test_a_filter_lets_in(text: str, subject: Subject, lets_in: bool) -> None:
    assert Selection([parse_filter(text)]).wants(subject) is lets_in


def test_without_filters_everything_is_wanted() -> None:
    assert Selection().wants(about())
    assert str(Selection()) == "everything"


def test_one_of_several_filters_is_enough() -> None:
    selection = Selection([parse_filter("user:alice"), parse_filter("room:lobby")])
    assert selection.wants(about(ALICE))
    assert selection.wants(Subject("::1", None, frozenset(), frozenset([LOBBY])))
    assert not selection.wants(about(BOB))
    assert str(selection) == "user:alice, room:lobby"


def test_a_dialog_that_has_matched_stays_wanted() -> None:
    selection = Selection([parse_filter("user:alice")])
    assert not selection.wants(about(BOB, call_id="one"))
    assert selection.wants(about(ALICE, call_id="one"))
    assert selection.wants(about(BOB, call_id="one"))
    assert not selection.wants(about(BOB, call_id="two"))


def test_the_dialog_that_was_silent_for_longest_is_forgotten() -> None:
    selection = Selection([parse_filter("user:alice")], max_calls=2)
    for call_id in ("one", "two"):
        assert selection.wants(about(ALICE, call_id=call_id))
    assert selection.wants(about(BOB, call_id="one"))
    assert selection.wants(about(ALICE, call_id="three"))
    wanted = [selection.wants(about(BOB, call_id=name)) for name in ("one", "two", "three")]
    assert wanted == [True, False, True]


def test_a_call_id_that_is_too_long_is_not_remembered() -> None:
    selection = Selection([parse_filter("user:alice")])
    for length, stays in ((MAX_CALL_ID, True), (MAX_CALL_ID + 1, False)):
        call_id = "x" * length
        assert selection.wants(about(ALICE, call_id=call_id))
        assert selection.wants(about(BOB, call_id=call_id)) is stays
