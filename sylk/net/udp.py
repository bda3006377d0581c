"""A UDP port that knows which of its own addresses each datagram reached.

Bound to a wildcard address a host has several; an answer must leave from the one that was asked,
and the peer must be told that one. The kernel tells it beside the datagram (IP_PKTINFO).
"""

import errno
import socket
import struct
import time
from collections.abc import Callable

import trio

from sylk.errors import ListenError, TransportError
from sylk.net.addresses import WILDCARDS, family_of, plain_address, take_both_families
from sylk.net.icmp import ask_for_errors, next_unreachable
from sylk.net.stream import close_socket, transport_error
from sylk.net.turns import SLICE
from sylk.sip.flow import Address

MAX_DATAGRAM = 65535
_READ_BURST = 64
"""Datagrams taken between two checkpoints, so that a flood cannot hold up everybody else."""

_BUFFER_SIZE = 4 * 1024 * 1024
"""Bytes asked of the kernel for each direction; it may grant less."""

# Linux numbers; the socket module of Python 3.11 does not name the first.
_IP_PKTINFO: int = getattr(socket, "IP_PKTINFO", 8)
_IPV6_RECVPKTINFO: int = getattr(socket, "IPV6_RECVPKTINFO", 49)
_IPV6_PKTINFO: int = getattr(socket, "IPV6_PKTINFO", 50)
_CONTROL_SIZE = 128

Receive = Callable[[bytes, Address, Address], None]
"""Called with a datagram, the local address that it reached, and its source."""

Lost = Callable[[Address], None]
"""Called with the destination of a datagram of which ICMP says that it cannot be reached."""

_OF_EARLIER = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})
"""How the system fails a call because of what ICMP said of an earlier one."""
_MAX_EARLIER = 3
"""How many such failures in a row are taken for that."""


class UdpPort:
    """One bound UDP socket."""

    def __init__(self, host: str, port: int) -> None:
        """Bind to `host` and `port` (0: the system chooses); raises TransportError."""
        self._family = family_of(host)
        try:
            self._socket = socket.socket(self._family, socket.SOCK_DGRAM)
            try:
                take_both_families(self._socket, host)
                self._socket.setblocking(False)
                for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                    self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER_SIZE)
                self._ask_for_packet_info()
                ask_for_errors(self._socket)
                self._socket.bind((host, port))
            except OSError:
                self._socket.close()
                raise
        except OSError as error:
            raise transport_error(error) from error
        self.local = plain_address(self._socket.getsockname())
        self._is_wildcard = host in WILDCARDS
        self.dropped = 0
        """Datagrams that the kernel would not take for sending."""

    def _ask_for_packet_info(self) -> None:
        if self._family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
        else:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    async def run(self, receive: Receive, lost: Lost = lambda remote: None) -> None:
        """Hand every datagram to `receive`, until closed; `lost` is told who is not there."""
        while self._socket.fileno() >= 0:
            try:
                await trio.lowlevel.wait_readable(self._socket)
            except trio.ClosedResourceError:
                return
            end = time.monotonic() + SLICE
            for _ in range(_READ_BURST):
                if time.monotonic() >= end:
                    break
                try:
                    data, ancillary, _, source = self._socket.recvmsg(MAX_DATAGRAM, _CONTROL_SIZE)
                except BlockingIOError:
                    break
                except OSError:
                    # An ICMP error for something sent earlier: the port itself is well.
                    continue
                remote = plain_address(source)
                receive(data, (self._reached(ancillary), self.local[1]), remote)
            for _ in range(_READ_BURST):
                gone = next_unreachable(self._socket)
                if gone is None:
                    break
                lost(gone)

    def _reached(self, ancillary: list[tuple[int, int, bytes]]) -> str:
        for level, kind, data in ancillary if self._is_wildcard else ():
            if level == socket.IPPROTO_IP and kind == _IP_PKTINFO and len(data) >= 12:
                # The middle field is ours even when the packet was sent to all hosts.
                return socket.inet_ntop(socket.AF_INET, data[4:8])
            if level == socket.IPPROTO_IPV6 and kind == _IPV6_PKTINFO and len(data) >= 20:
                return plain_address((socket.inet_ntop(socket.AF_INET6, data[:16]), 0))[0]
        return self.local[0]

    def send(self, data: bytes, local: Address, remote: Address) -> None:
        """Send one datagram from the address `local`; raises TransportError.

        A full send buffer drops it, as any router on the way might: SIP sends again.
        """
        destination: tuple[str, int] = remote
        if self._family == socket.AF_INET6 and ":" not in remote[0]:
            destination = (f"::ffff:{remote[0]}", remote[1])
        try:
            for _ in range(_MAX_EARLIER):
                try:
                    self._send(data, local, destination)
                except OSError as error:
                    # Said of an earlier datagram, and now forgotten; `run` tells whose it was.
                    if error.errno not in _OF_EARLIER:
                        raise
                else:
                    return
            self._send(data, local, destination)
        except BlockingIOError:
            self.dropped += 1
        except OSError as error:
            raise transport_error(error) from error

    def _send(self, data: bytes, local: Address, destination: Address) -> None:
        if self._is_wildcard and local[0] not in WILDCARDS:
            self._socket.sendmsg([data], [self._source(local[0])], 0, destination)
        else:
            self._socket.sendto(data, destination)

    def _source(self, host: str) -> tuple[int, int, bytes]:
        if self._family == socket.AF_INET:
            info = struct.pack("=I4s4s", 0, socket.inet_pton(socket.AF_INET, host), bytes(4))
            return socket.IPPROTO_IP, _IP_PKTINFO, info
        text = host if ":" in host else f"::ffff:{host}"
        info = struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, text), 0)
        return socket.IPPROTO_IPV6, _IPV6_PKTINFO, info

    def close(self) -> None:
        """Close the socket."""
        close_socket(self._socket)


def bind_udp(host: str, port: int) -> UdpPort:
    """Bind a UDP port; raises TransportError that says which port and what to do."""
    try:
        return UdpPort(host, port)
    except TransportError as error:
        number = error.__cause__.errno if isinstance(error.__cause__, OSError) else None
        raise ListenError("udp", host, port, error, number) from error
