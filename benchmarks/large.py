"""A large message through a room of ten, with short ones beside it, and a bare loop.

One participant sends it in chunks, nine receive it and look whether it is the same. One of those
nine says something short all the while; how long that is on its way to the others tells how well
the large message makes room. The bare loop receives and sends the same bytes, and knows nothing.
"""

from dataclasses import dataclass

from benchmarks.crowd import Accept, Join, Port
from benchmarks.large_load import (
    CHUNK_SIZE,
    Received,
    Send,
    Sent,
    Watch,
    receive_large,
    send_bare,
    send_large,
    splice,
)
from benchmarks.report import Figure, Section
from benchmarks.server_process import ServerProcess, machine_cpu_seconds, peak_kilobytes
from benchmarks.wire import HOST, LoadError
from benchmarks.workers import Ready, Worker

ROOM = f"sip:large@{HOST}"
RECEIVERS = 9
SIZE = 2 * 1024**3
QUICK_SIZE = 128 * 1024**2
SHORT_RATE = 50.0
"""Short messages a second."""
LARGEST_PEAK = 100 * 1024
"""Kilobytes that the server may have at most."""
LONGEST_WAY = 0.050
"""Seconds that 99 of 100 short messages may take."""

_ALONE = 2.0
"""Seconds in which there are short messages alone."""
_PATIENCE = 600.0
_MB = 1e6


@dataclass(slots=True)
class _Way:
    """One passage of the large message."""

    size: int
    seconds: float
    cpu: float
    others: float
    delays: list[float]

    def figures(self, bare: "_Way | None") -> dict[str, Figure]:
        figures: dict[str, Figure] = {
            "MB/s in": self.size / self.seconds / _MB,
            "MB/s out": RECEIVERS * self.size / self.seconds / _MB,
            "CPU s/GB in": self.cpu / self.size * 1e9,
            "busy %": 100 * self.cpu / self.seconds,
            "others busy %": 100 * self.others / self.seconds,
        }
        if bare is not None:
            figures["rate vs bare"] = (self.size / self.seconds) / (bare.size / bare.seconds)
            figures["CPU vs bare"] = (self.cpu / self.size) / (bare.cpu / bare.size)
        return figures


def run(*, quick: bool) -> Section:
    """Measure one large message, with short ones beside it, and the same in a bare loop."""
    chunks = (QUICK_SIZE if quick else SIZE) // CHUNK_SIZE
    section = Section(
        "large",
        [
            f"One message of {chunks * CHUNK_SIZE // 1024**2} MiB in chunks of"
            f" {CHUNK_SIZE // 1024} KiB to {RECEIVERS} receivers in one process, who check it;",
            f"{SHORT_RATE:.0f} short messages a second beside it. Goals: a peak of the server under"
            f" {LARGEST_PEAK // 1024} MiB,",
            f"and p99 of short messages under {LONGEST_WAY * 1000:.0f} ms.",
            "CPU: of the one process that passes the message on.",
        ],
    )
    bare = _measure_bare(chunks)
    with (
        ServerProcess() as server,
        Worker(receive_large) as receivers,
    ):
        receivers.ask(Join(server.sip_port, ROOM, RECEIVERS), Ready)
        with Worker(send_large, server.sip_port, ROOM) as sender:
            sender.expect(Ready)
            alone = receivers.ask(Watch(SHORT_RATE, _ALONE), Received)
            empty = peak_kilobytes(server.pid)
            way = _pass_through(server, sender, receivers, chunks)
            full = peak_kilobytes(server.pid)
    section.add("short messages alone", {**_ways(alone.delays), "peak MiB": empty / 1024})
    figures = {**way.figures(bare), **_ways(way.delays), "peak MiB": full / 1024}
    section.add("Sylk", figures)
    section.add("bare loop", bare.figures(None))
    return section


def _measure_bare(chunks: int) -> _Way:
    with Worker(receive_large) as receivers:
        port = receivers.ask(Accept(RECEIVERS), Port).number
        with Worker(splice, port, RECEIVERS) as loop:
            way_in = loop.expect(Port).number
            receivers.expect(Ready)
            with Worker(send_bare, way_in) as sender:
                sender.expect(Ready)
                return _pass_through(loop, sender, receivers, chunks)


def _pass_through(
    carrier: ServerProcess | Worker, sender: Worker, receivers: Worker, chunks: int
) -> _Way:
    loads = (sender, receivers)
    before = carrier.cpu_seconds(), machine_cpu_seconds(), sum(one.cpu_seconds() for one in loads)
    receivers.tell(Watch(SHORT_RATE, None))
    sender.tell(Send(chunks))
    sent = sender.expect(Sent, _PATIENCE)
    received = receivers.expect(Received)
    cpu = carrier.cpu_seconds() - before[0]
    load = sum(one.cpu_seconds() for one in loads) - before[2]
    machine = machine_cpu_seconds() - before[1]
    if wrong := [one for one in received.sums if one != sent.sum]:
        raise LoadError(f"{len(wrong)} receivers got another message than was sent")
    size = sent.sum[1]
    others = max(machine - cpu - load, 0.0)
    return _Way(size, received.end - received.begin, cpu, others, received.delays)


def _ways(delays: list[float]) -> dict[str, Figure]:
    if not delays:
        raise LoadError("no short message has come")
    ordered = sorted(delays)
    return {
        "short p50 ms": 1000 * ordered[len(ordered) // 2],
        "short p99 ms": 1000 * ordered[len(ordered) * 99 // 100],
        "short max ms": 1000 * ordered[-1],
    }
