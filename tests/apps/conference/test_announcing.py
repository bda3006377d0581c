"""What the neighbours are told of rooms."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from sylk_conference.announcing import Announcing, note_of
from sylk_conference.home import Home
from sylk_conference.info import RoomInfo
from sylk_conference.open_room import OpenRoom
from sylk_conference.people import Participant
from sylk_conference.policy import RoomPolicy
from sylk_conference.reporting import Reporting
from sylk_conference.room import Room
from sylk_conference.room_history import RoomHistory
from sylk_conference.rooms import Rooms
from sylk_conference.settings import RoomSettings
from sylk_conference.watching import Watchers

from sylk.payload.cpim import Address
from sylk.session import Chat
from sylk.session.announcer import Announcer, Board
from sylk.settings import AddressSettings

LOBBY = Address("sip:lobby@127.0.0.1", "Conference Room")


@dataclass
class Machine:
    lasting: str = "localhost"
    shown: str = "192.0.2.1"

    def is_own(self, host: str) -> bool:
        return host in ("localhost", "127.0.0.1", "192.0.2.1")


class NoRooms:
    """What the rooms are opened with; nobody comes in here."""

    def open(self, address: Address, policy: RoomPolicy) -> OpenRoom:
        chats: dict[Participant, Chat] = {}
        room = Room(address, policy, self.home)
        info = RoomInfo(room)
        reporting = Reporting("accepted", 30, chats, chats, no_alarm)
        watchers = Watchers(info, 1.0, no_alarm)
        history = RoomHistory(room, None)
        return OpenRoom(
            room, chats, chats, reporting, info, history, watchers, lambda what: no_alarm
        )

    def __init__(self, **of_room: bool | str) -> None:
        self.home = Home(Machine())
        settings = replace(RoomSettings(), **of_room)
        self.rooms = Rooms(AddressSettings(settings), 10, self.open, self.home)
        self.announcing = Announcing(self.rooms)
        self.rooms.on_changed = self.announcing.changed
        self.board = Board()

    def start(self, *, is_default: bool = True) -> None:
        self.announcing.start(Announcer(self.board, (), is_default=is_default))

    @property
    def told(self) -> list[tuple[str, str, str]]:
        told = [one.announced for one in self.board]
        return [(one.name, one.user, one.note) for one in told if one.user]


def no_alarm(deadline: float | None, ring: Callable[[float], None]) -> None:
    """Ring nothing."""


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "no participants"),
        (1, "one participant"),
        (2, "two participants"),
        (3, "3 participants"),
    ],
)
def test_counts_in_words(count: int, words: str) -> None:
    assert note_of(count) == words


def test_a_room_is_told_while_it_is_open_with_how_many_are_there() -> None:
    told = NoRooms()
    told.start()
    open_room = told.rooms.open(LOBBY)
    assert told.told == [("Conference Room lobby", "lobby", "no participants")]
    ann = open_room.room.join(Address("sip:ann@example.com"))
    open_room.changed(ann.user)
    assert told.told == [("Conference Room lobby", "lobby", "one participant")]
    told.rooms.reconfigure(AddressSettings(RoomSettings()), 10)
    assert told.told == []


def test_the_server_is_told_too_where_calls_come_to_its_rooms() -> None:
    told = NoRooms()
    told.start()
    (server,) = [one.announced for one in told.board]
    assert (server.user, server.focus) == ("", True)
    other = NoRooms()
    other.start(is_default=False)
    other.rooms.open(LOBBY)
    assert list(other.board) == []


def test_a_room_that_was_open_before_is_told() -> None:
    told = NoRooms(description="The Lobby")
    told.rooms.open(LOBBY)
    assert told.told == []
    told.start()
    assert told.told == [("The Lobby", "lobby", "no participants")]


def test_what_is_not_for_the_neighbours_is_not_told() -> None:
    hidden = NoRooms(hidden=True)
    hidden.start()
    hidden.rooms.open(LOBBY)
    assert hidden.told == []
    told = NoRooms()
    told.start()
    told.rooms.open(Address("sip:lobby@example.com"))
    told.rooms.open(LOBBY)
    # The name of a room of the factory is a secret.
    told.rooms.find_by_name(LOBBY)
    assert told.told == []


def test_a_room_may_be_hidden_and_shown_while_it_is_open() -> None:
    told = NoRooms()
    told.start()
    open_room = told.rooms.open(LOBBY)
    for hidden in (True, False):
        open_room.room.policy.reconfigure(RoomSettings(hidden=hidden))
        told.announcing.reconfigured()
        assert len(told.told) == (not hidden)
