import socket
from ipaddress import IPv4Interface, IPv6Interface

import trio
import trio.testing

from sylk.net.interfaces import Interface, InterfaceWatch, list_interfaces

LAN = Interface(
    7,
    "lan0",
    is_up=True,
    is_loopback=False,
    takes_multicast=True,
    networks=(IPv6Interface("fe80::1/64"), IPv4Interface("192.0.2.1/24")),
)


def test_lists_what_the_system_has() -> None:
    found = {interface.name: interface for interface in list_interfaces()}
    assert {one.name: one.index for one in found.values()} == {
        name: index for index, name in socket.if_nameindex()
    }
    loopback = next(one for one in found.values() if one.is_loopback)
    assert loopback.is_up
    assert "127.0.0.1" in loopback.addresses


def test_addresses_come_with_ipv4_first() -> None:
    assert LAN.addresses == ("192.0.2.1", "fe80::1")


def test_reaches_what_is_in_its_networks() -> None:
    assert LAN.reaches("192.0.2.77")
    assert LAN.reaches("fe80::9%lan0")
    assert not LAN.reaches("198.51.100.1")
    assert not LAN.reaches("nonsense")


async def test_a_watch_is_silent_while_nothing_changes() -> None:
    watch = InterfaceWatch()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.wait_changed)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    finally:
        watch.close()
