"""The list of neighbours at a terminal: it lives while one of them is chosen.

As for the chat itself, prompt_toolkit runs in a worker thread with an event loop of its own, and
neither side ever waits for the other.
"""

import asyncio
import sys
import threading
from contextlib import suppress

import trio
from prompt_toolkit.application import Application
from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import Layout, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style

from sylk.cli.browse import NeighbourList
from sylk.cli.neighbours import Entry, Neighbourhood, look

_PAGE = 10  # lines


async def choose_neighbour() -> Entry | None:
    """Show who is there until one is chosen, or none; raises TransportError."""
    screen = _Screen()
    neighbourhood = Neighbourhood(lambda: screen.show(neighbourhood.entries))
    await look(neighbourhood, screen.show_until_chosen)
    return screen.answer


class _Screen:
    """Standard input and output that are a terminal."""

    def __init__(self) -> None:
        self.answer: Entry | None = None
        self._list = NeighbourList()
        self._latest: list[Entry] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = threading.Event()
        self._app: Application[None] | None = None

    # In the trio thread

    def show(self, entries: list[Entry]) -> None:
        """Show who is there now."""
        self._latest = entries
        self._call_soon()

    async def show_until_chosen(self) -> None:
        """Show the list until a key ends it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_when_cancelled)
            # The thread is waited for even then: it has to put the terminal in order.
            await trio.to_thread.run_sync(self._run)
            nursery.cancel_scope.cancel()

    async def _end_when_cancelled(self) -> None:
        """Take the list away when all ends."""
        try:
            await trio.sleep_forever()
        finally:
            self._leaving.set()
            self._call_soon()

    def _call_soon(self) -> None:
        if self._loop is not None:
            # The loop may have ended a moment ago.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._look)

    # In the thread of the terminal

    def _run(self) -> None:
        """Show the list until a key ends it."""
        control = FormattedTextControl(self._list.render, focusable=True, show_cursor=False)
        self._app = Application[None](
            layout=Layout(Window(control, wrap_lines=False)),
            key_bindings=self._keys(),
            style=Style([("dim", "dim")]),
            input=create_input(sys.stdin),
            output=Vt100_Output.from_pty(sys.stdout, enable_bell=False),
            erase_when_done=True,
        )
        with suppress(EOFError, KeyboardInterrupt):
            self._app.run(pre_run=self._begin, handle_sigint=False)

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._look)

    def _look(self) -> None:
        app = self._app
        assert app is not None
        self._list.take(self._latest)
        if self._leaving.is_set():
            self._end()
        else:
            app.invalidate()

    def _end(self) -> None:
        assert self._app is not None
        future = self._app.future
        if future is not None and not future.done():
            self._app.exit()

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        def move(lines: int) -> None:
            self._list.move(lines)

        @keys.add("up")
        @keys.add("k")
        def up(event: KeyPressEvent) -> None:
            move(-1)

        @keys.add("down")
        @keys.add("j")
        def down(event: KeyPressEvent) -> None:
            move(1)

        @keys.add("pageup")
        def page_up(event: KeyPressEvent) -> None:
            move(-_PAGE)

        @keys.add("pagedown")
        def page_down(event: KeyPressEvent) -> None:
            move(_PAGE)

        @keys.add("enter")
        def join(event: KeyPressEvent) -> None:
            self.answer = self._list.chosen
            if self.answer is not None:
                self._end()

        @keys.add("q")
        @keys.add("c-c")
        @keys.add("c-d")
        def leave(event: KeyPressEvent) -> None:
            self._end()

        return keys
