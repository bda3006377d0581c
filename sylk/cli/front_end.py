"""What a conversation needs of the place where a person, or a script, reads and writes."""

from typing import Protocol

import trio

from sylk.cli.chat_view import Line


class FrontEnd(Protocol):
    """A terminal, or the standard streams of a script."""

    shows_own: bool
    """Whether what we say ourselves is to be shown, and notices of this program."""

    @property
    def text_limit(self) -> int | None:
        """Characters of one message that are shown; None is no limit."""
        ...

    def show(self, lines: list[Line]) -> None:
        """Show lines of the chat; never waits for long, never raises."""
        ...

    def complain(self, lines: list[Line]) -> None:
        """Show lines about something that went wrong."""
        ...

    async def read_lines(self, lines: trio.MemorySendChannel[str]) -> None:
        """Send what is to be said; close the channel when the user is done."""
        ...
