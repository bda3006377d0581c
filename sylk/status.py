"""What a running server can tell of itself: figures, rates over the last minute, rooms.

Everything is asked when somebody wants to know, so it costs nothing while nobody does; only the
rates need a sample now and then.
"""

import math
import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

import trio

from sylk.application import Application
from sylk.loop_watch import LoopWatch
from sylk.room_status import RoomStatus
from sylk.session.endpoint import Endpoint

RATE_SPAN = 60.0
"""Seconds over which rates are told."""

SAMPLE_INTERVAL = 5.0
"""Seconds between two samples for them."""

_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Counters:
    """What only goes up, from the start of the server."""

    sip_received: int = 0
    """SIP messages that came."""
    sip_sent: int = 0
    msrp_bytes_received: int = 0
    msrp_bytes_sent: int = 0
    stalls: int = 0
    """Turns of the loop that took longer than stall_limit."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """What goes up and down."""

    sessions: int
    """Calls that stand or are being set up or ended."""
    subscriptions: int
    """Subscriptions and referrals, and requests of the server's own under way."""
    sip_connections: int
    msrp_connections: int
    sip_waiting: int
    """Bytes that wait for peers of SIP."""
    msrp_waiting: int
    """Bytes that wait for peers of MSRP."""
    memory: int
    """Bytes that the process holds."""
    longest_turn: float
    """Seconds for which one turn of the loop held up everybody, at most, in the last minute."""
    tasks: int
    """Tasks of the loop that live."""


class ServerStatus:
    """The figures of one server; `run` takes the samples."""

    def __init__(
        self,
        endpoint: Endpoint,
        applications: Mapping[str, Application],
        loop_watch: LoopWatch | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._loop_watch = loop_watch or LoopWatch(math.inf)
        self._turns: deque[float] = deque([0.0], maxlen=int(RATE_SPAN / SAMPLE_INTERVAL) + 1)
        """The longest turn of each interval, that of this one last."""
        self.applications = applications
        """Those that have started."""
        self._started = time.monotonic()
        self._samples: deque[tuple[float, Counters]] = deque(
            [(self._started, Counters())], maxlen=int(RATE_SPAN / SAMPLE_INTERVAL) + 1
        )

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            await trio.sleep(SAMPLE_INTERVAL)
            self.sample(time.monotonic())

    def sample(self, now: float) -> None:
        """Remember the counters as they are, at `now` of the monotonic clock."""
        self._samples.append((now, self.counters()))
        self._note_longest()
        self._turns.append(0.0)

    def _note_longest(self) -> None:
        self._turns[-1] = max(self._turns[-1], self._loop_watch.take_longest())

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def counters(self) -> Counters:
        """Return what has been counted so far."""
        endpoint = self._endpoint
        watch = endpoint.msrp.watch
        return Counters(
            sip_received=endpoint.messages_received,
            sip_sent=endpoint.messages_sent,
            msrp_bytes_received=watch.bytes_received,
            msrp_bytes_sent=watch.bytes_sent,
            stalls=self._loop_watch.stalls,
        )

    def gauges(self) -> Gauges:
        """Return how much there is now."""
        endpoint = self._endpoint
        outboxes = endpoint.msrp.watch.outboxes
        self._note_longest()
        return Gauges(
            sessions=endpoint.call_count,
            subscriptions=endpoint.subscription_count,
            sip_connections=endpoint.transports.connection_count,
            msrp_connections=len(outboxes),
            sip_waiting=endpoint.transports.waiting,
            msrp_waiting=sum(outbox.pending for outbox in outboxes),
            memory=_resident(),
            longest_turn=round(max(self._turns), 4),
            tasks=trio.lowlevel.current_statistics().tasks_living,
        )

    def rates(self, now: float | None = None) -> dict[str, float]:
        """Return how much of each counter there was a second, over RATE_SPAN at most."""
        then, before = self._samples[0]
        elapsed = max((time.monotonic() if now is None else now) - then, 1.0)
        pairs = zip(astuple(self.counters()), astuple(before), strict=True)
        names = [one.name for one in fields(Counters)]
        return {
            name: round((new - old) / elapsed, 2)
            for name, (new, old) in zip(names, pairs, strict=True)
        }

    def figures_of(self, application: Application) -> dict[str, float]:
        """Return what an application tells of itself; nothing of one that fails to."""
        try:
            return dict(application.status())
        except Exception:
            # A fault of one application must not hide the rest.
            application.logger.exception("telling its status failed")
            return {}

    def rooms(self) -> list[tuple[str, RoomStatus]]:
        """Return all rooms with the names of their applications, by address."""
        found: list[tuple[str, RoomStatus]] = []
        for name, application in self.applications.items():
            try:
                found += [(name, room) for room in application.rooms()]
            except Exception:
                application.logger.exception("telling its rooms failed")
        return sorted(found, key=lambda pair: pair[1].address)

    def describe(self) -> dict[str, object]:
        """Return all figures, as JSON has them."""
        return {
            "uptime": round(self.uptime, 1),
            **asdict(self.gauges()),
            "counters": asdict(self.counters()),
            "rates": self.rates(),
            "applications": {
                name: self.figures_of(application)
                for name, application in self.applications.items()
            },
        }


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_SIZE
    except (OSError, ValueError, IndexError):
        return 0
