"""A room at run time: who is here with which chat, and what is sent to whom."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sylk.session import Broadcast, Call, Chat
from sylk_conference.info import RoomInfo
from sylk_conference.missed import Missed
from sylk_conference.notices import notice
from sylk_conference.people import Participant, User
from sylk_conference.reporting import Reporting
from sylk_conference.room import Room
from sylk_conference.watching import Watchers

PACE_BYTES = 256 * 1024
"""Bytes that wait for half of the room before a sender is slowed down to the room's pace."""

MISSED_MESSAGES = 100
"""Messages that are kept for somebody who holds the chat."""

MISSED_SIZE = 256 * 1024
"""Bytes of messages that are kept for somebody who holds the chat."""


def date_time() -> str:
    """Return now as messages tell it (RFC 3862 section 4.1)."""
    return datetime.now(UTC).isoformat()


@dataclass(slots=True, eq=False)
class OpenRoom:
    """A room and the chats of those who are in it."""

    room: Room
    chats: dict[Participant, Chat]
    reporting: Reporting
    info: RoomInfo
    watchers: Watchers
    """Those who subscribe to conference-info."""
    held: dict[Participant, Missed] = field(default_factory=dict[Participant, Missed])
    """Those who hold the chat, and what they have missed."""
    on_changed: Callable[[], None] | None = None
    """Called when people come or go."""
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

    def keep_for_held(
        self, body: bytes, sender: Participant, recipients: Sequence[Participant] | None
    ) -> None:
        """Keep a message for those of its recipients who are on hold."""
        for participant, missed in self.held.items():
            if participant is not sender and (recipients is None or participant in recipients):
                missed.add(body)

    def changed(self, user: User) -> None:
        """Tell those who watch the room that something about somebody has changed."""
        self.info.changed(user)
        self.watchers.changed()
        if self.on_changed is not None:
            self.on_changed()

    def hold(self, participant: Participant, held: bool) -> None:
        """Send nothing to somebody for now, or what he has missed and then everything."""
        peer = self.chats[participant].peer
        participant.direction = "sendrecv" if peer is None else peer.direction
        self.changed(participant.user)
        if held:
            self.held[participant] = Missed(MISSED_MESSAGES, MISSED_SIZE)
            return
        missed = self.held.pop(participant, None)
        if missed is None:
            return
        broadcast = Broadcast()
        if missed.lost:
            text = f"{missed.lost} earlier messages were said while you held the chat"
            broadcast.add(notice(self.room.address, text, date_time()))
        for body in missed.take():
            broadcast.add(body)
        if len(broadcast):
            self.whisper(broadcast, [participant])

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

    def close(self) -> None:
        """Tell nothing any more: nobody is here."""
        self.reporting.close()
        self.watchers.end()

    def laggards(self) -> list[Chat]:
        """Return those who are behind, if they are more than half of the room."""
        behind = [chat for chat in self.chats.values() if chat.backlog > PACE_BYTES]
        return behind if 2 * len(behind) > len(self.chats) else []
