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

from sylk.call.media import RemoteChat
from sylk.errors import LocalProtocolError
from sylk.msrp import events
from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.receipt import Receipt
from sylk.msrp.session import MsrpSession
from sylk.msrp.strays import Strays
from sylk.net.msrp_link import MsrpLink
from sylk.net.wakeup import Gate, Wakeup
from sylk.payload.cpim import Address, CpimMessage
from sylk.session.call import Call
from sylk.session.chat_outcome import outcome_of
from sylk.session.chat_reading import Batches, Messages, WholeBatches
from sylk.session.message import CPIM, ChatMessage, Incoming, MessagePiece
from sylk.session.nickname import NO_ANSWER, REQUEST_COST, NicknameRequest, Nicknames

INBOX_LIMIT = 1024 * 1024
"""Bytes of messages that may wait for the application; over it the link is not read."""

ANSWER_GRACE = 2.0
"""Seconds for which the end of a chat waits for answers at most."""

SEND_PAUSE = 256 * 1024
"""Bytes that may wait for the peer before `send` waits for it."""

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
        self.bound = Gate()
        """Open when the MSRP session stands, or has failed before it did."""
        self.on_delivered: Callable[[bytes], None] | None = None
        """Called with the Message-ID when a message was answered with 200, and when all of it is
        reported as delivered."""
        self.on_failure: Callable[[bytes, int, str], None] | None = None
        """Called with the Message-ID, status and reason of a message that was not delivered."""
        self.on_over: Callable[[], None] | None = None
        """Called when the session ends."""
        self.on_fan_out_answer: Callable[[bytes, int, str], None] | None = None
        """See `watch_fan_outs`."""
        self.session = session
        """The MSRP engine of this chat."""
        self.link: MsrpLink | None = None
        """What carries the chat now, None while nothing does."""
        # A list, as an empty deque takes ten times the memory.
        self._inbox: list[Incoming] = []
        self._inbox_size = 0
        self._nicknames = Nicknames(session)
        self._unanswered: dict[bytes, None] = {}
        self._heard = Wakeup()
        """Woken when the peer has answered a message, or nothing will be heard any more."""
        self._changed = Wakeup()
        self._room_again = Wakeup()
        self._back = Gate(is_open=True)
        """Closed while the chat waits for another connection."""

    # What an application uses

    @property
    def is_over(self) -> bool:
        """True when the session has ended; messages that came before may still be read."""
        return self.call.is_over

    @property
    def is_connected(self) -> bool:
        """False while the chat waits for another connection: what is said to it is kept."""
        return self.link is not None

    @property
    def peer(self) -> RemoteChat | None:
        """What the SDP of the peer says of its side, None before it has come."""
        return self.call.usage.negotiation.chat

    @property
    def takes_cpim(self) -> bool:
        """Tell whether the peer takes CPIM; without it a message has neither From nor To."""
        return self.peer is not None and self.peer.takes_cpim

    @property
    def chatroom(self) -> tuple[str, ...]:
        """What the peer says of itself as a chat room (RFC 7701 section 8), which others do not."""
        return () if self.peer is None else self.peer.chatroom

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The certificates that the peer's SDP names for TLS."""
        return () if self.peer is None else self.peer.fingerprints

    @property
    def backlog(self) -> int:
        """Bytes that wait because the peer is slow; none while it has no connection."""
        return 0 if self.link is None else self.link.outbox.pending

    async def wait_drained(self) -> None:
        """Wait until nothing waits for the peer."""
        if self.link is None:
            await trio.lowlevel.checkpoint()
        else:
            await self.link.outbox.wait_empty()

    async def send(self, content: str | bytes, content_type: str = "text/plain") -> bytes | None:
        """Send one message and return its Message-ID; waits while the peer is behind.

        None, with nothing sent, while the peer holds the chat (see `post`). Raises SessionEnded
        when there is nobody to send to.
        """
        if isinstance(content, str):
            content = content.encode()
        if self.link is None and self.session.kept > SEND_PAUSE:
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
        link = self.link
        if self.call.is_over or (link is None and not self.session.is_detached):
            raise self.call.ended_error()
        if self.is_held:
            return None
        try:
            message_id = self.session.send_message(
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

    async def wait_answered(self) -> None:
        """Wait until the peer has answered what was sent, or has gone; at most ANSWER_GRACE.

        A BYE that overtakes the last message would make the peer leave without having read it.
        """
        with trio.move_on_after(ANSWER_GRACE):
            while self._unanswered and not self.call.is_over:
                await self._heard.wait()

    def __aiter__(self) -> AsyncIterator[ChatMessage]:
        """Yield each message, answered with 200, until the session ends.

        A message whose CPIM is malformed is refused and never seen, and so is a nickname.
        """
        return Messages(self)

    def batches(self) -> AsyncIterator[list[ChatMessage]]:
        """Yield all the messages there are, as soon as there are some, until the session ends.

        Each message must be accepted or refused by whoever takes it from here. Nicknames are
        refused with 403.
        """
        return WholeBatches(self)

    def batches_with_pieces(self) -> AsyncIterator[list[Incoming]]:
        """Yield as `batches` does, and the pieces of large messages, and requests for nicknames.

        Pieces come in a chat that was accepted with `streams`; a message in pieces is accepted or
        refused by `accept_stream` or `refuse_stream`. A `NicknameRequest` stands where it came
        among the messages; one that has no answer when the next batch is asked for gets 403.
        """
        return Batches(self)

    async def take_batch(self) -> list[Incoming]:
        """Wait for messages and return all there are; none means that the session has ended."""
        self._nicknames.refuse_left()
        self._flush()
        while not self._inbox and not self.call.is_over:
            await self._changed.wait()
        batch, self._inbox = self._inbox, []
        self._nicknames.hand_out(batch)
        self._inbox_size = 0
        self._room_again.wake()
        return batch

    def accept(self, messages: Sequence[ChatMessage], *, report: bool = True) -> None:
        """Answer 200 to messages, and report success where the sender asked for it.

        Without `report` that is left to `report`, which may come any time later.
        """
        for message in messages:
            self.session.accept(message.received, report=report)
        self._flush()

    def receipt_of(self, message: ChatMessage | IncomingStream) -> Receipt:
        """Return what has to be kept of a message for later reports: little, and not its body."""
        whole = message.received if isinstance(message, ChatMessage) else message
        return self.session.reports.receipt_of(whole)

    def report(self, receipt: Receipt, status: int = 200, comment: str | None = None) -> None:
        """Tell the sender what became of a message, if he wants to hear that (RFC 4975 7.1.4).

        To be called after the message was accepted; nothing is sent when the chat is over.
        """
        self.session.reports.send(receipt, status, comment)
        self._flush()

    def refuse(self, message: ChatMessage, status: int, *, as_report: bool = False) -> None:
        """Answer a message with a failure, or with 200 and then a failing REPORT."""
        self.session.refuse(message.received, status, as_report=as_report)
        self._flush()

    def accept_stream(self, stream: IncomingStream) -> None:
        """Report success on a message that came in pieces, where its sender asked for it."""
        self.report(self.receipt_of(stream))

    def refuse_stream(self, stream: IncomingStream, status: int) -> None:
        """Take no more of a message that comes in pieces."""
        self.session.refuse_stream(stream, status)
        self._flush()

    def answer_nickname(
        self, request: NicknameRequest, status: int, reason: str | None = None
    ) -> None:
        """Answer 200, 403, 424 or 425 (RFC 7701 section 7.1), by default in the words of the RFC.

        Raises LocalProtocolError the second time.
        """
        self._nicknames.answer(request, status, reason)
        self._flush()

    async def set_nickname(self, nickname: str) -> int:
        """Ask a room for a nickname, or with an empty one give it up, and return the status.

        That is 200 when it is ours, and 408 without an answer within 30 s. Raises SessionEnded when
        there is nobody to ask, and LocalProtocolError for what is no name, or over 1023 octets.
        """
        await self._back.wait()
        if self.link is not None and not self.call.is_over:
            status = await self._nicknames.ask(nickname, self.chatroom, self._flush)
            # What was not answered when the session closed is told as if time had run out.
            if status and not (status == NO_ANSWER and self.call.is_over):
                return status
        raise self.call.ended_error()

    def watch_fan_outs(self, take_answer: Callable[[bytes, int, str], None]) -> None:
        """Be told how the peer answers messages of a `Broadcast`, with their id, status and reason.

        A refusal is told at once and once; that it has arrived, only where that was asked for.
        """
        self.on_fan_out_answer = take_answer
        self.session.strays = Strays()

    # What the MSRP port calls

    def attached(self, link: MsrpLink) -> None:
        """Take it that the session is carried by `link`."""
        self.link = link

    def receive(self, event: events.SessionEvent) -> None:
        """Take one event of the MSRP session."""
        if isinstance(event, events.MessageReceived):
            if self.call.is_over:
                self.session.refuse(event.message, _NO_SESSION)
                return
            self._inbox.append(ChatMessage(event.message))
            self._inbox_size += len(event.message.body)
            self._changed.wake()
        elif isinstance(event, events.PieceReceived | events.StreamAborted):
            piece = MessagePiece(event)
            self._inbox.append(piece)
            self._inbox_size += len(piece.body)
            self._changed.wake()
        elif isinstance(event, events.Bound):
            self.bound.open()
        elif isinstance(event, events.NicknameRequested):
            if self.call.is_over:
                self.session.answer_nickname(event, _NO_SESSION)
                return
            self._inbox.append(NicknameRequest(event))
            self._inbox_size += REQUEST_COST
            self._changed.wake()
        elif isinstance(event, events.NicknameAnswered):
            self._nicknames.take_answer(event)
        elif isinstance(event, events.Detached):
            self.link = None
            self._back.close()
        elif isinstance(event, events.Rebound):
            self._back.open()
        elif isinstance(event, events.Closed):
            self.bound.open()
            self.link = None
            self._heard.wake()
            self._back.open()
            if not self.call.is_over:
                self.call.hang_up(f"media: {event.reason}", _MEDIA_FAILED)
        else:
            self._tell_outcome(event)

    @property
    def is_full(self) -> bool:
        """Tell whether the application has much to take; the link is not read meanwhile."""
        return self._inbox_size > INBOX_LIMIT and not self.call.is_over

    async def wait_for_room(self) -> None:
        """Wait until it has taken that; to be called when it `is_full`."""
        await self._room_again.wait()

    def call_ended(self) -> None:
        """Wake whoever waits for this chat."""
        self._nicknames.end()
        self._heard.wake()
        self.bound.open()
        self._back.open()
        self._changed.wake()
        self._room_again.wake()
        if self.on_over is not None:
            self.on_over()

    # For this package

    def _hold_changed(self, held: bool) -> None:
        self.is_held = held
        if self.on_hold_changed is not None:
            self.on_hold_changed(held)

    def _tell_outcome(self, event: events.SessionEvent) -> None:
        outcome = outcome_of(event)
        if outcome is None:
            return
        identifier, status, reason = outcome
        if isinstance(event, events.FanOutAnswered):
            if self.on_fan_out_answer is not None:
                self.on_fan_out_answer(identifier, status, reason)
            return
        self._unanswered.pop(identifier, None)
        self._heard.wake()
        if status != _OK:
            if self.on_failure is not None:
                self.on_failure(identifier, status, reason)
        elif self.on_delivered is not None:
            self.on_delivered(identifier)

    def _flush(self) -> None:
        if self.link is not None:
            self.link.flush()
