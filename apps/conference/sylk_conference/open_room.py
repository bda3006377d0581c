"""A room at run time: who is here with which chat, and what is sent to whom."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sylk.session import Broadcast, Call, Chat
from sylk_conference.notices import notice
from sylk_conference.people import Participant
from sylk_conference.reporting import Reporting
from sylk_conference.room import Room

PACE_BYTES = 256 * 1024
"""Bytes that wait for half of the room before a sender is slowed down to the room's pace."""


def date_time() -> str:
    """Return now as messages tell it (RFC 3862 section 4.1)."""
    return datetime.now(UTC).isoformat()


@dataclass(slots=True)
class OpenRoom:
    """A room and the chats of those who are in it."""

    room: Room
    chats: dict[Participant, Chat]
    reporting: Reporting
    seats: int = 0
    """How many are here or on their way in."""
    called: int = 0
    """How many of these are being called, and have not answered yet."""
    calls: dict[Call, bytes] = field(default_factory=dict[Call, bytes])
    """The sessions that are here or on their way in, each with user@host of its person."""
    on_deserted: Callable[[], None] | None = None
    """Called when only those are left who are being called."""

    def broadcast(self, broadcast: Broadcast, sender: Participant | None = None) -> None:
        """Send to everybody but the sender."""
        broadcast.send_to(
            chat for participant, chat in self.chats.items() if participant is not sender
        )

    def whisper(self, broadcast: Broadcast, recipients: Iterable[Participant]) -> None:
        """Send to these alone."""
        broadcast.send_to(self.chats[participant] for participant in recipients)

    def tell(self, text: str, about: Participant | None = None) -> None:
        """Say something in the name of the room, to all but the one whom it is about."""
        broadcast = Broadcast()
        broadcast.add(notice(self.room.address, text, date_time()))
        self.broadcast(broadcast, about)

    def chats_of(
        self, sender: Participant, recipients: Sequence[Participant] | None
    ) -> dict[Chat, Participant]:
        """Return these, or everybody but the sender for None, by their chats."""
        if recipients is None:
            return {chat: one for one, chat in self.chats.items() if one is not sender}
        return {self.chats[participant]: participant for participant in recipients}

    def laggards(self) -> list[Chat]:
        """Return those who are behind, if they are more than half of the room."""
        behind = [chat for chat in self.chats.values() if chat.backlog > PACE_BYTES]
        return behind if 2 * len(behind) > len(self.chats) else []
