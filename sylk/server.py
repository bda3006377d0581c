"""The server: one endpoint, the applications on it, and the routing between them."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast

import trio

from sylk.admission import BUSY, Admission
from sylk.application import Application
from sylk.bonjour import Bonjour, BonjourSettings
from sylk.config import RawConfig
from sylk.errors import RemoteProtocolError, SessionEnded, TransportError
from sylk.log import LoggingCall
from sylk.loop_watch import LoopWatch
from sylk.net.msrp_watch import MsrpTrace
from sylk.net.sip_connection import Trace
from sylk.reload import plan_reload, reload_certificate
from sylk.server_config import ServerConfig
from sylk.session.announcer import Announcer, Board
from sylk.session.call import Call
from sylk.session.endpoint import Endpoint
from sylk.session.invitation import Invitation
from sylk.session.own_hosts import OwnHosts
from sylk.session.requests import PageMessage, ReferralRequest, SubscriptionRequest
from sylk.session.takeover import Takeover
from sylk.session.user_agent import UserAgent
from sylk.sip.core import IncomingRequest
from sylk.sip.event_headers import check_event
from sylk.sip.message import Request
from sylk.sip.request_checks import RECIPIENT_LIST_INVITE
from sylk.sip.uri import SipURI
from sylk.status import ServerStatus
from sylk.trace.tracer import Tracer

logger = logging.getLogger("sylk.server")

START_TIMEOUT = 30.0
"""Seconds that an application may take to start; without it the others go on."""

STOP_GRACE = 3.0
"""Seconds in which, at the end, peers may answer our BYE."""

_EXPIRY_WARNING = timedelta(days=14)

_UNANSWERED = 480
_FAILED = 500


AnyRequest = Invitation | SubscriptionRequest | ReferralRequest | PageMessage


class Server:
    """A running server; `stop` ends it politely."""

    def __init__(self, config: ServerConfig) -> None:
        """Bind all ports; raises TransportError."""
        self.config = config
        self._admission = Admission(
            config.admission,
            call_count=lambda: self.endpoint.call_count,
            proven_domains=lambda flow: self.endpoint.transports.proven_domains(flow),
        )
        packages = {
            package
            for application in config.applications.values()
            for package in application.event_packages
        }
        self.endpoint = Endpoint(
            config.endpoint, self._receive, sorted(packages), self._admission.admit, self._screen
        )
        self.tracer = Tracer(
            config.trace, self.endpoint.clock, self._set_trace, self.endpoint.msrp.watch.calls
        )
        server = config.sections.server
        sip = config.sections.sip
        self._own_hosts = OwnHosts(sip.local_ip, sip.domains, advertised=sip.advertised_ip)
        self._board = Board()
        # Several would tell of one server several times.
        mode = server.bonjour if config.share.count == 1 else "no"
        self._bonjour = Bonjour(
            BonjourSettings(mode, server.bonjour_interfaces),
            self.endpoint.transports.listening,
            self._board,
        )
        self.stop = trio.Event()
        """Set it to end the server: BYE to all, then out."""
        self.on_ready: Callable[[], None] | None = None
        """Called once, when requests are served."""
        self._serving: trio.Nursery | None = None
        self._started: dict[str, Application] = {}
        self.loop_watch = LoopWatch(server.stall_limit)
        """Runs beside the server, in its loop."""
        self.status = ServerStatus(self.endpoint, self._started, self.loop_watch)
        self._grace_end = 0.0
        self._has_served = trio.Event()
        self._owners: dict[Call, Application] = {}
        """Who answers for each call: what is to replace or join it goes to the same one."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `stop` is set."""
        async with trio.open_nursery() as transports:
            self.tracer.start()
            await transports.start(self.endpoint.run)
            try:
                async with trio.open_nursery() as applications:
                    for name, application in self.config.applications.items():
                        await self._start(applications, name, application)
                    if self._bonjour.is_wanted:
                        await transports.start(self._bonjour.run)
                    await self._serve(task_status)
                    self._has_served.set()
            finally:
                self.tracer.close()
            # What the applications have subscribed to has just been ended by us.
            with trio.move_on_at(self._grace_end):
                await self.endpoint.wait_calls_over()
            transports.cancel_scope.cancel()

    async def _start(self, nursery: trio.Nursery, name: str, application: Application) -> None:
        application.user_agent = UserAgent(
            self.endpoint, partial(self._receive_referral, application)
        )
        application.own_hosts = self._own_hosts
        if self._bonjour.is_wanted:
            users, is_default = self.config.routing.ways_to(name)
            application.announcer = Announcer(self._board, users, is_default=is_default)
        with trio.move_on_after(START_TIMEOUT) as patience:
            await nursery.start(self._keep, application)
            self._started[name] = application
        if patience.cancelled_caught:
            logger.error("%s did not start within %g s", name, START_TIMEOUT)

    async def _keep(self, application: Application, task_status: trio.TaskStatus[None]) -> None:
        """Have an application run; in a task of its own, so that it may open a nursery."""
        async with application:
            task_status.started()
            await self._has_served.wait()

    def _set_trace(self, sip: Trace | None, msrp: MsrpTrace | None) -> None:
        self.endpoint.transports.trace = sip
        self.endpoint.msrp.watch.trace = msrp

    def reload(self, raw: RawConfig) -> None:
        """Take up what has changed in the settings file, as far as it needs no restart.

        Raises ConfigError, the first in the file, and then nothing has changed.
        """
        plan = plan_reload(raw, self.config)
        config = self.config
        config.sections, config.routing, config.admission = (
            plan.sections,
            plan.routing,
            plan.admission,
        )
        self._admission.reconfigure(plan.admission)
        for port in (config.endpoint.sip, config.endpoint.msrp):
            port.connections.is_exempt = plan.admission.is_unlimited
        for name, (settings, address_settings) in plan.applications.items():
            try:
                config.applications[name].reconfigure(settings, address_settings)
            except Exception:
                # The fault of one application keeps no other from its settings.
                logger.exception("%s has failed to take its new settings", name)
        logger.info("settings read again; taken up: %s", ", ".join(plan.changed) or "nothing")
        if plan.waiting:
            logger.warning("a restart is needed to take up %s", ", ".join(plan.waiting))
        if plan.admission.warning:
            logger.warning("%s", plan.admission.warning)

    def reload_certificate(self) -> None:
        """Load the certificate again, for connections that begin from now on."""
        reload_certificate(self.config.endpoint.tls)

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as serving:
            self._serving, self._admission.is_open = serving, True
            if self.on_ready is not None:
                self.on_ready()
            self._log_start()
            task_status.started()
            await self.stop.wait()
            self._serving, self._admission.is_open = None, False
            self._bonjour.close()
            logger.info("stopping: %d sessions end", self.endpoint.call_count)
            # Each session's own clean-up says BYE.
            self.endpoint.is_stopping = True
            serving.cancel_scope.cancel()
        self.endpoint.end_subscriptions()
        self.endpoint.end_calls()
        self._grace_end = trio.current_time() + STOP_GRACE
        with trio.move_on_at(self._grace_end):
            await self.endpoint.wait_calls_over()

    def _log_start(self) -> None:
        own = self.endpoint.transports.listening if self.config.share.count == 1 else []
        for transport, (host, port) in own:
            logger.info("listening for SIP on %s %s port %d", transport, host, port)
        for transport, (host, port) in self.endpoint.msrp.listening:
            logger.info("listening for MSRP on %s %s port %d", transport, host, port)
        self._log_certificate()
        if self.config.admission.warning:
            logger.warning("%s", self.config.admission.warning)
        logger.info("state in %s", self.config.sections.server.spool_dir.absolute())
        logger.info("applications: %s", ", ".join(sorted(self.config.applications)))

    def _log_certificate(self) -> None:
        certificate = self.config.certificate
        if certificate is None:
            return
        logger.info(
            "certificate for %s until %s, %s",
            ", ".join([*certificate.names, *certificate.addresses]),
            f"{certificate.not_after:%Y-%m-%d}",
            certificate.fingerprint,
        )
        left = certificate.not_after - datetime.now(UTC)
        if left < timedelta(0):
            logger.warning("the certificate has expired: clients refuse it; get another one")
        elif left < _EXPIRY_WARNING:
            logger.warning("the certificate has %d days left: get another one", left.days)

    def _receive(self, incoming: IncomingRequest) -> None:
        application, takeover = self._choose(incoming.request)
        assert self._serving is not None
        request = self._open(application, incoming, takeover)
        self._serving.start_soon(self._handle, application, request)

    def _receive_referral_to_callee(self, call: Call, incoming: IncomingRequest) -> None:
        self._receive_referral(self._owners[call], call, incoming)

    def _receive_referral(
        self, application: Application, call: Call, incoming: IncomingRequest
    ) -> None:
        """Take a REFER inside a call: it is for whoever has that call."""
        referral = ReferralRequest(self.endpoint, incoming, call)
        if self._serving is None:
            referral.reject_nowait(503)
            return
        self._serving.start_soon(self._handle, application, referral)

    def _screen(self, request: Request) -> None:
        """Refuse what nobody here takes, before there is a transaction; then `_receive` gets it."""
        if request.method != "NOTIFY":
            self._choose(request)

    def _choose(self, request: Request) -> tuple[Application, Takeover | None]:
        """Return the application for a request, and the call that it wants to take over.

        Raises RemoteProtocolError with the refusal.
        """
        takeover = self.endpoint.find_takeover(request)
        other = None if takeover is None else takeover.call
        application = (None if other is None else self._owners.get(other)) or self._route(request)
        if request.method == "SUBSCRIBE":
            check_event(request, application.event_packages)
        elif request.method == "INVITE":
            self._check_extensions(request, application)
        return application, takeover

    def _check_extensions(self, request: Request, application: Application) -> None:
        """Refuse what only another application knows; raises RemoteProtocolError (420, 415)."""
        tags = {tag for one in self._started.values() for tag in one.extensions}
        unknown = [tag for tag in request.require if tag in tags.difference(application.extensions)]
        if unknown:
            header = ("Unsupported", ", ".join(unknown))
            raise RemoteProtocolError(f"{application.name} knows no {unknown[0]}", 420, [header])
        if request.parts and RECIPIENT_LIST_INVITE not in application.extensions:
            raise RemoteProtocolError(f"{application.name} calls no lists of people", 415)

    def _route(self, request: Request) -> Application:
        assert isinstance(request.uri, SipURI)
        name = self.config.routing.choose(
            request.uri.user, request.uri.host, request.headers.get("X-Sylk-App")
        )
        if name not in self._started:
            raise RemoteProtocolError(f"the application {name!r} has not started", 503, BUSY)
        return self._started[name]

    def _open(
        self, application: Application, incoming: IncomingRequest, takeover: Takeover | None
    ) -> AnyRequest:
        """Return the request as its application gets it."""
        packages = application.event_packages
        match incoming.request.method:
            case "INVITE":
                invitation = Invitation(self.endpoint, incoming, takeover, packages)
                self._owners[invitation.call] = application
                invitation.call.on_refer = self._receive_referral_to_callee
                return invitation
            case "SUBSCRIBE":
                return SubscriptionRequest(self.endpoint, incoming, packages)
            case "REFER":
                return ReferralRequest(self.endpoint, incoming)
            case _:
                return PageMessage(self.endpoint, incoming)

    async def _handle(self, application: Application, request: AnyRequest) -> None:
        with LoggingCall(request.call_id):
            status = _UNANSWERED
            try:
                await _hand_over(application, request)
            except* (SessionEnded, TransportError) as ended:
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
                if isinstance(request, Invitation):
                    del self._owners[request.call]


def _hand_over(application: Application, request: AnyRequest) -> Awaitable[None]:
    match request:
        case Invitation():
            return application.handle_invitation(request)
        case SubscriptionRequest():
            return application.handle_subscription(request)
        case ReferralRequest():
            return application.handle_referral(request)
        case PageMessage():
            return application.handle_message(request)


def _unwrap(error: Exception) -> Exception:
    """Return the one error in a group, such as a nursery makes, or the group if it has more."""
    if not isinstance(error, ExceptionGroup):
        return error
    group = cast("ExceptionGroup[Exception]", error)
    inner = list(group.exceptions)
    return _unwrap(inner[0]) if len(inner) == 1 else group
