import pytest
from sylk_conference.home import Home
from sylk_conference.room import Room

from sylk.payload.cpim import Address, split_envelope
from sylk.settings import AddressSettings
from sylk.share import Share

LOBBY = Address("sip:lobby@192.0.2.1", "Conference Room")
NOW = b"2026-11-21T12:00:00Z"


class Machine:
    """A host with two addresses."""

    lasting = "localhost"
    shown = "192.0.2.1"

    def is_own(self, host: str) -> bool:
        return host in ("localhost", "127.0.0.1", "192.0.2.1", "192.0.2.5")


HOME = Home(Machine())


def cpim(to: str) -> bytes:
    lines = (f"From: <sip:ann@example.com>\r\nTo: <{to}>\r\n" if to else "").encode()
    return lines + b"DateTime: 2026-11-21T12:00:00Z\r\n\r\nContent-Type: text/plain\r\n\r\nhello"


def post(room: Room, to: str) -> bytes:
    (ann,) = [one for user in room.people for one in user.participants][:1]
    body = cpim(to)
    return room.post(ann, body, split_envelope(body), NOW).body


def lobby() -> Room:
    room = Room(HOME.shown(LOBBY), home=HOME)
    room.join(Address("sip:ann@example.com"))
    return room


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1", "localhost", "LOCALHOST"])
def test_all_addresses_of_the_machine_are_one_room(host: str) -> None:
    address = Address(f"sip:lobby@{host}")
    assert HOME.key_of(address) == b"lobby@localhost"
    assert HOME.shown(address).uri == "sip:lobby@192.0.2.1"
    assert HOME.is_at_home(address)
    assert HOME.is_room(f"sip:lobby@{host};transport=tcp".encode(), b"lobby@localhost")


def test_rooms_of_other_hosts_are_rooms_of_their_own() -> None:
    address = Address("sip:lobby@example.com", "Room")
    assert HOME.key_of(address) == b"lobby@example.com"
    assert HOME.shown(address) == address
    assert not HOME.is_at_home(address)
    assert not HOME.is_room(b"sip:lobby@example.com", b"lobby@localhost")


def test_without_a_server_each_address_is_a_room_of_its_own() -> None:
    home = Home()
    assert home.key_of(LOBBY) == b"lobby@192.0.2.1"
    assert home.shown(LOBBY) == LOBBY
    assert not home.is_at_home(LOBBY)


def test_an_ipv6_address_has_its_brackets() -> None:
    home = Home(Machine())
    assert home.hosts is not None
    home.hosts = type("Machine6", (Machine,), {"shown": "2001:db8::1"})()
    assert home.shown(LOBBY).uri == "sip:lobby@[2001:db8::1]"


def test_the_section_of_a_room_is_found_by_any_of_its_addresses() -> None:
    settings = HOME.settings(
        AddressSettings("all", {"lobby@127.0.0.1": "lobby", "hall@example.com": "hall"})
    )
    assert settings.of("lobby@localhost") == "lobby"
    assert settings.of("hall@example.com") == "hall"
    assert settings.of("other@localhost") == "all"


def test_what_is_said_to_all_keeps_its_to_while_all_know_the_room_by_one_address() -> None:
    room = lobby()
    room.called_as(LOBBY)
    assert b"To: <sip:lobby@192.0.2.1>" in post(room, LOBBY.uri)
    # To another address of the room it is to all, too, and the others see theirs.
    assert b"lobby@192.0.2.1" in post(room, "sip:lobby@127.0.0.1")


def test_once_somebody_knows_it_by_another_address_it_has_no_to() -> None:
    room = lobby()
    room.called_as(Address("sip:lobby@127.0.0.1"))
    for to in (LOBBY.uri, "sip:lobby@127.0.0.1", ""):
        assert b"To:" not in post(room, to)
    assert room.receivers == []


def test_what_was_said_at_another_address_is_shown_as_said_here() -> None:
    room = lobby()
    again = room.said_again(cpim("sip:lobby@192.0.2.5"))
    assert b"To: Conference Room <sip:lobby@192.0.2.1>" in again.replace(b'"', b"")
    assert again.endswith(b"hello")
    right = cpim(LOBBY.uri)
    assert room.said_again(right) == right
    room.called_as(Address("sip:lobby@127.0.0.1"))
    assert b"To:" not in room.said_again(right)


def test_each_room_is_in_one_worker() -> None:
    homes = [Home(Machine()) for _ in range(3)]
    for index, home in enumerate(homes):
        home.share = Share(index, 3)
    for number in range(20):
        user = f"ro\xf6m {number}"
        # In a key it stands as a URI has it.
        key = f"ro%C3%B6m%20{number}@localhost"
        assert [home.has(key) for home in homes] == [home.has_user(user) for home in homes]
        assert sum(home.has(key) for home in homes) == 1
    assert HOME.has("lobby@localhost")
