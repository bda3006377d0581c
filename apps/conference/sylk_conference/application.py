"""The conference application: an INVITE to any URI makes or joins the room of that URI.

An INVITE with Join comes into the room of the call that it names, whatever its URI is: who may
INVITE a room may join it. One with Replaces takes the seat of that call, as a person does who goes
on with another client (RFC 4579 sections 5.8 and 5.9): the others are told neither of a leave nor
of a join, and it does not matter that the room is full.

Somebody whose network is gone leaves at once where that can be seen, and after silence within
`keepalive_interval` and 30 seconds, or `outbox_timeout` if there is something to be sent to him.
"""

import math
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import trio

from sylk.application import Application
from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import Address
from sylk.session import Broadcast, Call, Chat, ChatMessage, Invitation, MessagePiece
from sylk_conference.large_messages import LargeMessages
from sylk_conference.notices import name_of, notice, welcome
from sylk_conference.reporting import Reporting
from sylk_conference.room import Participant, Refusal, Room, comparable
from sylk_conference.settings import ConferenceSettings

CHATROOM = ("private-messages",)
ROOM_NAME = "Conference Room"

PACE_BYTES = 256 * 1024
"""Bytes that wait for half of the room before a sender is slowed down to the room's pace."""

PACE_LIMIT = 1.0
"""Seconds for which a sender is held back at most, after each batch."""


@dataclass(slots=True)
class _OpenRoom:
    """A room and the chats of those who are in it."""

    room: Room
    chats: dict[Participant, Chat]
    reporting: Reporting

    def broadcast(self, broadcast: Broadcast, sender: Participant | None = None) -> None:
        broadcast.send_to(
            chat for participant, chat in self.chats.items() if participant is not sender
        )

    def whisper(self, broadcast: Broadcast, recipients: Iterable[Participant]) -> None:
        broadcast.send_to(self.chats[participant] for participant in recipients)

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


class Conference(Application):
    """Rooms in which everybody hears everybody, each gone when its last participant is."""

    name = "conference"
    settings_class = ConferenceSettings
    settings: ConferenceSettings

    def __init__(self, settings: ConferenceSettings) -> None:
        super().__init__(settings)
        self._rooms: dict[bytes, _OpenRoom] = {}
        self._seats: Counter[bytes] = Counter()
        """How many are in each room or on their way into it."""
        self._places: dict[Call, Address] = {}
        """Into which room each call leads."""
        self._taken: set[Call] = set()
        """The calls whose seat somebody is about to take."""

    @property
    def room_count(self) -> int:
        """How many rooms are open."""
        return len(self._rooms)

    @property
    def participant_count(self) -> int:
        """How many sessions are in all the rooms."""
        return sum(len(open_room.chats) for open_room in self._rooms.values())

    async def handle_invitation(self, invitation: Invitation) -> None:
        """Let the caller into the room that he called, until he leaves."""
        if not invitation.offers_chat or not invitation.offers_cpim:
            await invitation.reject(488)
            return
        address = self._place_of(invitation)
        key = comparable(address.uri.encode())
        replaced = invitation.replaces
        if replaced in self._taken:
            # A seat holds one: the next who wants it needs one of his own.
            replaced = None
        if replaced is None and (status := self._refusal(key)) is not None:
            await invitation.reject(status)
            return
        with self._seated(key, address, invitation.call, replaced):
            async with invitation.accept(
                focus=True, chatroom=CHATROOM, local=address, streams=True, allow_join=True
            ) as chat:
                await self._take_part(address, chat)

    def _place_of(self, invitation: Invitation) -> Address:
        """Return the room that an invitation leads to: that of the call that it names, or its own.

        The room of another call is known by the address of that one.
        """
        other = invitation.replaces or invitation.joins
        if other is not None and (place := self._places.get(other)) is not None:
            return place
        return Address(str(invitation.request_uri.aor), ROOM_NAME)

    @contextmanager
    def _seated(
        self, key: bytes, address: Address, call: Call, replaced: Call | None
    ) -> Generator[None]:
        """Keep a seat in a room for a call, or for as long as it needs that of another call."""
        self._seats[key] += 1
        self._places[call] = address
        if replaced is not None:
            self._taken.add(replaced)
        try:
            yield
        finally:
            if replaced is not None:
                self._taken.discard(replaced)
            del self._places[call]
            self._seats[key] -= 1
            if not self._seats[key]:
                del self._seats[key]

    def _refusal(self, key: bytes) -> int | None:
        if key not in self._seats:
            return 503 if len(self._seats) >= self.settings.max_rooms else None
        return 486 if self._seats[key] >= self.settings.max_participants else None

    async def _take_part(self, address: Address, chat: Chat) -> None:
        if not chat.takes_cpim:
            # Only an answer that comes in the ACK is seen as late as here.
            self.logger.info("%s takes no message/cpim", chat.remote.uri)
            return
        open_room, participant = self._join(address, chat)
        find_chats = partial(open_room.chats_of, participant)
        reporting = open_room.reporting
        large = LargeMessages(open_room.room, participant, chat, find_chats, reporting)
        try:
            self._greet(open_room, participant, chat)
            async for batch in chat.batches_with_pieces():
                self._switch(open_room, participant, self._pass_on(large, chat, batch))
                await self._keep_pace(open_room)
                await large.keep_pace()
        finally:
            large.close()
            self._leave(open_room, participant, chat)

    # Coming and going

    def _join(self, address: Address, chat: Chat) -> tuple[_OpenRoom, Participant]:
        key = comparable(address.uri.encode())
        open_room = self._rooms.get(key)
        if open_room is None:
            open_room = self._rooms[key] = self._open(key, address)
            self.logger.info("room %s opened", address.uri)
        participant = open_room.room.join(chat.remote, chat.claimed)
        open_room.chats[participant] = chat
        open_room.reporting.listen_to(participant, chat)
        self.logger.info(
            "%s joined %s (%d sessions)", chat.remote.uri, address.uri, len(open_room.chats)
        )
        return open_room, participant

    def _open(self, key: bytes, address: Address) -> _OpenRoom:
        chats: dict[Participant, Chat] = {}
        settings = self.settings
        reporting = Reporting(
            settings.success_reports,
            settings.report_timeout,
            chats,
            partial(self._set_alarm, (self.name, key)),
        )
        return _OpenRoom(Room(address), chats, reporting)

    def _set_alarm(
        self, key: Hashable, deadline: float | None, ring: Callable[[float], None]
    ) -> None:
        assert self.user_agent is not None, "rooms are opened by a server"
        self.user_agent.set_alarm(key, deadline, ring)

    def _greet(self, open_room: _OpenRoom, participant: Participant, chat: Chat) -> None:
        people = open_room.room.people
        others = [sessions[0].address for key, sessions in people.items() if key != participant.key]
        chat.post(welcome(open_room.room.address, others, _date_time()))
        if people[participant.key] == [participant]:
            self._tell(open_room, f"{name_of(chat.remote)} has joined the room", participant)

    def _leave(self, open_room: _OpenRoom, participant: Participant, chat: Chat) -> None:
        room = open_room.room
        room.leave(participant)
        del open_room.chats[participant]
        self.logger.info(
            "%s left %s (%d sessions): %s",
            chat.remote.uri,
            room.address.uri,
            len(open_room.chats),
            chat.call.reason or "the server stops",
        )
        if not open_room.chats:
            del self._rooms[room.key]
            open_room.reporting.close()
            self.logger.info("room %s closed", room.address.uri)
        elif not room.is_present(participant.key) and not _is_stopping():
            self._tell(open_room, f"{name_of(chat.remote)} has left the room")

    def _tell(self, open_room: _OpenRoom, text: str, about: Participant | None = None) -> None:
        broadcast = Broadcast()
        broadcast.add(notice(open_room.room.address, text, _date_time()))
        open_room.broadcast(broadcast, about)

    # Talking

    def _switch(
        self, open_room: _OpenRoom, sender: Participant, batch: Sequence[ChatMessage]
    ) -> None:
        """Decide on all that one read brought, pass it on in one go, then answer for it."""
        chat = open_room.chats[sender]
        now = _date_time().encode()
        accepted: list[ChatMessage] = []
        asked: list[ChatMessage] = []
        add = open_room.reporting.add
        broadcast = Broadcast()
        for message in batch:
            try:
                delivery = open_room.room.post(sender, message.body, message.envelope, now)
            except RemoteProtocolError as error:
                self._refuse(chat, message, error)
                continue
            receipt = chat.receipt_of(message)
            if delivery.recipients is None:
                is_asked = add(broadcast, delivery.body, sender, receipt, None)
            else:
                # What was said before a whisper is heard before it.
                if len(broadcast):
                    open_room.broadcast(broadcast, sender)
                    broadcast = Broadcast()
                whisper = Broadcast()
                is_asked = add(whisper, delivery.body, sender, receipt, delivery.recipients)
                open_room.whisper(whisper, delivery.recipients)
            (asked if is_asked else accepted).append(message)
        if len(broadcast):
            open_room.broadcast(broadcast, sender)
        chat.accept(accepted)
        if asked:
            chat.accept(asked, report=False)

    def _pass_on(
        self, large: LargeMessages, chat: Chat, batch: Sequence[ChatMessage | MessagePiece]
    ) -> list[ChatMessage]:
        """Pass on what came of large messages, and return the others."""
        whole = [message for message in batch if isinstance(message, ChatMessage)]
        if len(whole) < len(batch):
            now = _date_time().encode()
            for piece in batch:
                if isinstance(piece, MessagePiece) and (error := large.take(piece, now)):
                    self._log_refusal(chat, error)
        return whole

    def _log_refusal(self, chat: Chat, error: RemoteProtocolError) -> None:
        self.logger.info(
            "refused a message of %s with %d: %s", chat.remote.uri, error.status, error
        )

    def _refuse(self, chat: Chat, message: ChatMessage, error: RemoteProtocolError) -> None:
        self._log_refusal(chat, error)
        # COMPAT: deployed clients know a malformed CPIM only as a REPORT after a 200.
        as_report = error.as_report if isinstance(error, Refusal) else True
        chat.refuse(message, error.status, as_report=as_report)

    async def _keep_pace(self, open_room: _OpenRoom) -> None:
        """Hold one sender back while most of the room is behind; a minority never slows anyone."""
        if not open_room.laggards():
            return
        with trio.move_on_after(PACE_LIMIT):
            while laggards := open_room.laggards():
                await min(laggards, key=lambda chat: chat.backlog).wait_drained()


def _is_stopping() -> bool:
    """Tell whether this task is being cancelled: all leave at once, and no notice is due."""
    return trio.current_effective_deadline() == -math.inf


def _date_time() -> str:
    return datetime.now(UTC).isoformat()
