"""The front of several workers: it has the sockets of SIP, and gives each message to its worker.

It decides nothing but whose a message is (`sylk.sip.worker_choice`). By itself it answers what no
worker can: what is malformed, and what is for a worker that is not there, with 503 outside of a
dialog and with 481 inside of one, since the dialog is gone with the worker.
"""

import logging
import secrets
import socket
from collections.abc import Callable

import trio

from sylk.admission import BUSY
from sylk.errors import RemoteProtocolError, TransportError
from sylk.net.sip_transports import SipTransports
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
from sylk.session.endpoint import METHODS, EndpointSettings
from sylk.session.refusal_log import RefusalLog
from sylk.sip.core import UserAgentCore
from sylk.sip.events import Refused
from sylk.sip.flow import Flow
from sylk.sip.message import Message, Request, Response
from sylk.sip.parser import MalformedMessage
from sylk.sip.worker_choice import WorkerChoice

logger = logging.getLogger("sylk.front")


_BACKLOG_INTERVAL = 0.1
"""Seconds between two words to a worker on how much waits for a peer that is slow."""


class _Rendered(Message):
    """A message as a worker has rendered it."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def render(self) -> bytes:
        return self._octets


class Front:
    """The sockets of SIP for `count` workers; what cannot be bound raises TransportError."""

    def __init__(self, settings: EndpointSettings, count: int) -> None:
        self._choice = WorkerChoice(count, secrets.token_hex(4))
        self._links: list[WorkerLink | None] = [None] * count
        self._in_use: list[frozenset[Flow]] = [frozenset()] * count
        self._slow: set[tuple[int, Flow]] = set()
        """Which workers are being told of which flows that their peers are slow."""
        self._octets = b""
        self.transports = SipTransports(
            settings.sip,
            self._receive,
            self._flow_failed,
            in_use=lambda flow: any(flow in flows for flows in self._in_use),
            tls=settings.tls,
        )
        self.transports.trace = self._note_octets
        self._refusals = RefusalLog(settings.refusal_lines)
        self._core = UserAgentCore(
            methods=METHODS,
            supported=(),
            accept={},
            server_name=settings.name,
            random_token=lambda: secrets.token_hex(10),
            admit=_refuse,
        )

    def mark_of(self, index: int) -> str:
        """Return what tags and branches of a worker have to begin with."""
        return self._choice.mark_of(index)

    async def serve(
        self,
        index: int,
        sock: socket.socket,
        on_ready: Callable[[], None],
        on_stuck: Callable[[str], None],
    ) -> None:
        """Carry what a worker sends and gets over its socket, until it is gone.

        `on_stuck` is called with the reason when it takes nothing more.
        """
        async with trio.open_nursery() as nursery:
            link = self._links[index] = WorkerLink(sock, nursery, on_stuck)
            try:
                turns = self.transports.turns
                async for frame in link.frames():
                    await turns.take()
                    self._take(nursery, index, link, frame, on_ready)
                    await turns.next()
            finally:
                self._links[index] = None
                self._in_use[index] = frozenset()
                link.close()
            nursery.cancel_scope.cancel()

    # From the peers to the workers

    def _note_octets(
        self, came: bool, octets: bytes, _message: Message | MalformedMessage | None, _flow: Flow
    ) -> None:
        """Keep the octets of what `_receive` gets next."""
        if came:
            self._octets = octets

    def _receive(self, message: Request | Response | MalformedMessage, flow: Flow) -> None:
        if isinstance(message, MalformedMessage):
            self._answer(message, flow)
            return
        index = self._choice.choose(message)
        link = None if index is None else self._links[index]
        if link is not None:
            link.send(Carried(flow, self._octets, self.transports.proven_domains(flow)))
        elif isinstance(message, Request):
            self._answer(message, flow)

    def _flow_failed(self, flow: Flow) -> None:
        for link in self._links:
            if link is not None:
                link.send(Gone(flow))

    def _answer(self, message: Request | MalformedMessage, flow: Flow) -> None:
        """Refuse something by ourselves."""
        now = trio.current_time()
        self._core.receive_message(message, flow, now)
        while (event := self._core.next_event()) is not None:
            if isinstance(event, Refused):
                self._refusals.write(event, now)
        for answer, back in self._core.messages_to_send():
            self.transports.send(answer, back)

    # From the workers to the peers

    def _take(
        self,
        nursery: trio.Nursery,
        index: int,
        link: WorkerLink,
        frame: Frame,
        on_ready: Callable[[], None],
    ) -> None:
        try:
            match frame:
                case Carried(flow, octets):
                    self.transports.send(_Rendered(octets), flow)
                    if self.transports.backlog(flow) and (index, flow) not in self._slow:
                        self._slow.add((index, flow))
                        nursery.start_soon(self._tell_backlog, index, link, flow)
                case Pause(flow):
                    self.transports.pause(flow)
                case Open():
                    nursery.start_soon(self._open, link, frame)
                case InUse(flows):
                    self._in_use[index] = frozenset(flows)
                case Ready():
                    on_ready()
                case _:
                    raise AssertionError(f"a worker sends no {frame}")
        except Exception:
            # What one worker brings out must not end the others.
            logger.exception("handling what worker %d sent failed", index)

    async def _tell_backlog(self, index: int, link: WorkerLink, flow: Flow) -> None:
        try:
            while size := self.transports.backlog(flow):
                link.send(Waiting(flow, size))
                await trio.sleep(_BACKLOG_INTERVAL)
            link.send(Waiting(flow, 0))
        finally:
            self._slow.discard((index, flow))

    async def _open(self, link: WorkerLink, wish: Open) -> None:
        try:
            flow = await self.transports.open_flow(wish.transport, wish.remote, wish.domain)
        except TransportError as error:
            link.send(Opened(wish.number, None, str(error)))
        else:
            link.send(Opened(wish.number, flow))


def _refuse(_request: Request, _flow: Flow, _now: float) -> None:
    raise RemoteProtocolError("its worker is not there", 503, BUSY)
