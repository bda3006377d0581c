"""One SIP connection over a stream: what it brings is read in fair turns, a message at a time.

A peer whose requests are too many is read more slowly, and TCP tells it so: what it cannot send
costs us nothing.
"""

import logging
from collections.abc import Callable
from typing import Protocol

import trio

from sylk.net.outbox import Outbox
from sylk.net.stream import ByteStream
from sylk.net.turns import Turns
from sylk.sip.flow import Flow, show_address
from sylk.sip.message import Message, Request, Response
from sylk.sip.parser import Limits, MalformedMessage
from sylk.sip.stream import KeepAlivePing, StreamParser

logger = logging.getLogger("sylk.sip")

Trace = Callable[[bool, bytes, Message | MalformedMessage | None, Flow], None]
"""Called with whether octets came (or went), the octets, what they are (None: a keep-alive), and
their flow."""

_PING = b"\r\n\r\n"
_PONG = b"\r\n"
_PAUSE = 1.0
"""Seconds for which a connection is not read whose source sends more than it may."""


class Bounds(Protocol):
    """How much of a message is taken, and how long it may take, in seconds."""

    limits: Limits
    idle_timeout: float
    message_timeout: float


class Taker(Protocol):
    """Who gets what a connection brings."""

    turns: Turns
    trace: Trace | None

    def give(
        self, message: Request | Response | MalformedMessage, flow: Flow, octets: bytes, /
    ) -> None:
        """Take a message."""
        ...

    def in_use(self, flow: Flow, /) -> bool:
        """Tell whether a connection is to be kept although it is silent."""
        ...


class SipConnection:
    """One SIP connection over a stream."""

    def __init__(
        self, stream: ByteStream, flow: Flow, outbox: Outbox, bounds: Bounds, taker: Taker
    ) -> None:
        self.stream = stream
        self.flow = flow
        self.outbox = outbox
        self._bounds = bounds
        self._taker = taker
        self._is_paused = False

    def pause(self) -> None:
        """Read on after a second only."""
        self._is_paused = True

    async def read(self) -> None:
        """Read until the end, or until the peer has lost its right; raises TransportError."""
        parser = StreamParser(self._bounds.limits)
        incomplete_since: float | None = None
        while (data := await self._receive(incomplete_since)) is not None:
            if logger.isEnabledFor(logging.DEBUG):
                log_octets("received from", self.flow, data)
            parser.receive_data(data)
            try:
                completed = await self._take_messages(parser)
            except MalformedMessage as fault:
                self._taker.give(fault, self.flow, parser.octets)
                return
            if parser.is_idle:
                incomplete_since = None
            elif completed or incomplete_since is None:
                incomplete_since = trio.current_time()

    async def _receive(self, incomplete_since: float | None) -> bytes | None:
        """Return the next bytes, None at the end and when the peer has taken too long."""
        settings, flow = self._bounds, self.flow
        while True:
            if incomplete_since is None:
                scope, fault = trio.move_on_after(settings.idle_timeout), "silent for too long"
            else:
                scope = trio.move_on_at(incomplete_since + settings.message_timeout)
                fault = "a message took too long"
            with scope:
                data = await self.stream.receive()
                # The end costs something too, and thousands may end at one moment.
                await self._taker.turns.take()
                return data or None
            if incomplete_since is None and self._taker.in_use(flow):
                continue
            logger.info("connection with %s closed: %s", show_address(flow.remote), fault)
            return None

    async def _take_messages(self, parser: StreamParser) -> bool:
        """Hand on what is complete and tell whether anything was; raises when framing is lost."""
        completed = False
        while True:
            parser.keep_octets = self._taker.trace is not None
            try:
                event = parser.next_event()
            except MalformedMessage as fault:
                if fault.framing_lost:
                    raise
                self._taker.give(fault, self.flow, parser.octets)
            else:
                if event is None:
                    self._taker.turns.is_over()
                    return completed
                if isinstance(event, KeepAlivePing):
                    self._answer_ping()
                else:
                    self._taker.give(event, self.flow, parser.octets)
            completed = True
            if self._is_paused:
                # TCP tells the peer: what it sends meanwhile costs nothing but its own buffers.
                self._is_paused = False
                await trio.sleep(_PAUSE)
            await self._taker.turns.next()

    def _answer_ping(self) -> None:
        if self._taker.trace is not None:
            self._taker.trace(True, _PING, None, self.flow)
            self._taker.trace(False, _PONG, None, self.flow)
        self.outbox.write(_PONG)


def log_octets(direction: str, flow: Flow, data: bytes) -> None:
    """Write octets of the wire into the log."""
    text = data.decode("utf-8", "backslashreplace").replace("\r\n", "\n").rstrip()
    remote = show_address(flow.remote)
    logger.debug("%s %s over %s", direction, remote, flow.transport, extra={"detail": text})
