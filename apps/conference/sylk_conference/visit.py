"""One session's time in a room: he is greeted, what he says is switched, he leaves."""

import math
from collections.abc import Sequence
from functools import partial

import trio

from sylk.errors import RemoteProtocolError
from sylk.log import ApplicationLogger
from sylk.session import Broadcast, Chat, ChatMessage, MessagePiece
from sylk_conference.content import Refusal
from sylk_conference.large_messages import LargeMessages
from sylk_conference.notices import name_of, welcome
from sylk_conference.open_room import OpenRoom, date_time
from sylk_conference.people import Arrival, Participant

PACE_LIMIT = 1.0
"""Seconds for which a sender is held back at most, after each batch."""


class Visit:
    """What happens between one participant and the room."""

    def __init__(
        self, open_room: OpenRoom, chat: Chat, arrival: Arrival, logger: ApplicationLogger
    ) -> None:
        """Let somebody in; he must be let out by `run`."""
        self._open_room = open_room
        self._chat = chat
        self._logger = logger
        room, chats = open_room.room, open_room.chats
        if not chats:
            logger.info("room %s opened", room.address.uri)
        self._participant: Participant = room.join(chat.remote, chat.claimed, arrival)
        chats[self._participant] = chat
        open_room.reporting.listen_to(self._participant, chat)
        logger.info("%s joined %s (%d sessions)", chat.remote.uri, room.address.uri, len(chats))

    async def run(self) -> None:
        """Take part until the session ends."""
        open_room, participant, chat = self._open_room, self._participant, self._chat
        find_chats = partial(open_room.chats_of, participant)
        large = LargeMessages(open_room.room, participant, chat, find_chats, open_room.reporting)
        try:
            self._greet()
            async for batch in chat.batches_with_pieces():
                self._switch(self._pass_on(large, batch))
                await self._keep_pace()
                await large.keep_pace()
        finally:
            large.close()
            self._leave()

    # Coming and going

    def _greet(self) -> None:
        room, participant, chat = self._open_room.room, self._participant, self._chat
        others = [user.shown_address for user in room.people if user is not participant.user]
        chat.post(welcome(room.address, others, date_time()))
        if participant.user.participants == [participant]:
            self._open_room.tell(f"{name_of(chat.remote)} has joined the room", participant)

    def _leave(self) -> None:
        open_room, participant, chat = self._open_room, self._participant, self._chat
        room = open_room.room
        room.leave(participant)
        del open_room.chats[participant]
        self._logger.info(
            "%s left %s (%d sessions): %s",
            chat.remote.uri,
            room.address.uri,
            len(open_room.chats),
            chat.call.reason or "the server stops",
        )
        if not open_room.chats:
            self._logger.info("room %s closed", room.address.uri)
        elif participant.key not in room.people and not _is_stopping():
            open_room.tell(f"{name_of(chat.remote)} has left the room")

    # Talking

    def _switch(self, batch: Sequence[ChatMessage]) -> None:
        """Decide on all that one read brought, pass it on in one go, then answer for it."""
        open_room, sender, chat = self._open_room, self._participant, self._chat
        now = date_time().encode()
        accepted: list[ChatMessage] = []
        asked: list[ChatMessage] = []
        add = open_room.reporting.add
        broadcast = Broadcast()
        for message in batch:
            try:
                delivery = open_room.room.post(sender, message.body, message.envelope, now)
            except RemoteProtocolError as error:
                self._refuse(message, error)
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
        self, large: LargeMessages, batch: Sequence[ChatMessage | MessagePiece]
    ) -> list[ChatMessage]:
        """Pass on what came of large messages, and return the others."""
        whole = [message for message in batch if isinstance(message, ChatMessage)]
        if len(whole) < len(batch):
            now = date_time().encode()
            for piece in batch:
                if isinstance(piece, MessagePiece) and (error := large.take(piece, now)):
                    self._log_refusal(error)
        return whole

    def _log_refusal(self, error: RemoteProtocolError) -> None:
        self._logger.info(
            "refused a message of %s with %d: %s", self._chat.remote.uri, error.status, error
        )

    def _refuse(self, message: ChatMessage, error: RemoteProtocolError) -> None:
        self._log_refusal(error)
        # COMPAT: deployed clients know a malformed CPIM only as a REPORT after a 200.
        as_report = error.as_report if isinstance(error, Refusal) else True
        self._chat.refuse(message, error.status, as_report=as_report)

    async def _keep_pace(self) -> None:
        """Hold one sender back while most of the room is behind; a minority never slows anyone."""
        if not self._open_room.laggards():
            return
        with trio.move_on_after(PACE_LIMIT):
            while laggards := self._open_room.laggards():
                await min(laggards, key=lambda chat: chat.backlog).wait_drained()


def _is_stopping() -> bool:
    """Tell whether this task is being cancelled: all leave at once, and no notice is due."""
    return trio.current_effective_deadline() == -math.inf
