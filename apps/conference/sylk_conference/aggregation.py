"""Notifications of what became of a message (IMDN, RFC 5438), gathered in a large room.

Somebody who asks a room of hundreds to be told that his message was displayed would be told so
hundreds of times. So in a room of more than INDIVIDUALLY the notifications for one person wait for
WINDOW, and go to him together, as multipart/mixed (RFC 5438 section 8.3). A client that does not
take that gets each by itself.
"""

from collections.abc import Callable

from sylk.payload.multipart import BodyPart, Multipart
from sylk_conference.alarm import SetAlarm
from sylk_conference.audience import takes
from sylk_conference.people import User

IMDN_TYPE = "message/imdn+xml"
MIXED = "multipart/mixed"

INDIVIDUALLY = 10
"""Sessions in a room up to which each notification goes by itself."""

WINDOW = 2.0
"""Seconds for which notifications are gathered."""

MAX_PARTS = 30
"""Notifications that go together; readers of multipart bodies have their bounds."""

MAX_SIZE = 48 * 1024
"""Bytes that go together."""

Send = Callable[[User, str, bytes], None]
"""Sends a content of a type to somebody in the name of the room."""


class Aggregation:
    """The notifications that wait in one room."""

    def __init__(self, set_alarm: SetAlarm, send: Send) -> None:
        self._set_alarm = set_alarm
        self._send = send
        self._waiting: dict[User, list[bytes]] = {}

    def takes(self, user: User, sessions: int) -> bool:
        """Tell whether notifications for somebody are gathered in a room of so many sessions."""
        return sessions > INDIVIDUALLY and all(takes(one, MIXED) for one in user.participants)

    def add(self, user: User, notification: bytes, now: float) -> None:
        """Let a notification wait for others."""
        if not self._waiting:
            self._set_alarm(now + WINDOW, self._ring)
        waiting = self._waiting.setdefault(user, [])
        waiting.append(notification)
        if len(waiting) >= MAX_PARTS or sum(map(len, waiting)) >= MAX_SIZE:
            self._flush(user, self._waiting.pop(user))

    def close(self) -> None:
        """Forget what waits: nobody is here."""
        self._waiting.clear()
        self._set_alarm(None, self._ring)

    def _ring(self, _now: float) -> None:
        waiting, self._waiting = self._waiting, {}
        for user, notifications in waiting.items():
            self._flush(user, notifications)

    def _flush(self, user: User, notifications: list[bytes]) -> None:
        if len(notifications) == 1:
            self._send(user, IMDN_TYPE, notifications[0])
            return
        header = ("Content-Type", IMDN_TYPE)
        parts = [BodyPart([header], notification) for notification in notifications]
        self._send(user, *Multipart("mixed", parts).render())
