"""Two applications for tests with user agents that know presence: one tells it, one asks for it."""

from pathlib import Path

PRESENCE = '''\
"""Tells its presence, and asks for that of others."""

from contextlib import suppress

from sylk.application import Application
from sylk.errors import SylkError
from sylk.session.requests import PageMessage, SubscriptionRequest
from sylk.session.subscription import Subscription

TYPE = "application/pidf+xml"
PIDF = """<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:present@127.0.0.1">
<tuple id="t1"><status><basic>{}</basic></status></tuple>
</presence>
"""


class Present(Application):
    """Is there, or not."""

    name = "present"
    event_packages = ("presence",)

    async def __aenter__(self):
        self.told: set[Subscription] = set()
        return self

    async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
        """Tell."""
        accepted = await subscription.accept(PIDF.format("open").encode(), TYPE)
        self.told.add(accepted)
        self.logger.info("%s is told", subscription.sender.uri)
        reason = await accepted.wait_ended()
        self.told.remove(accepted)
        self.logger.info("%s is told no more: %s", subscription.sender.uri, reason)

    async def handle_message(self, message: PageMessage) -> None:
        """Take it that the message says what is told from now on, and say so."""
        await message.accept()
        state = message.content.decode()
        for subscription in self.told:
            subscription.notify(PIDF.format(state).encode(), TYPE)
        # Not all who tell us are there to hear it.
        with suppress(SylkError):
            await self.user_agent.send_message(
                message.sender, local=message.recipient, content=f"{state} it is".encode(),
                answers=message,
            )


class Watcher(Application):
    """Asks for the presence of whom a message names."""

    name = "watcher"

    async def handle_message(self, message: PageMessage) -> None:
        """Ask until he is there."""
        await message.accept()
        target = message.content.decode()
        async with self.user_agent.subscribe(
            target, local=message.recipient, event="presence", accept=(TYPE,), expires=600
        ) as watch:
            async for notification in watch:
                is_there = b"<basic>open</basic>" in notification.content
                self.logger.info("%s %s", target, "is there" if is_there else "is not there")
                if is_there:
                    break
'''


def write_presence_applications(folder: Path) -> None:
    """Make a folder with the applications `present` and `watcher`."""
    folder.mkdir()
    (folder / "presence.py").write_text(PRESENCE, encoding="utf-8")
