"""One large message to many chats, piece by piece as it comes in.

It is never put together here. Each recipient has the pieces that his socket took, and those that
wait in his outbox; who falls too far behind loses this message, with an end that tells him so, and
keeps his session.
"""

from collections.abc import Iterable

import trio

from sylk.errors import LocalProtocolError
from sylk.msrp.frame import new_message_id
from sylk.msrp.outgoing_stream import OutgoingStream
from sylk.session.chat import Chat
from sylk.session.message import CPIM_BYTES

BACKLOG_PAUSE = 64 * 1024
"""Bytes waiting for one recipient over which the message is held back for him.

A short message to him waits behind them.
"""

BACKLOG_PATIENCE = 2.0
"""Seconds for which it is held back; a recipient who is still behind then loses it."""

_DASHES = b"-------"
_TOO_SLOW = 408
_TOO_MANY = 413


class StreamBroadcast:
    """A message/cpim on its way to those who were there when it began."""

    def __init__(
        self, chats: Iterable[Chat], total: int | None, *, success_report: bool = False
    ) -> None:
        """Begin for `chats`; `total` is the size of all, None if it is not known.

        With `success_report` each recipient is asked to tell when it has arrived.
        """
        self.message_id = message_id = new_message_id()
        """By this the chats tell what became of it (`on_delivered`, `on_failure`)."""
        self._position = 0
        self._tail = b""
        self._streams: dict[Chat, OutgoingStream] = {}
        self.lost: dict[Chat, int] = {}
        """Those who did not get all of it, and the status that tells why.

        408 for who is too slow or gone, 413 for who has too many under way, 0 for who refused it,
        which his chat tells, or wants nothing now.
        """
        for chat in chats:
            is_behind = chat.fell_behind and chat.backlog > BACKLOG_PAUSE
            if is_behind or chat.is_held or not chat.is_connected:
                # He has made others wait for him and has not caught up, is away, or wants nothing.
                self.lost[chat] = 0 if chat.is_held else _TOO_SLOW
                continue
            chat.fell_behind = False
            stream = OutgoingStream(message_id, CPIM_BYTES, total, success_report=success_report)
            try:
                chat.session.streams.begin(stream)
            except LocalProtocolError:
                # Too many large messages are under way to him.
                self.lost[chat] = _TOO_MANY
            else:
                self._streams[chat] = stream

    def write(self, body: bytes) -> None:
        """Pass on the next bytes; never waits, and a recipient that fails harms no other."""
        now = trio.current_time()
        has_dashes = _DASHES in body or _DASHES in self._tail + body[: len(_DASHES)]
        for chat, stream in list(self._streams.items()):
            link = chat.link
            if link is None or stream.failed or chat.is_held:
                self._lose(chat, stream, now)
                continue
            try:
                chat.session.streams.write(
                    link.connection, stream, self._position, body, now, has_dashes=has_dashes
                )
            except LocalProtocolError:
                self._lose(chat, stream, now)
            else:
                link.flush()
        self._position += len(body)
        self._tail = (self._tail + body[-len(_DASHES) :])[-len(_DASHES) :]

    def end_chunk(self) -> None:
        """End the chunk, as the sender has: what came in one chunk leaves in one."""
        self._end_all(b"+")

    def finish(self) -> None:
        """End the message: all of it has been passed on."""
        self._end_all(b"$")
        self._streams.clear()

    def abort(self) -> None:
        """Give the message up: nothing more of it will come."""
        self._end_all(b"#")
        self._streams.clear()

    async def keep_pace(self) -> None:
        """Wait for those who are behind, for BACKLOG_PATIENCE at most; then they lose the rest."""
        behind = [chat for chat in self._streams if chat.backlog > BACKLOG_PAUSE]
        if not behind:
            return
        with trio.move_on_after(BACKLOG_PATIENCE):
            for chat in behind:
                await chat.wait_drained()
        now = trio.current_time()
        for chat in behind:
            stream = self._streams.get(chat)
            if stream is not None and chat.backlog > BACKLOG_PAUSE:
                chat.fell_behind = True
                self._lose(chat, stream, now)

    def _end_all(self, flag: bytes) -> None:
        now = trio.current_time()
        for chat, stream in list(self._streams.items()):
            if stream.failed:
                self._lose(chat, stream, now)
            else:
                self._end(chat, stream, flag, now)

    def _lose(self, chat: Chat, stream: OutgoingStream, now: float) -> None:
        del self._streams[chat]
        self.lost[chat] = 0 if stream.failed or chat.is_held else _TOO_SLOW
        self._end(chat, stream, b"#", now)

    def _end(self, chat: Chat, stream: OutgoingStream, flag: bytes, now: float) -> None:
        link = chat.link
        if link is None:
            return
        try:
            chat.session.streams.end(link.connection, stream, flag, now)
        except LocalProtocolError:
            # He answers nothing, and his session ends for that.
            return
        link.flush()
