"""The sockets of multicast DNS on one interface: one for IPv4, one for IPv6.

Each is bound to the group and not to every address, so that questions which are sent to this host
alone still reach the other responder that may run here, such as avahi-daemon; and each hears what
comes by its own interface alone.
"""

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import trio

from sylk.errors import TransportError
from sylk.net.interfaces import Interface
from sylk.net.stream import close_socket, transport_error
from sylk.sip.flow import Address

PORT: Final = 5353
GROUP_IPV4: Final = "224.0.0.251"
GROUP_IPV6: Final = "ff02::fb"

_HOPS = 255
"""By which others know that we are on their link (RFC 6762 section 11)."""

_MAX_DATAGRAM = 9000
_READ_BURST = 64
"""Datagrams taken between two checkpoints, so that a flood cannot hold up everybody else."""

# Linux numbers; the socket module of Python 3.11 does not name these.
_IP_MULTICAST_ALL = 49
_IPV6_MULTICAST_ALL = 29

Receive = Callable[[bytes, Address], None]
"""Called with a datagram and its source."""


class MdnsSockets:
    """What one interface hears of the group, and what it says there."""

    def __init__(self, interface: Interface) -> None:
        """Join the group on an interface, as far as it can; raises TransportError."""
        self.interface = interface
        self._sockets: list[tuple[socket.socket, tuple[str | int, ...]]] = []
        faults: list[OSError] = []
        versions = {network.version for network in interface.networks}
        for version, open_socket in ((4, self._open_ipv4), (6, self._open_ipv6)):
            if version in versions:
                try:
                    open_socket(interface.index)
                except OSError as error:
                    faults.append(error)
        if not self._sockets:
            error = faults[0] if faults else OSError(0, "it has no address")
            raise TransportError(
                f"no multicast DNS on {interface.name}: {transport_error(error)}"
            ) from error

    def _open_ipv4(self, index: int) -> None:
        member = struct.pack("=4s4si", socket.inet_aton(GROUP_IPV4), bytes(4), index)
        sock = self._open(socket.AF_INET, (GROUP_IPV4, PORT))
        try:
            for option, value in (
                (socket.IP_ADD_MEMBERSHIP, member),
                (_IP_MULTICAST_ALL, 0),
                (socket.IP_MULTICAST_IF, member),
                (socket.IP_MULTICAST_TTL, _HOPS),
                (socket.IP_TTL, _HOPS),
                (socket.IP_MULTICAST_LOOP, 1),
            ):
                sock.setsockopt(socket.IPPROTO_IP, option, value)
        except OSError:
            self._sockets.pop()
            sock.close()
            raise

    def _open_ipv6(self, index: int) -> None:
        member = struct.pack("=16si", socket.inet_pton(socket.AF_INET6, GROUP_IPV6), index)
        sock = self._open(socket.AF_INET6, (GROUP_IPV6, PORT, 0, index))
        try:
            for option, value in (
                (socket.IPV6_JOIN_GROUP, member),
                (_IPV6_MULTICAST_ALL, 0),
                (socket.IPV6_MULTICAST_IF, index),
                (socket.IPV6_MULTICAST_HOPS, _HOPS),
                (socket.IPV6_UNICAST_HOPS, _HOPS),
                (socket.IPV6_MULTICAST_LOOP, 1),
            ):
                sock.setsockopt(socket.IPPROTO_IPV6, option, value)
        except OSError:
            self._sockets.pop()
            sock.close()
            raise

    def _open(self, family: int, group: tuple[str | int, ...]) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
                sock.setsockopt(socket.SOL_SOCKET, option, 1)
            sock.bind(group)
        except OSError:
            sock.close()
            raise
        self._sockets.append((sock, group))
        return sock

    async def run(self, receive: Receive) -> None:
        """Hand every datagram to `receive`, until closed."""
        async with trio.open_nursery() as nursery:
            for sock, _ in self._sockets:
                nursery.start_soon(_read, sock, receive)

    def send(self, data: bytes, destination: Address | None = None) -> None:
        """Send a datagram to the group, or to one address.

        What cannot be sent is lost: all of it is said again, or asked for again.
        """
        for sock, group in self._sockets:
            if destination is None:
                with suppress(OSError):
                    sock.sendto(data, group)
            elif (sock.family == socket.AF_INET6) is (":" in destination[0]):
                scope = (0, self.interface.index) if sock.family == socket.AF_INET6 else ()
                with suppress(OSError):
                    sock.sendto(data, (*destination, *scope))

    def close(self) -> None:
        """Leave the group."""
        for sock, _ in self._sockets:
            close_socket(sock)


async def _read(sock: socket.socket, receive: Receive) -> None:
    while sock.fileno() >= 0:
        try:
            await trio.lowlevel.wait_readable(sock)
        except trio.ClosedResourceError:
            return
        for _ in range(_READ_BURST):
            try:
                data, source = sock.recvfrom(_MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:
                continue
            receive(data, (source[0].partition("%")[0], source[1]))
