"""Whether a room is open, and how many are in it, for who subscribes to its presence (RFC 3863).

Any room can be watched, open or not: who waits for people to come is told when they do.
"""

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import partial

from sylk.payload.cpim import Address
from sylk.payload.pidf import CONTENT_TYPE, Basic, Note, Presence, PresenceTuple
from sylk.session import SubscriptionRequest
from sylk_conference.rooms import Rooms
from sylk_conference.watching import Watchers

SetAlarm = Callable[[Hashable, float | None, Callable[[float], None]], None]


class PresenceWatching:
    """Those who watch whether rooms are open."""

    def __init__(self, rooms: Rooms, interval: float, set_alarm: SetAlarm) -> None:
        self._rooms = rooms
        self._interval = interval
        self._set_alarm = set_alarm
        self._watchers: dict[bytes, Watchers] = {}

    def __len__(self) -> int:
        """Return how many rooms are watched."""
        return len(self._watchers)

    def reconfigure(self, interval: float) -> None:
        """Take another interval, in seconds, between two documents on one room."""
        self._interval = interval
        for watchers in self._watchers.values():
            watchers.interval = interval

    def changed(self, key: bytes) -> None:
        """Take it that somebody has come into a room, or gone."""
        watchers = self._watchers.get(key)
        if watchers is not None:
            watchers.changed()

    async def accept(self, address: Address, request: SubscriptionRequest) -> None:
        """Tell somebody about the room of this address, from now on.

        Raises SessionEnded, with the request refused, when it makes no sense.
        """
        key = self._rooms.home.key_of(address)
        watchers = self._watchers.get(key)
        if watchers is None:
            source = _Source(self._rooms, address)
            set_alarm = partial(self._set_alarm, ("presence", key))
            watchers = self._watchers[key] = Watchers(source, self._interval, set_alarm)
            watchers.on_empty = partial(self._forget, key)
        try:
            await watchers.accept(request)
        finally:
            if not len(watchers):
                self._forget(key)

    def _forget(self, key: bytes) -> None:
        self._watchers.pop(key, None)


class _Source:
    """What is told of one room."""

    content_type = CONTENT_TYPE

    def __init__(self, rooms: Rooms, address: Address) -> None:
        self._rooms = rooms
        self._address = address

    def render(self, version: int, *, changes: bool = False) -> tuple[bytes, bytes]:
        """Return the document; PIDF knows neither versions nor changes."""
        del version, changes
        open_room = self._rooms.get(self._address)
        count = None if open_room is None else len(open_room.room.people)
        subject = self._rooms.policy_of(self._address).subject
        return presence_of(self._address.uri, count, subject, datetime.now(UTC)), b""


def presence_of(uri: str, count: int | None, subject: str, now: datetime) -> bytes:
    """Return the document of a room with so many people; None for one that is not open."""
    notes = [Note(_count_text(count), "en")]
    if subject:
        notes.append(Note(subject))
    room = PresenceTuple(
        id="room",
        basic=Basic.CLOSED if count is None else Basic.OPEN,
        contact=uri,
        priority=1.0,
        notes=tuple(notes),
        timestamp=now,
    )
    return Presence(uri, (room,)).render()


def _count_text(count: int | None) -> str:
    if count is None:
        return "not open"
    return {0: "nobody is here", 1: "1 participant"}.get(count, f"{count} participants")
