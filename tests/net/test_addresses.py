"""Tests of sylk.net.addresses."""

import resource
import socket

import pytest

from sylk.errors import TransportError
from sylk.net.addresses import (
    family_of,
    is_ip_literal,
    local_address_towards,
    look_up,
    plain_address,
    take_both_families,
)


@pytest.mark.parametrize(
    ("sockaddr", "plain"),
    [
        (("192.0.2.1", 5060), ("192.0.2.1", 5060)),
        (("2001:db8::1", 5060, 0, 0), ("2001:db8::1", 5060)),
        (("::ffff:192.0.2.1", 5060, 0, 0), ("192.0.2.1", 5060)),
        (("::ffff:1", 5060, 0, 0), ("::ffff:1", 5060)),
        (("fe80::1%eth0", 5060, 0, 2), ("fe80::1", 5060)),
    ],
)
def test_plain_address(sockaddr: tuple[object, ...], plain: tuple[str, int]) -> None:
    assert plain_address(sockaddr) == plain


def test_family_of() -> None:
    assert family_of("192.0.2.1") is socket.AF_INET
    assert family_of("") is socket.AF_INET
    assert family_of("::1") is socket.AF_INET6


@pytest.mark.parametrize(
    ("host", "literal"),
    [("192.0.2.1", True), ("::1", True), ("example.com", False), ("192.0.2", False), ("", False)],
)
def test_is_ip_literal(host: str, literal: bool) -> None:
    assert is_ip_literal(host) is literal


def test_loopback_is_reached_from_loopback() -> None:
    assert local_address_towards(("127.0.0.2", 5060)) == "127.0.0.1"
    assert local_address_towards(("127.0.0.1", 0)) == "127.0.0.1"


@pytest.mark.parametrize("host", ["255.255.255.255", "192.0.2.1.2"])
def test_what_has_no_route_says_so(host: str) -> None:
    with pytest.raises(TransportError, match="no route to"):
        local_address_towards((host, 5060))


def test_without_descriptors_there_is_no_route() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(TransportError, match="Too many open files"):
            local_address_towards(("127.0.0.1", 5060))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
async def test_a_literal_needs_no_look_up(host: str) -> None:
    assert await look_up(host, 5060) == [(host, 5060)]


async def test_a_name_is_looked_up() -> None:
    found = await look_up("localhost", 5060)
    assert {("127.0.0.1", 5060), ("::1", 5060)} & set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".invalid", "a..invalid", ""])
async def test_a_name_that_nobody_has_says_so(host: str) -> None:
    with pytest.raises(TransportError):
        await look_up(host, 5060)


@pytest.mark.parametrize(("host", "serves_both"), [("::", True), ("::1", False)])
def test_only_the_address_of_both_families_serves_both(host: str, serves_both: bool) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        take_both_families(sock, host)
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == (not serves_both)
