"""The echo application: says back what is said to it, to try a client out."""

from dataclasses import dataclass
from typing import Self

import trio

from sylk.application import Application
from sylk.session import Invitation
from sylk.settings import Seconds, setting


@dataclass(frozen=True, kw_only=True)
class EchoSettings:
    """The [Echo] section."""

    session_limit: Seconds = setting(
        600,
        "How long one session may last; then it is ended with a BYE.",
        unit="seconds",
        minimum=1,
    )


class Echo(Application):
    """Sends every chat message back to the person who wrote it."""

    name = "echo"
    settings_class = EchoSettings
    settings: EchoSettings

    async def __aenter__(self) -> Self:
        """Start, and tell the neighbours."""
        if self.announcer is not None:
            for user in self.announcer.users:
                self.announcer.publish("Echo Test", user, note="Says back what you say")
        return self

    async def handle_invitation(self, invitation: Invitation) -> None:
        """Answer with a chat in which everything comes back."""
        if not invitation.offers_chat:
            await invitation.reject(488)
            return
        async with invitation.accept() as chat:
            self.logger.info("session from %s", invitation.sender.uri)
            with trio.move_on_after(self.settings.session_limit):
                async for message in chat:
                    await chat.send(message.content, message.content_type)
        self.logger.info("session from %s ended", invitation.sender.uri)
