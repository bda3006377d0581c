"""A chat: messages in and out of one MSRP session, as an application holds it.

The plain way is `async for message in chat` and `await chat.send(...)`. A switch, which has to
answer for each message only when it has decided, takes whole batches: what one read from the
network brought is decided, passed on and answered together.

A chat may lose its connection and get another one. Meanwhile what is said to it is kept, and an
application need not know: it hears of the end of the chat if that is what follows.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

import trio

from sylk.errors import LocalProtocolError
from sylk.msrp import events
from sylk.msrp.fanout import FanOut
from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.receipt import Receipt
from sylk.msrp.session import MsrpSession
from sylk.msrp.strays import Strays
from sylk.net.msrp_link import MsrpLink
from sylk.payload.cpim import Address, CpimMessage
from sylk.session.call import Call
from sylk.session.chat_reading import Batches, Messages, WholeBatches
from sylk.session.message import CPIM, ChatMessage, MessagePiece

INBOX_LIMIT = 1024 * 1024
"""Bytes of messages that may wait for the application; over it the link is not read."""

ANSWER_GRACE = 2.0
"""Seconds for which the end of a chat waits for answers at most."""

SEND_PAUSE = 256 * 1024
"""Bytes that may wait for the peer before `send` waits for it."""

_NICKNAMES_FORBIDDEN = 403
_MEDIA_FAILED = 500
_OK = 200
_NO_SESSION = 481


class Chat:
    """One established chat.

    `local` and `remote` are the CPIM identities of the two sides.
    """

    def __init__(self, call: Call, session: MsrpSession, local: Address, remote: Address) -> None:
        self.call = call
        self.local = local
        self.remote = remote
        self.fell_behind = False
        """True once a large message was lost to the peer because he read too slowly."""
        self.claimed = remote
        """Who the peer calls himself in what he writes; it tells nobody who he is."""
        self.is_held = False
        """True while the peer holds the chat: nothing is sent to it, see `post`."""
        self.on_hold_changed: Callable[[bool], None] | None = None
        """Called with the new `is_held` (RFC 3264 section 8.4)."""
        call.on_hold_changed = self._hold_changed
        self.bound = trio.Event()
        """Set when the MSRP session stands, or has failed before it did."""
        self.on_delivered: Callable[[bytes], None] | None = None
        """Called with the Message-ID when a message was answered with 200, and when all of it is
        reported as delivered."""
        self.on_failure: Callable[[bytes, int, str], None] | None = None
        """Called with the Message-ID, status and reason of a message that was not delivered."""
        self.on_fan_out_answer: Callable[[bytes, int, str], None] | None = None
        """See `watch_fan_outs`."""
        self._session = session
        self._link: MsrpLink | None = None
        # A list, as an empty deque takes ten times the memory.
        self._inbox: list[ChatMessage | MessagePiece] = []
        self._inbox_size = 0
        self._unanswered: dict[bytes, None] = {}
        self._heard = trio.Event()
        """Set when the peer has answered a message, or nothing will be heard any more."""
        self._changed = trio.Event()
        self._room_again = trio.Event()
        self._back = trio.Event()

    # What an application uses

    @property
    def is_over(self) -> bool:
        """True when the session has ended; messages that came before may still be read."""
        return self.call.is_over

    @property
    def is_connected(self) -> bool:
        """False while the chat waits for another connection: what is said to it is kept."""
        return self._link is not None

    @property
    def takes_cpim(self) -> bool:
        """Tell whether the peer takes CPIM; without it a message has neither From nor To."""
        chat = self.call.usage.negotiation.chat
        return chat is not None and chat.takes_cpim

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The certificates that the peer's SDP names for TLS."""
        chat = self.call.usage.negotiation.chat
        return () if chat is None else chat.fingerprints

    @property
    def backlog(self) -> int:
        """Bytes that wait because the peer is slow; none while it has no connection."""
        return 0 if self._link is None else self._link.outbox.pending

    async def wait_drained(self) -> None:
        """Wait until nothing waits for the peer."""
        if self._link is None:
            await trio.lowlevel.checkpoint()
        else:
            await self._link.outbox.wait_empty()

    async def send(self, content: str | bytes, content_type: str = "text/plain") -> bytes | None:
        """Send one message and return its Message-ID; waits while the peer is behind.

        None, with nothing sent, while the peer holds the chat (see `post`). Raises SessionEnded
        when there is nobody to send to.
        """
        if isinstance(content, str):
            content = content.encode()
        if self._session.kept > SEND_PAUSE and self._link is None and not self.is_over:
            self._back = trio.Event()
            await self._back.wait()
        elif self.backlog > SEND_PAUSE:
            await self.wait_drained()
        else:
            await trio.lowlevel.checkpoint()
        if not self.takes_cpim:
            return self.post(content, content_type)
        wrapped = CpimMessage.compose(
            self.local, self.remote, content, content_type, datetime.now(UTC).isoformat()
        )
        return self.post(wrapped.render(), CPIM, success_report=True)

    def post(
        self,
        body: bytes,
        content_type: str = CPIM,
        *,
        success_report: bool = False,
        failure_report: bytes = b"yes",
    ) -> bytes | None:
        """Queue a message as it is, without waiting, and return its Message-ID.

        While the peer holds the chat the message is dropped, as a `Broadcast` leaves such a chat
        out, and there is no Message-ID: it has asked for silence, not for a backlog. While the chat
        has no connection the message is kept; one too many ends the chat. Raises SessionEnded when
        there is nobody to send to.
        """
        link = self._link
        if self.call.is_over or (link is None and not self._session.is_detached):
            raise self.call.ended_error()
        if self.is_held:
            return None
        try:
            message_id = self._session.send_message(
                body,
                content_type.encode(),
                trio.current_time(),
                success_report=success_report,
                failure_report=failure_report,
            )
        except LocalProtocolError as error:
            # A peer that answers nothing is not worth more memory than its bound.
            self.call.hang_up(f"media: {error}", _MEDIA_FAILED)
            raise self.call.ended_error() from error
        if failure_report == b"yes":
            self._unanswered[message_id] = None
        if link is not None:
            link.flush()
        return message_id

    def keep(self, fan_out: FanOut) -> None:
        """Keep what a `Broadcast` says while there is no connection; too much ends the chat."""
        unconfirmed = self._session.unconfirmed
        if unconfirmed is None or self.call.is_over or not self._session.is_detached:
            return
        try:
            unconfirmed.keep(fan_out)
        except LocalProtocolError as error:
            self.call.hang_up(f"media: {error}", _MEDIA_FAILED)

    async def wait_answered(self) -> None:
        """Wait until the peer has answered what was sent, or has gone; at most ANSWER_GRACE.

        A BYE that overtakes the last message would make the peer leave without having read it.
        """
        with trio.move_on_after(ANSWER_GRACE):
            await self._wait_answered()

    async def _wait_answered(self) -> None:
        while self._unanswered and not self.call.is_over:
            self._heard = trio.Event()
            await self._heard.wait()

    def __aiter__(self) -> AsyncIterator[ChatMessage]:
        """Yield each message, answered with 200, until the session ends.

        A message whose CPIM is malformed is refused and never seen.
        """
        return Messages(self)

    def batches(self) -> AsyncIterator[list[ChatMessage]]:
        """Yield all the messages there are, as soon as there are some, until the session ends.

        Each message must be accepted or refused by whoever takes it from here.
        """
        return WholeBatches(self)

    def batches_with_pieces(self) -> AsyncIterator[list[ChatMessage | MessagePiece]]:
        """Yield as `batches` does, and the pieces of messages that are too large to be held.

        For a chat that was accepted with `streams`. A message in pieces is accepted or refused by
        `accept_stream` or `refuse_stream`.
        """
        return Batches(self)

    async def take_batch(self) -> list[ChatMessage | MessagePiece]:
        """Wait for messages and return all there are; none means that the session has ended."""
        while not self._inbox and not self.call.is_over:
            self._changed = trio.Event()
            await self._changed.wait()
        batch, self._inbox = self._inbox, []
        self._inbox_size = 0
        self._room_again.set()
        return batch

    def accept(self, messages: Sequence[ChatMessage], *, report: bool = True) -> None:
        """Answer 200 to messages, and report success where the sender asked for it.

        Without `report` that is left to `report`, which may come any time later.
        """
        for message in messages:
            self._session.accept(message.received, report=report)
        self._flush()

    def receipt_of(self, message: ChatMessage | IncomingStream) -> Receipt:
        """Return what has to be kept of a message for later reports: little, and not its body."""
        whole = message.received if isinstance(message, ChatMessage) else message
        return self._session.reports.receipt_of(whole)

    def report(self, receipt: Receipt, status: int = 200, comment: str | None = None) -> None:
        """Tell the sender what became of a message, if he wants to hear that (RFC 4975 7.1.4).

        To be called after the message was accepted; nothing is sent when the chat is over.
        """
        self._session.reports.send(receipt, status, comment)
        self._flush()

    def refuse(self, message: ChatMessage, status: int, *, as_report: bool = False) -> None:
        """Answer a message with a failure, or with 200 and then a failing REPORT."""
        self._session.refuse(message.received, status, as_report=as_report)
        self._flush()

    def accept_stream(self, stream: IncomingStream) -> None:
        """Report success on a message that came in pieces, where its sender asked for it."""
        self.report(self.receipt_of(stream))

    def refuse_stream(self, stream: IncomingStream, status: int) -> None:
        """Take no more of a message that comes in pieces."""
        self._session.refuse_stream(stream, status)
        self._flush()

    def watch_fan_outs(self, take_answer: Callable[[bytes, int, str], None]) -> None:
        """Be told how the peer answers messages of a `Broadcast`, with their id, status and reason.

        A refusal is told at once and once; that it has arrived, only where that was asked for.
        """
        self.on_fan_out_answer = take_answer
        self._session.strays = Strays()

    # What the MSRP port calls

    def attached(self, link: MsrpLink) -> None:
        """Take it that the session is carried by `link`."""
        self._link = link

    def receive(self, event: events.SessionEvent) -> None:
        """Take one event of the MSRP session."""
        if isinstance(event, events.MessageReceived):
            if self.call.is_over:
                self._session.refuse(event.message, _NO_SESSION)
                return
            self._inbox.append(ChatMessage(event.message))
            self._inbox_size += len(event.message.body)
            self._changed.set()
        elif isinstance(event, events.PieceReceived | events.StreamAborted):
            piece = MessagePiece(event)
            self._inbox.append(piece)
            self._inbox_size += len(piece.body)
            self._changed.set()
        elif isinstance(event, events.Bound):
            self.bound.set()
        elif isinstance(event, events.NicknameRequested):
            self._session.answer_nickname(event, _NICKNAMES_FORBIDDEN)
        elif isinstance(event, events.Detached):
            self._link = None
        elif isinstance(event, events.Rebound):
            self._back.set()
        elif isinstance(event, events.Closed):
            self.bound.set()
            self._link = None
            self._heard.set()
            self._back.set()
            if not self.call.is_over:
                self.call.hang_up(f"media: {event.reason}", _MEDIA_FAILED)
        else:
            self._tell_outcome(event)

    async def wait_for_room(self) -> None:
        """Wait until the application has taken what came; the link is not read meanwhile."""
        if self._inbox_size > INBOX_LIMIT and not self.call.is_over:
            self._room_again = trio.Event()
            await self._room_again.wait()

    def call_ended(self) -> None:
        """Wake whoever waits for this chat."""
        self._heard.set()
        self.bound.set()
        self._back.set()
        self._changed.set()
        self._room_again.set()

    # For this package

    def _hold_changed(self, held: bool) -> None:
        self.is_held = held
        if self.on_hold_changed is not None:
            self.on_hold_changed(held)

    @property
    def session(self) -> MsrpSession:
        """The MSRP engine of this chat."""
        return self._session

    @property
    def link(self) -> MsrpLink | None:
        """What carries the chat now, None while nothing does."""
        return self._link

    def _tell_outcome(self, event: events.SessionEvent) -> None:
        match event:
            case events.MessageAccepted(message_id):
                delivered, status, reason = True, 200, ""
            case events.FanOutAnswered(message_id, status, comment):
                if self.on_fan_out_answer is not None:
                    self.on_fan_out_answer(message_id, status, _text(comment))
                return
            case events.MessageReported(message_id):
                delivered, status, reason = True, 200, ""
            case events.ReportReceived(message_id, status, _, comment) if status != _OK:
                delivered, reason = False, _text(comment)
            case events.MessageFailed(message_id, status, comment):
                delivered, reason = False, _text(comment)
            case _:
                return
        self._unanswered.pop(message_id, None)
        self._heard.set()
        if delivered and self.on_delivered is not None:
            self.on_delivered(message_id)
        elif not delivered and self.on_failure is not None:
            self.on_failure(message_id, status, reason)

    def _flush(self) -> None:
        if self._link is not None:
            self._link.flush()


def _text(comment: bytes) -> str:
    return comment.decode("utf-8", "replace")
