"""From the call to the goodbye: the endpoint, the INVITE, the conversation, the BYE."""

import secrets
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from sylk import __version__
from sylk.call.relay_digest import RelayPassword
from sylk.cli.conversation import Conversation
from sylk.cli.focus import Focus
from sylk.cli.front_end import FrontEnd
from sylk.cli.harmless import harmless
from sylk.cli.parties import make_caller
from sylk.errors import ConfigError, SessionEnded, TransportError
from sylk.msrp.uri import MsrpURI
from sylk.net.addresses import local_address_towards
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.relay_path import RelayAccount
from sylk.net.resolver import Resolver
from sylk.net.sip_transports import SipTransportSettings
from sylk.net.tls import TlsContexts
from sylk.session.attempts import Destination
from sylk.session.challenges import Credentials
from sylk.session.chat import Chat
from sylk.session.dial import Dialled
from sylk.session.endpoint import Endpoint, EndpointSettings
from sylk.session.user_agent import UserAgent
from sylk.sip.core import IncomingRequest
from sylk.sip.location import Target
from sylk.sip.message import Response
from sylk.sip.uri import SipURI, render_host

RING_TIMEOUT = 120.0
"""Seconds that a call may ring before it is given up."""

BYE_GRACE = 3.0
"""Seconds in which, at the end, the peer may answer our BYE."""

_TRANSPORTS = ("udp", "tcp", "tls")
_CHALLENGES = (401, 407)
_BUSY_HERE = 486
_METHOD_NOT_ALLOWED = 405
_ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS"

# How a reason begins that is of our own making; any other is the phrase of a response.
_UNREACHABLE = "cannot be reached"
_OWN_REASONS = ("no answer", "media", "the ACK", "the answer", "given up")


class CallFailed(Exception):
    """The call did not come to stand; the text tells the user why."""


@dataclass(slots=True)
class CallOptions:
    """Whom to call, as whom, and how; times in seconds."""

    target: SipURI
    name: str | None = None
    caller: SipURI | None = None
    transport: str | None = None
    proxy: SipURI | None = None
    secure_media: bool = False
    """Whether to offer MSRP over TLS."""
    ca_file: Path | None = None
    """The authorities that must have signed the certificate of a TLS server; None: any will do."""
    timeout: float = 10.0
    linger: float = 1.0
    credentials: Credentials | None = None
    """What to answer a server or relay that asks for a password."""
    relay: MsrpURI | None = None
    """Who carries the messages, if not the network itself."""


async def hold_chat(options: CallOptions, front_end: FrontEnd) -> str | None:
    """Call, converse, hang up; returns what went wrong in the middle, or None.

    Raises CallFailed. A signal to end is obeyed politely.
    """
    try:
        outgoing = await _prepare(options, front_end)
    except (TransportError, ConfigError) as error:
        raise CallFailed(str(error)) from error
    failure: CallFailed | None = None
    async with trio.open_nursery() as nursery:
        leaving = trio.CancelScope()
        nursery.start_soon(_leave_on_signal, leaving)
        await nursery.start(outgoing.endpoint.run)
        with leaving:
            try:
                await outgoing.run()
            except CallFailed as error:
                failure = error
        if outgoing.was_heard:
            with trio.move_on_after(BYE_GRACE):
                await outgoing.endpoint.wait_calls_over()
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if outgoing.conversation is None:
        raise CallFailed("given up before there was an answer")
    return outgoing.conversation.fault


async def _prepare(options: CallOptions, front_end: FrontEnd) -> "_OutgoingChat":
    transports = _TRANSPORTS if options.transport is None else (options.transport,)
    servers = await Resolver().resolve(options.proxy or options.target, transports)
    routes = _with_routes(servers)
    tls: TlsContexts | None = None
    wants_relay = options.relay is not None and options.relay.secure
    wants_tls = options.secure_media or wants_relay
    if wants_tls or any(server.transport == "tls" for server, _ in routes):
        # It takes a tenth of a second, which a call in clear need not pay.
        from sylk.cli.client_tls import make_client_tls

        tls = make_client_tls(options.ca_file)
    destination = Destination(
        uri=options.target,
        caller=make_caller(options.name, options.caller, routes[0][1]),
        proxy=options.proxy,
        servers=[server for server, _ in routes],
    )
    return _OutgoingChat(options, front_end, destination, tls)


def _with_routes(servers: Sequence[Target]) -> list[tuple[Target, str]]:
    """Return the servers to which a route leads, each with our address on it.

    Raises TransportError when there is none.
    """
    found: list[tuple[Target, str]] = []
    failure: TransportError | None = None
    for server in servers:
        try:
            found.append((server, local_address_towards(server.address)))
        except TransportError as error:
            failure = failure or error
    if not found:
        raise failure or TransportError("there is no server")
    return found


class _OutgoingChat:
    """One call of ours, and the endpoint that it is made from."""

    def __init__(
        self,
        options: CallOptions,
        front_end: FrontEnd,
        destination: Destination,
        tls: TlsContexts | None,
    ) -> None:
        """Bind the ports; raises TransportError."""
        self.conversation: Conversation | None = None
        self.was_heard = False
        """Whether there is a peer that may want to answer our goodbye."""
        self._options = options
        self._front_end = front_end
        self._destination = destination
        self._patience = options.timeout
        self._dialling: trio.CancelScope | None = None
        is_ipv6 = any(":" in server.address[0] for server in destination.servers)
        host = "::" if is_ipv6 else "0.0.0.0"
        verify = options.ca_file is not None
        settings = EndpointSettings(
            name=f"Sylk-chat/{__version__}",
            tls=tls,
            sip=SipTransportSettings(
                host=host, udp_port=0, tcp_port=0, tls_port=0, verify_peers=verify
            ),
            msrp=MsrpPortSettings(
                host=host,
                port=0,
                tls_port=0,
                use_tls=options.secure_media,
                verify_peers=verify,
                # As long as it may take to connect at first, it may take to do so again.
                reconnect_timeout=options.timeout,
            ),
            relay=_relay_account(options),
            outbound_proxy=None
            if options.proxy is None
            else _over(options.proxy, options.transport),
        )
        self.endpoint = Endpoint(settings, self._refuse)

    async def run(self) -> None:
        """Call and converse; raises CallFailed."""
        async with AsyncExitStack() as call:
            chat = await self._dial(call)
            self.was_heard = True
            self.conversation = Conversation(
                chat, self._front_end, self._options.linger, self._focus
            )
            await self.conversation.run()

    @property
    def _focus(self) -> Focus:
        """How to ask the room for more than messages, the way that the call went."""
        options = self._options
        uri = _over(options.target, None if options.proxy else options.transport)
        return Focus(UserAgent(self.endpoint), str(uri), options.credentials)

    @property
    def _place(self) -> tuple[str, int, str]:
        """Host, port and transport of the server that is tried first."""
        server = self._destination.servers[0]
        return *server.address, server.transport

    async def _dial(self, call: AsyncExitStack) -> Chat:
        host, port, transport = self._place
        self._tell(f"Calling {self._options.target} over {transport} …")
        outcome: Chat | str | None = None
        with trio.move_on_after(self._options.timeout) as scope:
            self._dialling = scope
            outcome = await self._enter(call)
        if isinstance(outcome, Chat):
            return outcome
        raise CallFailed(
            outcome
            or f"no answer from {host} port {port} over {transport} within {self._patience:g} s"
        )

    async def _enter(self, call: AsyncExitStack) -> Chat | str:
        """Return the chat, or why there is none."""
        dialled = Dialled(
            self.endpoint,
            self._destination,
            accept_types=("message/cpim", "text/*"),
            # We can tell who is meant, and by what name (RFC 7701 section 8).
            chatroom=("nickname", "private-messages"),
            on_ringing=self._ringing,
            invite_timeout=RING_TIMEOUT,
            credentials=self._options.credentials,
        )
        try:
            return await call.enter_async_context(dialled)
        except TransportError as error:
            # It may repeat words of the relay.
            return harmless(str(error))
        except SessionEnded as error:
            reason = harmless(error.reason)
            if reason == _UNREACHABLE:
                host, port, transport = self._place
                return f"cannot connect to {render_host(host)}:{port} over {transport}: {reason}"
            if error.status is None or reason.startswith(_OWN_REASONS):
                return reason
            answer = f"the server answered {error.status} {reason}"
            if error.status not in _CHALLENGES:
                return answer
            if self._options.credentials is None:
                return f"{answer}: give --from and --password-file"
            return f"{answer}: it does not take this user and password"

    def _ringing(self, status: int) -> None:
        self._tell("Ringing …" if status == 180 else f"The other side answers {status} …")
        self.was_heard = True
        self._patience = RING_TIMEOUT
        if self._dialling is not None:
            self._dialling.deadline = trio.current_time() + RING_TIMEOUT

    def _refuse(self, incoming: IncomingRequest) -> None:
        """Answer whoever calls us: a chat of this kind only calls."""
        core, request = self.endpoint.core, incoming.request
        busy = request.method == "INVITE"
        response = Response.to_request(
            request,
            _BUSY_HERE if busy else _METHOD_NOT_ALLOWED,
            to_tag=core.new_tag(),
            headers=() if busy else [("Allow", _ALLOW)],
        )
        core.respond(incoming.transaction, response, trio.current_time())
        self.endpoint.flush()

    def _tell(self, text: str) -> None:
        if self._front_end.shows_own:
            self._front_end.show([[("class:notice", harmless(text))]])


def _over(uri: SipURI, transport: str | None) -> SipURI:
    """Return a URI by which its host is reached over `transport`, if that is given."""
    if transport is None:
        return uri
    return replace(uri, params={**uri.params, "transport": transport})


def _relay_account(options: CallOptions) -> RelayAccount | None:
    credentials = options.credentials
    if options.relay is None or credentials is None:
        return None
    password = RelayPassword(credentials.username, credentials.password, secrets.token_hex)
    return RelayAccount(options.relay, password)


async def _leave_on_signal(leaving: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            leaving.cancel()
