"""SIP as a worker has it: over a link to the front, which owns all the sockets.

It does for a worker what `SipTransports` does for a server that is alone. A flow names a socket of
the front, and is known here from the moment that something came over it, or that it was opened for
us, until the front says that it is gone.
"""

import itertools
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio

from sylk.errors import TransportError
from sylk.net.addresses import WILDCARDS, local_address_towards
from sylk.net.sip_connection import Trace, log_octets
from sylk.net.sip_transports import SipTransports, SipTransportSettings
from sylk.net.tls import TlsContexts
from sylk.net.turns import Turns
from sylk.net.worker_link import (
    Carried,
    Frame,
    Gone,
    InUse,
    Open,
    Opened,
    Pause,
    Ready,
    Waiting,
    WorkerLink,
)
from sylk.sip.flow import Address, Flow
from sylk.sip.message import Message, Request, Response
from sylk.sip.parser import MalformedMessage, parse_message

logger = logging.getLogger("sylk.sip")

IN_USE_INTERVAL = 10.0
"""Seconds between two words to the front on which connections are in use.

A connection may be silent for 32 seconds at least before the front closes it.
"""

OnMessage = Callable[[Request | Response | MalformedMessage, Flow], None]
OnFailure = Callable[[Flow], None]
InUseCheck = Callable[[Flow], bool]


@dataclass(slots=True)
class FrontSettings:
    """The front of a worker: its end of the link, where it listens, what it speaks."""

    sock: socket.socket
    listening: Sequence[tuple[str, Address]]
    spoken: tuple[str, ...]
    token_mark: str
    """What our tags and branches begin with, so that the front knows whose they are."""


class FrontedTransports:
    """The flows of a worker; see `SipTransports`."""

    def __init__(
        self,
        front: FrontSettings,
        settings: SipTransportSettings,
        on_message: OnMessage,
        on_failure: OnFailure,
        *,
        in_use: InUseCheck = lambda flow: False,
    ) -> None:
        self._front = front
        self._settings = settings
        self._on_message = on_message
        self._on_failure = on_failure
        self._in_use = in_use
        self._link: WorkerLink | None = None
        self._flows: dict[Flow, frozenset[str]] = {}
        """The connections that are known, and what their peers have proven."""
        self._by_remote: dict[Address, Flow] = {}
        self._slow: dict[Flow, int] = {}
        """How many bytes wait at the front for whom."""
        self._numbers = itertools.count()
        self._opening: dict[int, trio.MemorySendChannel[Opened]] = {}
        self.trace: Trace | None = None
        """Who is shown each message that comes or goes; it can change at any time."""
        self.received = 0
        """Messages that came."""
        self.lost = trio.Event()
        """Set when the front is gone: there is nobody to serve any more."""

    @property
    def listening(self) -> list[tuple[str, Address]]:
        """The (transport, address) pairs that the front has bound."""
        return list(self._front.listening)

    @property
    def spoken(self) -> tuple[str, ...]:
        """The transports over which a request of ours can go, the default one first."""
        return self._front.spoken

    @property
    def connection_count(self) -> int:
        """How many connections of the front are known here."""
        return len(self._flows)

    @property
    def waiting(self) -> int:
        """How many bytes wait for the front."""
        return 0 if self._link is None else self._link.waiting

    def backlog(self, flow: Flow) -> int:
        """Return how many bytes wait for the peer of a connection, here and at the front."""
        return self.waiting + self._slow.get(flow, 0) if flow in self._flows else 0

    def proven_domains(self, flow: Flow) -> frozenset[str]:
        """Return the SIP domains that the peer of a TLS connection has a certificate for."""
        return self._flows.get(flow, frozenset())

    def sent_by(self, flow: Flow) -> Address:
        """Return the host and port at which the peer of `flow` can open a way to us."""
        port = dict(self.listening).get(flow.transport, flow.local)[1]
        return self._settings.advertised_host or flow.local[0], port

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry messages until cancelled."""
        async with trio.open_nursery() as nursery:
            link = self._link = WorkerLink(self._front.sock, nursery, self._give_up)
            nursery.start_soon(self._tell_use, link)
            task_status.started()
            try:
                turns = Turns()
                async for frame in link.frames():
                    await turns.take()
                    self._take(frame)
                    await turns.next()
                self.lost.set()
                await trio.sleep_forever()
            finally:
                self.close()

    def close(self) -> None:
        """Close the link."""
        if self._link is None:
            self._front.sock.close()
        else:
            self._link.close()

    def tell_ready(self) -> None:
        """Tell the front that requests are served."""
        assert self._link is not None, "it runs"
        self._link.send(Ready())

    # Sending

    def flow_to(
        self, transport: str, remote: Address, local_host: str | None = None
    ) -> Flow | None:
        """Return a flow to `remote` that is known: always for UDP; see `SipTransports`."""
        if transport != "udp":
            flow = self._by_remote.get(remote)
            return flow if flow is not None and flow.transport == transport else None
        udp = dict(self.listening).get("udp")
        if udp is None:
            raise TransportError("UDP is switched off: set local_udp_port")
        host = udp[0]
        if host in WILDCARDS:
            host = local_host or local_address_towards(remote)
        return Flow("udp", (host, udp[1]), remote)

    async def open_flow(self, transport: str, remote: Address, domain: str | None = None) -> Flow:
        """Return a flow to `remote`, which the front has or opens; raises TransportError."""
        flow = self.flow_to(transport, remote)
        if flow is not None:
            await trio.lowlevel.checkpoint()
            return flow
        assert self._link is not None, "it runs"
        number = next(self._numbers)
        self._opening[number], answers = trio.open_memory_channel[Opened](1)
        try:
            self._link.send(Open(number, transport, remote, domain))
            opened = await answers.receive()
        finally:
            del self._opening[number]
        if opened.flow is None:
            raise TransportError(opened.fault)
        return opened.flow

    def is_alive(self, flow: Flow) -> bool:
        """Tell whether `flow` can still carry a message."""
        return not flow.reliable or flow in self._flows

    def send(self, message: Message, flow: Flow) -> None:
        """Send one message; a failure is told through `on_failure`."""
        if not self.is_alive(flow):
            self._on_failure(flow)
            return
        assert self._link is not None, "it runs"
        data = message.render()
        if logger.isEnabledFor(logging.DEBUG):
            log_octets("sent to", flow, data)
        if self.trace is not None:
            self.trace(False, data, message, flow)
        self._link.send(Carried(flow, data))

    def pause(self, flow: Flow) -> None:
        """Have the front read on after a second only: the peer sends more than it may."""
        if self._link is not None and flow.reliable:
            self._link.send(Pause(flow))

    # Receiving

    def _take(self, frame: Frame) -> None:
        try:
            match frame:
                case Carried(flow, octets, proven_domains):
                    self._know(flow, proven_domains)
                    self._receive(octets, flow)
                case Gone(flow):
                    self._forget(flow)
                case Waiting(flow, 0):
                    self._slow.pop(flow, None)
                case Waiting(flow, size):
                    self._slow[flow] = size
                case Opened(number, flow):
                    if flow is not None:
                        self._know(flow, frozenset())
                    if number in self._opening:
                        self._opening[number].send_nowait(frame)
                case _:
                    raise AssertionError(f"a front sends no {frame}")
        except Exception:
            # A bug that one message brings out must not end the others.
            logger.exception("handling what the front sent failed")

    def _know(self, flow: Flow, proven_domains: frozenset[str]) -> None:
        if flow.reliable and flow not in self._flows:
            self._flows[flow] = proven_domains
            self._by_remote[flow.remote] = flow

    def _receive(self, octets: bytes, flow: Flow) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            log_octets("received from", flow, octets)
        message = parse_message(octets, self._settings.limits)
        self.received += 1
        if self.trace is not None:
            self.trace(True, octets, message, flow)
        self._on_message(message, flow)

    def _forget(self, flow: Flow) -> None:
        self._flows.pop(flow, None)
        self._slow.pop(flow, None)
        if self._by_remote.get(flow.remote) == flow:
            del self._by_remote[flow.remote]
        self._on_failure(flow)

    async def _tell_use(self, link: WorkerLink) -> None:
        while True:
            await trio.sleep(IN_USE_INTERVAL)
            link.send(InUse([flow for flow in self._flows if self._in_use(flow)]))

    def _give_up(self, reason: str) -> None:
        logger.error("the front takes nothing any more: %s", reason)
        self.lost.set()


Transports = SipTransports | FrontedTransports


def open_transports(
    settings: SipTransportSettings,
    front: FrontSettings | None,
    tls: TlsContexts | None,
    on_message: OnMessage,
    on_failure: OnFailure,
    in_use: InUseCheck,
) -> Transports:
    """Return sockets of our own, or where there is a front, those of the front.

    Raises TransportError.
    """
    if front is not None:
        return FrontedTransports(front, settings, on_message, on_failure, in_use=in_use)
    return SipTransports(settings, on_message, on_failure, in_use=in_use, tls=tls)
