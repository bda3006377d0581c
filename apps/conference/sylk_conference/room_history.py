"""What one room keeps of what is said, and what of it those who come in are shown."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from sylk.errors import RemoteProtocolError
from sylk_conference.history import HistoryStore, Record, Said, Visit
from sylk_conference.people import Participant
from sylk_conference.room import Delivery, Room, asker_of, version_for

_PASSING = (b"application/im-iscomposing+xml", b"message/imdn+xml")
"""Types that mean nothing later."""


class RoomHistory:
    """The history of one room; without a store nothing is kept."""

    def __init__(self, room: Room, store: HistoryStore | None) -> None:
        self.store = store
        self._room = room
        self._key = room.key.decode("utf-8", "replace")

    @property
    def is_kept(self) -> bool:
        """Tell whether what is said to everybody is kept."""
        return self.store is not None and self._room.policy.settings.history

    @property
    def age(self) -> float | None:
        """Seconds for which it is kept; None for as long as there is place."""
        return self._room.policy.settings.history_age

    def add(self, sender: Participant, said: Sequence[Delivery], then: Callable[[], None]) -> None:
        """Keep what of this was said to everybody; `then` is called once it is on disk.

        That is at once if there is nothing to keep, or no disk that does its part.
        """
        store, now = self.store, time.time()
        if store is None or not self.is_kept:
            then()
            return
        uri = sender.address.uri
        lasting = [one.body for one in said if not one.is_private and _is_lasting(one)]
        if not lasting:
            then()
            return
        store.add(Said(self._key, now, uri, lasting), then)

    async def wait_for_room(self) -> None:
        """Wait while too much is on its way to the disk."""
        if self.store is not None:
            await self.store.wait_for_room()

    def enter(self, participant: Participant) -> Visit | None:
        """Take it that somebody has come in, to know later what he has missed."""
        if self.store is None or not self.is_kept:
            return None
        return self.store.enter(self._key, participant.key.decode("utf-8", "replace"))

    def leave(self, visit: Visit | None) -> None:
        """Take it that somebody has left."""
        if self.store is not None and visit is not None:
            self.store.leave(visit)

    async def replay(self, participant: Participant, visit: Visit | None) -> list[bytes]:
        """Return what a newcomer is shown, the oldest first, as message/cpim bodies."""
        settings = self._room.policy.settings
        if self.store is None or visit is None or not self._may_see(participant):
            return []
        records = await self.store.replay(
            visit,
            settings.history_replay,
            missed=settings.history_since_left,
            attended=settings.history_visible_to == "present",
        )
        versions = (version_for(participant, self._said_again(record.body)) for record in records)
        return [body for body in versions if body is not None]

    async def latest(
        self, participant: Participant, count: int, before: int | None = None
    ) -> list[Record]:
        """Return what somebody who is here may see of the latest, the oldest first."""
        settings = self._room.policy.settings
        if self.store is None or not self._may_see(participant):
            return []
        attendee = None
        if settings.history_visible_to == "present":
            attendee = participant.key.decode("utf-8", "replace")
        found = await self.store.latest(self._key, count, before=before, attendee=attendee)
        return [replace(one, body=self._said_again(one.body)) for one in found]

    def _said_again(self, body: bytes) -> bytes:
        try:
            return self._room.said_again(body)
        except RemoteProtocolError:
            # What was written by other means than ours.
            return body

    def _may_see(self, participant: Participant) -> bool:
        return self._room.policy.may_see_history(asker_of(participant)) is None


def _is_lasting(delivery: Delivery) -> bool:
    return not delivery.content_type.lower().startswith(_PASSING)
