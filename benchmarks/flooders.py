"""All kinds of floods, each a loop in a process of its own that does one thing."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.flood_room import leave_at_once, never_read, talk_without_pause
from benchmarks.flood_wire import (
    MANY,
    ONE,
    Ports,
    Step,
    connections,
    datagrams,
    garbage,
    half_a_handshake,
    half_a_head,
    junk,
    noise_on_streams,
    silence,
    stray_response,
    stream_requests,
)
from benchmarks.workers import Ready

DATAGRAMS = 10_000.0
"""A second."""
CONNECTIONS = 2000
"""At one time."""
CONNECTION_RATE = 1000.0


@dataclass(slots=True)
class Flood:
    """Wants a flood for so many seconds; answered with Flooded."""

    seconds: float


@dataclass(slots=True)
class Flooded:
    """How many requests, connections or messages it was."""

    count: int


@dataclass(slots=True)
class Harm:
    """One kind of flood: what prepares it, and how many a second, None for as many as it can."""

    prepare: Callable[[Ports], Step]
    rate: float | None


def flood(pipe: Connection, name: str, ports: Ports) -> None:
    """Prepare, then flood whenever told to; what it holds open it holds until the end."""
    harm = HARMS[name]
    step = harm.prepare(ports)
    pipe.send(Ready())
    while True:
        command = pipe.recv()
        assert isinstance(command, Flood)
        begin, count = time.monotonic(), 0
        while (passed := time.monotonic() - begin) < command.seconds:
            done = 0
            if harm.rate is None or count < passed * harm.rate:
                with suppress(ConnectionError):
                    done = step()
            count += done
            if not done:
                time.sleep(0.001)
        pipe.send(Flooded(count))


def _prepare_nothing(_ports: Ports) -> Step:
    return lambda: 0


def _sip(ports: Ports) -> tuple[int, ...]:
    return (ports.sip_tcp,)


def _clear(ports: Ports) -> tuple[int, ...]:
    return ports.sip_tcp, ports.msrp_tcp


def _tls(ports: Ports) -> tuple[int, ...]:
    return (ports.msrp_tls,)


HARMS = {
    "nothing": Harm(_prepare_nothing, 0.0),
    "connections, silent": Harm(connections(silence, _clear, CONNECTIONS), CONNECTION_RATE),
    "connections, an octet a second": Harm(
        connections(silence, _clear, CONNECTIONS, b"M"), CONNECTION_RATE
    ),
    "connections, half a header": Harm(
        connections(half_a_head, _sip, CONNECTIONS), CONNECTION_RATE
    ),
    "connections, noise": Harm(noise_on_streams, None),
    "TLS handshakes that stop": Harm(
        connections(half_a_handshake, _tls, CONNECTIONS), CONNECTION_RATE
    ),
    "INVITE, UDP, one source": Harm(datagrams("INVITE", ONE), DATAGRAMS),
    "INVITE, UDP, 256 sources": Harm(datagrams("INVITE", MANY), DATAGRAMS),
    "INVITE, TCP, one source": Harm(stream_requests("INVITE", ONE, 50), None),
    "INVITE, TCP, 256 sources": Harm(stream_requests("INVITE", MANY, 1), None),
    "REGISTER, UDP, 256 sources": Harm(datagrams("REGISTER", MANY), DATAGRAMS),
    "OPTIONS, UDP, 256 sources": Harm(datagrams("OPTIONS", MANY), DATAGRAMS),
    "garbage, UDP": Harm(junk(garbage, MANY), DATAGRAMS),
    "responses to nothing, UDP": Harm(junk(stray_response, MANY), DATAGRAMS),
    "one talks without pause": Harm(talk_without_pause, None),
    "one talks, message_rate 0": Harm(talk_without_pause, None),
    "one never reads": Harm(never_read(1), 20.0),
    "a hundred never read": Harm(never_read(100), 20.0),
    "three hundred leave": Harm(leave_at_once(300, politely=True), 1.0),
    "three hundred vanish": Harm(leave_at_once(300, politely=False), 1.0),
}
