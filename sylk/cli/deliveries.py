"""What became of the messages that we sent."""

from collections.abc import Callable

import trio

UNANSWERED_LIMIT = 100
"""Messages that may wait for their answer; then the next one waits before it is sent."""

_REMEMBERED = 200


class Deliveries:
    """Keeps each message until it is answered, and a little longer: a report may still come.

    `on_failure` is called once for each message that was not delivered, with its text, the status
    and the reason.
    """

    def __init__(self, on_failure: Callable[[str, int, str], None]) -> None:
        self._on_failure = on_failure
        self._unanswered: set[bytes] = set()
        self._texts: dict[bytes, str] = {}
        self._changed = trio.Event()
        self.failed = 0
        """How many messages were not delivered."""

    @property
    def unanswered(self) -> int:
        """How many messages have no answer yet."""
        return len(self._unanswered)

    def sent(self, message_id: bytes, text: str) -> None:
        """Remember a message; tell it before anything else can happen in the chat."""
        self._unanswered.add(message_id)
        self._texts[message_id] = text
        while len(self._texts) > _REMEMBERED:
            del self._texts[next(iter(self._texts))]

    def delivered(self, message_id: bytes) -> None:
        """Take it that a message was accepted."""
        self._answered(message_id)

    def not_delivered(self, message_id: bytes, status: int, reason: str) -> None:
        """Take it that a message was refused, whether or not it was accepted before."""
        self._answered(message_id)
        text = self._texts.pop(message_id, None)
        if text is not None:
            self.failed += 1
            self._on_failure(text, status, reason)

    async def wait_at_most(self, count: int) -> None:
        """Wait until at most `count` messages have no answer."""
        while len(self._unanswered) > count:
            self._changed = trio.Event()
            await self._changed.wait()

    def _answered(self, message_id: bytes) -> None:
        self._unanswered.discard(message_id)
        self._changed.set()
