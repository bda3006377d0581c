"""The interfaces of this machine and their addresses, and word of each change (rtnetlink(7))."""

import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import trio

from sylk.errors import TransportError

_NETLINK: Final[int] = getattr(socket, "AF_NETLINK", 16)
_ROUTE = 0
_GROUPS = 0x1 | 0x10 | 0x100  # links, IPv4 addresses, IPv6 addresses
_GET_LINK, _GET_ADDRESS = 18, 22
_NEW_LINK, _NEW_ADDRESS = 16, 20
_REQUEST_DUMP = 0x1 | 0x300
_DONE, _ERROR = 3, 2
_MESSAGE = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_NAME, _IF_ADDRESS, _IF_LOCAL, _IF_FLAGS = 3, 1, 2, 8
_TENTATIVE = 0x40 | 0x08  # IPv6: not proven to be ours alone, or proven not to be
_UP, _LOOPBACK, _POINT_TO_POINT, _RUNNING, _MULTICAST = 0x1, 0x8, 0x10, 0x40, 0x1000
_READ_SIZE = 256 * 1024

Network = ipaddress.IPv4Interface | ipaddress.IPv6Interface


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface as it is now."""

    index: int
    name: str
    is_up: bool
    """Whether it carries packets: it is up, and so is its link."""
    is_loopback: bool
    takes_multicast: bool
    networks: tuple[Network, ...] = ()
    """Its addresses, each with its network."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses alone, IPv4 first."""
        ordered = sorted(self.networks, key=lambda network: network.version)
        return tuple(str(network.ip) for network in ordered)

    def reaches(self, host: str) -> bool:
        """Tell whether an address is of a network that this interface is in.

        On loopback each is, since the system gives what is said there any address of its own.
        """
        if self.is_loopback:
            return True
        try:
            other = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        return any(other in network.network for network in self.networks)


def list_interfaces() -> list[Interface]:
    """Return the interfaces of this machine; raises TransportError where it does not tell."""
    networks: dict[int, list[Network]] = {}
    try:
        for kind, payload in _dump(_GET_ADDRESS):
            if kind == _NEW_ADDRESS:
                index, network = _read_address(payload)
                if network is not None:
                    networks.setdefault(index, []).append(network)
        links = [_read_link(payload) for kind, payload in _dump(_GET_LINK) if kind == _NEW_LINK]
    except OSError as error:
        raise TransportError(f"cannot list the interfaces: {error.strerror}") from error
    return [
        Interface(
            index,
            name,
            is_up=bool(flags & _UP and flags & _RUNNING),
            is_loopback=bool(flags & _LOOPBACK),
            takes_multicast=bool(flags & _MULTICAST) and not flags & _POINT_TO_POINT,
            networks=tuple(networks.get(index, ())),
        )
        for index, name, flags in links
    ]


class InterfaceWatch:
    """Tells when some interface or address has changed."""

    def __init__(self) -> None:
        """Begin to listen; raises TransportError where the system does not tell."""
        try:
            self._socket = socket.socket(_NETLINK, socket.SOCK_RAW, _ROUTE)
            try:
                self._socket.setblocking(False)
                self._socket.bind((0, _GROUPS))
            except OSError:
                self._socket.close()
                raise
        except OSError as error:
            raise TransportError(f"cannot follow the interfaces: {error.strerror}") from error

    async def wait_changed(self) -> None:
        """Wait until something has changed since the last call."""
        await trio.lowlevel.wait_readable(self._socket)
        while True:
            try:
                self._socket.recv(_READ_SIZE)
            except BlockingIOError:
                return
            except OSError:
                # More has changed than there was room for: all the more reason to look.
                return

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


def _dump(what: int) -> Iterator[tuple[int, bytes]]:
    """Return all messages with which the kernel answers a request for everything."""
    with socket.socket(_NETLINK, socket.SOCK_RAW, _ROUTE) as route:
        route.bind((0, 0))
        request = bytes(16)
        route.send(_MESSAGE.pack(_MESSAGE.size + len(request), what, _REQUEST_DUMP, 1, 0) + request)
        while True:
            data = route.recv(_READ_SIZE)
            while len(data) >= _MESSAGE.size:
                length, kind, *_ = _MESSAGE.unpack_from(data)
                if kind in (_DONE, _ERROR) or length < _MESSAGE.size:
                    return
                yield kind, data[_MESSAGE.size : length]
                data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = data[_ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]
    return found


def _read_link(payload: bytes) -> tuple[int, str, int]:
    _, _, index, flags, _ = _LINK.unpack_from(payload)
    name = _attributes(payload[_LINK.size :]).get(_NAME, b"").rstrip(b"\0")
    return index, name.decode("utf-8", "replace"), flags


def _read_address(payload: bytes) -> tuple[int, Network | None]:
    family, prefix, flags, _, index = _ADDRESS.unpack_from(payload)
    found = _attributes(payload[_ADDRESS.size :])
    if _IF_FLAGS in found:
        (flags,) = struct.unpack("=I", found[_IF_FLAGS])
    # Of a point-to-point link IFA_ADDRESS is the other end.
    packed = found.get(_IF_LOCAL) or found.get(_IF_ADDRESS)
    if packed is None or flags & _TENTATIVE:
        return index, None
    if family == socket.AF_INET:
        return index, ipaddress.IPv4Interface((packed, prefix))
    if family == socket.AF_INET6:
        return index, ipaddress.IPv6Interface((packed, prefix))
    return index, None
