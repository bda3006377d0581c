from ipaddress import IPv4Interface, IPv6Interface

import pytest

from sylk.errors import TransportError
from sylk.net.interfaces import Interface
from sylk.session.own_hosts import REFRESH_INTERVAL, OwnHosts


def interface(*hosts: str, is_up: bool = True) -> Interface:
    networks = tuple(IPv6Interface(one) if ":" in one else IPv4Interface(one) for one in hosts)
    return Interface(
        1, "lan0", is_up=is_up, is_loopback=False, takes_multicast=True, networks=networks
    )


class Machine:
    """Its interfaces, and how often they were asked for."""

    def __init__(self, *interfaces: Interface) -> None:
        self.interfaces = list(interfaces)
        self.now = 0.0
        self.asked = 0

    def list(self) -> list[Interface]:
        self.asked += 1
        return self.interfaces

    def hosts(self, bound: str = "0.0.0.0", *domains: str, advertised: str = "") -> OwnHosts:
        return OwnHosts(
            bound,
            domains,
            advertised=advertised or None,
            host_name="Desk.example.net",
            interfaces=self.list,
            clock=lambda: self.now,
        )


LAN = ("127.0.0.1/8", "192.0.2.1/24", "fe80::1/64", "2001:db8::1/64")


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"),
        *("192.0.2.1", "2001:db8:0::1", "desk", "desk.local", "Desk.example.net."),
        *("example.com", "203.0.113.5"),
    ],
)
def test_these_are_own(host: str) -> None:
    hosts = Machine(interface(*LAN)).hosts("0.0.0.0", "Example.com", advertised="203.0.113.5")
    assert hosts.is_own(host)


@pytest.mark.parametrize("host", ["192.0.2.2", "example.org", "", "desk.example.com"])
def test_these_are_not(host: str) -> None:
    assert not Machine(interface(*LAN)).hosts().is_own(host)


def test_an_interface_that_is_down_does_not_count() -> None:
    assert not Machine(interface("192.0.2.1/24", is_up=False)).hosts().is_own("192.0.2.1")


def test_is_shown_with_what_leads_here_from_elsewhere() -> None:
    machine = Machine(interface(*LAN))
    assert machine.hosts().shown == "192.0.2.1"
    assert machine.hosts("192.0.2.1").shown == "192.0.2.1"
    assert machine.hosts("127.0.0.1").shown == "127.0.0.1"
    assert machine.hosts("0.0.0.0", "example.com", "example.org").shown == "example.com"
    assert machine.hosts(advertised="203.0.113.5").shown == "203.0.113.5"
    assert Machine(interface("127.0.0.1/8", "2001:db8::1/64")).hosts().shown == "127.0.0.1"
    assert Machine(interface("127.0.0.1/8", "2001:db8::1/64")).hosts("::").shown == "2001:db8::1"


def test_what_is_kept_stays_when_the_machine_moves() -> None:
    assert Machine().hosts().lasting == "localhost"
    assert Machine().hosts("0.0.0.0", "example.com").lasting == "example.com"


def test_another_address_is_seen_after_a_while() -> None:
    machine = Machine(interface("192.0.2.1/24"))
    hosts = machine.hosts()
    assert hosts.is_own("192.0.2.1")
    machine.interfaces = [interface("192.0.2.9/24")]
    assert not hosts.is_own("192.0.2.9")
    assert machine.asked == 1
    machine.now += REFRESH_INTERVAL
    assert hosts.is_own("192.0.2.9")


def test_a_machine_that_does_not_tell_keeps_what_is_known() -> None:
    def fail() -> list[Interface]:
        raise TransportError("no")

    hosts = OwnHosts("0.0.0.0", interfaces=fail, host_name="desk")
    assert not hosts.is_own("192.0.2.1")
    assert hosts.is_own("127.0.0.1")
