"""What a conversation needs of the place where a person, or a script, reads and writes."""

from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from sylk.cli.chat_view import Line
from sylk.cli.commands import Order, Say


class FrontEnd(Protocol):
    """A terminal, or the standard streams of a script."""

    shows_own: bool
    """Whether what we say ourselves is to be shown, and notices of this program."""
    takes_commands: bool
    """Whether lines may be orders."""
    on_typing: Callable[[bool], None] | None
    """Called when a key was pressed, with whether the line holds something that will be said."""

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

    def set_status(self, text: str) -> None:
        """Show what goes on just now, until it is something else; nothing when empty."""
        ...

    def set_names(self, names: Sequence[str]) -> None:
        """Complete names to these from now on."""
        ...

    async def read_lines(self, lines: trio.MemorySendChannel[Say | Order]) -> None:
        """Send what is to be said or done; close the channel when the user is done."""
        ...
