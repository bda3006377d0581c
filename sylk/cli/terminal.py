"""The chat of a person at a terminal: a line to edit, and the messages above it.

The editor is prompt_toolkit, which runs an event loop of its own, so it lives in one worker thread
for as long as the chat. Lines go from it to the trio thread by `run_sync_soon`, messages the other
way by `call_soon_threadsafe`; neither side ever waits for the other. Between the two stands one
bounded queue, so a terminal that takes nothing costs old lines and nothing else.
"""

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style

from sylk.cli.chat_view import NAME_COLOURS, TEXT_LIMIT, Line
from sylk.cli.commands import Help, Order, Quit, Say, Wrong, help_lines, interpret
from sylk.cli.completing import complete
from sylk.cli.harmless import harmless

_CHOICES_SHOWN = 30

SCROLL_LIMIT = 10_000
"""Lines that may wait for the terminal; over it the oldest are left out."""

_COLOURS = (
    *("ansired", "ansigreen", "ansiyellow", "ansiblue", "ansimagenta", "ansicyan"),
    *("ansibrightred", "ansibrightgreen", "ansibrightyellow"),
    *("ansibrightblue", "ansibrightmagenta", "ansibrightcyan"),
)
_STYLE = Style(
    [
        ("time", "dim"),
        ("notice", "dim"),
        ("mark", ""),
        ("failure", "ansired"),
        ("prompt", "dim"),
        *((f"name{number}", f"bold {_COLOURS[number]}") for number in range(NAME_COLOURS)),
    ]
)


class Terminal:
    """Standard input and output that are a terminal, before, while and after a line is edited."""

    shows_own = True
    takes_commands = True
    text_limit = TEXT_LIMIT

    def __init__(self, prompt: str) -> None:
        """Prepare the terminal; `prompt` stands before the line that is edited."""
        self.on_typing: Callable[[bool], None] | None = None
        # Each is replaced as a whole, so that both threads may look at any time.
        self._status = ""
        self._names: Sequence[str] = ()
        # The bell stays off: it would ring at each key that has no meaning.
        self._output = Vt100_Output.from_pty(sys.stdout, enable_bell=False)
        self._prompt = prompt
        self._waiting: deque[Line] = deque(maxlen=SCROLL_LIMIT)
        self._is_editing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = threading.Event()
        self._session: PromptSession[str] | None = None
        self._lines: trio.MemorySendChannel[Say | Order] | None = None
        self._token: trio.lowlevel.TrioToken | None = None

    def show(self, lines: list[Line]) -> None:
        """Show lines above the line that is edited."""
        self._waiting.extend(lines)
        if not self._is_editing:
            self._print_waiting()
        elif self._loop is not None:
            # The loop may have ended a moment ago; then the lines are printed after it.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._print_above)

    def complain(self, lines: list[Line]) -> None:
        """Show lines about something that went wrong."""
        self.show(lines)

    def set_status(self, text: str) -> None:
        """Show what goes on just now, at the right of the line that is edited."""
        self._status = text
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._draw)

    def set_names(self, names: Sequence[str]) -> None:
        """Let Tab complete these names."""
        self._names = tuple(names)

    async def read_lines(self, lines: trio.MemorySendChannel[Say | Order]) -> None:
        """Let the user edit lines, and send each, until he leaves."""
        self._token = trio.lowlevel.current_trio_token()
        self._lines = lines
        self._is_editing = True
        async with lines:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._end_when_cancelled)
                    # The thread is waited for even then: it has to put the terminal in order.
                    await trio.to_thread.run_sync(self._edit)
                    nursery.cancel_scope.cancel()
            finally:
                self._is_editing = False
                self._print_waiting()

    async def _end_when_cancelled(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._leaving.set()
            if self._loop is not None:
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._end)

    # In the thread of the editor

    def _edit(self) -> None:
        session = PromptSession[str](
            [("class:prompt", self._prompt)],
            style=_STYLE,
            input=create_input(sys.stdin),
            output=self._output,
            # Nothing but a space stands in the last column, where terminals differ.
            rprompt=lambda: [("class:notice", f"{self._status} ")],
            key_bindings=self._key_bindings(),
            erase_when_done=True,
        )
        session.default_buffer.on_text_changed += self._typed
        # A line is taken while the editor goes on, so there is always one place to print above.
        session.default_buffer.accept_handler = self._take
        self._session = session
        with suppress(EOFError, KeyboardInterrupt):
            session.prompt(pre_run=self._begin, handle_sigint=False)

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._print_above)
        if self._leaving.is_set():
            self._loop.call_soon(self._end)

    def _take(self, buffer: Buffer) -> bool:
        match interpret(buffer.text):
            case Say() | Order() as typed:
                assert self._token is not None
                self._token.run_sync_soon(self._send, typed, buffer.text)
            case Help():
                self._remark(*help_lines())
            case Wrong(complaint):
                self._remark(complaint)
            case Quit():
                self._end()
            case None:
                pass
        return False

    def _typed(self, buffer: Buffer) -> None:
        assert self._token is not None
        self._token.run_sync_soon(self._tell_typing, isinstance(interpret(buffer.text), Say))

    def _key_bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        bindings.add("tab")(self._complete)
        return bindings

    def _complete(self, event: KeyPressEvent) -> None:
        """Complete a name; the library's menu is not used: it takes lines of the chat away."""
        buffer = event.current_buffer
        more, choice = complete(buffer.document.text_before_cursor, self._names)
        if more:
            buffer.insert_text(more)
        elif len(choice) > 1:
            self._remark(harmless("  ".join(choice[:_CHOICES_SHOWN])))

    def _draw(self) -> None:
        assert self._session is not None
        self._session.app.invalidate()

    def _remark(self, *remarks: str) -> None:
        self.show([[("class:notice", remark)] for remark in remarks])

    def _end(self) -> None:
        assert self._session is not None
        future = self._session.app.future
        if future is not None and not future.done():
            self._session.app.exit(result="")

    def _print_above(self) -> None:
        """Take the edited line away, print, and have it drawn again below.

        The library's `run_in_terminal` is not used: it lets go of the keyboard meanwhile.
        """
        assert self._session is not None
        app = self._session.app
        if not self._waiting or app.future is None or app.future.done():
            return
        app.renderer.erase()
        self._print_waiting()
        app.renderer.request_absolute_cursor_position()
        app.invalidate()

    # In either thread

    def _print_waiting(self) -> None:
        while self._waiting:
            line = FormattedText([*self._waiting.popleft(), ("", "\n")])
            print_formatted_text(self._output, line, _STYLE)
        self._output.flush()

    # In the trio thread

    def _tell_typing(self, has_text: bool) -> None:
        if self.on_typing is not None:
            self.on_typing(has_text)

    def _send(self, typed: Say | Order, text: str) -> None:
        assert self._lines is not None
        try:
            self._lines.send_nowait(typed)
        except trio.WouldBlock:
            time = f"{datetime.now():%H:%M} "
            self.show([[("class:time", time), ("class:failure", f"! too fast, not sent: {text}")]])
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # The chat has ended while the line was on its way, and says so itself.
            return
