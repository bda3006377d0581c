"""The rooms that are open, and the seats in them.

A room is open from the moment that somebody is on his way in, so that who subscribes to it the
moment that he is answered finds it, until nobody has a seat.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial

from sylk.payload.cpim import Address
from sylk.session import Call
from sylk_conference.open_room import OpenRoom
from sylk_conference.people import comparable, key_of
from sylk_conference.settings import ConferenceSettings

_NO_ROOM = 503
_FULL = 486


class Rooms:
    """The open rooms by their key, and into which of them each call leads."""

    def __init__(
        self, settings: ConferenceSettings, open_room: Callable[[Address], OpenRoom]
    ) -> None:
        self._settings = settings
        self._open = open_room
        self.on_changed: Callable[[bytes], None] | None = None
        """Called with the key of a room that has opened or closed, or whose people are others."""
        self._rooms: dict[bytes, OpenRoom] = {}
        self._places: dict[Call, OpenRoom] = {}
        """Into which room each call leads."""
        self._taken: set[Call] = set()
        """The calls whose seat somebody is about to take."""

    def __len__(self) -> int:
        """Return how many rooms are open."""
        return len(self._rooms)

    def __iter__(self) -> Iterator[OpenRoom]:
        return iter(self._rooms.values())

    def get(self, address: Address) -> OpenRoom | None:
        """Return the room of an address, None if it is not open."""
        return self._rooms.get(key_of(address))

    def place_of(self, call: Call | None) -> Address | None:
        """Return the address of the room that a call leads into."""
        place = None if call is None else self._places.get(call)
        return None if place is None else place.room.address

    def can_replace(self, call: Call | None) -> bool:
        """Tell whether the seat of this call can be taken: it holds one."""
        return call is not None and call not in self._taken

    def refusal(self, address: Address) -> int | None:
        """Return with what status one more is refused, None if there is a seat for him."""
        open_room = self.get(address)
        if open_room is None:
            return _NO_ROOM if len(self._rooms) >= self._settings.max_rooms else None
        return _FULL if open_room.seats >= self._settings.max_participants else None

    @contextmanager
    def seat(self, address: Address, call: Call, replaced: Call | None) -> Generator[OpenRoom]:
        """Keep a seat in a room for a call, or for as long as it needs that of another call."""
        key = key_of(address)
        open_room = self._rooms.get(key)
        if open_room is None:
            open_room = self._rooms[key] = self._open(address)
            open_room.on_changed = partial(self._changed, key)
            self._changed(key)
        open_room.seats += 1
        self._settle(call, open_room)
        if replaced is not None:
            self._taken.add(replaced)
        try:
            yield open_room
        finally:
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
        open_room.calls[call] = comparable(str(call.peer.uri).encode("utf-8", "replace"))

    def _leave(self, call: Call) -> None:
        del self._places.pop(call).calls[call]

    def _give_back(self, open_room: OpenRoom) -> None:
        open_room.seats -= 1
        if not open_room.seats:
            key = key_of(open_room.room.address)
            del self._rooms[key]
            open_room.close()
            self._changed(key)
        elif open_room.seats == open_room.called and open_room.on_deserted is not None:
            open_room.on_deserted()

    def _changed(self, key: bytes) -> None:
        if self.on_changed is not None:
            self.on_changed(key)
