"""One connection that carries MSRP: what its sessions queue goes out together."""

import logging

import trio

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.session import MsrpSession
from sylk.net.outbox import Outbox
from sylk.net.stream import ByteStream
from sylk.sip.flow import show_address

logger = logging.getLogger("sylk.msrp")

CLOSE_GRACE = 2.0
"""Seconds that a link which is to be closed has left to take what is queued for it."""

_TRACED_SIZE = 4096
"""Bytes of one read or write that a trace shows."""


class MsrpLink:
    """One connection that carries MSRP, for as long as a session needs it."""

    def __init__(
        self,
        stream: ByteStream,
        connection: MsrpConnection,
        outbox: Outbox,
        scope: trio.CancelScope,
    ) -> None:
        self.stream = stream
        self.connection = connection
        self.outbox = outbox
        self.scope = scope
        """Cancelling it closes the link."""
        self.reason = "it named no session"
        """Why the link is closed, if something was wrong with it."""
        self.sessions: set[MsrpSession] = set()
        # Asked once: the question costs as much as a small write.
        self._is_traced = logger.isEnabledFor(logging.DEBUG)

    def write(self, data: bytes) -> None:
        """Send bytes that are complete frames; what the sessions have queued goes before them."""
        self.connection.interrupt()
        queued = self.connection.data_to_send()
        if queued:
            data = queued + data
        if self._is_traced:
            self._trace("sent to", data)
        self.outbox.write(data)

    def flush(self) -> None:
        """Send what the sessions of this link have queued."""
        data = self.connection.data_to_send()
        if data:
            if self._is_traced:
                self._trace("sent to", data)
            self.outbox.write(data)

    async def receive(self) -> bytes:
        """Return what the next read brings, b"" at the end; raises TransportError."""
        data = await self.stream.receive()
        if self._is_traced and data:
            self._trace("received from", data)
        return data

    def _trace(self, direction: str, data: bytes) -> None:
        text = data[:_TRACED_SIZE].decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        more = len(data) - _TRACED_SIZE
        logger.debug(
            "%s %s, %d bytes of MSRP%s",
            direction,
            show_address(self.stream.remote),
            len(data),
            f", {more} of them not shown" if more > 0 else "",
            extra={"detail": text.rstrip()},
        )

    def attach(self, session: MsrpSession) -> None:
        """Carry a session."""
        self.sessions.add(session)
        self.scope.deadline = float("inf")
        self.outbox.on_empty = None
        self.reason = ""

    def detach(self, session: MsrpSession) -> None:
        """Stop carrying a session; with the last one the link closes, when all is written."""
        self.sessions.discard(session)
        if self.sessions:
            return
        if self.outbox.pending:
            self.scope.deadline = trio.current_time() + CLOSE_GRACE
            self.outbox.on_empty = self.scope.cancel
        else:
            self.scope.cancel()
