"""How requests of ours go out: which server, over which flow, in which transaction."""

import logging
from collections.abc import Callable, Sequence

import trio

from sylk.errors import SylkError, TransportError
from sylk.net.addresses import is_ip_literal
from sylk.net.resolver import Resolver
from sylk.net.sip_transports import SipTransports
from sylk.session.dialog_user import DialogUser
from sylk.session.dialog_users import DialogUsers
from sylk.session.way import address_of, keeps_flow, transport_of
from sylk.sip.core import UserAgentCore
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.message import Request
from sylk.sip.target_health import TargetHealth
from sylk.sip.transaction import ClientTransaction
from sylk.sip.uri import SipURI

logger = logging.getLogger("sylk.session")


class RequestSender:
    """Finds the way for each request of one endpoint, connecting where it must.

    `flush` gives out what the core has to send and to tell.
    """

    def __init__(
        self,
        core: UserAgentCore,
        transports: SipTransports,
        users: DialogUsers,
        flush: Callable[[], None],
    ) -> None:
        self._core = core
        self._transports = transports
        self._users = users
        self._flush = flush
        self._resolver = Resolver()
        self._health = TargetHealth()
        self._nursery: trio.Nursery | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry the look-ups and connection attempts until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    async def open_flow(
        self, uri: SipURI, transports: Sequence[str] = (), domain: str | None = None
    ) -> Flow:
        """Return a flow to a server of `uri`, the first of its servers that can be connected.

        `transports` are those to choose from, all that are spoken here if empty, the default in
        front; `domain` is whose certificate a TLS server has to show, if not that of `uri`. Raises
        TransportError when no server can be found or connected (RFC 3263 section 4).
        """
        spoken = tuple(transports) or self._transports.spoken
        failure = TransportError(f"no server for {uri.host}")
        targets = await self._resolver.resolve(uri, spoken)
        for target in self._health.order(targets, trio.current_time()):
            name = domain or target.server_name
            try:
                flow = await self._transports.open_flow(target.transport, target.address, name)
            except TransportError as error:
                failure = error
                self._health.failed(target, trio.current_time())
            else:
                self._health.worked(target)
                return flow
        raise failure

    def send_in_dialog(self, user: DialogUser, request: Request, dialog: Dialog | None) -> None:
        """Send a request where `dialog` leads, or without one over the flow of its user.

        What cannot be sent is told by `request_failed`.
        """
        flow = user.flow if dialog is None else self._standing_flow(user, dialog)
        if flow is not None:
            self.send(user, request, flow)
        else:
            assert self._nursery is not None
            assert dialog is not None
            self._nursery.start_soon(self._open_and_send, user, request, dialog)

    def _standing_flow(self, user: DialogUser, dialog: Dialog) -> Flow | None:
        """Return a flow to the peer of `dialog` that needs no look-up and no connecting."""
        alive = self._transports.is_alive(user.flow)
        if keeps_flow(dialog, user.request, user.flow, alive):
            return user.flow
        hop = dialog.next_hop
        if not is_ip_literal(hop.host):
            return None
        try:
            # The peer knows us by the address that its INVITE reached.
            local_host = user.flow.local[0] if user.flow.transport == "udp" else None
            return self._transports.flow_to(transport_of(hop), address_of(hop), local_host)
        except TransportError:
            return None

    async def _open_and_send(self, user: DialogUser, request: Request, dialog: Dialog) -> None:
        hop = dialog.next_hop
        try:
            flow = await self.open_flow(hop)
        except SylkError as error:
            logger.info("%s not sent: %s Call-ID=%s", request.method, error, user.call_id)
            if request.method != "ACK":
                user.request_failed(request.method, 503, trio.current_time())
            return
        self.send(user, request, flow)
        self._flush()

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
