"""Who gets which nickname in a room."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sylk_conference.nicknames import MALFORMED, MAX_LENGTH, TAKEN, Nicknames

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import Address

ROOM = Address("sip:lobby@example.com", "The Lobby")


def address(user: str, display_name: str = "") -> Address:
    return Address(f"sip:{user}@example.com", display_name)


def room_with(*people: Address) -> Nicknames:
    names = Nicknames(ROOM, reserved=["Admin"])
    for person in people:
        names.join(key_of(person), person)
    return names


def key_of(person: Address) -> bytes:
    return person.uri.partition(":")[2].encode()


def status_of(names: Nicknames, person: Address, nickname: str) -> int:
    try:
        names.reserve(key_of(person), nickname)
    except RemoteProtocolError as error:
        return error.status
    return 200


ALICE = address("alice", "Alice A.")
BOB = address("bob")


def test_a_nickname_is_shown_as_it_was_written_but_for_its_spaces_and_width() -> None:
    names = room_with(ALICE)
    assert names.reserve(key_of(ALICE), "  Ali\u3000 Ｂ ") == "Ali B"
    assert names.nickname_of(key_of(ALICE)) == names.name_of(key_of(ALICE)) == "Ali B"
    assert names.owner_of("ALI b") == key_of(ALICE)
    assert names.owner_of("A1i b") is None
    assert names.owner_of("\u202e") is None


@pytest.mark.parametrize("other", ["Ian", "IAN", "ian", "Ｉａｎ", " Ian", "lan", "1an", "Iаn"])
def test_one_that_another_has_or_that_looks_like_it_is_425(other: str) -> None:
    names = room_with(ALICE, BOB)
    assert status_of(names, ALICE, "Ian") == 200
    assert status_of(names, BOB, "Bobby") == 200
    assert status_of(names, BOB, other) == TAKEN
    # What he had stays in effect (RFC 7701 section 7.2).
    assert names.nickname_of(key_of(BOB)) == "Bobby"


@pytest.mark.parametrize("name", ["lobby", "L0BBY", "The lobby", "admin", "Аdmin"])
def test_the_name_of_the_room_and_reserved_ones_are_425(name: str) -> None:
    assert status_of(room_with(ALICE), ALICE, name) == TAKEN


@pytest.mark.parametrize("name", ["alice", "A1ice", "ALICE", "Alice A."])
def test_the_name_of_somebody_who_is_here_is_425(name: str) -> None:
    assert status_of(room_with(ALICE, BOB), BOB, name) == TAKEN
    assert status_of(room_with(BOB), BOB, name) == 200


@pytest.mark.parametrize("name", ["alice", "Alice A."])
def test_ones_own_names_are_free_to_oneself(name: str) -> None:
    assert status_of(room_with(ALICE, BOB), ALICE, name) == 200


def test_a_display_name_keeps_nobody_from_the_name_of_his_address() -> None:
    names = room_with(BOB, address("mallory", "Bob"), address("eve", "Sunny"))
    assert status_of(names, BOB, "Bob") == 200
    assert status_of(names, BOB, "Sunny") == TAKEN


def test_a_percent_encoded_user_part_is_read() -> None:
    assert status_of(room_with(address("j%c3%bcrg"), BOB), BOB, "Jürg") == TAKEN


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\u3000",
        "a\r\nb",
        "a\x00",
        "a\x1b[31m",
        "a\x9b1m",
        "a\u202eb",
        "a\u200eb",
        "a\u2066b",
        "a\u200bb",
        "\u2060",
        "\u00ad",
        "\ufeff",
        "\u3164",
        "\u2800",
        "\u0301a",
        "\u0301",
        "a" + "\u0301" * 6,
        "\ud800",
        "\ue000",
        "x" * (MAX_LENGTH + 1),
        "x" * 10_000,
        " " * 10_000,
        # One character that maps to many.
        "\ufdfa" * MAX_LENGTH,
    ],
)
def test_a_malformed_one_is_424(name: str) -> None:
    names = room_with(ALICE)
    assert status_of(names, ALICE, name) == MALFORMED
    assert names.nickname_of(key_of(ALICE)) == ""


@pytest.mark.parametrize(
    "name", ["x" * MAX_LENGTH, "नमस्ते", "עֲלִיזָה", "❤", "Zoë", "Nguyễn", "42", "李"]
)
def test_names_of_all_languages_are_names(name: str) -> None:
    names = room_with(ALICE)
    assert names.reserve(key_of(ALICE), name) == unicodedata.normalize("NFKC", name)


def test_one_user_has_one_nickname_over_all_his_clients() -> None:
    phone = address("alice", "Alice on the phone")
    names = room_with(ALICE, phone, BOB)
    assert status_of(names, ALICE, "Ali") == status_of(names, phone, "ALI") == 200
    assert status_of(names, phone, "Lise") == 200
    assert names.name_of(key_of(ALICE)) == "Lise"
    assert status_of(names, BOB, "Ali") == 200
    names.leave(key_of(ALICE), ALICE)
    assert status_of(names, BOB, "Lise") == TAKEN
    assert status_of(names, BOB, "Alice A.") == 200
    names.leave(key_of(phone), phone)
    assert status_of(names, BOB, "Lise") == 200
    assert names.nickname_of(key_of(ALICE)) == ""


def test_one_that_was_given_up_is_free() -> None:
    names = room_with(ALICE, BOB)
    names.reserve(key_of(ALICE), "Ali")
    names.release(key_of(ALICE))
    names.release(key_of(ALICE))
    assert names.name_of(key_of(ALICE)) == "Alice A."
    assert status_of(names, BOB, "Ali") == 200


def test_who_comes_under_the_nickname_of_another_is_not_called_so() -> None:
    names = room_with(ALICE)
    names.reserve(key_of(ALICE), "Ali")
    mallory = address("mallory", "A\u200bli")
    names.join(key_of(mallory), mallory)
    assert names.name_of(key_of(mallory)) == ""
    assert names.name_of(key_of(ALICE)) == "Ali"
    names.release(key_of(ALICE))
    assert names.name_of(key_of(mallory)) == "A\u200bli"


@given(st.text(max_size=80), st.text(max_size=80))
def test_nothing_but_a_refusal_comes_out(display_name: str, nickname: str) -> None:
    names = room_with(ALICE, address("bob", display_name))
    assert status_of(names, BOB, nickname) in (200, MALFORMED, TAKEN)
    shown = names.nickname_of(key_of(BOB))
    # What was taken is taken again in the form in which it is shown.
    assert not shown or names.reserve(key_of(BOB), shown) == shown
    names.leave(key_of(BOB), address("bob", display_name))


PEOPLE = [address("u1", "Ian"), address("u2", "lan"), address("u3"), address("u3", "Three")]
WISHES = st.sampled_from(["Ian", "ian", "lan", "L", "I", "u3", "three", "x", "Х", "lobby", ""])


class NicknamesMachine(RuleBasedStateMachine):
    """Whatever happens, no two users have one nickname, and nobody leaves anything behind."""

    def __init__(self) -> None:
        super().__init__()
        self.names = room_with()
        self.here: list[Address] = []

    @rule(person=st.sampled_from(PEOPLE))
    def join(self, person: Address) -> None:
        self.names.join(key_of(person), person)
        self.here.append(person)

    @precondition(lambda self: self.here)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        person = self.here.pop(data.draw(st.integers(0, len(self.here) - 1)))
        self.names.leave(key_of(person), person)

    @precondition(lambda self: self.here)
    @rule(data=st.data(), nickname=WISHES)
    def ask(self, data: st.DataObject, nickname: str) -> None:
        person = data.draw(st.sampled_from(self.here))
        before = self.names.nickname_of(key_of(person))
        if status_of(self.names, person, nickname) != 200:
            assert self.names.nickname_of(key_of(person)) == before

    @precondition(lambda self: self.here)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        self.names.release(key_of(data.draw(st.sampled_from(self.here))))

    @invariant()
    def nicknames_are_of_one_user_each(self) -> None:
        keys = {key_of(person) for person in self.here}
        nicknames = [name for key in keys if (name := self.names.nickname_of(key))]
        assert len({name.lower() for name in nicknames}) == len(nicknames)
        for key in keys:
            nickname = self.names.nickname_of(key)
            assert not nickname or self.names.owner_of(nickname) == key

    def teardown(self) -> None:
        for person in self.here:
            self.names.leave(key_of(person), person)
        newcomer = address("newcomer")
        self.names.join(key_of(newcomer), newcomer)
        for nickname in ("Ian", "lan", "u3", "three", "x"):
            assert status_of(self.names, newcomer, nickname) == 200


TestNicknames = NicknamesMachine.TestCase
