"""How many connections are taken, in all and of one source."""

import logging

import pytest

from sylk.net.connection_limits import ConnectionGate, ConnectionLimits

HERE, THERE = "192.0.2.1", "192.0.2.2"
PORT = 5060


def admitted(gate: ConnectionGate, *addresses: str, now: float = 0.0) -> list[bool]:
    return [gate.admit(address, PORT, now) for address in addresses]


def test_a_port_is_full() -> None:
    gate = ConnectionGate(ConnectionLimits(2))
    assert admitted(gate, HERE, THERE, HERE) == [True, True, False]
    assert (gate.connections, gate.refused) == (2, 1)
    gate.released(THERE)
    assert admitted(gate, HERE) == [True]


def test_one_source_cannot_take_all() -> None:
    gate = ConnectionGate(ConnectionLimits(100, max_per_source=2))
    assert admitted(gate, HERE, HERE, HERE, THERE) == [True, True, False, True]
    gate.released(HERE)
    assert admitted(gate, HERE, HERE) == [True, False]


def test_addresses_of_one_ipv6_site_are_one_source() -> None:
    gate = ConnectionGate(ConnectionLimits(100, max_per_source=2))
    addresses = ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::3")
    assert admitted(gate, *addresses) == [True, True, False, True]
    for address in addresses[:2]:
        gate.released(address)
    assert admitted(gate, *addresses[1:3]) == [True, True]


def test_new_connections_come_at_a_rate() -> None:
    gate = ConnectionGate(ConnectionLimits(1000, rate=10))
    assert admitted(gate, *[HERE] * 60) == [True] * 50 + [False] * 10
    assert admitted(gate, THERE) == [True]
    assert admitted(gate, *[HERE] * 2, now=0.11) == [True, False]


def test_who_is_exempt_has_the_limit_of_the_port_alone() -> None:
    limits = ConnectionLimits(20, 1, 1, lambda address: address == HERE)
    gate = ConnectionGate(limits)
    assert admitted(gate, *[HERE] * 25) == [True] * 20 + [False] * 5
    for _ in range(20):
        gate.released(HERE)
    assert (gate.connections, gate.sources) == (0, 0)
    assert admitted(gate, THERE, THERE) == [True, False]
    assert (gate.connections, gate.sources) == (1, 1)


def test_one_line_for_each_source_and_minute(caplog: pytest.LogCaptureFixture) -> None:
    gate = ConnectionGate(ConnectionLimits(100, max_per_source=1))
    admitted(gate, HERE, THERE)
    with caplog.at_level(logging.WARNING, "sylk.net"):
        for second in range(90):
            admitted(gate, HERE, HERE, THERE, now=float(second))
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split()[2] for line in lines] == [HERE, THERE, HERE, THERE]
    assert all("port 5060" in line and "max_connections_per_source" in line for line in lines)
    assert gate.refused == 270
