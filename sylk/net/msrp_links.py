"""The links of one MSRP port: all are read by one task, and closed one after the other.

A link has no task of its own. What a read has brought is handled at once; only where more must wait
until an application or a slow recipient is ready, there is a task that waits, and the link is not
read meanwhile. A link that is given up is closed by a task too: who gives it up may be in the
middle of writing to a whole room.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import trio

from sylk.errors import RemoteProtocolError, TransportError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.session import MsrpSession
from sylk.net.alarm import AlarmClock
from sylk.net.msrp_link import Attendant, MsrpLink, Released, SessionUser
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.msrp_watch import MsrpWatch
from sylk.net.outbox import Outbox
from sylk.net.outboxes import Outboxes
from sylk.net.read_loop import ReadLoop
from sylk.net.stream import ByteStream
from sylk.net.tls import TlsStream
from sylk.net.turns import Turns
from sylk.sip.flow import show_address

logger = logging.getLogger("sylk.msrp")

_PEER_CLOSED = "the peer closed the connection"


class LinkSessions(Protocol):
    """Who has the sessions that the links carry."""

    def settle(self, session: MsrpSession) -> None:
        """Send what a session has queued, and tell its user what happened."""
        ...

    def take_events(self, link: MsrpLink) -> set[SessionUser]:
        """Tell the users of the sessions of a link what happened; returns who has heard."""
        ...

    def link_closed(self, link: MsrpLink) -> None:
        """Take it that a link carries nothing any more."""
        ...


class MsrpLinks:
    """The links that stand."""

    def __init__(
        self, settings: MsrpPortSettings, watch: MsrpWatch, sessions: LinkSessions
    ) -> None:
        self._settings = settings
        self._clock = AlarmClock()
        self._watch = watch
        self._sessions = sessions
        self._links: set[MsrpLink] = set()
        self._loop = ReadLoop(self._read)
        self._turns = Turns()
        self._outboxes = Outboxes(
            settings.outbox_limit, settings.outbox_timeout, settings.max_waiting
        )
        self._nursery: trio.Nursery | None = None

    def start(self, nursery: trio.Nursery) -> None:
        """Read, and wait, in tasks of `nursery`."""
        self._nursery = nursery
        nursery.start_soon(self._loop.run)
        nursery.start_soon(self._clock.run)

    def open(
        self,
        stream: ByteStream,
        connection: MsrpConnection,
        attendant: Attendant | None = None,
        released: Released | None = None,
    ) -> MsrpLink:
        """Make a link of a connection; it is read from `begin` on."""
        assert self._nursery is not None
        settings = self._settings
        link = MsrpLink(
            *(stream, connection, self, self._nursery, self._watch), outboxes=self._outboxes
        )
        link.attendant, link.released = attendant, released
        self._links.add(link)
        # A connection that names no session in time is not kept.
        self.end_at(link, trio.current_time() + settings.establish_timeout)
        if attendant is not None:
            try:
                attendant.opened(link)
            except Exception:
                # One link's bug must not stop all others, nor those who are still to come.
                logger.exception("opening the link with %s failed", show_address(stream.remote))
                link.end("a fault of ours")
        return link

    def begin(self, link: MsrpLink) -> None:
        """Read a link from now on."""
        if not link.is_ending:
            self._loop.add(link.stream, link)
            if isinstance(link.stream, TlsStream):
                # It may have received more than its handshake.
                self._read(link)

    def _read(self, link: MsrpLink) -> None:
        if link.is_ending:
            return
        try:
            data = link.receive()
            if data:
                self._take(link, data)
            if data == b"" or link.has_ended:
                self._close_now(link, _PEER_CLOSED)
        except TransportError as error:
            self._close_now(link, str(error))
        except Exception:
            # One link's bug must not stop all others.
            logger.exception("serving the link with %s failed", show_address(link.stream.remote))
            link.end("a fault of ours")

    def _close_now(self, link: MsrpLink, reason: str) -> None:
        # At once, as the peer may be on its way back already.
        link.is_ending, link.reason = True, reason
        self._close(link)

    def _take(self, link: MsrpLink, data: bytes) -> None:
        connection = link.connection
        # A fault closes the connection; what came before it is served all the same.
        with suppress(RemoteProtocolError):
            connection.receive_data(data, trio.current_time())
        link.log_refusals()
        for session in connection.take_doubted():
            self._sessions.settle(session)
        users = self._sessions.take_events(link)
        link.flush()
        behind = () if link.attendant is None else link.attendant.attend(link)
        full = [user for user in users if user.is_full]
        if link.is_ending:
            return
        if connection.closed:
            # What came after a fault cannot be read; what came before it is answered.
            self._loop.remove(link.stream)
            link.finish(connection.close_reason)
        elif full or behind:
            assert self._nursery is not None
            self._loop.remove(link.stream)
            self._nursery.start_soon(self._wait_for, full, behind, link)

    async def _wait_for(
        self, users: Sequence[SessionUser], outboxes: Sequence[Outbox], link: MsrpLink
    ) -> None:
        """Read a link again once these are ready for more."""
        for outbox in outboxes:
            await outbox.wait_empty()
        for user in users:
            if user.is_full:
                await user.wait_for_room()
        self.begin(link)

    # The end

    def end_at(self, link: MsrpLink, deadline: float | None) -> None:
        """Close a link at a time, None: at no time."""
        self._clock.set(link, deadline, lambda _now: link.end())

    def end(self, link: MsrpLink) -> None:
        """Close a link, but not within this call."""
        assert self._nursery is not None
        self._nursery.start_soon(self._end, link)

    async def _end(self, link: MsrpLink) -> None:
        # A room whose people all go at once must not hold everybody else.
        await self._turns.take()
        self._close(link)
        self._turns.is_over()

    def close(self) -> None:
        """Close all links."""
        for link in list(self._links):
            self._close_now(link, link.reason)

    def free(self) -> None:
        """Give up what the system keeps for reading, once no task reads any more."""
        self._loop.close()

    def _close(self, link: MsrpLink) -> None:
        if link not in self._links:
            return
        self._links.discard(link)
        self._loop.remove(link.stream)
        self.end_at(link, None)
        try:
            self._let_go(link)
        except Exception:
            # One link's bug must not stop all others.
            logger.exception("closing the link with %s failed", show_address(link.stream.remote))
        finally:
            link.stream.close()
            if link.released is not None:
                link.released(link.stream)

    def _let_go(self, link: MsrpLink) -> None:
        if link.reason:
            # A peer that has said BYE closes too; where it had not, its session tells so.
            level = logging.DEBUG if link.reason == _PEER_CLOSED else logging.INFO
            remote = show_address(link.stream.remote)
            logger.log(level, "link with %s closed: %s", remote, link.reason)
        # A peer that does not read had its time; for others the network may come back.
        link.connection.close(link.reason, None if link.outbox.is_too_slow else trio.current_time())
        self._sessions.take_events(link)
        self._sessions.link_closed(link)
        # What it has still to say finds no way out any more.
        link.connection.data_to_send()
        link.outbox.close()
        # A connection that leads to its link would keep both until a collection of cycles.
        link.connection.backlog = _nothing_waits
        self._watch.outboxes.discard(link.outbox)
        if link.attendant is not None:
            link.attendant.closed(link)


def _nothing_waits() -> int:
    return 0
