"""One connection that carries MSRP: what its sessions queue goes out together."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import SessionEvent
from sylk.msrp.session import MsrpSession
from sylk.net.msrp_watch import MsrpWatch, WatchedLink
from sylk.net.outbox import Outbox
from sylk.net.outboxes import Outboxes
from sylk.net.stream import ByteStream
from sylk.net.tls import TlsStream
from sylk.sip.flow import show_address

logger = logging.getLogger("sylk.msrp")

CLOSE_GRACE = 2.0
"""Seconds that a link which is to be closed has left to take what is queued for it."""

_TRACED_SIZE = 4096
"""Bytes of one read or write that a trace shows."""


class SessionUser(Protocol):
    """Who owns a session: gets its events, synchronously, in order."""

    def attached(self, link: "MsrpLink") -> None:
        """Take it that `link` carries the session now."""
        ...

    def receive(self, event: SessionEvent) -> None:
        """Take one event."""
        ...

    @property
    def is_full(self) -> bool:
        """Tell whether no more events should come for now."""
        ...

    async def wait_for_room(self) -> None:
        """Wait, when it is full, until more events can be taken; the link is not read meanwhile."""
        ...


class Attendant(Protocol):
    """Who looks after links that carry more than sessions."""

    def opened(self, link: "MsrpLink") -> None:
        """Take it that a link stands."""
        ...

    def attend(self, link: "MsrpLink") -> Sequence[Outbox]:
        """See to what a read has brought; returns what must be empty before the next one."""
        ...

    def closed(self, link: "MsrpLink") -> None:
        """Take it that a link has closed."""
        ...


class LinkKeeper(Protocol):
    """Who closes links."""

    def end(self, link: "MsrpLink") -> None:
        """Close a link, but not within this call."""
        ...

    def end_at(self, link: "MsrpLink", deadline: float | None) -> None:
        """Close a link at a time, None: at no time."""
        ...


Released = Callable[[ByteStream], None]


class MsrpLink:
    """One connection that carries MSRP, for as long as a session needs it."""

    __slots__ = (
        "_is_traced",
        "_keeper",
        "_watch",
        "_watched",
        "attendant",
        "connection",
        "is_ending",
        "is_kept",
        "outbox",
        "reason",
        "released",
        "sessions",
        "stream",
    )

    def __init__(
        self,
        stream: ByteStream,
        connection: MsrpConnection,
        keeper: LinkKeeper,
        nursery: trio.Nursery,
        watch: MsrpWatch | None = None,
        *,
        outboxes: Outboxes | None = None,
    ) -> None:
        """Take a connection; `nursery` carries what waits to be written to it."""
        self.stream = stream
        self.connection = connection
        self.outbox = (outboxes or Outboxes()).open(stream, nursery, self.end)
        connection.backlog = self._unsent
        self.reason = "it named no session"
        """Why the link is closed, if something was wrong with it."""
        self.sessions: set[MsrpSession] = set()
        self.attendant: Attendant | None = None
        """Who looks after it besides the users of its sessions."""
        self.released: Released | None = None
        """Called with the stream once the link has closed."""
        self.is_kept = False
        """Whether it stays open without a session, because a relay is at one of its ends."""
        self.is_ending = False
        """True once it is to be closed, whatever comes."""
        transport = "tls" if isinstance(stream, TlsStream) else "tcp"
        self._keeper = keeper
        self._watch = watch or MsrpWatch()
        self._watch.outboxes.add(self.outbox)
        self._watched = WatchedLink(transport, stream.local, stream.remote)
        # Asked once: the question costs as much as a small write.
        self._is_traced = logger.isEnabledFor(logging.DEBUG)

    def _unsent(self) -> int:
        return self.outbox.unsent

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing more will come, which TLS may say before the network does."""
        return isinstance(self.stream, TlsStream) and self.stream.is_ended

    def write(self, data: bytes) -> None:
        """Send bytes that are complete frames; what the sessions have queued goes before them."""
        queued = self.connection.frames_to_send()
        if queued:
            data = queued + data
        self._write(data)

    def _write(self, data: bytes) -> None:
        watch = self._watch
        watch.bytes_sent += len(data)
        if self._is_traced:
            self._trace("sent to", data)
        if watch.trace is not None:
            watch.trace(False, data, self._watched)
        self.outbox.write(data)

    def flush(self) -> None:
        """Send what the sessions of this link have queued."""
        data = self.connection.data_to_send()
        if data:
            self._write(data)

    def receive(self) -> bytes | None:
        """Return what has come, b"" at the end, None when nothing has; raises TransportError."""
        data = self.stream.try_receive()
        if not data:
            return data
        self._watch.bytes_received += len(data)
        if self._is_traced:
            self._trace("received from", data)
        if self._watch.trace is not None:
            self._watch.trace(True, data, self._watched)
        return data

    def log_refusals(self) -> None:
        """Log which requests were refused before they came to a session."""
        for status, to_path in self.connection.take_refusals():
            level = self._watch.refusals.level_for(self.stream.remote[0], trio.current_time())
            logger.log(
                level,
                "refused from %s with %d: %s",
                show_address(self.stream.remote),
                status,
                to_path.decode("utf-8", "backslashreplace"),
            )

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
        self._keeper.end_at(self, None)
        self.outbox.on_empty = None
        self.reason = ""

    def keep(self) -> None:
        """Stay open, whether there is a session or not."""
        self.is_kept = True
        self._keeper.end_at(self, None)
        self.reason = ""

    def detach(self, session: MsrpSession) -> None:
        """Stop carrying a session; with the last one the link closes, when all is written."""
        self.sessions.discard(session)
        if not self.sessions and not self.is_kept:
            self.finish()

    def finish(self, reason: str = "") -> None:
        """Close the link when all is written."""
        self.reason = reason or self.reason
        if self.outbox.pending:
            self._keeper.end_at(self, trio.current_time() + CLOSE_GRACE)
            self.outbox.on_empty = self.end
        else:
            self.end()

    def end(self, reason: str = "") -> None:
        """Have the link closed, as soon as what is going on now is done."""
        self.reason = reason or self.reason
        if not self.is_ending:
            self.is_ending = True
            self._keeper.end(self)
