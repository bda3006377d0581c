"""The rooms that are open, and the seats in them.

A room is open from the moment that somebody is on his way in, so that who subscribes to it the
moment that he is answered finds it, until nobody has a seat.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial

from sylk.payload.cpim import Address
from sylk.session import Call
from sylk.settings import AddressSettings, address_uri
from sylk_conference.home import Home
from sylk_conference.open_room import OpenRoom
from sylk_conference.people import comparable, key_of
from sylk_conference.policy import Asker, RoomPolicy
from sylk_conference.settings import RoomSettings

ROOM_NAME = "Conference Room"
"""How a room is called in messages, as deployed servers call it."""

MAX_BANNING = 1000
"""Rooms that are not open of which bans are remembered; the oldest is forgotten."""

_NO_ROOM = 503


class Rooms:
    """The open rooms by their key, and into which of them each call leads."""

    def __init__(
        self,
        settings: AddressSettings[RoomSettings],
        max_rooms: int,
        open_room: Callable[[Address, RoomPolicy], OpenRoom],
        home: Home | None = None,
    ) -> None:
        """Take the settings of each room, what makes one, and by what they are known."""
        self.home = home or Home()
        self.settings = self.home.settings(settings)
        self.max_rooms = max_rooms
        self._open = open_room
        self._policies: dict[bytes, RoomPolicy] = {}
        """Those of open rooms, and those that hold bans."""
        self.on_changed: Callable[[bytes], None] | None = None
        """Called with the key of a room that has opened or closed, or whose people are others."""
        self._rooms: dict[bytes, OpenRoom] = {}
        self._places: dict[Call, OpenRoom] = {}
        """Into which room each call leads."""
        self._taken: set[Call] = set()
        """The calls whose seat somebody is about to take."""
        self.closed_messages = 0
        """How many messages were taken by rooms that are no more."""
        self._made: dict[bytes, Address] = {}
        """The open rooms of the factory by the user part of their address."""

    def __len__(self) -> int:
        """Return how many rooms are open."""
        return len(self._rooms)

    def __iter__(self) -> Iterator[OpenRoom]:
        return iter(self._rooms.values())

    def get(self, address: Address) -> OpenRoom | None:
        """Return the room of an address, None if it is not open."""
        return self._rooms.get(self.home.key_of(address))

    def by_key(self, key: bytes) -> OpenRoom | None:
        """Return the room of a key, None if it is not open."""
        return self._rooms.get(key)

    def is_made(self, key: bytes) -> bool:
        """Tell whether the factory has made a room."""
        return key.rpartition(b"@")[0] in self._made

    def policy_of(self, address: Address) -> RoomPolicy:
        """Return who may do what in a room, whether it is open or not."""
        key = self.home.key_of(address)
        policy = self._policies.get(key)
        return policy or RoomPolicy(self.settings.of(key.decode("utf-8", "replace")))

    def made(self, user: str | None) -> Address | None:
        """Return the address of the room that the factory has made by this name, if it is open."""
        return self._made.get((user or "").encode("utf-8", "replace"))

    def find_by_name(self, address: Address) -> None:
        """Have the open room of an address, made by the factory, found by its name alone."""
        key = self.home.key_of(address)
        self._made[key.rpartition(b"@")[0]] = address
        self._changed(key)

    def asker(self, sender: Address, source: str, address: Address) -> Asker:
        """Return who asks for something in a room, as its policy wants to know him.

        `source` is the IP address that his request came from.
        """
        key, open_room = key_of(sender), self.get(address)
        is_here = open_room is not None and key in open_room.calls
        return Asker(key, source, is_here)

    def place_of(self, call: Call | None) -> Address | None:
        """Return the address of the room that a call leads into."""
        place = None if call is None else self._places.get(call)
        return None if place is None else place.room.address

    def seats_in(self, address: Address) -> int:
        """Return how many are in a room or on their way in."""
        open_room = self.get(address)
        return 0 if open_room is None else open_room.seats

    def can_replace(self, call: Call | None) -> bool:
        """Tell whether the seat of this call can be taken: it holds one."""
        return call is not None and call not in self._taken

    def refusal(self, address: Address) -> int | None:
        """Return with what status one more is refused, None if there is a seat for him."""
        open_room = self.get(address)
        if open_room is None:
            return _NO_ROOM if len(self._rooms) >= self.max_rooms else None
        denial = open_room.room.policy.has_room(open_room.seats)
        return None if denial is None else denial.status

    def open(self, address: Address) -> OpenRoom:
        """Open a room that is not open."""
        key = self.home.key_of(address)
        policy = self._policies[key] = self.policy_of(address)
        open_room = self._rooms[key] = self._open(self.home.shown(address), policy)
        open_room.on_changed = partial(self._changed, key)
        self._changed(key)
        return open_room

    def is_permanent(self, address: Address) -> bool:
        """Tell whether a room stays open while nobody is in it: one with a section that says so."""
        key = self.home.key_of(address).decode("utf-8", "replace")
        own = self.settings.own.get(key)
        return own is not None and own.permanent

    def open_permanent(self) -> None:
        """Open the rooms that are always open."""
        for key, settings in self.settings.own.items():
            address = Address(address_uri(key), ROOM_NAME)
            if settings.permanent and self.home.has(key) and self.get(address) is None:
                self.open(address)

    def reconfigure(self, settings: AddressSettings[RoomSettings], max_rooms: int) -> None:
        """Take other settings; nobody who is here has to leave for it."""
        settings = self.home.settings(settings)
        self.settings, self.max_rooms = settings, max_rooms
        for key, policy in self._policies.items():
            policy.reconfigure(settings.of(key.decode("utf-8", "replace")))
        for open_room in list(self._rooms.values()):
            open_room.reconfigured()
            self._close_if_empty(open_room)
        self.open_permanent()

    def seat(self, address: Address, call: Call, replaced: Call | None) -> "Seat":
        """Keep a seat in a room for a call, or for as long as it needs that of another call."""
        return Seat(self, address, call, replaced)

    def take_seat(self, address: Address, call: Call, replaced: Call | None) -> OpenRoom:
        """Give a call a seat, see `seat`, and return the room."""
        open_room = self.get(address) or self.open(address)
        open_room.seats += 1
        self._settle(call, open_room)
        if replaced is not None:
            self._taken.add(replaced)
        return open_room

    def leave_seat(self, call: Call, replaced: Call | None) -> None:
        """Take back the seat of a call."""
        open_room = self._places[call]
        if replaced is not None:
            self._taken.discard(replaced)
        self._leave(call)
        self._give_back(open_room)

    @contextmanager
    def seat_for_called(self, open_room: OpenRoom) -> Generator[Callable[[Call], None]]:
        """Keep a seat for somebody whom the room calls, which does not keep the room open.

        Yields what is to be given his call once it stands: then the seat is like all others.
        """
        calls: list[Call] = []

        def take(call: Call) -> None:
            open_room.called -= 1
            self._settle(call, open_room)
            calls.append(call)

        open_room.seats += 1
        open_room.called += 1
        try:
            yield take
        finally:
            for call in calls:
                self._leave(call)
            open_room.called -= not calls
            self._give_back(open_room)

    def _settle(self, call: Call, open_room: OpenRoom) -> None:
        self._places[call] = open_room
        open_room.calls.setdefault(_person_of(call), []).append(call)

    def _leave(self, call: Call) -> None:
        calls, person = self._places.pop(call).calls, _person_of(call)
        calls[person].remove(call)
        if not calls[person]:
            del calls[person]

    def _give_back(self, open_room: OpenRoom) -> None:
        open_room.seats -= 1
        if not open_room.seats:
            self._close_if_empty(open_room)
        elif open_room.seats == open_room.called and open_room.on_deserted is not None:
            open_room.on_deserted()

    def _close_if_empty(self, open_room: OpenRoom) -> None:
        if open_room.seats or self.is_permanent(open_room.room.address):
            return
        key = open_room.room.key
        del self._rooms[key]
        self._made.pop(key.rpartition(b"@")[0], None)
        open_room.room.policy.closed()
        if not open_room.room.policy.has_sanctions:
            # Bans hold for whoever comes next.
            del self._policies[key]
        elif len(self._policies) > len(self._rooms) + MAX_BANNING:
            del self._policies[next(key for key in self._policies if key not in self._rooms)]
        self.closed_messages += open_room.messages
        open_room.close()
        self._changed(key)

    def _changed(self, key: bytes) -> None:
        if self.on_changed is not None:
            self.on_changed(key)


class Seat:
    """The time for which a call has a seat; no generator, as each participant has one of these."""

    __slots__ = ("_address", "_call", "_replaced", "_rooms")

    def __init__(self, rooms: Rooms, address: Address, call: Call, replaced: Call | None) -> None:
        self._rooms = rooms
        self._address = address
        self._call = call
        self._replaced = replaced

    def __enter__(self) -> OpenRoom:
        return self._rooms.take_seat(self._address, self._call, self._replaced)

    def __exit__(self, *_: object) -> None:
        self._rooms.leave_seat(self._call, self._replaced)


def _person_of(call: Call) -> bytes:
    """Return user@host of who is at the other end of a call."""
    return comparable(str(call.peer.uri).encode("utf-8", "replace"))
