"""How a chat comes to stand once the call is answered: ACK, connection, first SEND."""

from contextlib import suppress

import trio

from sylk.call.anchoring import Way
from sylk.call.offer_answer import Negotiation
from sylk.errors import SessionEnded, TransportError
from sylk.msrp.session_table import SessionState
from sylk.net.addresses import look_up
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
        negotiation = chat.call.usage.negotiation
        negotiation.on_moved = lambda: _take_remote_path(chat)
        await chat.call.settled.wait()
        if chat.call.is_over:
            raise chat.call.ended_error()
        _take_remote_path(chat)
        await _bind(endpoint, chat)
        negotiation.pin()
        negotiation.on_moved = None
        if chat.call.is_over:
            raise chat.call.ended_error()
        return
    missing = "media" if chat.call.is_established else "the ACK"
    reason = f"{missing} did not come within {timeout:g} s"
    chat.call.hang_up(reason, _FAILED)
    raise SessionEnded(reason, _FAILED)


async def _bind(endpoint: Endpoint, chat: Chat) -> None:
    negotiation = chat.call.usage.negotiation
    await _resolve(negotiation)
    if negotiation.way is Way.NEW_OFFER and not chat.call.is_over:
        await _bind_after_new_offer(endpoint, chat)
        return
    if chat.session.active:
        await _connect(endpoint, chat)
    await chat.bound.wait()


async def _bind_after_new_offer(endpoint: Endpoint, chat: Chat) -> None:
    """Offer the session without CEMA, so that the middlebox in the way helps (RFC 6714 4.2)."""
    async with trio.open_nursery() as nursery:

        def go_on(_status: int) -> None:
            if chat.session.active:
                nursery.start_soon(_connect, endpoint, chat)

        chat.call.usage.negotiation.fall_back()
        chat.call.on_reoffered = go_on
        chat.call.reoffer()
        await chat.bound.wait()
        nursery.cancel_scope.cancel()
    chat.call.on_reoffered = None


async def _connect(endpoint: Endpoint, chat: Chat) -> None:
    negotiation = chat.call.usage.negotiation
    negotiation.pin()
    try:
        await endpoint.msrp.connect(chat.session, chat.fingerprints, negotiation.next_hop)
    except TransportError as error:
        chat.call.hang_up(f"media: {error}", _FAILED)


async def _resolve(negotiation: Negotiation) -> None:
    """Look up the host names on which it hangs whether a middlebox is in the way."""
    addresses: dict[str, list[str]] = {}
    for name in negotiation.unresolved_names:
        with suppress(TransportError):
            addresses[name] = [host for host, _ in await look_up(name, 0)]
    negotiation.resolve(addresses)


def _take_remote_path(chat: Chat) -> None:
    negotiation = chat.call.usage.negotiation
    if negotiation.chat is not None and chat.session.state is SessionState.IDLE:
        chat.session.remote_path = negotiation.chat.path
        chat.session.active = negotiation.active
