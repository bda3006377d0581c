"""The same messages to many chats, at little more than the price of one.

What all recipients share is rendered once; each gets its own path lines before it, and all the
messages of the broadcast leave for one recipient in one system call. Nothing is kept for a
delivery but that it took place, for a recipient whose connection may break: who wants to know what
becomes of the messages lets the chats tell, see `Chat.watch_fan_outs`.
"""

from collections.abc import Iterable

import trio

from sylk.errors import LocalProtocolError
from sylk.msrp.fanout import FanOut
from sylk.msrp.unconfirmed import MOST_FAN_OUTS
from sylk.session.chat import Chat
from sylk.session.message import CPIM_BYTES

_MEDIA_FAILED = 500


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
        """Send to each chat that stands and is not held, or keep it for one without connection.

        Never waits, and one that fails harms no other.
        """
        fan_out = self._fan_out
        fan_out.sent = trio.current_time()
        render = fan_out.render_for
        for chat in chats:
            if chat.is_held:
                continue
            link = chat.link
            if link is None:
                _keep(chat, fan_out)
                continue
            session = chat.session
            link.write(render(session.path_lines))
            # As `Unconfirmed.note`: a call would cost as much as the rest of it.
            noted = session.fan_outs
            if noted is not None:
                noted.append(fan_out)
                if len(noted) >= MOST_FAN_OUTS and session.unconfirmed is not None:
                    session.unconfirmed.trim()


def _keep(chat: Chat, fan_out: FanOut) -> None:
    """Keep it for a chat that waits for another connection; too much ends the chat."""
    unconfirmed = chat.session.unconfirmed
    if unconfirmed is None or chat.is_over or not chat.session.is_detached:
        return
    try:
        unconfirmed.keep(fan_out)
    except LocalProtocolError as error:
        chat.call.hang_up(f"media: {error}", _MEDIA_FAILED)
