"""A chat that stands, between its session and the front end, until one side has had enough."""

from datetime import datetime, timedelta
from functools import partial

import trio

from sylk.cli.chat_view import ChatView, bare_address, not_delivered
from sylk.cli.commands import Order, Say
from sylk.cli.deliveries import UNANSWERED_LIMIT, Deliveries
from sylk.cli.focus import Focus
from sylk.cli.front_end import FrontEnd
from sylk.cli.harmless import harmless, harmless_name
from sylk.cli.received import Noticed, Parties, Said, Writing, read_message
from sylk.cli.room_desk import RoomDesk
from sylk.cli.room_watch import RoomWatch
from sylk.cli.roster import Roster
from sylk.cli.unread import Past, Unread
from sylk.cli.writing import WritingStatus
from sylk.errors import SessionEnded
from sylk.msrp.frame import COMMENTS
from sylk.session.chat import Chat

_UNAVAILABLE = 480
_FIRST_FAILURE = 300

TYPED_LIMIT = 100
"""Lines that may wait to be sent."""

_NAMES_SHOWN = 20
_SUBJECT_SHOWN = 300  # characters


class Conversation:
    """Carries lines to the chat and messages to the front end.

    When the user is done, what was sent is waited for until it is answered, and then `linger`
    seconds for what may still come.
    """

    def __init__(
        self, chat: Chat, front_end: FrontEnd, linger: float, focus: Focus | None = None
    ) -> None:
        """`focus` is how to ask a room about itself."""
        is_room = bool(chat.chatroom) or chat.call.is_focus
        self._chat = chat
        self._front_end = front_end
        self._linger = linger
        self._parties = Parties(chat.local, chat.remote, is_room)
        self._view = ChatView(chat.local, chat.remote, text_limit=front_end.text_limit)
        self._deliveries = Deliveries(self._complain_of_message)
        self._roster = Roster()
        self._desk = RoomDesk(
            chat, self._parties, self._roster, front_end, self._view, self._deliveries, focus
        )
        self._writing = WritingStatus(chat, self._parties, self._view.called, front_end.set_status)
        self._unread = Unread(trio.current_time())
        self._past = Past(_now())
        self._watch: RoomWatch | None = None
        self._subject: str | None = None
        """None until the room has told it."""
        self._last_notice = ""
        """What the room has last said itself."""
        if is_room and focus is not None and front_end.takes_commands:
            watch = self._watch = RoomWatch(focus, chat.local, self._roster)
            watch.on_change = self._take_roster
            self._desk.why_untold = lambda: watch.refusal
        self._desk.on_history_asked = lambda: self._past.ask(_now())
        self._is_done = False
        self._is_unsent = False
        """Whether a line was typed that has not gone out."""
        self.fault: str | None = None
        """What went wrong, in words, once the conversation is over; None when everything worked."""
        chat.on_delivered = self._take_delivery
        chat.on_failure = self._take_failure
        front_end.on_typing = self._take_key

    async def run(self) -> None:
        """Converse until the user is done or the session has ended; then `fault` is set."""
        try:
            await self._converse()
        finally:
            # Afterwards we hang up, and the session is over in any case.
            self.fault = self._find_fault()
            self._front_end.on_typing = None

    async def _converse(self) -> None:
        if self._front_end.shows_own:
            own, peer = self._parties.own, self._parties.peer
            name = own.display_name or bare_address(own.uri)
            place = f"in {bare_address(peer.uri)}" if self._parties.is_room else "connected"
            self._notice(f"You are {name}, {place}. Type /help for help.")
        send_line, typed = trio.open_memory_channel[Say | Order](TYPED_LIMIT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive, nursery.cancel_scope)
            nursery.start_soon(self._front_end.read_lines, send_line)
            nursery.start_soon(self._writing.run)
            if self._watch is not None:
                nursery.start_soon(self._watch.run)
            async with typed:
                try:
                    await self._take_typed(typed, nursery)
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
        if deliveries.failed:
            return f"messages not delivered: {deliveries.failed}"
        # At a terminal the user has seen that, and may have tried again.
        if self._desk.failed and not self._front_end.shows_own:
            return f"commands that came to nothing: {self._desk.failed}"
        return None

    @property
    def _was_left_politely(self) -> bool:
        """Tell whether the other side has ended the call, and not because something failed."""
        call = self._chat.call
        has_failed = call.status is not None and call.status >= _FIRST_FAILURE
        return call.reason.startswith("BYE") and not has_failed

    # What we say and order

    async def _take_typed(
        self, typed: trio.MemoryReceiveChannel[Say | Order], nursery: trio.Nursery
    ) -> None:
        async for line in typed:
            if isinstance(line, Say):
                if not await self._say(line.text):
                    return
            elif self._front_end.shows_own:
                # A person goes on typing meanwhile.
                nursery.start_soon(self._desk.carry_out, line)
            else:
                await self._desk.carry_out(line)

    async def _say(self, line: str) -> bool:
        """Say a line; tells whether anything can still be said."""
        self._is_unsent = True
        await self._deliveries.wait_at_most(UNANSWERED_LIMIT - 1)
        try:
            message_id = await self._chat.send(line, "text/plain; charset=utf-8")
        except SessionEnded:
            return False
        self._is_unsent = False
        self._writing.said()
        if message_id is None:
            self._deliveries.failed += 1
            self._complain_of_message(line, _UNAVAILABLE, "the other side holds the chat")
            return True
        self._deliveries.sent(message_id, line)
        if self._front_end.shows_own:
            self._front_end.show(self._view.said(self._parties.own, line, _now()))
        return True

    def _take_key(self, has_text: bool) -> None:
        self._unread.typed(trio.current_time())
        self._writing.typed(has_text)

    # What comes

    async def _receive(self, scope: trio.CancelScope) -> None:
        async for message in self._chat:
            match read_message(message, self._parties):
                case Said() as said:
                    self._show_said(said)
                case Noticed(text):
                    self._last_notice = text
                    self._notice(text)
                case Writing() as writing:
                    writing.writer = self._roster.called(writing.writer)
                    self._writing.take(writing)
                case None:
                    pass
        if self._front_end.shows_own and not self._is_done and self._was_left_politely:
            why = self._chat.call.reason.removeprefix("BYE")
            self._notice(f"The other side has left{why or '.'}")
        scope.cancel()

    def _show_said(self, said: Said) -> None:
        now = _now()
        sender = self._roster.called(said.sender)
        is_own = bare_address(sender.uri) == bare_address(self._parties.own.uri)
        still = self._unread.line_before(trio.current_time())
        if self._front_end.shows_own and still is not None:
            self._front_end.show(self._view.unread(now - timedelta(seconds=still)))
        show = partial(self._view.said, sender, said.text, is_private=said.is_private, to=said.to)
        if self._past.holds(said.sent, now) and said.sent is not None:
            lines = show(said.sent.astimezone(), now=now)
        else:
            lines = show(now)
            self._writing.spoke(sender)
            if not is_own:
                self._hear(said)
        self._front_end.show(lines)

    def _hear(self, said: Said) -> None:
        if said.is_private:
            self._desk.whispered(said.sender)
        if self._roster.info is None:
            self._roster.heard(said.sender)
            self._front_end.set_names(self._roster.names())

    def _take_roster(self) -> None:
        """Show what the room tells of itself for the first time, and later what it is about."""
        self._front_end.set_names(self._roster.names())
        subject = self._roster.subject[:_SUBJECT_SHOWN]
        if self._front_end.shows_own and self._subject is None:
            names = self._roster.names()
            more = len(names) - _NAMES_SHOWN
            here = ", ".join(map(harmless_name, names[:_NAMES_SHOWN]))
            here += f" and {more} more" if more > 0 else ""
            self._notice(f"{len(self._roster.people)} here: {here}")
        # Most rooms tell a new subject in a notice as well.
        if subject != (self._subject or "") and not (subject and subject in self._last_notice):
            self._notice(f"The subject is: {subject}" if subject else "There is no subject.")
        self._subject = subject

    def _notice(self, text: str) -> None:
        self._front_end.show(self._view.notice(text, _now()))

    # What becomes of what we have sent

    def _take_delivery(self, message_id: bytes) -> None:
        if not self._desk.orders.delivered(message_id):
            self._deliveries.delivered(message_id)

    def _take_failure(self, message_id: bytes, status: int, reason: str) -> None:
        if self._desk.orders.failed(message_id, status, reason):
            return
        reason = reason or COMMENTS.get(status, b"").decode()
        self._deliveries.not_delivered(message_id, status, reason)

    def _complain_of_message(self, text: str, status: int, reason: str) -> None:
        line = not_delivered(text, status, reason)
        self._front_end.complain(self._view.failure(line, _now()))


def _now() -> datetime:
    return datetime.now().astimezone()
