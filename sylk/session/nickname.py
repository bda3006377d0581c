"""NICKNAME in a chat: what the peer asks for, and what we ask the peer for (RFC 7701 section 7)."""

from collections.abc import Callable, Sequence

import trio

from sylk.errors import LocalProtocolError
from sylk.msrp.events import NicknameAnswered, NicknameRequested
from sylk.msrp.receipt import safe_comment
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_limits import TRANSACTION_TIMEOUT

REQUEST_COST = 1024
"""Bytes as which a request counts among the messages that wait for the application."""

FORBIDDEN = 403
NO_ANSWER = 408

_DEPLOYED_TOKENS = "com.ag-projects."


class NicknameRequest:
    """The peer wants to be called `nickname`, or with an empty one gives its name up.

    Answered by `Chat.answer_nickname`.
    """

    __slots__ = ("is_answered", "nickname", "received")

    def __init__(self, received: NicknameRequested) -> None:
        self.received = received
        self.nickname = received.nickname
        self.is_answered = False


class Nicknames:
    """The NICKNAME requests of one chat, both ways."""

    __slots__ = ("_answers", "_session", "_unanswered")

    def __init__(self, session: MsrpSession) -> None:
        self._session = session
        self._unanswered: list[NicknameRequest] = []
        self._answers: dict[bytes, _Answer] = {}

    # Asked by the peer

    def hand_out(self, batch: Sequence[object]) -> None:
        """Remember which requests the application is about to get."""
        self._unanswered = [each for each in batch if isinstance(each, NicknameRequest)]

    def answer(self, request: NicknameRequest, status: int, reason: str | None = None) -> None:
        """Answer a request; raises LocalProtocolError the second time."""
        if request.is_answered:
            raise LocalProtocolError("a nickname request is answered once")
        request.is_answered = True
        comment = None if reason is None else safe_comment(reason)
        self._session.answer_nickname(request.received, status, comment)

    def refuse_left(self) -> None:
        """Refuse the requests that the application has let pass: it knows no nicknames."""
        for request in self._unanswered:
            if not request.is_answered:
                self.answer(request, FORBIDDEN)
        self._unanswered = []

    # Asked by us

    async def ask(
        self, nickname: str, chatroom: Sequence[str], flush: Callable[[], None]
    ) -> int | None:
        """Send a request and return the status of its answer, None when the chat ended before.

        Raises LocalProtocolError for a name that cannot be written.

        COMPAT: the deployed server, known by the tokens of its own in `chatroom`, takes quotes for
        a part of the name. Everybody else gets it in quotes, as RFC 7701 section 7.1 wants it.
        """
        quoted = not any(token.startswith(_DEPLOYED_TOKENS) for token in chatroom)
        now = trio.current_time()
        transaction_id = self._session.set_nickname(nickname, now, quoted=quoted)
        answer = self._answers[transaction_id] = _Answer()
        flush()
        try:
            # The engine gives up as well, but is asked only when something else happens.
            with trio.move_on_after(TRANSACTION_TIMEOUT):
                await answer.came.wait()
                return answer.status
            return NO_ANSWER
        finally:
            self._answers.pop(transaction_id, None)

    def take_answer(self, event: NicknameAnswered) -> None:
        """Take the answer to a request of ours."""
        answer = self._answers.get(event.transaction_id)
        if answer is not None:
            answer.status = event.status
            answer.came.set()

    def end(self) -> None:
        """Let nobody wait any longer."""
        for answer in self._answers.values():
            answer.came.set()


class _Answer:
    """What becomes of one request of ours."""

    __slots__ = ("came", "status")

    def __init__(self) -> None:
        self.came = trio.Event()
        self.status: int | None = None
