"""A chat of two that goes on while others misbehave, and what must be true of it afterwards."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from tests.end_to_end.server import RunningServer
from tests.end_to_end.wire_client import WireClient

MAX_GROWTH = 48 * 1024 * 1024
"""Bytes by which an attack may grow the server for good; none here sends less than it may keep."""
AFTERWARDS = 10
"""Messages that must still come through when the attack is over."""


class _Talk(threading.Thread):
    """Alice counts aloud and bob listens, until told to stop."""

    def __init__(self, alice: WireClient, bob: WireClient) -> None:
        super().__init__(daemon=True)
        self.heard = 0
        self.over = threading.Event()
        self.failure: BaseException | None = None
        self._alice = alice
        self._bob = bob

    def run(self) -> None:
        try:
            last = None
            while last is None or self.heard < last:
                if last is None and self.over.is_set():
                    last = self.heard + AFTERWARDS
                self._alice.say(str(self.heard))
                # Others may be in the room, and may talk.
                while self._alice.address not in (heard := self._bob.hear()).sender:
                    pass
                assert heard.text == str(self.heard), f"{heard.text!r} came, not {self.heard}"
                self.heard += 1
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test waits
            self.failure = error


@contextmanager
def undisturbed_chat(server: RunningServer) -> Generator[None]:
    """Keep a chat going while inside.

    At the end every message of it must have come, in order; the server must not have grown much,
    and must have logged no error.
    """
    before = server.rss
    lines_before = len(server.log_lines)
    with WireClient(server, "alice") as alice, WireClient(server, "bob", transport="tcp") as bob:
        alice.join()
        bob.join()
        talk = _Talk(alice, bob)
        talk.start()
        try:
            yield
        finally:
            talk.over.set()
            talk.join()
        if talk.failure is not None:
            raise AssertionError("the chat of others broke off") from talk.failure
        assert talk.heard >= AFTERWARDS
        alice.leave()
        bob.leave()
    growth = server.rss - before
    assert growth < MAX_GROWTH, f"the server has grown by {growth / 1e6:.1f} MB"
    lines = server.log_lines[lines_before:]
    errors = [line for line in lines if " ERROR " in line or " CRITICAL " in line]
    assert not errors, "\n".join(errors)
