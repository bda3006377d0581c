"""Byte streams over TCP, the one place where operating system errors become ours.

`ByteStream` is what everything above uses; a TLS stream takes the same shape.
"""

import errno
import os
import socket
from typing import Protocol

import trio

from sylk.errors import TransportError
from sylk.net.addresses import family_of, plain_address
from sylk.sip.flow import Address, show_address

RECEIVE_SIZE = 64 * 1024
"""Bytes asked for in one read: what one read brings is answered and passed on together.

More would come from memory that the allocator maps anew for each read, four times as slow.
"""


UNSENT_SIZE = 128 * 1024
"""Bytes that the kernel takes beyond what the peer is ready for; the rest waits with us.

Only here can a short message go before the rest of a large one, and be known that a peer is slow:
by itself the kernel takes up to 4 MiB.
"""


class ByteStream(Protocol):
    """A connected stream that can be written without waiting."""

    local: Address
    remote: Address

    def try_send(self, data: bytes | memoryview) -> int:
        """Write what the network takes at once and return how many bytes that was."""
        ...

    async def wait_sendable(self) -> None:
        """Wait until `try_send` is likely to take something."""
        ...

    def try_receive(self) -> bytes | None:
        """Return the bytes that have come, b"" at the end, and None when there are none yet."""
        ...

    async def receive(self) -> bytes:
        """Wait for bytes; b"" means that the peer has finished sending."""
        ...

    def fileno(self) -> int:
        """Return the descriptor on which to wait until `try_receive` is worth a try."""
        ...

    def close(self) -> None:
        """Close at once; a task that waits on the stream gets a TransportError."""
        ...


def transport_error(error: OSError) -> TransportError:
    """Map an operating system error to ours, in words that an operator understands."""
    name = errno.errorcode.get(error.errno or 0, "")
    return TransportError(f"{error.strerror or error}{f' ({name})' if name else ''}")


def close_socket(sock: socket.socket) -> None:
    """Close a socket and wake every task that waits on it; also before trio runs."""
    if sock.fileno() >= 0:
        if trio.lowlevel.in_trio_run():
            trio.lowlevel.notify_closing(sock)
        sock.close()


class TcpStream:
    """A TCP connection in clear."""

    __slots__ = ("_socket", "local", "remote")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_SIZE)
            self.local = plain_address(sock.getsockname())
            self.remote = plain_address(sock.getpeername())
        except OSError as error:
            sock.close()
            raise transport_error(error) from error
        self._socket = sock

    def try_send(self, data: bytes | memoryview) -> int:
        """Write what the kernel takes at once; raises TransportError when the peer is gone."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise transport_error(error) from error

    async def wait_sendable(self) -> None:
        """Wait until the kernel has room."""
        try:
            await trio.lowlevel.wait_writable(self._socket)
        except (OSError, trio.ClosedResourceError) as error:
            raise TransportError("the connection was closed") from error

    def try_receive(self) -> bytes | None:
        """Return what has come, b"" at the end, None when nothing has; raises TransportError."""
        try:
            return self._socket.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return None
        except OSError as error:
            raise transport_error(error) from error

    async def receive(self) -> bytes:
        """Return the next bytes, b"" at the end; always a checkpoint."""
        data: bytes | None = None
        while data is None:
            try:
                await trio.lowlevel.wait_readable(self._socket)
            except trio.ClosedResourceError as error:
                raise TransportError("the connection was closed") from error
            except OSError as error:
                raise transport_error(error) from error
            data = self.try_receive()
        return data

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket and wake whoever waits on it."""
        close_socket(self._socket)


async def connect_tcp(remote: Address, *, local_host: str | None = None) -> TcpStream:
    """Connect to `remote`; raises TransportError. The caller sets the deadline."""
    try:
        sock = socket.socket(family_of(remote[0]), socket.SOCK_STREAM)
    except OSError as error:
        raise transport_error(error) from error
    try:
        sock.setblocking(False)
        if local_host is not None:
            sock.bind((local_host, 0))
        try:
            sock.connect(remote)
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)
        failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))
        return TcpStream(sock)
    except OSError as error:
        sock.close()
        where = show_address(remote)
        raise TransportError(f"cannot connect to {where}: {error.strerror}") from error
    except BaseException:
        sock.close()
        raise
