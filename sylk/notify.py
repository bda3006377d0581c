"""Tells systemd how the server is: ready, reloading, stopping, alive (sd_notify(3)).

A datagram of `NAME=value` lines to the socket that NOTIFY_SOCKET names. Without that, nothing is
sent. The watchdog is fed by a task of the loop: a loop that stalls feeds it no more, and systemd
starts the server anew.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping

import trio

logger = logging.getLogger("sylk.notify")

_FEEDS = 3
"""How often the watchdog is fed in its time; systemd recommends twice at least."""


class Notifier:
    """The way to systemd, if it has started us."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Take NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment."""
        given = os.environ if environment is None else environment
        path = given.get("NOTIFY_SOCKET", "")
        # An address that begins with @ is in the abstract namespace of Linux.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self.watchdog_interval = _watchdog_interval(given) if path else None
        """Seconds between two feeds; None where nobody waits for any."""

    def send(self, **values: object) -> None:
        """Send values, such as READY=1; what cannot be sent is no fault of the server."""
        if not self._address:
            return
        text = "\n".join(f"{name}={value}" for name, value in values.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                # A manager that does not read must not stall us.
                sender.setblocking(False)
                sender.sendto(text.encode(), self._address)
        except OSError as error:
            logger.warning("systemd cannot be told %s: %s", text.partition("\n")[0], error.strerror)

    def ready(self) -> None:
        """Say that requests are served."""
        self.send(READY=1, STATUS="serving")

    def reloading(self) -> None:
        """Say that the settings are being read again; `ready` says that it is done."""
        self.send(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)

    def stopping(self) -> None:
        """Say that the server ends."""
        self.send(STOPPING=1, STATUS="saying goodbye")

    async def feed_watchdog(self) -> None:
        """Tell again and again that the loop runs, until cancelled; returns if nobody waits."""
        if self.watchdog_interval is None:
            return
        while True:
            self.send(WATCHDOG=1)
            await trio.sleep(self.watchdog_interval)


def _watchdog_interval(given: Mapping[str, str]) -> float | None:
    microseconds = given.get("WATCHDOG_USEC", "")
    pid = given.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or not int(microseconds):
        return None
    if pid and pid != str(os.getpid()):
        return None
    return int(microseconds) / 1e6 / _FEEDS
