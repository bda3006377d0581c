"""A room of ten that chats while somebody floods the server: how long do its messages take?

The floods come from other addresses, for which the limits of a source hold; the ten have none.
"""

import time

from benchmarks.flood_wire import Ports
from benchmarks.flooders import CONNECTIONS, HARMS, Flood, Flooded, flood
from benchmarks.memory import allow_files
from benchmarks.report import Figure, Section
from benchmarks.room_of_ten import Heard, Speak, chat, echo
from benchmarks.server_process import ServerProcess, resident_kilobytes
from benchmarks.wire import HOST
from benchmarks.workers import Ready, Worker

ROOM = f"sip:ten@{HOST}"
RATE = 50.0
"""Messages a second in the room, of all ten together."""
SECONDS, QUICK_SECONDS = 8.0, 3.0
SETTLING, QUICK_SETTLING = 45.0, 5.0
"""Seconds that the server has to come back to what it held before: SIP keeps requests for 32."""

_MESSAGE_RATES = {"one talks, message_rate 0": 0}
_SAMPLE = 0.1
_ENDING = 1.0
"""Seconds of chat after the flood that belong to it."""
_BACK = 1.05
"""How much more memory than before is as much as before."""


def run(*, quick: bool) -> Section:
    """Measure each flood."""
    section = Section(
        "floods",
        [
            f"Ten people chat in a room, {RATE:g} messages a second in all, before a flood and",
            "meanwhile; each message must come to each of the others, in order. The figures are",
            "milliseconds from the speaker to each listener. Echo: a byte to a bare process and",
            "back in the same time, which is what the machine itself makes everybody wait.",
            "Memory in MB and descriptors: before, the most meanwhile, and afterwards.",
        ],
    )
    for name in HARMS:
        section.add(name, measure(name, quick=quick))
    return section


def measure(name: str, *, quick: bool) -> dict[str, Figure]:
    """Measure one flood."""
    seconds = QUICK_SECONDS if quick else SECONDS
    allow_files(4 * CONNECTIONS)
    more = f"\n[{ROOM.removeprefix('sip:')}]\nmessage_rate = {_MESSAGE_RATES.get(name, 100)}\n"
    with (
        ServerProcess(more, sip=f"unlimited_peers = {HOST}\n", tls=True) as server,
        Worker(echo) as bare,
        Worker(chat, server.sip_port, ROOM, bare.expect(int)) as room,
    ):
        room.expect(Ready)
        ports = Ports(
            server.sip_udp_port, server.sip_port, server.msrp_port, server.msrp_tls_port, ROOM
        )
        with Worker(flood, name, ports) as offender:
            offender.expect(Ready)
            room.tell(Speak(RATE))
            time.sleep(seconds / 2)
            before = room.ask(Ready(), Heard)
            rss, files, cpu = (
                resident_kilobytes(server.pid),
                server.descriptors,
                server.cpu_seconds(),
            )
            room.tell(Speak(RATE))
            offender.tell(Flood(seconds))
            rss_peak, files_peak = _watch(server, seconds)
            count = offender.expect(Flooded).count
            cpu = server.cpu_seconds() - cpu
        # Now everything that was held open ends at one moment.
        time.sleep(_ENDING)
        meanwhile = room.ask(Ready(), Heard)
        rss_after, files_after = _settle(server, rss, files, QUICK_SETTLING if quick else SETTLING)
    return {
        "harm/s": count / seconds,
        "before p99": before.chat.at(0.99),
        "p50": meanwhile.chat.at(0.5),
        "p99": meanwhile.chat.at(0.99),
        "max": meanwhile.chat.at(1.0),
        "echo p99": meanwhile.echo.at(0.99),
        "CPU %": 100 * cpu / seconds,
        "MB before": rss / 1024,
        "peak": rss_peak / 1024,
        "after": rss_after / 1024,
        "files before": files,
        "most": files_peak,
        "then": files_after,
    }


def _watch(server: ServerProcess, seconds: float) -> tuple[int, int]:
    """Return the most memory, in kB, and the most descriptors of the next seconds."""
    rss = files = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        rss = max(rss, resident_kilobytes(server.pid))
        files = max(files, server.descriptors)
        time.sleep(_SAMPLE)
    return rss, files


def _settle(server: ServerProcess, rss: int, files: int, patience: float) -> tuple[int, int]:
    """Wait until memory and descriptors are back, and return how much there is."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if resident_kilobytes(server.pid) <= _BACK * rss and server.descriptors <= files:
            break
        time.sleep(_SAMPLE)
    return resident_kilobytes(server.pid), server.descriptors
