"""A listener for the few who ask a server about itself: it waits when descriptors are used up.

trio's own would write an error with a traceback ten times a second until there are some.
"""

import errno
import logging
import socket

import trio

logger = logging.getLogger("sylk.net")

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""How the system says that it has no descriptor or no memory for one more connection."""

EXHAUSTED_PAUSE = 0.2
"""Seconds until it is asked again."""


class PatientListener(trio.abc.Listener[trio.SocketStream]):
    """Accepts on a socket that listens; `what` it takes is for the log."""

    def __init__(self, sock: socket.socket, what: str) -> None:
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        self._what = what

    async def accept(self) -> trio.SocketStream:
        """Return the next connection, however long there are no descriptors for it."""
        is_told = False
        while True:
            try:
                return await self._listener.accept()
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                if not is_told:
                    logger.warning("cannot take %s for now: %s", self._what, error.strerror)
                is_told = True
                await trio.sleep(EXHAUSTED_PAUSE)

    async def aclose(self) -> None:
        """Stop listening."""
        await self._listener.aclose()
