"""Earlier messages are sent to one participant, as fast as he reads them and no faster."""

from collections.abc import Iterable

from sylk.session import Broadcast, Chat

SLICE = 128 * 1024
"""Bytes that are sent before it is waited for the reader."""


async def show(chat: Chat, bodies: Iterable[bytes]) -> None:
    """Send message/cpim bodies in their order; one who holds the chat, or is gone, gets none."""
    size, broadcast = 0, Broadcast()
    for body in bodies:
        broadcast.add(body)
        size += len(body)
        if size >= SLICE:
            broadcast.send_to([chat])
            size, broadcast = 0, Broadcast()
            await chat.wait_drained()
    if len(broadcast):
        broadcast.send_to([chat])
