"""The server: one endpoint, the applications on it, and the routing between them."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

import trio

from sylk import __version__
from sylk.application import Application
from sylk.config import SERVER_SECTIONS, RawConfig
from sylk.discovery import find_applications
from sylk.errors import RemoteProtocolError, SessionEnded
from sylk.log import logging_call
from sylk.net.msrp_port import MsrpPortSettings
from sylk.net.sip_transports import SipTransportSettings
from sylk.payload.cpim_address import Address
from sylk.routing import RoutingTable, TrustedPeers
from sylk.session.endpoint import Endpoint, EndpointSettings
from sylk.session.invitation import Invitation
from sylk.session.requests import PageMessage, ReferralRequest, SubscriptionRequest
from sylk.settings import MsrpSettings, ServerSettings, SipSettings, TlsSettings
from sylk.sip.core import IncomingRequest
from sylk.sip.message import Response
from sylk.sip.parser import Limits
from sylk.sip.uri import SipURI

logger = logging.getLogger("sylk.server")

STOP_GRACE = 3.0
"""Seconds in which, at the end, peers may answer our BYE."""

_BUSY = [("Retry-After", "10")]
_UNANSWERED = 480
_FAILED = 500


class Answerable(Protocol):
    """What the server must know of a request while an application handles it."""

    sender: Address
    call_id: str

    @property
    def is_answered(self) -> bool:
        """Tell whether a final response has been sent."""
        ...

    def reject_nowait(self, status: int) -> None:
        """Refuse at once."""
        ...


@dataclass(slots=True)
class ServerConfig:
    """Everything that a server is made of, read and checked."""

    endpoint: EndpointSettings
    applications: Mapping[str, Application]
    routing: RoutingTable
    trusted_peers: TrustedPeers
    max_sessions: int


def build_config(raw: RawConfig) -> ServerConfig:
    """Turn the settings file into what a server is made of; raises ConfigError."""
    server = raw.section(ServerSettings, ServerSettings.section)
    sip = raw.section(SipSettings, SipSettings.section)
    msrp = raw.section(MsrpSettings, MsrpSettings.section)
    raw.section(TlsSettings, TlsSettings.section)
    types = find_applications(server.extra_applications_dir, server.disabled_applications)
    names = {*types, *server.disabled_applications}
    raw.check_unused([*SERVER_SECTIONS, *(name.capitalize() for name in names)])
    routing = RoutingTable(
        server.default_application,
        server.application_map,
        types,
        server.disabled_applications,
        raw.error,
    )
    applications = {
        name: kind(raw.section(kind.settings_class, name.capitalize()))
        for name, kind in types.items()
    }
    endpoint = EndpointSettings(
        name=f"Sylk/{__version__}",
        sip=SipTransportSettings(
            host=sip.local_ip,
            udp_port=sip.local_udp_port,
            tcp_port=sip.local_tcp_port,
            advertised_host=sip.advertised_ip,
            limits=Limits(max_message=sip.max_message_size),
            max_connections=sip.max_connections,
            idle_timeout=sip.idle_timeout,
        ),
        msrp=MsrpPortSettings(
            host=msrp.local_ip,
            port=msrp.local_tcp_port,
            advertised_host=msrp.advertised_ip or sip.advertised_ip,
            max_connections=msrp.max_connections,
            max_message_size=msrp.max_message_size,
            outbox_limit=msrp.outbox_limit,
            outbox_timeout=msrp.outbox_timeout,
            keepalive_interval=msrp.keepalive_interval,
            establish_timeout=msrp.establish_timeout,
        ),
    )
    return ServerConfig(
        endpoint, applications, routing, TrustedPeers(sip.trusted_peers), sip.max_sessions
    )


class Server:
    """A running server; `stop` ends it politely."""

    def __init__(self, config: ServerConfig) -> None:
        """Bind all ports; raises TransportError."""
        self.config = config
        self.endpoint = Endpoint(config.endpoint, self._receive)
        self.stop = trio.Event()
        """Set it to end the server: BYE to all, then out."""
        self._serving: trio.Nursery | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `stop` is set."""
        async with trio.open_nursery() as transports:
            await transports.start(self.endpoint.run)
            async with AsyncExitStack() as applications:
                for application in self.config.applications.values():
                    await applications.enter_async_context(application)
                await self._serve(task_status)
            transports.cancel_scope.cancel()

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as serving:
            self._serving = serving
            self._log_start()
            task_status.started()
            await self.stop.wait()
            self._serving = None
            logger.info("stopping: %d sessions end", self.endpoint.call_count)
            # Each session's own clean-up says BYE.
            serving.cancel_scope.cancel()
        with trio.move_on_after(STOP_GRACE):
            await self.endpoint.wait_calls_over()

    def _log_start(self) -> None:
        for transport, (host, port) in self.endpoint.transports.listening:
            logger.info("listening for SIP on %s %s port %d", transport, host, port)
        msrp = self.endpoint.msrp.listening
        if msrp is not None:
            logger.info("listening for MSRP on tcp %s port %d", *msrp)
        logger.info("applications: %s", ", ".join(sorted(self.config.applications)))

    def _receive(self, incoming: IncomingRequest) -> None:
        try:
            application = self._admit(incoming)
        except RemoteProtocolError as error:
            self._refuse(incoming, error)
            return
        assert self._serving is not None
        request, work = self._open(application, incoming)
        self._serving.start_soon(self._handle, application, request, work)

    def _admit(self, incoming: IncomingRequest) -> Application:
        """Return the application for a request; raises RemoteProtocolError with the refusal."""
        request = incoming.request
        if not self.config.trusted_peers.allows(incoming.flow.remote[0]):
            raise RemoteProtocolError("the source is not among trusted_peers", 403)
        if self._serving is None:
            raise RemoteProtocolError("the server is starting or stopping", 503, _BUSY)
        if self.endpoint.call_count >= self.config.max_sessions:
            raise RemoteProtocolError("max_sessions is reached", 503, _BUSY)
        assert isinstance(request.uri, SipURI)
        name = self.config.routing.choose(
            request.uri.user, request.uri.host, request.headers.get("X-Sylk-App")
        )
        return self.config.applications[name]

    def _refuse(self, incoming: IncomingRequest, error: RemoteProtocolError) -> None:
        request, core = incoming.request, self.endpoint.core
        with logging_call(request.call_id):
            logger.info(
                "refused %s from %s (%s:%d) to %s with %d: %s",
                request.method,
                request.from_.uri,
                *incoming.flow.remote,
                request.uri,
                error.status,
                error,
            )
        response = Response.to_request(
            request, error.status, to_tag=core.new_tag(), headers=error.headers
        )
        core.respond(incoming.transaction, response, trio.current_time())
        self.endpoint.flush()

    def _open(
        self, application: Application, incoming: IncomingRequest
    ) -> tuple[Answerable, Callable[[], Awaitable[None]]]:
        """Return the request as its application gets it, and the handling of it."""
        match incoming.request.method:
            case "INVITE":
                invitation = Invitation(self.endpoint, incoming)
                return invitation, partial(application.handle_invitation, invitation)
            case "SUBSCRIBE":
                subscription = SubscriptionRequest(self.endpoint, incoming)
                return subscription, partial(application.handle_subscription, subscription)
            case "REFER":
                referral = ReferralRequest(self.endpoint, incoming)
                return referral, partial(application.handle_referral, referral)
            case _:
                message = PageMessage(self.endpoint, incoming)
                return message, partial(application.handle_message, message)

    async def _handle(
        self, application: Application, request: Answerable, work: Callable[[], Awaitable[None]]
    ) -> None:
        with logging_call(request.call_id):
            status = _UNANSWERED
            try:
                await work()
            except* SessionEnded as ended:
                application.logger.info(
                    "session of %s ended: %s", request.sender.uri, _unwrap(ended)
                )
            except* Exception as faults:
                # The fault of one session ends that session and touches nobody else.
                status = _FAILED
                application.logger.error(
                    "handling a request of %s failed",
                    request.sender.uri,
                    exc_info=_unwrap(faults),
                )
            finally:
                if not request.is_answered:
                    request.reject_nowait(status)


def _unwrap(error: Exception) -> Exception:
    """Return the one error in a group, such as a nursery makes, or the group if it has more."""
    if not isinstance(error, ExceptionGroup):
        return error
    group = cast("ExceptionGroup[Exception]", error)
    inner = list(group.exceptions)
    return _unwrap(inner[0]) if len(inner) == 1 else group
