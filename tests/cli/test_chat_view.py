from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.cli.chat_view import ChatView, Line, Names, bare_address, not_delivered, plain_text
from sylk.payload.cpim import Address

NOON = datetime(2026, 11, 21, 12, 3)
ME = Address("sip:me@example.com", "Me")
ROOM = Address("sip:lobby@example.com", "Conference Room")
ALICE = Address("sip:alice@example.com", "Alice")
BOB = Address("sip:bob@example.com")


@pytest.fixture
def view() -> ChatView:
    return ChatView(ME, ROOM)


def texts(lines: list[Line]) -> list[str]:
    return [plain_text(line) for line in lines]


def test_what_people_say_has_time_and_name(view: ChatView) -> None:
    assert texts(view.said(ALICE, "hello", NOON)) == ["12:03 Alice: hello"]
    assert texts(view.said(BOB, "hello", NOON)) == ["12:03 bob: hello"]


def test_further_lines_are_indented(view: ChatView) -> None:
    assert texts(view.said(ALICE, "one\n12:04 bob: two\n", NOON)) == [
        "12:03 Alice: one",
        "      12:04 bob: two",
    ]


def test_a_private_message_is_marked(view: ChatView) -> None:
    (line,) = view.said(ALICE, "psst", NOON, is_private=True)
    assert plain_text(line) == "12:03 Alice (private): psst"


def test_what_we_say_to_one_alone_says_to_whom(view: ChatView) -> None:
    (line,) = view.said(ME, "psst", NOON, to=BOB)
    assert plain_text(line) == "12:03 Me → bob (private): psst"


def test_what_was_said_earlier_has_its_own_time(view: ChatView) -> None:
    later = NOON.replace(hour=23)
    (line,) = view.said(ALICE, "hello", NOON, now=later)
    assert plain_text(line) == "12:03 Alice (earlier): hello"
    (line,) = view.said(ALICE, "psst", NOON, is_private=True, now=later.replace(day=22))
    assert plain_text(line) == "2026-11-21 12:03 Alice (private) (earlier): psst"
    assert texts(view.unread(NOON)) == ["— new since 12:03 —"]


def test_notices_and_failures(view: ChatView) -> None:
    assert texts(view.notice("bob\x1b has joined\nthe room", NOON)) == [
        "12:03 * bob␛ has joined",
        "        the room",
    ]
    assert texts(view.failure("no\nway", NOON)) == ["12:03 ! no␊way"]


def test_a_long_text_is_cut_where_there_is_a_limit() -> None:
    view = ChatView(ME, ROOM, text_limit=10)
    assert texts(view.said(ALICE, "x" * 15, NOON)) == [
        f"12:03 Alice: {'x' * 10}… (5 characters more)"
    ]


def test_a_name_keeps_its_colour_whatever_the_display_name(view: ChatView) -> None:
    def style(person: Address) -> str:
        return view.said(person, "x", NOON)[0][1][0]

    renamed = Address("sip:alice@example.com;transport=tcp", "Queen")
    assert style(ALICE) == style(renamed)
    people = [Address(f"sip:user{number}@example.com") for number in range(100)]
    assert len({style(person) for person in people}) > 6


@pytest.mark.parametrize("name", ["Alice", "alice", "Me", "Conference Room"])
def test_nobody_takes_the_name_of_another(view: ChatView, name: str) -> None:
    view.said(ALICE, "first", NOON)
    (line,) = view.said(Address("sip:mallory@example.com", name), "I am she", NOON)
    assert plain_text(line) == f"12:03 {name} <mallory@example.com>: I am she"
    assert texts(view.said(ALICE, "no", NOON)) == ["12:03 Alice: no"]


def test_names_are_bounded_and_then_told_with_the_address() -> None:
    names = Names(limit=1)
    assert names.name(ALICE) == "Alice"
    assert names.name(BOB) == "bob <bob@example.com>"
    assert names.name(ALICE) == "Alice"


@given(st.text(), st.text(), st.text())
def test_a_message_is_one_paragraph_whoever_wrote_it(uri: str, name: str, text: str) -> None:
    first, *others = ChatView(ME, ROOM).said(Address(uri, name), text, NOON)
    assert plain_text(first).startswith("12:03 ")
    assert all(plain_text(line).startswith("      ") for line in others)
    assert not any("\n" in plain_text(line) or "\x1b" in plain_text(line) for line in others)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sip:a@b", "a@b"),
        ("SIPS:a@b;transport=tcp", "a@b"),
        ("tel:+1", "tel:+1"),
        ("a", "a"),
    ],
)
def test_bare_address(uri: str, address: str) -> None:
    assert bare_address(uri) == address


def test_what_is_said_of_a_message_that_was_not_delivered() -> None:
    assert not_delivered("hi\nthere", 403, "Forbidden") == (
        "not delivered: 403 Forbidden: “hi there”"
    )
    assert not_delivered("x" * 100, 413, "") == f"not delivered: 413: “{'x' * 59}…”"
