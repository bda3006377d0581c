"""The large messages that one participant is sending: taken in pieces, passed on in pieces."""

from collections.abc import Callable, Iterable

from sylk.errors import RemoteProtocolError
from sylk.session import Chat, IncomingStream, MessagePiece, StreamBroadcast
from sylk_conference.passage import Passage
from sylk_conference.room import Participant, Room

FindChats = Callable[[list[Participant] | None], Iterable[Chat]]
"""Returns the chats of these participants, of all but the sender for None."""


class LargeMessages:
    """Those of one session, each from its first piece to its end."""

    def __init__(self, room: Room, sender: Participant, chat: Chat, find_chats: FindChats) -> None:
        self._room = room
        self._sender = sender
        self._chat = chat
        self._find_chats = find_chats
        self._passages: dict[IncomingStream, Passage] = {}
        self._broadcasts: dict[IncomingStream, StreamBroadcast] = {}

    def take(self, piece: MessagePiece, now: bytes) -> RemoteProtocolError | None:
        """Pass a piece on; returns why the message was refused, if it was just now."""
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
            ready = passage.take(piece.start, piece.body, now, complete=piece.is_complete)
        except RemoteProtocolError as error:
            self._give_up(stream)
            self._chat.refuse_stream(stream, error.status)
            return error
        self._pass_on(stream, passage, ready, piece)
        return None

    async def keep_pace(self) -> None:
        """Wait a little for recipients that are behind."""
        for broadcast in list(self._broadcasts.values()):
            await broadcast.keep_pace()

    def close(self) -> None:
        """Give up all that is not whole: the sender has gone."""
        for stream in list(self._passages):
            self._give_up(stream)

    def _pass_on(
        self, stream: IncomingStream, passage: Passage, ready: bytes, piece: MessagePiece
    ) -> None:
        if not passage.begun:
            return
        broadcast = self._broadcasts.get(stream)
        if broadcast is None:
            chats = self._find_chats(passage.recipients)
            broadcast = self._broadcasts[stream] = StreamBroadcast(chats, passage.total)
        if ready:
            broadcast.write(ready)
        if piece.is_complete:
            broadcast.finish()
            del self._broadcasts[stream], self._passages[stream]
            self._chat.accept_stream(stream)
        elif piece.ends_chunk:
            broadcast.end_chunk()

    def _give_up(self, stream: IncomingStream) -> None:
        self._passages.pop(stream, None)
        broadcast = self._broadcasts.pop(stream, None)
        if broadcast is not None:
            broadcast.abort()
