"""Earlier messages are sent to one participant, as fast as he reads them and no faster."""

from collections.abc import Sequence

from sylk.session import Broadcast, Chat

SLICE = 128 * 1024
"""Bytes that are sent before it is waited for the reader."""


async def show(chat: Chat, bodies: Sequence[bytes]) -> Sequence[bytes]:
    """Send message/cpim bodies in their order.

    Returns those that were not sent because the reader holds the chat.
    """
    sent = 0
    while sent < len(bodies) and not chat.is_held and not chat.is_over:
        size, broadcast = 0, Broadcast()
        while sent < len(bodies) and size < SLICE:
            broadcast.add(bodies[sent])
            size += len(bodies[sent])
            sent += 1
        broadcast.send_to([chat])
        if size >= SLICE:
            await chat.wait_drained()
    return bodies[sent:]
