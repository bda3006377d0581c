"""An MSRP relay (RFC 4976): one client behind it writes to a peer, beside Kamailio and a bare loop.

The client comes over TLS; the relay connects to the peer in clear, which answers each message. The
relay reads each head, answers the client for its peer, and writes a head of its own. The bare loop
decrypts, and passes the bytes on as they are.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.crowd import Port
from benchmarks.relay_load import (
    Account,
    Count,
    Flood,
    Flooded,
    splice_tls,
    take_messages,
    write_through,
)
from benchmarks.report import Figure, Section
from benchmarks.server_process import ServerProcess, cpu_seconds_of_all, machine_cpu_seconds
from benchmarks.wire import HOST, LoadError
from benchmarks.workers import Ready, Worker
from tests.end_to_end.kamailio_relay import PASSWORD, relaying
from tests.end_to_end.tls_setup import make_certificate

REALM = "relay.example.com"
USER = "alice"
SIZES = {"small": (200, 64), "medium": (8 * 1024, 16), "large": (64 * 1024, 16)}
"""Bytes of each body, and messages that the client has unanswered."""

_OPENING = 0.1
_SETTLE_LIMIT = 10.0
_SETTINGS = f"""
[Relay]
enabled = yes
host = {HOST}
realm = {REALM}
allowed_networks = 127.0.0.0/8
"""


@dataclass(slots=True)
class _Carrier:
    """Who carries messages now."""

    port: int
    cpu_seconds: Callable[[], float]
    password: str = ""


Carrying = Callable[[int], AbstractContextManager[_Carrier]]
"""Carries messages to the peer at a port for a while."""
Figures = dict[str, Figure]


def run(*, quick: bool) -> Section:
    """Measure messages of two sizes through each carrier."""
    seconds = 2.0 if quick else 5.0
    section = Section(
        "relay",
        [
            f"One client over TLS, one peer in clear that answers; {seconds:g} s for each size.",
            *(
                f"{name}: bodies of {size} bytes, at most {window} unanswered."
                for name, (size, window) in SIZES.items()
            ),
            "CPU: of all processes of the carrier.",
        ],
    )
    carriers: dict[str, Carrying] = {"Sylk": _sylk, "Kamailio": _kamailio}
    if shutil.which("kamailio") is None:
        del carriers["Kamailio"]
        section.about.append("Kamailio is not installed.")
    for size_name, (size, window) in SIZES.items():
        flood = Flood(size, window, seconds)
        bare = _measure(_bare, flood)
        for name, carrier in carriers.items():
            try:
                figures = _measure(carrier, flood)
            except LoadError:
                if name == "Sylk":
                    raise
                section.about.append(f"{name}, as it is configured here, lost {size_name} ones.")
                continue
            section.add(f"{size_name}: {name}", _beside(figures, bare))
        section.add(f"{size_name}: bare loop", bare)
    return section


@contextmanager
def _sylk(_: int) -> Generator[_Carrier]:
    with ServerProcess(_SETTINGS, tls=True) as server:
        server.set_password(f"{USER}@{REALM}", PASSWORD)
        yield _Carrier(server.msrp_tls_port, server.cpu_seconds, PASSWORD)


@contextmanager
def _kamailio(_: int) -> Generator[_Carrier]:
    with (
        tempfile.TemporaryDirectory(prefix="sylk-bench-") as folder,
        relaying(Path(folder), quiet=True) as relay,
    ):
        yield _Carrier(relay.port, partial(cpu_seconds_of_all, relay.pid), PASSWORD)


@contextmanager
def _bare(peer: int) -> Generator[_Carrier]:
    with tempfile.TemporaryDirectory(prefix="sylk-bench-") as folder:
        certificate, key = make_certificate(Path(folder), "loop")
        with Worker(splice_tls, certificate, key, peer) as loop:
            yield _Carrier(loop.expect(Port).number, loop.cpu_seconds)


def _beside(figures: Figures, bare: Figures) -> Figures:
    ratios = {
        f"x bare {name}": float(figures[name]) / float(bare[name])
        for name in ("messages/s", "us CPU each")
    }
    return {**figures, **ratios}


def _measure(carrying: Carrying, flood: Flood) -> Figures:
    with Worker(take_messages) as peer:
        port = peer.expect(Port).number
        with carrying(port) as carrier:
            account = Account(carrier.port, USER, carrier.password)
            with Worker(write_through, account, port) as client:
                client.expect(Ready)
                # The first message opens the connection to the peer; little may wait for that.
                sent = client.ask(Flood(flood.size, 1, _OPENING), Flooded).messages
                warm_up = Flood(flood.size, flood.window, flood.seconds / 4)
                sent += client.ask(warm_up, Flooded).messages
                _await_all(peer, sent)
                done, figures = _flood(carrier, client, peer, flood)
                _await_all(peer, sent + done)
                return figures


def _await_all(peer: Worker, sent: int) -> None:
    """Wait until all has come that the relay has answered for its peer."""
    deadline = time.monotonic() + _SETTLE_LIMIT
    while (came := peer.ask(Count(), int)) != sent:
        if came > sent or time.monotonic() > deadline:
            raise LoadError(f"of {sent} messages {came} came")
        time.sleep(0.05)


def _flood(carrier: _Carrier, client: Worker, peer: Worker, flood: Flood) -> tuple[int, Figures]:
    """Return how many messages went, and the figures."""
    loads = (client, peer)
    before = carrier.cpu_seconds(), machine_cpu_seconds(), sum(one.cpu_seconds() for one in loads)
    done = client.ask(flood, Flooded)
    cpu = carrier.cpu_seconds() - before[0]
    load = sum(one.cpu_seconds() for one in loads) - before[2]
    others = max(machine_cpu_seconds() - before[1] - cpu - load, 0.0)
    return done.messages, {
        "messages/s": done.messages / done.seconds,
        "MB/s": done.messages * flood.size / done.seconds / 1e6,
        "us CPU each": cpu / done.messages * 1e6,
        "busy %": 100 * cpu / done.seconds,
        "others busy %": 100 * others / done.seconds,
    }
