"""A chat that stands, between its session and the front end, until one side has had enough."""

from datetime import datetime

import trio

from sylk.cli.chat_view import ChatView, bare_address, not_delivered
from sylk.cli.deliveries import UNANSWERED_LIMIT, Deliveries
from sylk.cli.front_end import FrontEnd
from sylk.cli.harmless import harmless
from sylk.cli.received import Noticed, Parties, Said, read_message
from sylk.errors import SessionEnded
from sylk.msrp.frame import COMMENTS
from sylk.session.chat import Chat

_UNAVAILABLE = 480
_FIRST_FAILURE = 300

TYPED_LIMIT = 100
"""Lines that may wait to be sent."""


class Conversation:
    """Carries lines to the chat and messages to the front end.

    When the user is done, what was sent is waited for until it is answered, and then `linger`
    seconds for what may still come.
    """

    def __init__(self, chat: Chat, front_end: FrontEnd, linger: float) -> None:
        negotiated = chat.call.usage.negotiation.chat
        is_room = negotiated is not None and bool(negotiated.chatroom)
        self._chat = chat
        self._front_end = front_end
        self._linger = linger
        self._parties = Parties(chat.local, chat.remote, is_room)
        self._view = ChatView(chat.local, chat.remote, text_limit=front_end.text_limit)
        self._deliveries = Deliveries(self._complain_of_message)
        self._is_done = False
        self._is_unsent = False
        """Whether a line was typed that has not gone out."""
        self.fault: str | None = None
        """What went wrong, in words, once the conversation is over; None when everything worked."""
        chat.on_delivered = self._deliveries.delivered
        chat.on_failure = self._take_failure

    async def run(self) -> None:
        """Converse until the user is done or the session has ended; then `fault` is set."""
        try:
            await self._converse()
        finally:
            # Afterwards we hang up, and the session is over in any case.
            self.fault = self._find_fault()

    async def _converse(self) -> None:
        if self._front_end.shows_own:
            own, peer = self._parties.own, self._parties.peer
            name = own.display_name or bare_address(own.uri)
            place = f"in {bare_address(peer.uri)}" if self._parties.is_room else "connected"
            self._notice(f"You are {name}, {place}. Type /help for help.")
        send_line, typed = trio.open_memory_channel[str](TYPED_LIMIT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive, nursery.cancel_scope)
            nursery.start_soon(self._front_end.read_lines, send_line)
            async with typed:
                try:
                    await self._send_typed(typed)
                finally:
                    self._is_unsent |= bool(typed.statistics().current_buffer_used)
            self._is_done = not self._chat.is_over
            await self._deliveries.wait_at_most(0)
            await trio.sleep(self._linger)
            nursery.cancel_scope.cancel()

    def _find_fault(self) -> str | None:
        deliveries = self._deliveries
        is_lost = bool(deliveries.unanswered) or self._is_unsent
        if self._chat.is_over and (is_lost or not (self._is_done or self._was_left_politely)):
            reason = harmless(self._chat.call.reason)
            if reason.startswith("BYE"):
                reason = f"the other side left{reason[3:]}"
            return f"the session ended: {reason}"
        return f"messages not delivered: {deliveries.failed}" if deliveries.failed else None

    @property
    def _was_left_politely(self) -> bool:
        """Tell whether the other side has ended the call, and not because something failed."""
        call = self._chat.call
        has_failed = call.status is not None and call.status >= _FIRST_FAILURE
        return call.reason.startswith("BYE") and not has_failed

    async def _send_typed(self, typed: trio.MemoryReceiveChannel[str]) -> None:
        async for line in typed:
            self._is_unsent = True
            await self._deliveries.wait_at_most(UNANSWERED_LIMIT - 1)
            try:
                message_id = await self._chat.send(line, "text/plain; charset=utf-8")
            except SessionEnded:
                return
            self._is_unsent = False
            if message_id is None:
                self._deliveries.failed += 1
                self._complain_of_message(line, _UNAVAILABLE, "the other side holds the chat")
                continue
            self._deliveries.sent(message_id, line)
            if self._front_end.shows_own:
                self._front_end.show(self._view.said(self._parties.own, line, _now()))

    async def _receive(self, scope: trio.CancelScope) -> None:
        async for message in self._chat:
            match read_message(message, self._parties):
                case Said(sender, text, is_private):
                    lines = self._view.said(sender, text, _now(), is_private=is_private)
                    self._front_end.show(lines)
                case Noticed(text):
                    self._notice(text)
                case None:
                    pass
        if self._front_end.shows_own and not self._is_done and self._was_left_politely:
            self._notice("The other side has left.")
        scope.cancel()

    def _notice(self, text: str) -> None:
        self._front_end.show(self._view.notice(text, _now()))

    def _take_failure(self, message_id: bytes, status: int, reason: str) -> None:
        reason = reason or COMMENTS.get(status, b"").decode()
        self._deliveries.not_delivered(message_id, status, reason)

    def _complain_of_message(self, text: str, status: int, reason: str) -> None:
        line = not_delivered(text, status, reason)
        self._front_end.complain(self._view.failure(line, _now()))


def _now() -> datetime:
    return datetime.now()
