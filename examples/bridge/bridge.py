"""Joins two rooms: what is said in one is heard in the other.

A server does not call itself, so the bridge runs in a server of its own.
"""

from dataclasses import dataclass

import trio

from sylk.application import Application
from sylk.errors import SessionEnded
from sylk.payload.cpim import Address
from sylk.session import Chat, Invitation
from sylk.settings import setting


@dataclass(frozen=True, kw_only=True)
class BridgeSettings:
    """The [Bridge] section."""

    rooms: tuple[str, ...] = setting((), "The URIs of the two rooms.")
    local: str = setting("sip:bridge@localhost", "The address that it goes by in them.")


class Bridge(Application):
    """Stands while somebody calls it: in both rooms, and repeats in each what it hears."""

    name = "bridge"
    settings_class = BridgeSettings
    settings: BridgeSettings

    async def handle_invitation(self, invitation: Invitation) -> None:
        """Join the rooms until the caller hangs up, or a room ends."""
        async with invitation.accept() as caller, trio.open_nursery() as nursery:
            nursery.start_soon(self._join, caller)
            async for _ in caller:
                pass
            nursery.cancel_scope.cancel()

    async def _join(self, caller: Chat) -> None:
        assert self.user_agent is not None, "the server gives it before the start"
        one, other = self.settings.rooms
        local = Address(self.settings.local, "Bridge")
        async with (
            self.user_agent.call(one, local=local) as here,
            self.user_agent.call(other, local=local) as there,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._carry, here, there)
            nursery.start_soon(self._carry, there, here)
            await caller.send("The rooms are joined.")

    async def _carry(self, source: Chat, target: Chat) -> None:
        async for message in source:
            who = message.sender
            # What the room itself says is for those who are in it.
            if who and who.uri != source.remote.uri and message.content_type.startswith("text/"):
                await target.send(f"{who.display_name or who.uri}: {message.text}")
        raise SessionEnded("a room has ended the call")
