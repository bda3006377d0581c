"""How requests of ours go out: which server, over which flow, in which transaction.

A request that is too large for a datagram goes over TCP to the same place (RFC 3261 section
18.1.1); where nobody takes TCP, over UDP all the same. How large the datagrams may be that a path
carries is not known here, so the bound is that of the RFC. To a client behind a NAT there is no
other way than the one that it opened: what is for it stays on its flow, however large it is.

A request of a dialog leaves at once if the way is there; else it waits for a connection, and what
its user sends meanwhile waits behind it, so that the numbers of a dialog stay in order.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence

import trio

from sylk.errors import SylkError, TransportError
from sylk.net.addresses import family_of, is_ip_literal
from sylk.net.fronted_transports import Transports
from sylk.net.resolver import Resolver
from sylk.session.dialog_user import DialogUser
from sylk.session.dialog_users import DialogUsers
from sylk.session.way import address_of, keeps_flow, transport_of
from sylk.sip.core import UserAgentCore
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.location import Target
from sylk.sip.message import Request
from sylk.sip.target_health import TargetHealth
from sylk.sip.transaction import ClientTransaction
from sylk.sip.uri import SipURI
from sylk.sip.via import MAGIC_COOKIE, Via

logger = logging.getLogger("sylk.session")

MAX_DATAGRAM = 1300
"""Bytes of the largest request that goes over UDP (RFC 3261 section 18.1.1)."""
TCP_PATIENCE = 4.0
"""Seconds that connecting may take where UDP would have done but for the size."""
DATAGRAMS_ONLY = 600.0
"""Seconds for which a place that did not take TCP is sent large requests over UDP."""

_BRANCH_LENGTH = 20  # characters of what follows the cookie: those of `random_token`

_Waiting = deque[tuple[Request, Dialog | None]]


class RequestSender:
    """Finds the way for each request of one endpoint, connecting where it must.

    `flush` gives out what the core has to send and to tell.
    """

    def __init__(
        self,
        core: UserAgentCore,
        transports: Transports,
        users: DialogUsers,
        flush: Callable[[], None],
        resolver: Resolver | None = None,
    ) -> None:
        self._core = core
        self._transports = transports
        self._users = users
        self._flush = flush
        self._resolver = resolver or Resolver()
        self._waiting: dict[DialogUser, _Waiting] = {}
        self._nursery: trio.Nursery | None = None
        self.health = TargetHealth()
        """Which servers failed of late."""

    @property
    def is_waiting(self) -> bool:
        """True while a request of a dialog waits for its way."""
        return bool(self._waiting)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry the look-ups and connection attempts until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    # Finding servers

    async def find_servers(self, uri: SipURI, transports: Sequence[str] = ()) -> list[Target]:
        """Return the servers of `uri`, at least one, in the order to try (RFC 3263 section 4).

        `transports` are those to choose from, all that are spoken here if empty, the default in
        front. Servers that failed of late come last. Raises TransportError when there are none.
        """
        targets = await self._resolver.resolve(uri, tuple(transports) or self._transports.spoken)
        return self.health.order(targets, trio.current_time())

    async def connect(self, target: Target, domain: str | None = None) -> Flow:
        """Return a flow to one server; raises TransportError.

        `domain` is whose certificate a TLS server has to show, if not that of the URI.
        """
        name = domain or target.server_name
        try:
            return await self._transports.open_flow(target.transport, target.address, name)
        except TransportError:
            self.health.failed(target, trio.current_time())
            raise

    async def open_flow(
        self, uri: SipURI, transports: Sequence[str] = (), domain: str | None = None
    ) -> Flow:
        """Return a flow to a server of `uri`, the first of its servers that can be connected.

        Raises TransportError when no server can be found or connected (RFC 3263 section 4).
        """
        failure = TransportError(f"no server for {uri.host}")
        for target in await self.find_servers(uri, transports):
            try:
                return await self.connect(target, domain)
            except TransportError as error:
                failure = error
        raise failure

    def is_alive(self, flow: Flow) -> bool:
        """Tell whether `flow` can still carry a request."""
        return self._transports.is_alive(flow)

    def is_connected(self, target: Target) -> bool:
        """Tell whether a connection to a server stands already."""
        if target.transport == "udp":
            return False
        return self._transports.flow_to(target.transport, target.address) is not None

    # The size of a request

    async def fitting_flow(self, request: Request, flow: Flow) -> Flow:
        """Return the flow for a request that would go over `flow` were it not for its size."""
        if not self._needs_stream(request, flow):
            return flow
        target = _over_tcp(flow)
        with trio.move_on_after(TCP_PATIENCE):
            try:
                return await self._transports.open_flow("tcp", target.address)
            except TransportError as error:
                logger.debug("%s goes over UDP: %s", request.method, error)
        # Not once more for each request, which would have to wait as long.
        self.health.failed(target, trio.current_time(), DATAGRAMS_ONLY)
        return flow

    def _needs_stream(self, request: Request, flow: Flow) -> bool:
        if flow.reliable or self.size_of(request, flow) <= MAX_DATAGRAM:
            return False
        return not self.health.is_failing(_over_tcp(flow), trio.current_time())

    def size_of(self, request: Request, flow: Flow) -> int:
        """Return how many bytes a request has on the wire."""
        self._core.describe(request)
        size = len(request.render())
        if "Via" in request.headers:
            return size
        params = {"branch": MAGIC_COOKIE + "x" * _BRANCH_LENGTH, "rport": None}
        via = Via(flow.transport, *self._transports.sent_by(flow), params)
        return size + len(f"Via: {via}\r\n")

    # Sending in a dialog

    def send_in_dialog(self, user: DialogUser, request: Request, dialog: Dialog | None) -> None:
        """Send a request where `dialog` leads, or without one over the flow of its user.

        What cannot be sent is told by `request_failed`.
        """
        waiting = self._waiting.get(user)
        if waiting is not None:
            waiting.append((request, dialog))
            return
        flow = self._flow_at_once(user, request, dialog)
        if flow is not None:
            self.send(user, request, flow)
        else:
            assert self._nursery is not None
            waiting = self._waiting[user] = deque([(request, dialog)])
            self._nursery.start_soon(self._send_waiting, user, waiting)

    def _flow_at_once(
        self, user: DialogUser, request: Request, dialog: Dialog | None
    ) -> Flow | None:
        """Return the flow for a request, None if a look-up or a connection has to come first."""
        flow = user.flow if dialog is None else self._standing_flow(user, dialog)
        if flow is None or self._is_bound_to(flow, user, dialog):
            return flow
        if not self._needs_stream(request, flow):
            return flow
        return self._transports.flow_to("tcp", flow.remote)

    def _is_bound_to(self, flow: Flow, user: DialogUser, dialog: Dialog | None) -> bool:
        """Tell whether the peer can be reached over `flow` alone, being behind a NAT."""
        return dialog is not None and flow == user.flow and self._keeps_flow(user, dialog)

    def _keeps_flow(self, user: DialogUser, dialog: Dialog) -> bool:
        return keeps_flow(dialog, user.request, user.flow, self.is_alive(user.flow))

    def _standing_flow(self, user: DialogUser, dialog: Dialog) -> Flow | None:
        """Return a flow to the peer of `dialog` that needs no look-up and no connecting."""
        if self._keeps_flow(user, dialog):
            return user.flow
        hop = dialog.next_hop
        if not is_ip_literal(hop.host):
            return None
        try:
            # The peer knows us by the address that its INVITE reached.
            local = user.flow.local[0]
            is_fit = user.flow.transport == "udp" and family_of(local) == family_of(hop.host)
            return self._transports.flow_to(
                transport_of(hop), address_of(hop), local if is_fit else None
            )
        except TransportError:
            return None

    async def _send_waiting(self, user: DialogUser, waiting: _Waiting) -> None:
        """Send what waits for a way, one after the other; nothing of the user gets past it."""
        while waiting:
            request, dialog = waiting[0]
            try:
                flow = self._flow_at_once(user, request, dialog)
                if flow is None:
                    flow = await self._find_flow(user, request, dialog)
            except SylkError as error:
                logger.info("%s not sent: %s Call-ID=%s", request.method, error, user.call_id)
                flow = None
            waiting.popleft()
            if not waiting:
                del self._waiting[user]
            self._send_or_fail(user, request, flow)

    def _send_or_fail(self, user: DialogUser, request: Request, flow: Flow | None) -> None:
        try:
            if flow is not None:
                self.send(user, request, flow)
            elif request.method != "ACK":
                user.request_failed(request.method, 503, trio.current_time())
            self._flush()
        except Exception:
            # A bug that one request brings out must not take their way from all others.
            logger.exception("sending %s failed Call-ID=%s", request.method, user.call_id)

    async def _find_flow(self, user: DialogUser, request: Request, dialog: Dialog | None) -> Flow:
        flow = user.flow if dialog is None else self._standing_flow(user, dialog)
        if flow is None:
            assert dialog is not None
            flow = await self.open_flow(dialog.next_hop)
        return await self.fitting_flow(request, flow)

    def send(self, user: DialogUser, request: Request, flow: Flow) -> ClientTransaction | None:
        """Send a request over `flow` and return its transaction; None for an ACK."""
        sent_by = self._transports.sent_by(flow)
        if request.method == "ACK":
            # The ACK to a 2xx is outside every transaction.
            self._core.send_stateless(request, flow, sent_by)
            return None
        transaction = self._core.send_request(request, flow, sent_by, trio.current_time())
        self._users.sent(transaction, user)
        return transaction


def _over_tcp(flow: Flow) -> Target:
    """Return the place that `flow` leads to, as it is reached over TCP."""
    return Target("tcp", flow.remote, flow.remote[0])
