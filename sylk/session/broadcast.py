"""The same messages to many chats, at little more than the price of one.

What all recipients share is rendered once; each gets its own path lines before it, and all the
messages of the broadcast leave for one recipient in one system call. Nothing is kept for a
delivery: who wants to know what becomes of the messages lets the chats tell, see
`Chat.watch_fan_outs`.
"""

from collections.abc import Iterable

from sylk.msrp.fanout import FanOut
from sylk.session.chat import Chat
from sylk.session.message import CPIM_BYTES


class Broadcast:
    """A batch of messages for any number of chats."""

    def __init__(self) -> None:
        self._fan_out = FanOut()
        self._count = 0

    def __len__(self) -> int:
        """Return how many messages the broadcast holds."""
        return self._count

    def add(self, body: bytes, *, success_report: bool = False) -> bytes:
        """Add one message/cpim body and return its id, by which the recipients answer.

        With `success_report` each of them is asked to tell when it has arrived.
        """
        self._count += 1
        return self._fan_out.add(body, CPIM_BYTES, success_report=success_report)

    def send_to(self, chats: Iterable[Chat]) -> None:
        """Send to each chat that stands and is not held.

        Never waits, and one that fails harms no other.
        """
        render = self._fan_out.render_for
        for chat in chats:
            link = chat.link
            if link is not None and not chat.is_held:
                link.write(render(chat.session.path_lines))
