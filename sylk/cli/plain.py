"""The chat of a script: each line of standard input is said, each message is a line of output.

Only a script that wants to has its lines read for commands.
"""

import codecs
import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

import trio

from sylk.cli.chat_view import Line, plain_text
from sylk.cli.commands import Help, Order, Quit, Say, Wrong, help_lines, interpret

LINE_LIMIT = 1024 * 1024
"""Characters of one line; a longer one is said in pieces."""

_READ_SIZE = 64 * 1024


class LineCutter:
    """Cuts bytes into lines of text, wherever the reads happen to cut them.

    Bytes that are not UTF-8 become U+FFFD. Blank lines are left out: they say nothing.
    """

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._limit = limit

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete with `data`; b"" is the end and completes the last."""
        *complete, rest = (self._rest + self._decoder.decode(data, final=not data)).split("\n")
        if not data:
            complete.append(rest)
            rest = ""
        while len(rest) > self._limit:
            complete.append(rest[: self._limit])
            rest = rest[self._limit :]
        self._rest = rest
        return [line for line in (each.rstrip("\r") for each in complete) if line.strip()]


class Plain:
    """Standard input and output that are no terminal."""

    shows_own = False
    text_limit = None

    def __init__(
        self, source: int, output: TextIO, errors: TextIO, *, takes_commands: bool = False
    ) -> None:
        """Read from the file descriptor `source`; write to `output`, and failures to `errors`.

        With `takes_commands` a line that begins with a slash is a command, as at a terminal.
        """
        self.takes_commands = takes_commands
        self.on_typing: Callable[[bool], None] | None = None
        self._source = source
        self._output = output
        self._errors = errors
        self._gone = trio.Event()

    def show(self, lines: list[Line]) -> None:
        """Write lines; when nobody reads them any more, the user is done."""
        try:
            for line in lines:
                self._output.write(f"{plain_text(line)}\n")
            self._output.flush()
        except OSError:
            self._gone.set()
            _discard(self._output)

    def complain(self, lines: list[Line]) -> None:
        """Write lines to standard error."""
        for line in lines:
            # The first part is the time, which is of no use in an error.
            print(f"sylk-chat: {plain_text(line[1:]).removeprefix('! ')}", file=self._errors)

    def set_status(self, text: str) -> None:
        """Show nothing: a script reads what happened, not what goes on."""

    def set_names(self, names: Sequence[str]) -> None:
        """Complete nothing."""

    async def read_lines(self, lines: trio.MemorySendChannel[Say | Order]) -> None:
        """Send the lines of the input until its end."""
        async with lines, trio.open_nursery() as nursery:
            nursery.start_soon(self._read, lines, nursery.cancel_scope)
            await self._gone.wait()
            nursery.cancel_scope.cancel()

    async def _read(
        self, lines: trio.MemorySendChannel[Say | Order], scope: trio.CancelScope
    ) -> None:
        cutter = LineCutter()
        data = b"."
        while data:
            # Not through sys.stdin: a thread left behind in its lock would abort the exit.
            data = await trio.to_thread.run_sync(
                os.read, self._source, _READ_SIZE, abandon_on_cancel=True
            )
            for line in cutter.feed(data):
                if self.takes_commands:
                    await self._take(line, lines, scope)
                else:
                    await lines.send(Say(line))
        scope.cancel()

    async def _take(
        self, line: str, lines: trio.MemorySendChannel[Say | Order], scope: trio.CancelScope
    ) -> None:
        match interpret(line):
            case Say() | Order() as typed:
                await lines.send(typed)
            case Help():
                self.show([[("", text)] for text in help_lines()])
            case Quit():
                scope.cancel()
                await trio.lowlevel.checkpoint()
            case Wrong(complaint):
                print(f"sylk-chat: {complaint}", file=self._errors)
            case None:
                pass


def _discard(output: TextIO) -> None:
    """Let what is still in the buffer go nowhere, so that closing it at exit does not fail."""
    if output is sys.stdout:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, output.fileno())
        os.close(null)
