"""The MSRP switch: what one participant says is decided, passed on and answered (RFC 7701).

All that one read from the network brought is handled in one step, so that it leaves for each
recipient in one system call.
"""

from collections.abc import Sequence
from functools import partial

import trio

from sylk.errors import RemoteProtocolError
from sylk.log import ApplicationLogger
from sylk.session import (
    Broadcast,
    Chat,
    ChatMessage,
    Incoming,
    MessagePiece,
    Receipt,
)
from sylk_conference.content import Refusal
from sylk_conference.large_messages import LargeMessages
from sylk_conference.open_room import OpenRoom, date_time
from sylk_conference.people import Participant
from sylk_conference.room import Delivery

PACE_LIMIT = 1.0
"""Seconds for which a sender is held back at most, after each batch."""


class Switch:
    """What becomes of the messages of one participant."""

    def __init__(
        self,
        open_room: OpenRoom,
        participant: Participant,
        chat: Chat,
        logger: ApplicationLogger,
    ) -> None:
        self._open_room = open_room
        self._participant = participant
        self._chat = chat
        self._logger = logger
        self._large = LargeMessages(
            open_room.room,
            participant,
            chat,
            partial(open_room.chats_of, participant),
            open_room.reporting,
        )

    def take(self, batch: Sequence[Incoming]) -> None:
        """Handle what has come, in its order; pieces of large messages go their own way."""
        whole: list[ChatMessage] = []
        for each in batch:
            if isinstance(each, ChatMessage):
                whole.append(each)
            elif isinstance(each, MessagePiece):
                self._pass_on(each)
        if whole:
            self._switch(whole)

    async def keep_pace(self) -> None:
        """Hold this sender back while most of the room is behind; a minority never slows anyone."""
        if self._open_room.laggards():
            with trio.move_on_after(PACE_LIMIT):
                while laggards := self._open_room.laggards():
                    await min(laggards, key=lambda chat: chat.backlog).wait_drained()
        await self._large.keep_pace()

    def close(self) -> None:
        """Give up what is not whole: the sender has gone."""
        self._large.close()

    def _switch(self, batch: Sequence[ChatMessage]) -> None:
        """Decide on all that one read brought, pass it on in one go, then answer for it."""
        open_room, sender, chat = self._open_room, self._participant, self._chat
        now = date_time().encode()
        accepted: list[ChatMessage] = []
        asked: list[ChatMessage] = []
        broadcast = Broadcast()
        for message in batch:
            try:
                delivery = open_room.room.post(sender, message.body, message.envelope, now)
            except RemoteProtocolError as error:
                self._refuse(message, error)
                continue
            receipt = chat.receipt_of(message)
            if delivery.recipients is None:
                is_asked = self._add(broadcast, delivery, receipt)
            else:
                # What was said before is heard before.
                if len(broadcast):
                    open_room.broadcast(broadcast, sender)
                    broadcast = Broadcast()
                is_asked = self._send_to_some(delivery, receipt)
            (asked if is_asked else accepted).append(message)
        if len(broadcast):
            open_room.broadcast(broadcast, sender)
        chat.accept(accepted)
        if asked:
            chat.accept(asked, report=False)

    def _add(self, broadcast: Broadcast, delivery: Delivery, receipt: Receipt) -> bool:
        """Add a message; returns whether its success is reported later."""
        open_room, recipients = self._open_room, delivery.recipients
        if open_room.held:
            open_room.keep_for_held(delivery.body, self._participant, recipients)
        reporting = open_room.reporting
        return reporting.add(broadcast, delivery.body, self._participant, receipt, recipients)

    def _send_to_some(self, delivery: Delivery, receipt: Receipt) -> bool:
        """Send a message to some, or to others what they get in its place.

        Returns whether its success is reported later, by those who get it as it is.
        """
        is_asked = False
        alternative = delivery.alternative
        if delivery.recipients or alternative is None:
            broadcast = Broadcast()
            is_asked = self._add(broadcast, delivery, receipt)
            self._open_room.whisper(broadcast, delivery.recipients or ())
        if alternative is not None and alternative.recipients:
            broadcast = Broadcast()
            if delivery.recipients:
                broadcast.add(alternative.body)
            else:
                is_asked = self._add(broadcast, alternative, receipt)
            self._open_room.whisper(broadcast, alternative.recipients)
        return is_asked

    def _pass_on(self, piece: MessagePiece) -> None:
        if error := self._large.take(piece, date_time().encode()):
            self._log_refusal(error)

    def _log_refusal(self, error: RemoteProtocolError) -> None:
        self._logger.info(
            "refused a message of %s with %d: %s", self._chat.remote.uri, error.status, error
        )

    def _refuse(self, message: ChatMessage, error: RemoteProtocolError) -> None:
        self._log_refusal(error)
        # COMPAT: deployed clients know a malformed CPIM only as a REPORT after a 200.
        as_report = error.as_report if isinstance(error, Refusal) else True
        self._chat.refuse(message, error.status, as_report=as_report)
