"""Whom a message is for: the room, a person, one client of a person."""

import pytest
from sylk_conference.addressing import Addressing
from sylk_conference.content import Refusal
from sylk_conference.people import Arrival, Participant, People, User, comparable

from sylk.payload.cpim import Address

LOBBY = b"lobby@example.com"


class House:
    """Alice and Bob with two clients each, and Carol with one."""

    def __init__(self) -> None:
        self.people = People()
        self.desk = self.join("alice", "sip:x1@192.0.2.1:5060;transport=tcp")
        self.phone = self.join("alice", "sip:alice@example.com;gr=urn:uuid:f81d")
        self.bob = self.join("bob", "sip:x2@192.0.2.2:5062")
        self.bob_too = self.join("bob", "sip:bob@example.com;GR=urn:uuid:0b0b")
        self.carol = self.join("carol", "sip:x3@[2001:db8::1]:5060")
        self.addressing = Addressing(self.is_lobby, self.people, self.find)

    def join(self, name: str, contact: str) -> Participant:
        return self.people.join(
            Address(f"sip:{name}@example.com"), arrival=Arrival(contact=contact)
        )

    @staticmethod
    def is_lobby(uri: bytes) -> bool:
        return comparable(uri) == LOBBY

    def find(self, nickname: str) -> User | None:
        return next((user for user in self.people if user.nickname == nickname), None)

    def recipients(self, sender: Participant, *to: str) -> list[Participant] | None:
        return self.addressing.recipients(sender, [f"To: {one}".encode() for one in to])

    def refusal(self, sender: Participant, *to: str) -> int:
        with pytest.raises(Refusal) as caught:
            self.recipients(sender, *to)
        return caught.value.status


def test_no_recipient_and_the_room_are_everybody() -> None:
    house = House()
    assert house.recipients(house.desk) is None
    for to in ("<sip:lobby@example.com>", "The Lobby <sips:lobby@EXAMPLE.com;transport=tcp>"):
        for _ in range(2):
            assert house.recipients(house.desk, to) is None
    assert house.recipients(house.desk, *["<sip:lobby@example.com>"] * 2) is None


def test_a_person_gets_it_on_all_clients_and_so_do_the_others_of_the_sender() -> None:
    house = House()
    to_bob = house.recipients(house.desk, "<sip:bob@example.com>")
    assert to_bob == [house.bob, house.bob_too, house.phone]
    assert house.recipients(house.desk, "<sip:alice@example.com>") == [house.phone]
    # Nobody else is meant when somebody alone at one client talks to himself.
    assert house.recipients(house.carol, "<sip:carol@example.com>") == []


@pytest.mark.parametrize(
    "to", ["<sip:bob@example.com;gr=urn:uuid:0b0b>", "<sip:bob@example.com;GR=URN:UUID:0B0B>"]
)
def test_a_gruu_is_one_client(to: str) -> None:
    house = House()
    assert house.recipients(house.desk, to) == [house.bob_too, house.phone]


def test_the_contact_of_a_client_is_that_client() -> None:
    house = House()
    assert house.recipients(house.carol, "<sip:x2@192.0.2.2:5062>") == [house.bob]
    assert house.recipients(house.carol, "<sip:X1@192.0.2.1:5060;transport=udp>") == [house.desk]
    assert house.recipients(house.bob, "<sip:x3@[2001:db8::1]:5060>") == [
        house.carol,
        house.bob_too,
    ]


def test_a_nickname_is_asked_for_at_the_room() -> None:
    house = House()
    house.people.rename(house.bob.user, "Bobby Brown", "Bobby Brown")
    to = "<sip:lobby@example.com;nickname=Bobby%20Brown>"
    assert house.recipients(house.carol, to) == [house.bob, house.bob_too]
    for absent in ("Bob", "bobby", "", "%ff"):
        assert house.refusal(house.carol, f"<sip:lobby@example.com;nickname={absent}>") == 404


@pytest.mark.parametrize(
    ("to", "status"),
    [
        (["<sip:dave@example.com>"], 404),
        (["<sip:bob@example.com;gr=urn:uuid:ffff>"], 404),
        (["<sip:x9@192.0.2.2:5062>"], 404),
        (["<sip:x2@192.0.2.2>"], 404),
        (["<im:lobby>"], 404),
        (["<sip:bob@example.com>", "<sip:carol@example.com>"], 403),
        (["<sip:lobby@example.com>", "<sip:bob@example.com>"], 403),
    ],
)
def test_nobody_else_hears_what_was_not_for_him(to: list[str], status: int) -> None:
    house = House()
    assert house.refusal(house.desk, *to) == status


def test_who_cannot_show_it_as_private_does_not_get_it() -> None:
    house = House()
    house.bob.takes_private = False
    assert house.recipients(house.desk, "<sip:bob@example.com>") == [house.bob_too, house.phone]
    house.bob_too.takes_private = False
    assert house.refusal(house.desk, "<sip:bob@example.com>") == 428
    # To the room it is no matter.
    assert house.recipients(house.desk, "<sip:lobby@example.com>") is None
