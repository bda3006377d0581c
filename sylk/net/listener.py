"""A listening TCP port: accepts for ever, whatever a single connection or the system does."""

import logging
import socket
from collections.abc import Awaitable, Callable

import trio

from sylk.errors import ListenError, TransportError
from sylk.net.addresses import family_of, plain_address, take_both_families
from sylk.net.connection_limits import ConnectionGate, ConnectionLimits
from sylk.net.patient_listener import EXHAUSTED, EXHAUSTED_PAUSE
from sylk.net.stream import ByteStream, TcpStream, close_socket, transport_error
from sylk.sip.flow import show_address

logger = logging.getLogger("sylk.net")

_BACKLOG = 4096


class TcpListener:
    """One listening TCP socket; what is over its `limits` is closed at once."""

    def __init__(self, host: str, port: int, limits: ConnectionLimits) -> None:
        """Bind and listen (port 0: the system chooses); raises TransportError."""
        try:
            self._socket = socket.socket(family_of(host), socket.SOCK_STREAM)
            try:
                take_both_families(self._socket, host)
                self._socket.setblocking(False)
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self._socket.bind((host, port))
                self._socket.listen(_BACKLOG)
            except OSError:
                self._socket.close()
                raise
        except OSError as error:
            reason = transport_error(error)
            raise ListenError("tcp", host, port, reason, error.errno) from error
        self.local = plain_address(self._socket.getsockname())
        self._gate = ConnectionGate(limits)

    @property
    def connections(self) -> int:
        """How many connections are being served."""
        return self._gate.connections

    @property
    def refused(self) -> int:
        """How many connections were closed at once because there were too many."""
        return self._gate.refused

    async def run(
        self, nursery: trio.Nursery, serve: Callable[[ByteStream], Awaitable[None]]
    ) -> None:
        """Accept until closed; each connection is one task of `nursery` that runs `serve`."""
        await self.hand_out(lambda stream: nursery.start_soon(self._serve, stream, serve))

    async def hand_out(self, take: Callable[[TcpStream], None]) -> None:
        """Accept until closed; whoever takes a connection closes it and then calls `release`."""
        while True:
            accepted = await self._accept()
            if accepted is None:
                return
            sock, address = accepted
            if not self._gate.admit(address, self.local[1], trio.current_time()):
                sock.close()
                continue
            try:
                stream = TcpStream(sock)
            except TransportError:
                self._gate.released(address)
                continue
            take(stream)

    def release(self, stream: ByteStream) -> None:
        """Count a connection no more: it has been closed."""
        self._gate.released(stream.remote[0])

    async def _accept(self) -> tuple[socket.socket, str] | None:
        """Return the next connection and where it comes from, None when the port was closed."""
        is_exhausted = False
        while self._socket.fileno() >= 0:
            try:
                await trio.lowlevel.wait_readable(self._socket)
                sock, peer = self._socket.accept()
                return sock, plain_address(peer)[0]
            except BlockingIOError:
                continue
            except trio.ClosedResourceError:
                break
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    # The peer was gone before we came to it.
                    continue
                if not is_exhausted:
                    port = self.local[1]
                    logger.warning("cannot accept on tcp port %d for now: %s", port, error.strerror)
                is_exhausted = True
                await trio.sleep(EXHAUSTED_PAUSE)
        return None

    async def _serve(
        self, stream: ByteStream, serve: Callable[[ByteStream], Awaitable[None]]
    ) -> None:
        try:
            await serve(stream)
        except TransportError as error:
            logger.debug("connection from %s: %s", show_address(stream.remote), error)
        except Exception:
            # One connection's bug must not close the port for everybody.
            logger.exception("serving the connection from %s failed", show_address(stream.remote))
        finally:
            self.release(stream)
            stream.close()

    def close(self) -> None:
        """Stop listening."""
        close_socket(self._socket)
