"""The MSRP switch: what one participant says is decided, passed on and answered (RFC 7701).

All that one read from the network brought is handled in one step, so that it leaves for each
recipient in one system call.
"""

import math
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
    NicknameRequest,
    Receipt,
)
from sylk_conference.commands import Command, read_command
from sylk_conference.content import Refusal, check
from sylk_conference.large_messages import LargeMessages
from sylk_conference.message_rate import MessageBucket
from sylk_conference.moderation import Moderation
from sylk_conference.open_room import OpenRoom, date_time
from sylk_conference.people import Participant
from sylk_conference.policy import Denial
from sylk_conference.reporting import HeldReports
from sylk_conference.room import NOTIFICATION, Delivery, asker_of
from sylk_conference.showing import show

PACE_LIMIT = 1.0
"""Seconds for which a sender is held back at most, after each batch."""

MUCH_A_SECOND = 64 * 1024
MUCH_AT_ONCE = 128 * 1024
"""Bytes; a sender of less is no reason why others are behind, and is never held back for it."""

_PAUSE_STEP = 0.25  # seconds, after which it is looked whether who talks too fast is still here
_OK = 200
_COMPOSING = b"application/im-iscomposing+xml"


class Switch:
    """What becomes of the messages of one participant."""

    __slots__ = (
        "_asked_history",
        "_asker",
        "_bucket",
        "_chat",
        "_large",
        "_logger",
        "_open_room",
        "_participant",
        "_pause_until",
        "_says_much",
        "_shown_from",
        "_volume",
    )

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
        self._asker = asker_of(participant)
        self._bucket = MessageBucket()
        self._volume = MessageBucket()
        self._says_much = False
        self._pause_until = -math.inf
        self._asked_history: list[tuple[Receipt, Command]] = []
        self._shown_from: int | None = None
        """The first message of the history that was shown, by its number."""
        self._large = LargeMessages(
            open_room.room,
            participant,
            chat,
            partial(open_room.chats_of, participant),
            open_room.reporting,
        )

    def take(self, batch: Sequence[Incoming]) -> None:
        """Handle what has come, in its order; pieces of large messages go their own way."""
        now = trio.current_time()
        policy = self._open_room.room.policy
        denial = policy.may_speak(self._asker, now)
        self._participant_may_speak(denial is None)
        whole: list[ChatMessage] = []
        count = size = 0
        for each in batch:
            if isinstance(each, ChatMessage):
                whole.append(each)
                count += 1
                size += len(each.body)
            elif isinstance(each, MessagePiece):
                self._pass_on(each, denial)
                # Of a large message its end counts alone, and not each piece.
                count += each.is_complete
                size += len(each.body)
            else:
                # What was said before is said under the name of before.
                self._switch(whole, denial)
                whole = []
                self._rename(each)
                count += 1
        self._switch(whole, denial)
        spent = self._volume.spend(size, now, rate=MUCH_A_SECOND, burst=MUCH_AT_ONCE)
        self._says_much = spent > 0
        if pause := policy.pace(self._bucket, count, now):
            self._hold_back(pause, now)

    def _hold_back(self, pause: float, now: float) -> None:
        """Read no more of this sender for so many seconds, and say so in the log the first time."""
        if self._pause_until == -math.inf:
            self._logger.info(
                "%s is read later in %s from now on: message_rate lets him send %d a second",
                self._chat.remote.uri,
                self._open_room.room.address.uri,
                self._open_room.room.policy.settings.message_rate,
            )
        self._pause_until = now + pause

    def _participant_may_speak(self, may_speak: bool) -> None:
        """Let those who watch the room know that the time of a mute is over, or goes on."""
        if self._participant.is_muted is may_speak:
            self._participant.is_muted = not may_speak
            self._open_room.changed(self._participant.user)

    async def keep_pace(self) -> None:
        """Hold this sender back while he says much and most of the room is behind.

        So a minority never slows anyone, and a crowd that reads nothing only those who flood it.
        He waits, too, when he talks faster than he may, and for a disk that cannot keep up.
        """
        open_room = self._open_room
        if self._says_much and open_room.laggards():
            with trio.move_on_after(PACE_LIMIT):
                while laggards := open_room.laggards():
                    await min(laggards, key=lambda chat: chat.backlog).wait_drained()
        await self._large.keep_pace()
        if self._asked_history:
            await self._show_history()
        await open_room.history.wait_for_room()
        while self._is_pausing():  # noqa: ASYNC110 - an Event would be one object more for each chat
            await trio.sleep(min(_PAUSE_STEP, self._pause_until - trio.current_time()))

    def _is_pausing(self) -> bool:
        return not self._chat.is_over and trio.current_time() < self._pause_until

    def close(self) -> None:
        """Give up what is not whole: the sender has gone."""
        self._large.close()

    def _switch(self, batch: Sequence[ChatMessage], denial: Denial | None) -> None:
        """Decide on messages, pass them on in one go, then answer for them."""
        if not batch:
            return
        open_room, sender, chat = self._open_room, self._participant, self._chat
        now = date_time().encode()
        accepted: list[ChatMessage] = []
        asked: list[ChatMessage] = []
        said: list[Delivery] = []
        broadcast = Broadcast()
        is_kept = open_room.history.is_kept
        held = open_room.reporting.hold_back(sender) if is_kept else None
        for message in batch:
            try:
                delivery = open_room.room.post(sender, message.body, message.envelope, now)
                if delivery.is_command:
                    self._obey(message)
                    continue
                check(denial)
            except RemoteProtocolError as error:
                self._refuse(message, error)
                continue
            said.append(delivery)
            if delivery.is_private and self._gather(delivery, message):
                accepted.append(message)
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
        open_room.messages += len(said)
        answer = partial(self._answer, accepted, asked, held)
        if is_kept:
            open_room.history.add(sender, said, answer)
        else:
            answer()

    def _answer(
        self, accepted: list[ChatMessage], asked: list[ChatMessage], held: HeldReports | None
    ) -> None:
        chat = self._chat
        if not chat.is_over:
            chat.accept(accepted)
            if asked:
                chat.accept(asked, report=False)
        if held is not None:
            self._open_room.reporting.release(self._participant, held)

    def _obey(self, message: ChatMessage) -> None:
        """Carry out a command; what is refused gets a 200, and a REPORT that says why."""
        receipt = self._chat.receipt_of(message)
        self._chat.accept([message], report=False)
        try:
            command = read_command(message.content)
            if command.name == "history":
                self._asked_history.append((receipt, command))
                return
            moderation = Moderation(self._open_room, self._participant, self._logger)
            moderation.carry_out(command, trio.current_time())
        except RemoteProtocolError as error:
            self._log_refusal(error)
            self._chat.report(receipt, error.status, str(error))
            return
        self._chat.report(receipt)

    async def _show_history(self) -> None:
        """Send what was asked for of the history."""
        asked, self._asked_history = self._asked_history, []
        for receipt, command in asked:
            before = self._shown_from if command.earlier else None
            history = self._open_room.history
            records = await history.latest(self._participant, command.count, before)
            if records:
                self._shown_from = records[0].sequence
            await show(self._chat, [record.body for record in records])
            if not self._chat.is_over:
                self._chat.report(receipt)

    def _rename(self, request: NicknameRequest) -> None:
        """Answer a NICKNAME (RFC 7701 section 7.1)."""
        try:
            renamed = self._open_room.room.rename(self._participant, request.nickname)
        except RemoteProtocolError as error:
            self._logger.info("refused a nickname of %s: %s", self._chat.remote.uri, error)
            self._chat.answer_nickname(request, error.status)
            return
        self._chat.answer_nickname(request, _OK)
        for user in renamed:
            self._open_room.changed(user)

    def _gather(self, delivery: Delivery, message: ChatMessage) -> bool:
        """Let a notification wait for others, in a large room; tells whether it does."""
        if not delivery.recipients or not delivery.content_type.startswith(NOTIFICATION):
            return False
        user, aggregation = delivery.recipients[0].user, self._open_room.aggregation
        if not aggregation.takes(user, len(self._open_room.chats)):
            return False
        aggregation.add(user, message.content, trio.current_time())
        return True

    def _add(self, broadcast: Broadcast, delivery: Delivery, receipt: Receipt) -> bool:
        """Add a message; returns whether its success is reported later."""
        self._keep_for_absent(delivery)
        reporting, recipients = self._open_room.reporting, delivery.recipients
        return reporting.add(broadcast, delivery.body, self._participant, receipt, recipients)

    def _keep_for_absent(self, delivery: Delivery) -> None:
        # That somebody was typing means nothing when they come back.
        if self._open_room.missed and not delivery.content_type.lower().startswith(_COMPOSING):
            recipients = delivery.recipients
            self._open_room.keep_for_absent(delivery.body, self._participant, recipients)

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
        if alternative is not None and (readers := alternative.recipients):
            broadcast = Broadcast()
            if delivery.recipients:
                broadcast.add(alternative.body)
                self._keep_for_absent(alternative)
            else:
                is_asked = self._add(broadcast, alternative, receipt)
            self._open_room.whisper(broadcast, readers)
        return is_asked

    def _pass_on(self, piece: MessagePiece, denial: Denial | None) -> None:
        if error := self._large.take(piece, date_time().encode(), denial):
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
