"""How a chat comes to stand once the call is answered: ACK, connection, first SEND."""

import trio

from sylk.errors import SessionEnded, TransportError
from sylk.session.chat import Chat
from sylk.session.endpoint import Endpoint

_FAILED = 500


async def establish(endpoint: Endpoint, chat: Chat) -> None:
    """Wait until the call and its MSRP session stand, connecting if that is our part.

    Raises SessionEnded, with the call hung up, when either does not stand in time.
    """
    timeout = endpoint.settings.msrp.establish_timeout
    with trio.move_on_after(timeout):
        # The peer may connect before its ACK has come.
        _take_remote_path(chat)
        await chat.call.settled.wait()
        if chat.call.is_over:
            raise chat.call.ended_error()
        _take_remote_path(chat)
        if chat.session.active:
            try:
                await endpoint.msrp.connect(chat.session, chat.fingerprints)
            except TransportError as error:
                chat.call.hang_up(f"media: {error}", _FAILED)
        await chat.bound.wait()
        if chat.call.is_over:
            raise chat.call.ended_error()
        return
    missing = "media" if chat.call.is_established else "the ACK"
    reason = f"{missing} did not come within {timeout:g} s"
    chat.call.hang_up(reason, _FAILED)
    raise SessionEnded(reason, _FAILED)


def _take_remote_path(chat: Chat) -> None:
    negotiation = chat.call.usage.negotiation
    if negotiation.chat is not None:
        chat.session.remote_path = negotiation.chat.path
        chat.session.active = negotiation.active
