"""The large messages that one participant is sending: taken in pieces, passed on in pieces."""

from collections.abc import Callable
from dataclasses import dataclass

from sylk.errors import RemoteProtocolError
from sylk.session import Chat, IncomingStream, MessagePiece, StreamBroadcast
from sylk_conference.content import check
from sylk_conference.fates import Fate
from sylk_conference.passage import Passage
from sylk_conference.people import Participant
from sylk_conference.policy import Denial
from sylk_conference.reporting import Reporting
from sylk_conference.room import Room

FindChats = Callable[[list[Participant] | None], dict[Chat, Participant]]
"""Returns these participants, or all but the sender for None, by their chats."""


@dataclass(slots=True)
class _Sending:
    """A message that is passed on now."""

    broadcast: StreamBroadcast
    recipients: dict[Chat, Participant]
    fate: Fate
    is_reported_here: bool
    """True where success is what the room says, and nobody is asked."""


class LargeMessages:
    """Those of one session, each from its first piece to its end."""

    __slots__ = (
        "_chat",
        "_find_chats",
        "_passages",
        "_reporting",
        "_room",
        "_sender",
        "_sendings",
    )

    def __init__(
        self,
        room: Room,
        sender: Participant,
        chat: Chat,
        find_chats: FindChats,
        reporting: Reporting,
    ) -> None:
        self._room = room
        self._sender = sender
        self._chat = chat
        self._find_chats = find_chats
        self._passages: dict[IncomingStream, Passage] = {}
        self._reporting = reporting
        self._sendings: dict[IncomingStream, _Sending] = {}

    def take(
        self, piece: MessagePiece, now: bytes, denial: Denial | None = None
    ) -> RemoteProtocolError | None:
        """Pass a piece on; returns why the message was refused, if it was just now.

        A `denial` is why nothing of this sender is passed on.
        """
        stream = piece.stream
        if piece.is_aborted:
            self._give_up(stream)
            return None
        passage = self._passages.get(stream)
        if passage is None:
            if stream.is_refused:
                # It was on its way already.
                return None
            passage = self._passages[stream] = Passage(self._room, self._sender, stream.total)
        try:
            check(denial)
            reached = max(stream.total or 0, piece.start + len(piece.body))
            check(self._room.policy.takes_size(reached))
            ready = passage.take(piece.start, piece.body, now, complete=piece.is_complete)
        except RemoteProtocolError as error:
            self._give_up(stream)
            self._chat.refuse_stream(stream, error.status)
            return error
        self._pass_on(stream, passage, ready, piece)
        return None

    async def keep_pace(self) -> None:
        """Wait a little for recipients that are behind."""
        for sending in list(self._sendings.values()):
            await sending.broadcast.keep_pace()

    def close(self) -> None:
        """Give up all that is not whole: the sender has gone."""
        for stream in list(self._passages):
            self._give_up(stream)

    def _pass_on(
        self, stream: IncomingStream, passage: Passage, ready: bytes, piece: MessagePiece
    ) -> None:
        if not passage.begun:
            return
        sending = self._sendings.get(stream)
        if sending is None:
            sending = self._sendings[stream] = self._begin(stream, passage)
        broadcast = sending.broadcast
        if ready:
            broadcast.write(ready)
        if piece.is_complete:
            broadcast.finish()
            del self._sendings[stream], self._passages[stream]
            self._finish(stream, sending)
        elif piece.ends_chunk:
            broadcast.end_chunk()

    def _begin(self, stream: IncomingStream, passage: Passage) -> _Sending:
        recipients = self._find_chats(passage.recipients)
        receipt = self._chat.receipt_of(stream)
        fate = self._reporting.begin(self._sender, receipt, list(recipients.values()))
        broadcast = StreamBroadcast(recipients, passage.total, success_report=fate.is_asked)
        self._reporting.follow(broadcast.message_id, fate)
        return _Sending(broadcast, recipients, fate, not fate.is_asked)

    def _finish(self, stream: IncomingStream, sending: _Sending) -> None:
        identifier, fate = sending.broadcast.message_id, sending.fate
        if sending.is_reported_here:
            self._chat.accept_stream(stream)
        self._reporting.follow(identifier, fate)
        self._reporting.sent(identifier, fate)
        for chat, status in sending.broadcast.lost.items():
            if status:
                self._reporting.failed(sending.recipients[chat], identifier, status)

    def _give_up(self, stream: IncomingStream) -> None:
        self._passages.pop(stream, None)
        sending = self._sendings.pop(stream, None)
        if sending is not None:
            sending.broadcast.abort()
            self._reporting.give_up(sending.fate)
