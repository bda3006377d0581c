"""SIP over UDP, TCP and TLS: bytes become messages, each with its flow, and go out over a flow.

No SIP decision is made here. A flow names the socket, so that an answer, or a request to a client
behind a NAT, goes back the way that the client opened (RFC 3261 section 18, RFC 5626 section 3.3).
"""

import itertools
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from sylk.errors import TransportError
from sylk.net.addresses import WILDCARDS, local_address_towards
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.outbox import Outbox
from sylk.net.sip_connection import SipConnection, Trace, log_octets
from sylk.net.stream import ByteStream, connect_tcp
from sylk.net.stream_ports import StreamPorts
from sylk.net.tls import TlsContexts, TlsStream, tls_handshake
from sylk.net.turns import Turns
from sylk.net.udp import UdpPort, bind_udp
from sylk.sip.datagrams import is_no_sip
from sylk.sip.flow import Address, Flow, show_address
from sylk.sip.message import Message, Request, Response
from sylk.sip.parser import DEFAULT_LIMITS, Limits, MalformedMessage, parse_message

logger = logging.getLogger("sylk.sip")

_CLOSE_GRACE = 2.0
"""Seconds that a connection which is to be closed has left to take our last answer."""


@dataclass(slots=True)
class SipTransportSettings:
    """Where SIP listens, and the bounds of each connection (bytes, seconds, a count)."""

    host: str = "0.0.0.0"
    udp_port: int | None = 5060
    tcp_port: int | None = 5060
    tls_port: int | None = None
    verify_peers: bool = False
    """Whether a server that we connect to over TLS must show a certificate for its domain."""
    advertised_host: str | None = None
    limits: Limits = field(default_factory=lambda: DEFAULT_LIMITS)
    connections: ConnectionLimits = field(default_factory=lambda: ConnectionLimits(10_000))
    idle_timeout: float = 3600.0
    message_timeout: float = 30.0
    """How long a message may stay incomplete; it is a slow peer, or one that means harm."""
    connect_timeout: float = 10.0
    """How long connecting may take, with the TLS handshake."""
    handshake_timeout: float = 10.0
    """How long the TLS handshake of a connection that comes in may take."""
    outbox_limit: int = 4 * 1024 * 1024


class SipTransports:
    """All the sockets that carry SIP.

    `on_message` is called with each message (or the fault of a malformed one) and its flow,
    `on_failure` when a flow can carry nothing any more. A connection for which `in_use` is true
    is kept however long it is silent.
    """

    def __init__(
        self,
        settings: SipTransportSettings,
        on_message: Callable[[Request | Response | MalformedMessage, Flow], None],
        on_failure: Callable[[Flow], None],
        *,
        in_use: Callable[[Flow], bool] = lambda flow: False,
        tls: TlsContexts | None = None,
    ) -> None:
        """Bind the ports; raises TransportError, with every port closed again.

        Without `tls` there is no TLS, whatever the settings say.
        """
        self._settings = settings
        self._on_message = on_message
        self._on_failure = on_failure
        self._in_use = in_use
        self._tls = tls
        self.turns = Turns()
        """Shared by all connections: none of them, nor all together, keep others waiting."""
        self._connections: dict[Flow, SipConnection] = {}
        self._by_remote: dict[Address, Flow] = {}
        self._connection_ids = itertools.count(1)
        self._nursery: trio.Nursery | None = None
        self._udp: UdpPort | None = None
        self.trace: Trace | None = None
        """Who is shown each message that comes or goes; it can change at any time."""
        self.received = 0
        """Messages that came, malformed ones included."""
        self._ports = StreamPorts(
            settings.host,
            settings.tcp_port,
            settings.tls_port,
            tls,
            limits=settings.connections,
            handshake_timeout=settings.handshake_timeout,
            asks_certificates=True,
        )
        try:
            if settings.udp_port is not None:
                self._udp = bind_udp(settings.host, settings.udp_port)
        except TransportError:
            self._ports.close()
            raise

    @property
    def listening(self) -> list[tuple[str, Address]]:
        """The (transport, address) pairs that are bound."""
        udp = [] if self._udp is None else [("udp", self._udp.local)]
        return udp + self._ports.listening

    @property
    def spoken(self) -> tuple[str, ...]:
        """The transports over which a request of ours can go, the default one first."""
        udp = () if self._udp is None else ("udp",)
        return (*udp, "tcp") if self._tls is None else (*udp, "tcp", "tls")

    @property
    def connection_count(self) -> int:
        """How many stream connections are open."""
        return len(self._connections)

    @property
    def waiting(self) -> int:
        """How many bytes wait for peers that are slow."""
        return sum(one.outbox.pending for one in self._connections.values())

    def backlog(self, flow: Flow) -> int:
        """Return how many bytes wait for the peer of a connection; over UDP none ever does."""
        connection = self._connections.get(flow)
        return 0 if connection is None else connection.outbox.pending

    def proven_domains(self, flow: Flow) -> frozenset[str]:
        """Return the SIP domains that the peer of a TLS connection has a certificate for."""
        connection = self._connections.get(flow)
        stream = None if connection is None else connection.stream
        return stream.peer_identities if isinstance(stream, TlsStream) else frozenset()

    def sent_by(self, flow: Flow) -> Address:
        """Return the host and port at which the peer of `flow` can open a way to us."""
        port = dict(self.listening).get(flow.transport, flow.local)[1]
        return self._settings.advertised_host or flow.local[0], port

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry messages until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                if self._udp is not None:
                    nursery.start_soon(self._udp.run, self._receive_datagram, self._datagram_lost)
                self._ports.start(nursery, self._serve)
                task_status.started()
                await trio.sleep_forever()
        finally:
            self.close()

    def close(self) -> None:
        """Close every socket."""
        if self._udp is not None:
            self._udp.close()
        self._ports.close()
        for connection in list(self._connections.values()):
            connection.stream.close()

    # Sending

    def flow_to(
        self, transport: str, remote: Address, local_host: str | None = None
    ) -> Flow | None:
        """Return a flow to `remote` that is there already: always for UDP, else a connection.

        UDP leaves from `local_host`, or else from the address that the routes name. Raises
        TransportError when there is no route, or no port for that transport.
        """
        if transport != "udp":
            flow = self._by_remote.get(remote)
            return flow if flow is not None and flow.transport == transport else None
        if self._udp is None:
            raise TransportError("UDP is switched off: set local_udp_port")
        host = self._udp.local[0]
        if host in WILDCARDS:
            host = local_host or local_address_towards(remote)
        return Flow("udp", (host, self._udp.local[1]), remote)

    async def open_flow(self, transport: str, remote: Address, domain: str | None = None) -> Flow:
        """Return a flow to `remote`, connecting if need be; raises TransportError.

        `domain` is whose certificate a TLS peer has to show, if that is verified (RFC 5922).
        """
        flow = self.flow_to(transport, remote)
        if flow is not None:
            await trio.lowlevel.checkpoint()
            return flow
        if transport not in ("tcp", "tls") or (transport == "tls" and self._tls is None):
            raise TransportError(f"the transport {transport} is not spoken here")
        bound = self._settings.host
        with trio.move_on_after(self._settings.connect_timeout):
            stream: ByteStream = await connect_tcp(
                remote, local_host=None if bound in WILDCARDS else bound
            )
            if transport == "tls":
                stream = await self._start_tls(stream, domain or remote[0])
            assert self._nursery is not None
            return await self._nursery.start(self._serve_outgoing, stream)
        raise TransportError(f"cannot connect to {show_address(remote)}: no answer")

    async def _start_tls(self, stream: ByteStream, domain: str) -> TlsStream:
        assert self._tls is not None
        verify = self._settings.verify_peers
        context = self._tls.client_context(verify=verify, sip=True)
        return await tls_handshake(
            stream, context, server_side=False, sip_domain=domain if verify else None
        )

    def is_alive(self, flow: Flow) -> bool:
        """Tell whether `flow` can still carry a message."""
        return not flow.reliable or flow in self._connections

    def send(self, message: Message, flow: Flow) -> None:
        """Send one message; a failure is told through `on_failure`."""
        data = message.render()
        if logger.isEnabledFor(logging.DEBUG):
            log_octets("sent to", flow, data)
        if flow.reliable:
            connection = self._connections.get(flow)
            if connection is None:
                self._on_failure(flow)
            else:
                if self.trace is not None:
                    self.trace(False, data, message, flow)
                connection.outbox.write(data)
            return
        assert self._udp is not None
        try:
            self._udp.send(data, flow.local, flow.remote)
        except TransportError as error:
            logger.info("cannot send to %s: %s", show_address(flow.remote), error)
            self._on_failure(flow)
        else:
            if self.trace is not None:
                self.trace(False, data, message, flow)

    def pause(self, flow: Flow) -> None:
        """Read on after a second only: its peer sends more than it may. For UDP it does nothing."""
        connection = self._connections.get(flow)
        if connection is not None:
            connection.pause()

    # Receiving

    def _receive_datagram(self, data: bytes, local: Address, remote: Address) -> None:
        if is_no_sip(data):
            if self.trace is not None:
                self.trace(True, data, None, Flow("udp", local, remote))
            return
        flow = Flow("udp", local, remote)
        if logger.isEnabledFor(logging.DEBUG):
            log_octets("received from", flow, data)
        try:
            message = parse_message(data, self._settings.limits)
        except MalformedMessage as fault:
            self.give(fault, flow, data)
        else:
            self.give(message, flow, data)

    def _datagram_lost(self, remote: Address) -> None:
        """Take it that nobody is at `remote` (RFC 3261 section 18.4)."""
        with suppress(TransportError):
            flow = self.flow_to("udp", remote)
            assert flow is not None
            self._on_failure(flow)

    def in_use(self, flow: Flow) -> bool:
        """Tell whether a connection is to be kept although it is silent."""
        return self._in_use(flow)

    def give(
        self, message: Request | Response | MalformedMessage, flow: Flow, octets: bytes
    ) -> None:
        """Hand a message on; a bug that it brings out ends there."""
        self.received += 1
        if self.trace is not None:
            self.trace(True, octets, message, flow)
        try:
            self._on_message(message, flow)
        except Exception:
            # A bug that one message brings out must not close a port or a connection.
            logger.exception("handling a message from %s failed", show_address(flow.remote))

    async def _serve_outgoing(
        self, stream: ByteStream, task_status: trio.TaskStatus[Flow] = trio.TASK_STATUS_IGNORED
    ) -> None:
        try:
            await self._serve(stream, task_status)
        except Exception:
            # One connection's bug must not stop all others.
            logger.exception("serving the connection to %s failed", show_address(stream.remote))
        finally:
            stream.close()

    async def _serve(
        self, stream: ByteStream, task_status: trio.TaskStatus[Flow] = trio.TASK_STATUS_IGNORED
    ) -> None:
        transport = "tls" if isinstance(stream, TlsStream) else "tcp"
        flow = Flow(transport, stream.local, stream.remote, next(self._connection_ids))
        async with trio.open_nursery() as nursery:

            def give_up(reason: str) -> None:
                logger.info("connection with %s closed: %s", show_address(flow.remote), reason)
                nursery.cancel_scope.cancel()

            outbox = Outbox(stream, nursery, give_up, limit=self._settings.outbox_limit)
            connection = SipConnection(stream, flow, outbox, self._settings, self)
            self._connections[flow] = connection
            self._by_remote[flow.remote] = flow
            task_status.started(flow)
            try:
                await self._carry(connection)
            finally:
                outbox.close()
                del self._connections[flow]
                if self._by_remote.get(flow.remote) == flow:
                    del self._by_remote[flow.remote]
                self._on_failure(flow)
                self.turns.is_over()
            nursery.cancel_scope.cancel()

    async def _carry(self, connection: SipConnection) -> None:
        try:
            await connection.read()
            if connection.outbox.pending:
                with trio.move_on_after(_CLOSE_GRACE):
                    await connection.outbox.wait_empty()
        except TransportError as error:
            logger.debug("connection with %s: %s", show_address(connection.flow.remote), error)
