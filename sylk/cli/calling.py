"""From the call to the goodbye: the endpoint, the INVITE, the conversation, the BYE."""

import signal
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import trio

from sylk import __version__
from sylk.cli.conversation import Conversation
from sylk.cli.front_end import FrontEnd
from sylk.cli.harmless import harmless
from sylk.cli.parties import make_caller
from sylk.errors import ConfigError, SessionEnded, TransportError
from sylk.net.addresses import family_of, local_address_towards
from sylk.net.msrp_port import MsrpPortSettings
from sylk.net.resolver import Resolver
from sylk.net.sip_transports import SipTransportSettings
from sylk.net.tls import TlsContexts
from sylk.session.chat import Chat
from sylk.session.dial import Credentials, Destination, Dialled
from sylk.session.endpoint import Endpoint, EndpointSettings
from sylk.sip.core import IncomingRequest
from sylk.sip.flow import Address
from sylk.sip.message import Response
from sylk.sip.uri import SipURI

RING_TIMEOUT = 120.0
"""Seconds that a call may ring before it is given up."""

BYE_GRACE = 3.0
"""Seconds in which, at the end, the peer may answer our BYE."""

_TRANSPORTS = ("udp", "tcp", "tls")
_PROBE_INTERVAL = 0.5
_KEEP_ALIVE = b"\r\n\r\n"
_CHALLENGES = (401, 407)
_BUSY_HERE = 486
_METHOD_NOT_ALLOWED = 405
_ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS"

# How a reason begins that is of our own making; any other is the phrase of a response.
_OWN_REASONS = ("no answer", "cannot be reached", "media", "the ACK", "the answer", "given up")


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
    """What to answer a server that asks for a password."""


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
    hop = options.proxy or options.target
    transports = _TRANSPORTS if options.transport is None else (options.transport,)
    target = (await Resolver().resolve(hop, transports))[0]
    remote, transport = target.address, target.transport
    tls: TlsContexts | None = None
    if transport == "tls" or options.secure_media:
        # It takes a tenth of a second, which a call in clear need not pay.
        from sylk.cli.client_tls import make_client_tls

        tls = make_client_tls(options.ca_file)
    destination = Destination(
        uri=options.target,
        caller=make_caller(options.name, options.caller, local_address_towards(remote)),
        transport=transport,
        proxy=SipURI("sip", None, None, remote[0], remote[1]),
        domain=target.server_name,
    )
    return _OutgoingChat(options, front_end, destination, remote, transport, tls)


class _OutgoingChat:
    """One call of ours, and the endpoint that it is made from."""

    def __init__(
        self,
        options: CallOptions,
        front_end: FrontEnd,
        destination: Destination,
        remote: Address,
        transport: str,
        tls: TlsContexts | None,
    ) -> None:
        """Bind the ports; raises TransportError."""
        self.conversation: Conversation | None = None
        self.was_heard = False
        """Whether there is a peer that may want to answer our goodbye."""
        self._options = options
        self._front_end = front_end
        self._destination = destination
        self._remote = remote
        self._transport = transport
        self._refusal: str | None = None
        self._patience = options.timeout
        self._dialling: trio.CancelScope | None = None
        host = "::" if family_of(remote[0]) is socket.AF_INET6 else "0.0.0.0"
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
            ),
        )
        self.endpoint = Endpoint(settings, self._refuse)

    async def run(self) -> None:
        """Call and converse; raises CallFailed."""
        async with AsyncExitStack() as call:
            chat = await self._dial(call)
            self.was_heard = True
            self.conversation = Conversation(chat, self._front_end, self._options.linger)
            await self.conversation.run()

    async def _dial(self, call: AsyncExitStack) -> Chat:
        self._tell(f"Calling {self._options.target} over {self._transport} …")
        outcome: Chat | str | None = None
        async with trio.open_nursery() as nursery:
            scope = self._dialling = nursery.cancel_scope
            scope.deadline = trio.current_time() + self._options.timeout
            if self._transport == "udp":
                nursery.start_soon(self._watch_for_refusal, scope)
            outcome = await self._enter(call)
            scope.cancel()
        if isinstance(outcome, Chat):
            return outcome
        host, port = self._remote
        raise CallFailed(
            outcome
            or self._refusal
            or f"no answer from {host} port {port} over {self._transport} "
            f"within {self._patience:g} s"
        )

    async def _enter(self, call: AsyncExitStack) -> Chat | str:
        """Return the chat, or why there is none."""
        dialled = Dialled(
            self.endpoint,
            self._destination,
            accept_types=("message/cpim", "text/*"),
            on_ringing=self._ringing,
            invite_timeout=RING_TIMEOUT,
            credentials=self._options.credentials,
        )
        try:
            return await call.enter_async_context(dialled)
        except TransportError as error:
            return str(error)
        except SessionEnded as error:
            reason = harmless(error.reason)
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

    async def _watch_for_refusal(self, scope: trio.CancelScope) -> None:
        """Give up as soon as the system says that nobody listens there.

        SIP itself sees nothing of that over UDP and would go on asking. The probe is a keep-alive
        of RFC 5626 section 3.5.1, which a server drops.
        """
        host, port = self._remote
        with trio.socket.socket(family_of(host), socket.SOCK_DGRAM) as probe:
            try:
                await probe.connect(self._remote)
                while True:
                    await probe.send(_KEEP_ALIVE)
                    with trio.move_on_after(_PROBE_INTERVAL):
                        await probe.recv(len(_KEEP_ALIVE))
            except ConnectionRefusedError:
                self._refusal = f"cannot connect to {host}:{port} over udp: connection refused"
                scope.cancel()
            except OSError:
                # The call itself will find the same, and say it.
                return

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


async def _leave_on_signal(leaving: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            leaving.cancel()
