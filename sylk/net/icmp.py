"""What ICMP says of datagrams that did not arrive (RFC 3261 section 18.4).

Linux keeps it in a queue beside the socket, with the destination of the datagram, once it is asked
to. It also fails the next call on the socket, whatever that is about: see `UdpPort.send`.
"""

import socket
import struct

from sylk.net.addresses import plain_address
from sylk.sip.flow import Address

# Linux numbers; the socket module of Python 3.11 does not name them.
_IP_RECVERR: int = getattr(socket, "IP_RECVERR", 11)
_IPV6_RECVERR: int = getattr(socket, "IPV6_RECVERR", 25)
_MSG_ERRQUEUE: int = getattr(socket, "MSG_ERRQUEUE", 0x2000)

# struct sock_extended_err: errno, origin, type, code, and what is not needed here.
_EXTENDED_ERROR = struct.Struct("=IBBB")
_FROM_ICMP, _FROM_ICMPV6 = 2, 3
# Network, host, protocol and port unreachable; "too big" and what is administrative are left out.
_UNREACHABLE = {_FROM_ICMP: (3, (0, 1, 2, 3)), _FROM_ICMPV6: (1, (0, 3, 4))}
_CONTROL_SIZE = 256


def ask_for_errors(sock: socket.socket) -> None:
    """Let the system keep what ICMP says, of both families where a socket serves both."""
    sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)


def next_unreachable(sock: socket.socket) -> Address | None:
    """Return the next destination that cannot be reached, None when nothing more was said."""
    while True:
        try:
            _, ancillary, _, destination = sock.recvmsg(1, _CONTROL_SIZE, _MSG_ERRQUEUE)
        except OSError:
            return None
        if destination and any(_says_unreachable(*each) for each in ancillary):
            return plain_address(destination)


def _says_unreachable(level: int, kind: int, data: bytes) -> bool:
    expected = {socket.IPPROTO_IP: _IP_RECVERR, socket.IPPROTO_IPV6: _IPV6_RECVERR}
    if expected.get(level) != kind or len(data) < _EXTENDED_ERROR.size:
        return False
    _, origin, icmp_type, code = _EXTENDED_ERROR.unpack_from(data)
    known_type, codes = _UNREACHABLE.get(origin, (None, ()))
    return icmp_type == known_type and code in codes
