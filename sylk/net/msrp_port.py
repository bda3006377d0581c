"""MSRP over TCP and TLS: one port of each for all sessions, and the links that carry them.

A link is one connection. What one read brings is parsed, given to the sessions it is for, and
answered together; the tasks that use the sessions run after that. A session is found by the
session-id of its path, so any number of them share the port, and even a link. A session whose link
is lost waits for another one: where it is active, `msrp_reopening` opens it.
"""

import logging
from collections.abc import Sequence

import trio

from sylk.errors import LocalProtocolError, TransportError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import Bound, Detached, Rebound, SessionEvent
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.uri import DEFAULT_PORT, MsrpURI
from sylk.net.addresses import look_up
from sylk.net.alarm import AlarmClock, Ring
from sylk.net.msrp_connector import MsrpConnector
from sylk.net.msrp_link import Attendant, MsrpLink, Released, SessionUser
from sylk.net.msrp_links import MsrpLinks
from sylk.net.msrp_reopening import Reopening, Way
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.msrp_watch import MsrpWatch, SessionCall
from sylk.net.relay_path import RelayAccount, RelayPath
from sylk.net.relay_traffic import RelayTraffic
from sylk.net.stream import ByteStream
from sylk.net.stream_ports import StreamPorts
from sylk.net.tls import TlsContexts, TlsStream
from sylk.sip.flow import Address

logger = logging.getLogger("sylk.msrp")

NO_PORT = 9
"""The port of a path that nobody can connect to (RFC 4145 section 4.1)."""


class MsrpPort:
    """The MSRP sockets of one endpoint, and the sessions that they carry."""

    def __init__(
        self, settings: MsrpPortSettings, clock: AlarmClock, tls: TlsContexts | None = None
    ) -> None:
        """Bind the listening ports; raises TransportError. Without `tls` there is no TLS."""
        self.settings = settings
        self.registry = SessionRegistry()
        self.watch = MsrpWatch()
        """Who watches the bytes of all links."""
        self._clock = clock
        self._users: dict[MsrpSession, SessionUser] = {}
        self._link_of: dict[MsrpSession, MsrpLink] = {}
        self._links = MsrpLinks(settings, self.watch, self)
        self._nursery: trio.Nursery | None = None
        self._tls = tls
        self._connector = MsrpConnector(settings.host, tls, verify=settings.verify_peers)
        self._reopening = Reopening(self._open)
        self._reserved: dict[str, RelayPath] = {}
        self._relay: RelayTraffic | None = None
        if settings.relay is not None:
            self._relay = RelayTraffic(
                settings.relay,
                self.registry,
                clock,
                self.path_address,
                self._serve_next_hop,
                settings.connections.is_exempt,
            )
        self._ports = StreamPorts(
            settings.host,
            settings.port,
            settings.tls_port,
            tls,
            limits=settings.connections,
            handshake_timeout=settings.establish_timeout,
        )

    @property
    def listening(self) -> list[tuple[str, Address]]:
        """The (transport, address) pairs that are bound."""
        return self._ports.listening

    def listens(self, *, secure: bool) -> bool:
        """Tell whether a peer can connect to us, over TLS or in clear."""
        return ("tls" if secure else "tcp") in dict(self.listening)

    @property
    def speaks_tls(self) -> bool:
        """Tell whether a peer can reach us over TLS."""
        return self.listens(secure=True)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprints of our certificate, for the SDP of a session over TLS."""
        return () if self._tls is None else self._tls.fingerprints

    def path_address(self, local_host: str, *, secure: bool = False) -> Address:
        """Return the host and port for a path, given which of our addresses the peer reached.

        Where nothing listens the port is 9 (RFC 6135 section 4.2.2).
        """
        bound = dict(self.listening).get("tls" if secure else "tcp")
        port = NO_PORT if bound is None else bound[1]
        return self.settings.advertised_host or local_host, port

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry sessions until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                if self._relay is not None:
                    self._relay.start(nursery)
                self._links.start(nursery)
                self._ports.hand_out(nursery, self._accept)
                task_status.started()
                try:
                    await trio.sleep_forever()
                finally:
                    self._links.close()
        finally:
            self.close()

    def close(self) -> None:
        """Stop listening."""
        self._ports.close()
        self._links.free()

    # Sessions

    def add(self, session: MsrpSession, user: SessionUser, call: SessionCall | None = None) -> None:
        """Take up a session: from now on a peer that names it is served.

        `call` is for who watches.
        """
        self.registry.add(session)
        self._users[session] = user
        if session.local_path[0].session_id in self._reserved:
            # Its path goes with the link to our relay.
            session.end_with_connection()
        if call is not None:
            self.watch.calls[session.session_id] = call

    def remove(self, session: MsrpSession) -> None:
        """Close a session and let go of it; its link closes once nothing else uses it.

        Its user hears nothing more; a peer that still names it gets 481.
        """
        self._users.pop(session, None)
        self._reopening.forget(session)
        self._clock.set(session, None, self._ring(session))
        session.close("given up")
        link = self._link_of.pop(session, None)
        if link is not None:
            link.flush()
            link.detach(session)
        self.watch.calls.pop(session.session_id, None)

    async def connect(
        self,
        session: MsrpSession,
        fingerprints: Sequence[str] = (),
        target: Address | None = None,
    ) -> None:
        """Connect an active session to `target`, by default the first hop of its remote path.

        `fingerprints` are those in the peer's SDP (RFC 8122): a TLS peer must show one of these
        certificates. The caller sets the deadline. Raises TransportError.
        """
        if reserved := self._reserved.get(session.local_path[0].session_id):
            self._bind(reserved.link, session)
            return
        way = Way(fingerprints, target)
        self._reopening.learn(session, way)
        await self._open(session, way)

    async def _open(self, session: MsrpSession, way: Way) -> None:
        hop = session.remote_path[0]
        addresses = await look_up(*(way.target or (hop.host, hop.port or DEFAULT_PORT)))
        # Whatever is in between, the certificate is that of the peer (RFC 6714 section 7.4).
        stream = await self._connector.open(addresses, hop.host, hop.secure, way.fingerprints)
        self._serve(stream, session)

    async def reserve(self, account: RelayAccount, own: MsrpURI) -> RelayPath:
        """Get a path through a relay to the session whose URI is to be `own`.

        It stands until `give_back`. The caller sets the deadline. Raises TransportError.
        """
        relay = account.uri
        addresses = await look_up(relay.host, relay.port or DEFAULT_PORT)
        stream = await self._connector.open(addresses, relay.host, relay.secure)
        path = RelayPath(account, own, self._clock)
        connection = MsrpConnection(self.registry, secure=relay.secure, taker=path.login)
        self._serve(stream, None, connection, path)
        try:
            await path.wait_granted()
        except BaseException:
            path.give_up()
            raise
        self._reserved[path.path[0].session_id] = path
        return path

    def give_back(self, path: RelayPath) -> None:
        """Let go of a path; its link closes."""
        self._reserved.pop(path.path[0].session_id, None)
        path.give_up()

    def _bind(self, link: MsrpLink | None, session: MsrpSession) -> None:
        """Bind an active session to a link that stands; raises TransportError."""
        if link is None:
            raise TransportError("the relay has closed the connection")
        session.connected(link.connection, trio.current_time())
        self._carry(link, session)
        self.settle(session)

    def settle(self, session: MsrpSession) -> None:
        """Send what a session has queued, tell its user what happened, set its alarm."""
        link = self._link_of.get(session)
        if link is not None:
            link.flush()
        while (event := session.next_event()) is not None:
            self._tell(session, event)
        if session in self._users:
            self._clock.set(session, session.next_deadline(), self._ring(session))

    def _ring(self, session: MsrpSession) -> Ring:
        def handle(now: float) -> None:
            session.handle_deadline(now)
            self.settle(session)

        return handle

    def _tell(self, session: MsrpSession, event: SessionEvent) -> None:
        user = self._users.get(session)
        if isinstance(event, Detached) and user is not None:
            self._detached(session, event.reason)
        if user is not None:
            try:
                user.receive(event)
            except Exception:
                # One user's bug must not end the link for the others on it.
                logger.exception("handling %s failed", type(event).__name__)

    def _detached(self, session: MsrpSession, reason: str) -> None:
        """Let go of the link of a session that waits for another one."""
        call = self.watch.calls.get(session.session_id)
        whose = session.session_id if call is None else f"{call.theirs} in {call.call_id}"
        logger.info("%s has lost its connection and may get another one: %s", whose, reason)
        link = self._link_of.pop(session, None)
        if link is not None:
            link.detach(session)
        if self._nursery is not None:
            self._reopening.begin(session, self._nursery)

    # Links

    async def _serve_next_hop(
        self, addresses: Sequence[Address], host: str, connection: MsrpConnection
    ) -> None:
        """Open a connection that the relay wants, and carry it; raises TransportError."""
        with trio.move_on_after(self.settings.establish_timeout) as patience:
            stream = await self._connector.open(addresses, host, bool(connection.secure))
            self._serve(stream, None, connection)
        if patience.cancelled_caught:
            raise TransportError(f"{host} does not answer")

    def _accept(self, stream: ByteStream, released: Released) -> None:
        self._serve(stream, released=released)

    def _serve(
        self,
        stream: ByteStream,
        session: MsrpSession | None = None,
        connection: MsrpConnection | None = None,
        attendant: Attendant | None = None,
        released: Released | None = None,
    ) -> None:
        """Have the links carry a connection, which may be one that was opened for a session."""
        if connection is None:
            secure = isinstance(stream, TlsStream)
            taker = None if self._relay is None else self._relay.engine
            connection = MsrpConnection(self.registry, secure=secure, taker=taker)
        link = self._links.open(stream, connection, attendant or self._relay, released)
        if session is not None:
            try:
                self._bind(link, session)
            except (TransportError, LocalProtocolError) as error:
                # Local: the session was given up while the connection was being opened.
                link.end(str(error))
        self._links.begin(link)

    def take_events(self, link: MsrpLink) -> set[SessionUser]:
        """Tell the users of the sessions of a link what happened; returns who has heard."""
        users: set[SessionUser] = set()
        while (found := link.connection.next_events()) is not None:
            session, events = found
            for event in events:
                if isinstance(event, Bound | Rebound):
                    self._attach(link, session)
                self._tell(session, event)
            if (user := self._users.get(session)) is not None:
                users.add(user)
                self._clock.set(session, session.next_deadline(), self._ring(session))
        return users

    def _attach(self, link: MsrpLink, session: MsrpSession) -> None:
        user = self._users.get(session)
        if user is None:
            return
        self._carry(link, session)
        self._reopening.bound(session)
        user.attached(link)

    def _carry(self, link: MsrpLink, session: MsrpSession) -> None:
        if session in self._users:
            self._link_of[session] = link
            link.attach(session)

    def link_closed(self, link: MsrpLink) -> None:
        """Take it that a link carries nothing any more."""
        for session in link.sessions:
            del self._link_of[session]
        link.sessions.clear()
