"""A room at run time: who is here with which chat, and what is sent to whom."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime

from sylk.payload.cpim import CpimMessage
from sylk.session import Broadcast, Call, Chat
from sylk_conference.aggregation import Aggregation
from sylk_conference.alarm import SetAlarm
from sylk_conference.comings import Comings
from sylk_conference.info import RoomInfo
from sylk_conference.missed import Missed
from sylk_conference.notices import notice
from sylk_conference.people import Participant, User
from sylk_conference.reporting import Reporting
from sylk_conference.room import Room
from sylk_conference.room_history import RoomHistory
from sylk_conference.watching import Watchers

PACE_BYTES = 256 * 1024
"""Bytes that wait for half of the room before a sender is slowed down to the room's pace."""

MISSED_SIZE = 256 * 1024
"""Bytes of messages that are kept for somebody who is not listening."""

NEWCOMER_MESSAGES = 1000
"""Messages that are kept for somebody who is sent first what was said before he came."""

_REMOVED = 403


def date_time() -> str:
    """Return now as messages tell it (RFC 3862 section 4.1)."""
    return datetime.now(UTC).isoformat()


@dataclass(slots=True, eq=False)
class OpenRoom:
    """A room and the chats of those who are in it."""

    room: Room
    chats: dict[Participant, Chat]
    """Of everybody who is here."""
    listeners: dict[Participant, Chat]
    """Of those who are sent what is said: all but who holds the chat, or catches up first."""
    reporting: Reporting
    info: RoomInfo
    history: RoomHistory
    watchers: Watchers
    """Those who subscribe to conference-info."""
    alarm: InitVar[Callable[[str], SetAlarm]]
    """Returns the alarm of a name, by which what was gathered is sent."""
    aggregation: Aggregation = field(init=False)
    comings: Comings = field(init=False)
    missed: dict[Participant, Missed] = field(default_factory=dict[Participant, Missed])
    """What the others, who are no listeners now, have missed."""
    newcomers: set[Participant] = field(default_factory=set[Participant])
    """Those who are still to be sent what was said before they came."""
    on_changed: Callable[[], None] | None = None
    """Called when people come or go."""
    seats: int = 0
    """How many are here or on their way in."""
    messages: int = 0
    """How many have been taken since it opened."""
    called: int = 0
    """How many of these are being called, and have not answered yet."""
    calls: dict[bytes, list[Call]] = field(default_factory=dict[bytes, list[Call]])
    """The sessions that are here or on their way in, by user@host of their person."""
    on_put_out: Callable[[bytes, str], bool] | None = None
    """Called when somebody is put out, by user@host, and why; tells whether he was being called."""
    on_deserted: Callable[[], None] | None = None
    """Called when only those are left who are being called."""

    def __post_init__(self, alarm: Callable[[str], SetAlarm]) -> None:
        self.aggregation = Aggregation(alarm("notifications"), self.send)
        self.comings = Comings(alarm("comings"), self.tell, self.tell_some)

    def broadcast(self, broadcast: Broadcast, sender: Participant | None = None) -> None:
        """Send to everybody but the sender."""
        self.comings.before(sender)
        broadcast.send_to(
            chat for participant, chat in self.listeners.items() if participant is not sender
        )

    def keep_for_absent(
        self, body: bytes, sender: Participant | None, recipients: Sequence[Participant] | None
    ) -> None:
        """Keep a message for those of its recipients who are not listening."""
        for participant, missed in self.missed.items():
            if participant is not sender and (recipients is None or participant in recipients):
                missed.add(body)

    def changed(self, user: User) -> None:
        """Tell those who watch the room that something about somebody has changed."""
        self.info.changed(user)
        self.watchers.changed()
        if self.on_changed is not None:
            self.on_changed()

    def reconfigured(self) -> None:
        """Take it that the settings of the room are others."""
        room, settings = self.room, self.room.policy.settings
        for user in room.people:
            room.give_roles(user)
        self.watchers.interval = settings.notify_interval
        self.watchers.partial_state = settings.partial_notifications
        self.info.all_changed()
        self.watchers.changed()

    def hold(self, participant: Participant, held: bool) -> None:
        """Send nothing to somebody for now, or what he has missed and then everything."""
        peer = self.chats[participant].peer
        participant.direction = "sendrecv" if peer is None else peer.direction
        self.changed(participant.user)
        if held:
            self.silence(participant)
        elif participant not in self.newcomers:
            self.resume(participant)

    def silence(self, participant: Participant) -> None:
        """Send nothing to somebody until he resumes, but keep it for him."""
        self.listeners.pop(participant, None)
        if participant not in self.missed:
            count = self.room.policy.settings.missed_messages
            self.missed[participant] = Missed(count, MISSED_SIZE)

    def resume(self, participant: Participant) -> None:
        """Send somebody what he has missed, and from now on everything."""
        missed = self.missed.pop(participant, None)
        if missed is None:
            return
        self.listeners[participant] = self.chats[participant]
        broadcast = Broadcast()
        if missed.lost:
            were = "message was" if missed.lost == 1 else "messages were"
            text = f"{missed.lost} earlier {were} said while you were away"
            broadcast.add(notice(self.room.address, text, date_time(), self.room.receivers))
        for body in missed.take():
            broadcast.add(body)
        if len(broadcast):
            self.whisper(broadcast, [participant])

    def enter(self, participant: Participant, chat: Chat) -> None:
        """Let somebody in, who is no listener yet."""
        self.chats[participant] = chat
        self.newcomers.add(participant)
        self.missed[participant] = Missed(NEWCOMER_MESSAGES, MISSED_SIZE)
        self.reporting.listen_to(participant, chat)
        self.changed(participant.user)

    def catch_up(self, participant: Participant, earlier: Sequence[bytes]) -> None:
        """Send a newcomer what was said before he came, and from now on everything.

        If he holds the chat, he is sent all that when he does not any more.
        """
        self.newcomers.discard(participant)
        self.missed[participant].precede(earlier)
        if not self.chats[participant].is_held:
            self.resume(participant)

    def leave(self, participant: Participant) -> None:
        """Let somebody out."""
        for user in self.room.leave(participant):
            self.info.changed(user)
        self.newcomers.discard(participant)
        del self.chats[participant]
        self.listeners.pop(participant, None)
        self.missed.pop(participant, None)

    def whisper(self, broadcast: Broadcast, recipients: Iterable[Participant]) -> None:
        """Send to these alone, as far as they listen."""
        listeners = self.listeners
        broadcast.send_to(listeners[one] for one in recipients if one in listeners)

    def tell(self, text: str, about: Collection[Participant] = ()) -> None:
        """Say something in the name of the room, to all but those whom it is about."""
        body = notice(self.room.address, text, date_time(), self.room.receivers)
        broadcast = Broadcast()
        broadcast.add(body)
        broadcast.send_to(
            chat for participant, chat in self.listeners.items() if participant not in about
        )
        for participant, missed in self.missed.items():
            # Who holds the chat sees in the list who is here; who has just come was told who is.
            if participant not in about and not participant.is_held:
                missed.add(body)

    def tell_some(self, text: str, participants: Sequence[Participant]) -> None:
        """Say something in the name of the room to these alone."""
        self._send(notice(self.room.address, text, date_time(), self.room.receivers), participants)

    def send(self, user: User, content_type: str, content: bytes) -> None:
        """Send something to one person in the name of the room."""
        to = user.shown_address
        message = CpimMessage.compose(self.room.address, to, content, content_type, date_time())
        self._send(message.render(), user.participants)

    def _send(self, body: bytes, participants: Sequence[Participant]) -> None:
        self.keep_for_absent(body, None, participants)
        broadcast = Broadcast()
        broadcast.add(body)
        self.whisper(broadcast, participants)

    def put_out(self, key: bytes, reason: str, by: str) -> bool:
        """Put somebody, by his user@host, out with all his clients, and tell him why.

        `by` is the URI of who wants it. Whoever is being called is called no more. Returns whether
        there was anything to do.
        """
        is_called = self.on_put_out is not None and self.on_put_out(key, reason)
        user = self.room.people.get(key)
        if user is not None:
            self.tell_some(reason, user.participants)
            for participant in user.participants:
                participant.removed_by = by
        calls = self.calls.get(key, []).copy()
        for call in calls:
            call.hang_up(reason, _REMOVED)
        return bool(calls) or is_called

    def chats_of(
        self, sender: Participant, recipients: Sequence[Participant] | None
    ) -> dict[Chat, Participant]:
        """Return these, or everybody but the sender for None, by their chats.

        It is for what is not kept, so that who is still being told what was said before is in it.
        """
        chats = {one: self.chats[one] for one in self.newcomers if not self.chats[one].is_held}
        chats.update(self.listeners)
        if recipients is None:
            return {chat: one for one, chat in chats.items() if one is not sender}
        return {chats[one]: one for one in recipients if one in chats}

    def close(self) -> None:
        """Tell nothing any more: nobody is here."""
        self.reporting.close()
        self.watchers.end()
        self.aggregation.close()
        self.comings.close()

    def laggards(self) -> list[Chat]:
        """Return those who are behind, if they are more than half of the room."""
        behind = [chat for chat in self.listeners.values() if chat.backlog > PACE_BYTES]
        return behind if 2 * len(behind) > len(self.chats) else []
