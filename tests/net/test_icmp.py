"""What ICMP says of a datagram to a port where nobody is, on the loopback."""

import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest
import trio

from sylk.net.addresses import take_both_families
from sylk.net.icmp import ask_for_errors, next_unreachable


@contextmanager
def asking(bound: str) -> Generator[socket.socket]:
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        take_both_families(sock, bound)
        ask_for_errors(sock)
        sock.setblocking(False)
        sock.bind((bound, 0))
        yield sock


def unused_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("bound", "destination"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "::1"),
        ("::", "::1"),
        ("::", "127.0.0.1"),
    ],
)
async def test_a_port_where_nobody_is_is_named(bound: str, destination: str) -> None:
    port = unused_port(destination)
    mapped = f"::ffff:{destination}" if ":" in bound and "." in destination else destination
    with asking(bound) as sock:
        assert next_unreachable(sock) is None
        sock.sendto(b"x", (mapped, port))
        with trio.fail_after(10):
            await trio.lowlevel.wait_readable(sock)
        assert next_unreachable(sock) == (destination, port)
        assert next_unreachable(sock) is None


async def test_a_port_where_somebody_is_is_not_named() -> None:
    with asking("127.0.0.1") as sock, asking("127.0.0.1") as other:
        sock.sendto(b"x", other.getsockname())
        with trio.fail_after(10):
            await trio.lowlevel.wait_readable(other)
        assert next_unreachable(sock) is None
