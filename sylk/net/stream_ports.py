"""The stream ports of one protocol: TCP in clear and TLS, served alike."""

from collections.abc import Awaitable, Callable

import trio

from sylk.errors import TransportError
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.listener import TcpListener
from sylk.net.stream import ByteStream
from sylk.net.tls import TlsContexts, TlsStream, accept_tls
from sylk.sip.flow import Address

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
            tls_stream = await self._accept_tls(stream)
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
            tls_stream = None
            try:
                tls_stream = await self._accept_tls(stream)
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

    async def _accept_tls(self, stream: ByteStream) -> TlsStream | None:
        assert self._tls is not None
        return await accept_tls(
            stream,
            self._tls,
            self._handshake_timeout,
            asks_certificate=self._asks_certificates,
        )

    def close(self) -> None:
        """Stop listening."""
        for listener in self._listeners.values():
            listener.close()
