"""Takes every MESSAGE, and does nothing with it: what a transaction costs by itself."""

from sylk.application import Application
from sylk.session import PageMessage


class Pages(Application):
    """Takes every MESSAGE."""

    name = "pages"

    async def handle_message(self, message: PageMessage) -> None:
        """Answer 200."""
        await message.accept()
