"""A large message on its way through a room: who gets it, and its bytes in their order.

It is decided at its beginning, as for any other message, and passed on as it comes. Who joins in
its middle gets nothing of it. No I/O, no clock, no tasks.
"""

import codecs

from sylk.payload.cpim import split_envelope
from sylk_conference.content import Refusal
from sylk_conference.people import Participant
from sylk_conference.room import Room

HEAD_SIZE = 32 * 1024
"""Bytes at the beginning that are waited for: the CPIM and MIME headers stand in them."""

WINDOW = 256 * 1024
"""Bytes that may wait for others that stand before them."""

_TOO_FAR = 413
_UNSUPPORTED = 415


class Passage:
    """One such message; positions count from zero, in what the sender sends."""

    def __init__(self, room: Room, sender: Participant, total: int | None) -> None:
        self.recipients: list[Participant] | None = None
        """Who gets it; None stands for everybody but the sender."""
        self.begun = False
        """True once it is decided who gets it."""
        self.total: int | None = None
        """The size of what is passed on, None while the sender has not told."""
        self._room = room
        self._sender = sender
        self._announced = total
        self._position = 0
        self._early: dict[int, bytes] = {}
        self._head = b""
        self._text = codecs.getincrementaldecoder("utf-8")()

    def take(self, start: int, body: bytes, now: bytes, *, complete: bool) -> bytes:
        """Take a piece and return what can be passed on now, maybe nothing.

        `now` is the DateTime for a message that has none; `complete` tells that all has come.
        Raises Refusal (413 when the pieces are too much out of order, 415 for bytes that are no
        UTF-8) and whatever the room refuses at the beginning.
        """
        ready = self._in_order(start, body)
        try:
            self._text.decode(ready, final=complete and not self._early)
        except UnicodeDecodeError:
            raise Refusal("the body is not UTF-8", _UNSUPPORTED, as_report=True) from None
        if self.begun:
            return ready
        self._head += ready
        if len(self._head) < HEAD_SIZE and not complete:
            return b""
        return self._begin(now)

    def _begin(self, now: bytes) -> bytes:
        head, self._head = self._head, b""
        delivery = self._room.post(self._sender, head, split_envelope(head), now, whole=False)
        self.begun = True
        self.recipients = delivery.recipients
        if self._announced is not None:
            self.total = self._announced + len(delivery.body) - len(head)
        return delivery.body

    def _in_order(self, start: int, body: bytes) -> bytes:
        """Return the bytes that come next, once those before them are there."""
        if start > self._position:
            self._early[start] = body
            if sum(len(piece) for piece in self._early.values()) > WINDOW:
                raise Refusal("too much came out of order", _TOO_FAR)
            return b""
        ready = body[self._position - start :] if start < self._position else body
        self._position += len(ready)
        if not self._early:
            return ready
        parts = [ready]
        for early in sorted(self._early):
            if early > self._position:
                break
            piece = self._early.pop(early)[self._position - early :]
            self._position += len(piece)
            parts.append(piece)
        return b"".join(parts)
