"""The rooms that the neighbours are told of, and how many people are in each (Bonjour).

A room is told while it is open, unless it is hidden, or the factory has made it: the name of that
one is for those who are given it. Rooms of other hosts are not told either: by an address of this
machine nobody would come into them.
"""

from sylk.session.announcer import Announcement, Announcer
from sylk_conference.open_room import OpenRoom
from sylk_conference.rooms import ROOM_NAME, Rooms

_WORDS = ("no participants", "one participant", "two participants")


def note_of(count: int) -> str:
    """Return how many people are in a room, in the words that deployed servers have."""
    return _WORDS[count] if count < len(_WORDS) else f"{count} participants"


class Announcing:
    """Tells of the rooms; without an announcer of none."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._announcer: Announcer | None = None
        self._announcements: dict[bytes, Announcement] = {}

    def start(self, announcer: Announcer | None) -> None:
        """Tell of the server, and of rooms from now on, if calls to them come to us."""
        if announcer is None or not announcer.is_default:
            return
        self._announcer = announcer
        announcer.publish("Sylk", "", focus=True)
        self.reconfigured()

    def reconfigured(self) -> None:
        """Take it that rooms may be hidden now, or called otherwise."""
        for open_room in self._rooms:
            self.changed(open_room.room.key)

    def changed(self, key: bytes) -> None:
        """Take it that a room has opened or closed, or that its people are others."""
        if self._announcer is None:
            return
        open_room = self._rooms.by_key(key)
        announcement = self._announcements.get(key)
        if open_room is None or not self._is_told(open_room):
            if announcement is not None:
                del self._announcements[key]
                announcement.withdraw()
            return
        room = open_room.room
        user = room.user
        name = room.policy.settings.description or f"{ROOM_NAME} {user}"
        note = note_of(len(room.people))
        if announcement is None:
            published = self._announcer.publish(name, user, focus=True, note=note)
            self._announcements[key] = published
        else:
            announcement.update(note, name)

    def _is_told(self, open_room: OpenRoom) -> bool:
        room = open_room.room
        is_hidden = room.policy.settings.hidden or self._rooms.is_made(room.key)
        return bool(room.user) and room.is_at_home and not is_hidden
