"""The real `sylk-chat`: with pipes as a script has it, and at a terminal as a person has it.

What it prints is read by a thread, so a test can wait for a text without asking again and again.
"""

import os
import re
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.server import HOST, RunningServer

COMMAND = Path(sys.executable).parent / "sylk-chat"
TEXT_TIMEOUT = 20.0
"""Seconds to wait for a text; a machine that is busy with other tests is slow."""
EXIT_TIMEOUT = 20.0

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[ -/]*[0-~])")


def room_of(server: RunningServer, name: str = "lobby", transport: str = "udp") -> str:
    """Return the address of a room at `server`, with its port and transport."""
    port = server.sip_udp if transport == "udp" else server.sip_tcp
    return f"sip:{name}@{HOST}:{port};transport={transport}"


class Printed:
    """What comes from a file descriptor, if there is one, as one text that grows."""

    def __init__(self, source: int | None) -> None:
        self._source = source
        self._text = ""
        self._news = threading.Condition()
        self._is_closed = source is None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while self._source is not None:
            try:
                data = os.read(self._source, 65536)
            except OSError:
                # The other side of a pseudo terminal is gone.
                data = b""
            with self._news:
                self._text += data.decode("utf-8", "replace")
                self._is_closed = not data
                self._news.notify_all()
            if not data:
                return

    @property
    def raw(self) -> str:
        """Return everything so far, as it came."""
        with self._news:
            return self._text

    @property
    def text(self) -> str:
        """Return everything so far, without what moves the cursor and sets colours."""
        return _ESCAPE.sub("", self.raw)

    def wait_for(self, pattern: str) -> str:
        """Wait until `pattern` is in the text, and return what it matched."""
        with self._news:
            self._news.wait_for(
                lambda: self._is_closed or re.search(pattern, _ESCAPE.sub("", self._text)),
                TEXT_TIMEOUT,
            )
        match = re.search(pattern, self.text)
        assert match, f"{pattern!r} is not in:\n{self.text}"
        return match[0]

    def finish(self) -> None:
        """Wait for the end of what comes."""
        self._thread.join(EXIT_TIMEOUT)


class ScriptedChat:
    """`sylk-chat` with pipes."""

    def __init__(self, *arguments: str, output: int = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            # The tests wait for what they want to see, not for a while.
            [str(COMMAND), "--linger", "0", *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.PIPE,
        )
        assert self.process.stderr is not None
        self.printed = Printed(self.process.stdout.fileno() if self.process.stdout else None)
        self.errors = Printed(self.process.stderr.fileno())

    def say(self, *lines: str) -> None:
        """Write lines to its input."""
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()

    def leave(self) -> int:
        """End its input, and return the exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """Return the exit status."""
        status = self.process.wait(EXIT_TIMEOUT)
        self.printed.finish()
        self.errors.finish()
        return status

    def close(self) -> None:
        """End it, if it has not ended."""
        self.process.kill()
        self.process.wait()
        self.printed.finish()
        self.errors.finish()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class TerminalChat:
    """`sylk-chat` at a pseudo terminal."""

    def __init__(self, *arguments: str) -> None:
        self._master, self._slave = os.openpty()
        termios.tcsetwinsize(self._slave, (24, 120))
        self.modes_before = self.modes()
        self.process = subprocess.Popen(
            [str(COMMAND), *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            # Nobody here answers when it asks where the cursor is.
            env={**os.environ, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"},
        )
        self.printed = Printed(self._master)

    def type(self, keys: str) -> None:
        """Press keys; Enter is a carriage return."""
        os.write(self._master, keys.encode())

    def modes(self) -> int:
        """Return the local modes of the terminal: echo, line editing, signals."""
        modes = termios.tcgetattr(self._slave)[3]
        assert isinstance(modes, int)
        return modes

    def wait(self) -> int:
        """Return the exit status."""
        return self.process.wait(EXIT_TIMEOUT)

    def close(self) -> None:
        """End it, if it has not ended."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._slave)
        self.printed.finish()
        os.close(self._master)


@contextmanager
def scripted(*arguments: str, output: int = subprocess.PIPE) -> Generator[ScriptedChat]:
    """Run `sylk-chat` with pipes while inside."""
    chat = ScriptedChat(*arguments, output=output)
    try:
        yield chat
    finally:
        chat.close()


@contextmanager
def at_terminal(*arguments: str) -> Generator[TerminalChat]:
    """Run `sylk-chat` at a pseudo terminal while inside."""
    chat = TerminalChat(*arguments)
    try:
        yield chat
    finally:
        chat.close()


def converse(people: dict[str, ScriptedChat]) -> None:
    """Let everybody say something that all others hear, and leave."""
    for person in people.values():
        person.printed.wait_for("Welcome")
    for name, person in people.items():
        person.say(f"I am {name}")
        for other in people.keys() - {name}:
            people[other].printed.wait_for(rf"\d\d:\d\d {name}: I am {name}\n")
    # Who spoke last first: he who hears of it and hangs up at once may overtake his own answer to
    # it on the way through a relay, and the speaker would be told that he has not got it.
    for person in reversed(people.values()):
        assert person.leave() == 0, person.errors.text
        assert not person.errors.text, person.errors.text
