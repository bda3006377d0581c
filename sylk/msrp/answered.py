"""What was said to each message, so that one that comes again is not delivered twice.

A message whose answer was lost with the connection comes again on the next one, under its
Message-ID (RFC 4975 section 5.4). It gets the answer that was lost. Only what came on an earlier
connection is looked for: on one and the same connection nothing gets lost, and a Message-ID that a
peer uses twice there is two messages, as ever.
"""

from sylk.msrp.events import IncomingMessage

MAX_REMEMBERED = 512
"""Messages of one session that are remembered at least: twice what we send again ourselves."""

Verdict = tuple[int, int]
"""The status of the answer, and that of the REPORT which followed it, 0 for none."""


class AnsweredMessages:
    """The messages of one session and their answers."""

    __slots__ = ("_before", "_earlier", "_latest")

    def __init__(self) -> None:
        # Two generations, so that nothing has to be struck out one by one.
        self._latest: dict[bytes, IncomingMessage | Verdict] = {}
        self._before: dict[bytes, IncomingMessage | Verdict] = {}
        self._earlier: dict[bytes, IncomingMessage | Verdict] = {}

    def took(self, message: IncomingMessage) -> None:
        """Remember a message that is to be answered."""
        self._note(message.message_id, message)

    def settle(self, message_id: bytes, status: int, report: int = 0) -> None:
        """Remember what was said to a message."""
        if message_id in self._earlier:
            self._earlier[message_id] = status, report
        else:
            self._note(message_id, (status, report))

    def _note(self, message_id: bytes, known: IncomingMessage | Verdict) -> None:
        latest = self._latest
        if len(latest) >= MAX_REMEMBERED:
            self._before = latest
            self._latest = latest = {}
        latest[message_id] = known

    def link_lost(self) -> None:
        """Take it that what has come so far may come again."""
        known = [*self._earlier.items(), *self._before.items(), *self._latest.items()]
        self._earlier = dict(known[-2 * MAX_REMEMBERED :])
        self._latest = {}
        self._before = {}

    def find(self, message_id: bytes) -> IncomingMessage | Verdict | None:
        """Return what is known of a message that came on an earlier connection.

        The message itself, as long as its user has not answered it.
        """
        return self._earlier.get(message_id)
