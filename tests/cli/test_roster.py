"""Who is in a room, and who is meant by a name."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.cli.roster import HEARD_LIMIT, NotFound, Person, Roster
from sylk.errors import RemoteProtocolError
from sylk.payload.conference_changes import Outcome
from sylk.payload.conference_info import ConferenceDescription, ConferenceInfo
from sylk.payload.conference_users import Endpoint, EndpointStatus, State, User
from sylk.payload.cpim import Address

ROOM = "sip:lobby@example.com"
ALICE = User("sip:alice@example.com", "Alice", "Ali", roles=("moderator",))
BOB = User(
    "sip:bob@example.com", "Bob", endpoints=(Endpoint("1", status=EndpointStatus.MUTED_VIA_FOCUS),)
)
OTHER_BOB = User("sip:bob@example.net", "Bob B")
LONG_BOB = User("sip:bob2@example.com", "Bob B C")
GONE = User(
    "sip:gone@example.com", "Gone", endpoints=(Endpoint("1", status=EndpointStatus.DISCONNECTED),)
)


def roster_of(*users: User, version: int = 1) -> Roster:
    roster = Roster()
    assert roster.take(info(*users, version=version)) is Outcome.MERGED
    return roster


def info(*users: User, version: int = 1, state: State = State.FULL) -> bytes:
    description = ConferenceDescription(subject="Tea")
    return ConferenceInfo(
        ROOM, version, description, users=users, state=state, users_state=state
    ).render()


def test_what_the_room_tells_of_people() -> None:
    roster = roster_of(ALICE, BOB, GONE)
    assert roster.people == [
        Person("sip:alice@example.com", "Ali", "Alice", ("moderator",)),
        Person("sip:bob@example.com", "", "Bob", is_muted=True),
    ]
    assert roster.names() == ["Ali", "Bob"]
    assert roster.subject == "Tea"


def test_changes_are_worked_in_and_a_gap_is_told() -> None:
    roster = roster_of(ALICE)
    assert roster.take(info(BOB, version=2, state=State.PARTIAL)) is Outcome.MERGED
    assert roster.take(info(GONE, version=4, state=State.PARTIAL)) is Outcome.GAP
    assert roster.take(info(GONE, version=2)) is Outcome.OLD
    assert roster.names() == ["Ali", "Bob"]
    roster.begin()
    assert roster.names() == ["Ali", "Bob"]
    assert roster.take(info(OTHER_BOB, version=1)) is Outcome.MERGED
    assert roster.names() == ["Bob B"]
    with pytest.raises(RemoteProtocolError):
        roster.take(b"<x/>")


def test_where_nothing_is_told_people_are_known_by_what_they_say() -> None:
    roster = Roster()
    assert (roster.people, roster.names(), roster.subject) == ([], [], "")
    for number in range(HEARD_LIMIT + 5):
        roster.heard(Address(f"sip:u{number}@example.com"))
    roster.heard(Address("sip:u9@example.com;transport=tcp", "Nine"))
    assert len(roster.people) == HEARD_LIMIT
    assert roster.find("Nine").address == "u9@example.com"
    told = roster_of(ALICE)
    told.heard(Address("sip:eve@example.com", "Eve"))
    assert told.names() == ["Ali"]
    told.forget()
    assert told.names() == ["Eve"]


def test_a_nickname_is_known_before_the_room_has_told_it() -> None:
    roster = roster_of(ALICE, BOB)
    roster.renamed("sip:bob@example.com", "Bobby")
    assert roster.names() == ["Ali", "Bobby"]
    assert roster.called(Address("sip:bob@example.com")).display_name == "Bobby"
    assert roster.called(Address("sip:bob@example.com", "B.")).display_name == "B."
    assert roster.called(Address("sip:eve@example.com")).display_name == ""


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Ali", "alice@example.com"),
        ("ALI", "alice@example.com"),
        ("alice", "alice@example.com"),
        ("Bob", "bob@example.com"),
        ("bob b", "bob@example.net"),
        ("bob@example.net", "bob@example.net"),
        ("sip:BOB@example.net;transport=tcp", "bob@example.net"),
        ("eve@example.org", "eve@example.org"),
        ("sips:eve@example.org", "eve@example.org"),
    ],
)
def test_who_is_meant(name: str, address: str) -> None:
    assert roster_of(ALICE, BOB, OTHER_BOB).find(name).address == address


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nobody", "nobody here is called nobody"),
        ("a b@c", "nobody here is called a b@c"),
        ("Twin", "Twin are several: t1@example.com, t2@example.com. Give the address."),
    ],
)
def test_who_cannot_be_told(name: str, complaint: str) -> None:
    twins = [User(f"sip:t{number}@example.com", "Twin") for number in (1, 2)]
    with pytest.raises(NotFound) as caught:
        roster_of(ALICE, *twins).find(name)
    assert str(caught.value) == complaint


def test_a_nickname_comes_before_the_display_name_of_another() -> None:
    mallory = User("sip:mallory@example.com", "Ali")
    assert roster_of(mallory, ALICE).find("Ali").address == "alice@example.com"


def test_who_has_gone_is_known_until_somebody_here_has_the_name() -> None:
    roster = roster_of(ALICE, BOB)
    roster.take(info(ALICE, version=2))
    assert roster.names() == ["Ali"]
    assert roster.find("Bob").address == "bob@example.com"
    assert roster.split("Bob 2h") == (roster.find("Bob"), "2h")
    roster.take(info(ALICE, User("sip:new@example.com", "Bob"), version=3))
    assert roster.find("Bob").address == "new@example.com"


@pytest.mark.parametrize(
    ("text", "address", "rest"),
    [
        ("Bob hello", "bob@example.com", "hello"),
        ("bob b  hello there", "bob@example.net", "hello there"),
        ("Bob B C", "bob2@example.com", ""),
        ('"Bob B" C', "bob@example.net", "C"),
        ("alice@example.com 2h", "alice@example.com", "2h"),
        ("sip:eve@example.org 2h", "eve@example.org", "2h"),
    ],
)
def test_a_name_at_the_beginning_of_a_line(text: str, address: str, rest: str) -> None:
    person, found = roster_of(ALICE, BOB, OTHER_BOB, LONG_BOB).split(text)
    assert (person.address, found) == (address, rest)


@given(st.text(max_size=30), st.text(max_size=30))
def test_nothing_but_not_found_comes_out(display_name: str, text: str) -> None:
    roster = Roster()
    roster.heard(Address("sip:x@example.com", display_name))
    with suppress(NotFound):
        roster.split(text)
    assert all(name.isprintable() for name in roster.names())
