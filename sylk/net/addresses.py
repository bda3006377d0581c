"""Socket addresses: which family, which local address reaches a peer, which hosts a name has."""

import ipaddress
import socket

import trio

from sylk.errors import TransportError
from sylk.sip.flow import Address

WILDCARDS = frozenset({"", "0.0.0.0", "::"})


def family_of(host: str) -> socket.AddressFamily:
    """Return the address family of an IP literal."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def plain_address(sockaddr: tuple[object, ...]) -> Address:
    """Return (host, port) of what the socket module gives for IPv4 and IPv6 alike.

    An IPv4 peer of a dual-stack socket is given in its IPv4 form.
    """
    host, port = str(sockaddr[0]), sockaddr[1]
    if host.startswith("::ffff:") and "." in host:
        host = host[7:]
    assert isinstance(port, int)
    return host.partition("%")[0], port


def take_both_families(sock: socket.socket, host: str) -> None:
    """Let a socket that is to be bound to `::` serve IPv4 as well, however the machine is set up.

    On an address of its own family it serves nothing else.
    """
    if host == "::":
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)


def is_ip_literal(host: str) -> bool:
    """Tell whether `host` is an IPv4 or IPv6 address and needs no look-up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def local_address_towards(remote: Address) -> str:
    """Return the address of this host that packets to `remote` leave from.

    Asks the routing table through an unconnected UDP socket: nothing is sent.
    Raises TransportError when there is no route.
    """
    try:
        with socket.socket(family_of(remote[0]), socket.SOCK_DGRAM) as probe:
            probe.connect((remote[0], remote[1] or 9))
            return plain_address(probe.getsockname())[0]
    except OSError as error:
        raise TransportError(f"no route to {remote[0]}: {error.strerror}") from error


async def look_up(host: str, port: int) -> list[Address]:
    """Return the addresses of `host`, in the order to try; an IP literal is its own.

    Raises TransportError when the name has none.
    """
    if is_ip_literal(host):
        await trio.lowlevel.checkpoint()
        return [(host, port)]
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TransportError(f"cannot find the host {host}: {error.strerror}") from error
    except UnicodeError as error:
        # Labels that are empty or too long do not even get as far as a look-up.
        raise TransportError(f"{host} is no host name") from error
    return list(dict.fromkeys(plain_address(info[4]) for info in found))
