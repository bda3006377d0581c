"""Being told who is in the room, for as long as the chat lasts (RFC 4575)."""

import logging
from collections.abc import Callable

import trio

from sylk.cli.focus import Focus
from sylk.cli.roster import Roster
from sylk.errors import RemoteProtocolError, SessionEnded, TransportError
from sylk.payload.conference_changes import Outcome
from sylk.payload.cpim import Address
from sylk.session.watch import Watch

logger = logging.getLogger("sylk.chat")

PAUSE = 2.0
"""Seconds at least before we subscribe anew; what the room asks for may be longer."""


class RoomWatch:
    """Keeps a roster up to date; `on_change` is called when the room has told something."""

    def __init__(self, focus: Focus, local: Address, roster: Roster) -> None:
        self.on_change: Callable[[], None] | None = None
        self.refusal = ""
        """Why we are told nothing, in words."""
        self._focus = focus
        self._local = local
        self._roster = roster

    async def run(self) -> None:
        """Subscribe, again where that makes sense; returns when nothing more will be told."""
        pause: float | None = 0.0
        while pause is not None:
            await trio.sleep(pause)
            self._roster.begin()
            try:
                async with self._focus.subscribe(self._local) as watch:
                    pause = await self._listen(watch)
                self.refusal = watch.reason
            except (SessionEnded, TransportError) as error:
                self.refusal = str(error)
                break
        logger.info("not told who is here: %s", self.refusal)
        self._roster.forget()

    async def _listen(self, watch: Watch) -> float | None:
        """Take what is told; returns after how long to subscribe anew, None for never."""
        async for notification in watch:
            if not notification.content:
                continue
            try:
                outcome = self._roster.take(notification.content)
            except RemoteProtocolError as error:
                logger.info("conference-info that cannot be read: %s", error)
                continue
            if outcome is Outcome.GAP:
                # A new subscription begins with everything (RFC 4575 section 4.6).
                return PAUSE
            if outcome is Outcome.MERGED and self.on_change is not None:
                self.on_change()
        again = watch.resubscribe_after
        return None if again is None else max(again, PAUSE)
