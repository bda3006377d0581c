"""Telling each other who is writing, in a chat that stands (RFC 3994)."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import trio

from sylk.cli.chat_view import bare_address
from sylk.cli.composing import OwnWriting, Writers, writing_line
from sylk.cli.received import COMPOSING, Parties, Writing
from sylk.errors import SessionEnded
from sylk.payload.composing import IsComposing
from sylk.payload.content_type import ContentType
from sylk.payload.cpim import Address, CpimMessage
from sylk.session.chat import Chat

_COMPOSING = ContentType.parse(COMPOSING)


class WritingStatus:
    """Shows who else is writing by `show`, and tells the others when we are."""

    def __init__(
        self,
        chat: Chat,
        parties: Parties,
        call: Callable[[Address], str],
        show: Callable[[str], None],
    ) -> None:
        """`call` tells by what name somebody is shown."""
        self._chat = chat
        self._parties = parties
        self._call = call
        self._show = show
        self._writers = Writers()
        self._own = OwnWriting()
        self._names: dict[str, str] = {}
        self._shown = ""
        self._changed = trio.Event()
        peer = chat.peer
        self._is_wanted = (
            chat.takes_cpim
            and peer is not None
            and (not peer.wrapped_types or _COMPOSING.matches(peer.wrapped_types))
        )

    def take(self, writing: Writing) -> None:
        """Take what somebody tells of himself."""
        writer = bare_address(writing.writer.uri)
        if writer == bare_address(self._parties.own.uri):
            return
        self._names[writer] = self._call(writing.writer)
        self._writers.take(writer, writing.status, trio.current_time())
        self._update()

    def spoke(self, speaker: Address) -> None:
        """Take it that somebody has said something."""
        self._writers.spoke(bare_address(speaker.uri))
        self._update()

    def typed(self, has_text: bool) -> None:
        """Take it that we have pressed a key, after which our line has text or not."""
        self._send(self._own.typed(has_text, trio.current_time()))
        self._changed.set()

    def said(self) -> None:
        """Take it that we have said what we were writing."""
        self._own.said()

    async def run(self) -> None:
        """Do what is due when it is due, until cancelled."""
        while True:
            self._changed = trio.Event()
            deadlines = self._writers.next_deadline(), self._own.next_deadline()
            at = min((each for each in deadlines if each is not None), default=math.inf)
            with trio.move_on_at(at):
                await self._changed.wait()
            self._send(self._own.handle_deadline(trio.current_time()))
            self._update()

    def _update(self) -> None:
        writers = self._writers.at(trio.current_time())
        self._names = {writer: self._names[writer] for writer in writers}
        line = writing_line(list(self._names.values()))
        if line != self._shown:
            self._shown = line
            self._show(line)
            self._changed.set()

    def _send(self, status: IsComposing | None) -> None:
        if status is None or not self._is_wanted:
            return
        own, peer = self._parties.own, self._parties.peer
        now = datetime.now(UTC).isoformat()
        body = CpimMessage.compose(own, peer, status.render(), COMPOSING, now).render()
        try:
            self._chat.post(body, failure_report=b"no")
        except SessionEnded:
            # Whoever reads the chat learns of it.
            return
