"""Asking the focus to bring somebody in or put him out, and hearing how that goes (RFC 4579)."""

from collections.abc import Callable

from sylk.cli.orders import OrderRefused
from sylk.errors import RemoteProtocolError
from sylk.payload.sipfrag import StatusFragment
from sylk.session.user_agent import Watching

_RINGING = 180
_FINAL = 200
_REFUSED = 300


async def ask_focus(watching: Watching, tell: Callable[[str], None]) -> str:
    """Enter `watching`, a REFER, and follow it to its end; returns how it went.

    What happens on the way is told, each thing once. Raises OrderRefused with what was refused,
    and SessionEnded and TransportError when the focus does not take the REFER.
    """
    told = ""
    async with watching as watch:
        async for notification in watch:
            try:
                fragment = StatusFragment.parse(notification.content)
            except RemoteProtocolError:
                continue
            if fragment.status >= _REFUSED:
                raise OrderRefused(f"{fragment.status} {fragment.reason}".rstrip())
            if fragment.status >= _FINAL:
                return "is in"
            text = "ringing …" if fragment.status >= _RINGING else "trying …"
            if text != told:
                told = text
                tell(text)
        # The focus may say no more, which is no failure (RFC 3515 section 2.4.4).
        return f"was asked for; the room tells no more ({watch.reason or 'no reason'})"
