"""Commands to the room: messages that it does not pass on, but carries out.

Each is a message/cpim to the room whose wrapped content is a JSON object of the type COMMAND_TYPE,
such as `{"command": "ban", "user": "sip:bob@example.com", "seconds": 3600}`. The room answers it
like any message: 200 once it is done, or a refusal with its reason, in the answer or in a REPORT.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import trio

from sylk.cli.received import Parties
from sylk.msrp.frame import COMMENTS
from sylk.payload.cpim import CpimMessage
from sylk.session.chat import Chat

COMMAND_TYPE = "application/vnd.sylk.command+json"

ANSWER_TIMEOUT = 32.0
"""Seconds that a room has for an answer, a little more than MSRP gives it."""

REPORT_GRACE = 1.0
"""Seconds after a 200 in which a REPORT may still refuse."""


class OrderRefused(Exception):
    """The room has not done what it was told; the text says why."""


class _Waiting:
    """An order without its last answer."""

    def __init__(self) -> None:
        self.answered = trio.Event()
        self.settled = trio.Event()
        self.refusal = ""


class Orders:
    """The orders of one chat."""

    def __init__(self, chat: Chat, parties: Parties) -> None:
        self._chat = chat
        self._parties = parties
        self._waiting: dict[bytes, _Waiting] = {}

    async def give(self, command: Mapping[str, str | int]) -> None:
        """Have the room do something; raises OrderRefused, and SessionEnded."""
        body = json.dumps(command, ensure_ascii=False).encode("utf-8", "replace")
        now = datetime.now(UTC).isoformat()
        own, room = self._parties.own, self._parties.peer
        wrapped = CpimMessage.compose(own, room, body, COMMAND_TYPE, now)
        message_id = self._chat.post(wrapped.render(), success_report=True)
        if message_id is None:
            raise OrderRefused("the other side holds the chat")
        waiting = self._waiting[message_id] = _Waiting()
        try:
            with trio.move_on_after(ANSWER_TIMEOUT):
                await waiting.answered.wait()
            if not waiting.answered.is_set():
                raise OrderRefused("the room does not answer")
            with trio.move_on_after(REPORT_GRACE):
                await waiting.settled.wait()
            if waiting.refusal:
                raise OrderRefused(waiting.refusal)
        finally:
            del self._waiting[message_id]

    def delivered(self, message_id: bytes) -> bool:
        """Take it that a message was taken; tells whether it was an order."""
        waiting = self._waiting.get(message_id)
        if waiting is None:
            return False
        # Success is told twice: by the answer, then by the report that was asked for.
        if waiting.answered.is_set():
            waiting.settled.set()
        waiting.answered.set()
        return True

    def failed(self, message_id: bytes, status: int, reason: str) -> bool:
        """Take it that a message was refused; tells whether it was an order."""
        waiting = self._waiting.get(message_id)
        if waiting is None:
            return False
        reason = reason or COMMENTS.get(status, b"").decode()
        waiting.refusal = f"{status} {reason}".rstrip()
        waiting.answered.set()
        waiting.settled.set()
        return True
