"""The stream ports of one protocol: TCP in clear and TLS, served alike."""

import logging
from collections.abc import Awaitable, Callable

import trio

from sylk.errors import TransportError
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.listener import TcpListener
from sylk.net.refusal_lines import RefusalLines
from sylk.net.stream import ByteStream
from sylk.net.tls import TlsContexts, TlsStream, tls_handshake
from sylk.sip.flow import Address, show_address

logger = logging.getLogger("sylk.net")

Serve = Callable[[ByteStream], Awaitable[None]]
Take = Callable[[ByteStream, Callable[[ByteStream], None]], None]
"""What takes a connection, and what is to be called when that has been closed."""


class StreamPorts:
    """Listens on a TCP and a TLS port, each if it is given a number (0: the system chooses)."""

    def __init__(
        self,
        host: str,
        tcp_port: int | None,
        tls_port: int | None,
        tls: TlsContexts | None,
        *,
        limits: ConnectionLimits,
        handshake_timeout: float,
        asks_certificates: bool = False,
    ) -> None:
        """Bind the ports; raises TransportError, with every port closed again.

        Without `tls` there is no TLS port, whatever its number. `limits` count for each port,
        `handshake_timeout` is in seconds. `asks_certificates` tells whether clients are asked for
        a certificate, where the settings say so.
        """
        self._tls = tls
        self._asks_certificates = asks_certificates
        self._handshake_timeout = handshake_timeout
        self._failures = RefusalLines(logger)
        self._listeners: dict[str, TcpListener] = {}
        wanted = {"tcp": tcp_port, "tls": None if tls is None else tls_port}
        try:
            for transport, port in wanted.items():
                if port is not None:
                    self._listeners[transport] = TcpListener(host, port, limits)
        except TransportError:
            self.close()
            raise

    @property
    def listening(self) -> list[tuple[str, Address]]:
        """The (transport, address) pairs that are bound."""
        return [(name, listener.local) for name, listener in self._listeners.items()]

    def start(self, nursery: trio.Nursery, serve: Serve) -> None:
        """Serve each connection by a task of `nursery`; a TLS one after its handshake."""

        async def serve_tls(stream: ByteStream) -> None:
            assert self._tls is not None
            tls_stream = await self._accept_tls(stream, self._tls)
            if tls_stream is not None:
                await serve(tls_stream)

        for transport, listener in self._listeners.items():
            nursery.start_soon(listener.run, nursery, serve_tls if transport == "tls" else serve)

    def hand_out(self, nursery: trio.Nursery, take: Take) -> None:
        """Give each connection away, a TLS one after its handshake, with what to call at its end.

        Whoever takes one closes it.
        """
        for transport, listener in self._listeners.items():
            nursery.start_soon(self._hand_out, nursery, listener, transport == "tls", take)

    async def _hand_out(
        self, nursery: trio.Nursery, listener: TcpListener, secure: bool, take: Take
    ) -> None:
        release = listener.release

        async def shake_hands(stream: ByteStream) -> None:
            assert self._tls is not None
            tls_stream = None
            try:
                tls_stream = await self._accept_tls(stream, self._tls)
            except Exception:
                # One connection's bug must not close the port for everybody.
                logger.exception("the handshake with %s failed", show_address(stream.remote))
            finally:
                if tls_stream is None:
                    stream.close()
                    release(stream)
            if tls_stream is not None:
                take(tls_stream, release)

        if secure:
            await listener.hand_out(lambda stream: nursery.start_soon(shake_hands, stream))
        else:
            await listener.hand_out(lambda stream: take(stream, release))

    def close(self) -> None:
        """Stop listening."""
        for listener in self._listeners.values():
            listener.close()

    async def _accept_tls(self, stream: ByteStream, contexts: TlsContexts) -> TlsStream | None:
        """Make a TLS connection of one that was accepted; None if that fails."""
        context = contexts.asking_context if self._asks_certificates else contexts.server_context
        patience = self._handshake_timeout
        reason = f"no handshake within {patience:g} s"
        with trio.move_on_after(patience):
            try:
                return await tls_handshake(stream, context, server_side=True, turns=contexts.turns)
            except TransportError as error:
                reason = str(error)
        level = self._failures.level_for(stream.remote[0], trio.current_time())
        logger.log(level, "no TLS with %s: %s", show_address(stream.remote), reason)
        return None
