"""The ways in which an application reads a chat: message by message, or all there is at once.

These are no async generators: one that is left before its end would have to be closed by its user.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol, Self

from sylk.errors import RemoteProtocolError
from sylk.session.message import ChatMessage, Incoming
from sylk.session.nickname import FORBIDDEN, NicknameRequest


class Readable(Protocol):
    """What is needed of a chat."""

    async def take_batch(self) -> list[Incoming]:
        """Wait for messages and return all there are; none means that the session has ended."""
        ...

    def accept(self, messages: Sequence[ChatMessage]) -> None:
        """Answer 200 to messages."""
        ...

    def refuse(self, message: ChatMessage, status: int, *, as_report: bool = False) -> None:
        """Answer a message with a failure."""
        ...

    def answer_nickname(self, request: NicknameRequest, status: int) -> None:
        """Answer a NICKNAME."""
        ...


class Batches:
    """All there is each time, the pieces of large messages and requests for nicknames too."""

    __slots__ = ("_chat",)

    def __init__(self, chat: Readable) -> None:
        self._chat = chat

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Incoming]:
        if batch := await self._chat.take_batch():
            return batch
        raise StopAsyncIteration


class WholeBatches:
    """All the whole messages there are each time; nicknames are refused."""

    def __init__(self, chat: Readable) -> None:
        self._chat = chat

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[ChatMessage]:
        while batch := await self._chat.take_batch():
            for each in batch:
                if isinstance(each, NicknameRequest):
                    self._chat.answer_nickname(each, FORBIDDEN)
            if whole := [message for message in batch if isinstance(message, ChatMessage)]:
                return whole
        raise StopAsyncIteration


class Messages:
    """One message after the other, each answered with 200.

    A malformed one is refused, and so is a nickname.
    """

    def __init__(self, chat: Readable) -> None:
        self._chat = chat
        self._batch: deque[Incoming] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatMessage:
        while True:
            if not self._batch:
                self._batch.extend(await self._chat.take_batch())
            if not self._batch:
                raise StopAsyncIteration
            message = self._batch.popleft()
            if isinstance(message, NicknameRequest):
                self._chat.answer_nickname(message, FORBIDDEN)
                continue
            if not isinstance(message, ChatMessage):
                # A piece: only a chat that was accepted with `streams` gets any.
                continue
            try:
                message.check()
            except RemoteProtocolError as error:
                # COMPAT: deployed clients know this only as a REPORT after a 200.
                self._chat.refuse(message, error.status, as_report=True)
            else:
                self._chat.accept([message])
                return message
