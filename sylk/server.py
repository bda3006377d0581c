"""The server: one endpoint, the applications on it, and the routing between them."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, cast

import trio

from sylk.application import Application
from sylk.errors import ConfigError, RemoteProtocolError, SessionEnded
from sylk.log import logging_call
from sylk.payload.cpim_address import Address
from sylk.server_config import ServerConfig
from sylk.session.endpoint import Endpoint
from sylk.session.invitation import Invitation
from sylk.session.requests import PageMessage, ReferralRequest, SubscriptionRequest
from sylk.sip.core import IncomingRequest
from sylk.sip.message import Response
from sylk.sip.uri import SipURI

logger = logging.getLogger("sylk.server")

START_TIMEOUT = 30.0
"""Seconds that an application may take to start; without it the others go on."""

STOP_GRACE = 3.0
"""Seconds in which, at the end, peers may answer our BYE."""

_EXPIRY_WARNING = timedelta(days=14)

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


class Server:
    """A running server; `stop` ends it politely."""

    def __init__(self, config: ServerConfig) -> None:
        """Bind all ports; raises TransportError."""
        self.config = config
        self.endpoint = Endpoint(config.endpoint, self._receive)
        self.stop = trio.Event()
        """Set it to end the server: BYE to all, then out."""
        self._serving: trio.Nursery | None = None
        self._started: dict[str, Application] = {}

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `stop` is set."""
        async with trio.open_nursery() as transports:
            await transports.start(self.endpoint.run)
            async with AsyncExitStack() as applications:
                for name, application in self.config.applications.items():
                    with trio.move_on_after(START_TIMEOUT) as patience:
                        await applications.enter_async_context(application)
                        self._started[name] = application
                    if patience.cancelled_caught:
                        logger.error("%s did not start within %g s", name, START_TIMEOUT)
                await self._serve(task_status)
            transports.cancel_scope.cancel()

    def reload(self) -> None:
        """Load the certificate again, for connections that begin from now on."""
        tls = self.config.endpoint.tls
        if tls is None:
            return
        try:
            tls.reload()
        except ConfigError as error:
            logger.error("the certificate stays as it was: %s", error)
        else:
            logger.info("certificate loaded again: %s", tls.fingerprint())

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
        self.endpoint.end_subscriptions()
        with trio.move_on_after(STOP_GRACE):
            await self.endpoint.wait_calls_over()

    def _log_start(self) -> None:
        for transport, (host, port) in self.endpoint.transports.listening:
            logger.info("listening for SIP on %s %s port %d", transport, host, port)
        for transport, (host, port) in self.endpoint.msrp.listening:
            logger.info("listening for MSRP on %s %s port %d", transport, host, port)
        self._log_certificate()
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
        if left < _EXPIRY_WARNING:
            logger.warning("the certificate has %d days left: get another one", left.days)

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
        self._check_sender(incoming)
        if self._serving is None:
            raise RemoteProtocolError("the server is starting or stopping", 503, _BUSY)
        if self.endpoint.call_count >= self.config.max_sessions:
            raise RemoteProtocolError("max_sessions is reached", 503, _BUSY)
        assert isinstance(request.uri, SipURI)
        name = self.config.routing.choose(
            request.uri.user, request.uri.host, request.headers.get("X-Sylk-App")
        )
        if name not in self._started:
            raise RemoteProtocolError(f"the application {name!r} has not started", 503, _BUSY)
        return self._started[name]

    def _check_sender(self, incoming: IncomingRequest) -> None:
        """Make sure that the sender may send requests; raises RemoteProtocolError."""
        source = incoming.flow.remote[0]
        peers, authenticator = self.config.trusted_peers, self.config.authenticator
        if authenticator is None:
            if not peers.allows(source):
                raise RemoteProtocolError("the source is not among trusted_peers", 403)
        elif not peers.names(source):
            authenticator.check(incoming.request, trio.current_time(), source=source)

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
