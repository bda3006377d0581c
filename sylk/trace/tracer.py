"""What is traced now, from when to when: put on by the settings or at run time, off by itself.

Several traces can be on at a time and share the files. A message that one of them wants is written
once. While none is on there is no thread, no file and no callable in the transports.
"""

import itertools
import logging
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import trio

from sylk.net.alarm import AlarmClock
from sylk.net.msrp_watch import MsrpTrace, SessionCall, WatchedLink
from sylk.sip.flow import Flow
from sylk.sip.message import Message
from sylk.sip.parser import MalformedMessage
from sylk.trace.filters import Filter, Selection, Subject
from sylk.trace.message import TracedMessage
from sylk.trace.msrp_frames import FrameCutter
from sylk.trace.msrp_subject import subject_of_frame
from sylk.trace.sip_subject import subject_of
from sylk.trace.writer import Notice, Output, TraceWriter

logger = logging.getLogger("sylk.trace")

MAX_TRACES = 16
"""Traces at a time, that of the settings not counted."""

MAX_FILTERS = 32
"""Filters of one trace."""

CLOSE_TIMEOUT = 2.0
"""Seconds that the last messages have to reach the disk when the server ends."""

DEFAULT_DURATION = 3600.0

SipTrace = Callable[[bool, bytes, Message | MalformedMessage | None, Flow], None]
"""What the transports call with each message: see `Tracer.take_sip`."""


Attach = Callable[[SipTrace | None, MsrpTrace | None], None]
"""Gives the transports what to call with each SIP message, and with each read or write of MSRP."""

SIP = frozenset({"sip"})
MSRP = frozenset({"msrp"})


class TraceRefused(Exception):
    """A trace cannot be put on; the message is for who asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceOptions:
    """What the settings say about traces."""

    output: Output = field(default_factory=lambda: Output(directory=Path("var/spool/traces")))
    from_start: Sequence[Filter] | None = None
    """Whose SIP to trace until the server ends; nobody's if None, everybody's if empty."""
    msrp_from_start: Sequence[Filter] | None = None
    """The same of MSRP."""
    pcap: bool = False
    duration: float = DEFAULT_DURATION
    """Seconds after which a trace that was put on at run time goes off."""


@dataclass(slots=True, eq=False)
class Trace:
    """One trace that is on."""

    selection: Selection
    as_pcap: bool
    ends_at: float | None
    """By trio's clock; None is the end of the server."""
    protocols: frozenset[str] = SIP
    messages: int = 0

    def __str__(self) -> str:
        return str(self.selection) if self.protocols == SIP else f"{self.selection} ({self.what})"

    @property
    def what(self) -> str:
        """Which protocols it is of."""
        return " and ".join(sorted((name.upper() for name in self.protocols), reverse=True))


class Tracer:
    """Puts traces on and off."""

    def __init__(
        self,
        options: TraceOptions,
        clock: AlarmClock,
        attach: Attach,
        calls: Mapping[str, SessionCall] = MappingProxyType({}),
    ) -> None:
        """`attach` is called with None for what nobody traces.

        `clock` is that by which traces go off, `calls` has the call of each MSRP session.
        """
        self.options = options
        self.writer: TraceWriter | None = None
        """Who brings messages to the disk; None while nothing is traced."""
        self._last_writer: TraceWriter | None = None
        self._clock = clock
        self._attach = attach
        self._calls = calls
        self._cutters: weakref.WeakKeyDictionary[WatchedLink, dict[bool, FrameCutter]] = (
            weakref.WeakKeyDictionary()
        )
        self._traces: list[Trace] = []
        self._numbers = itertools.count(1)

    @property
    def traces(self) -> Sequence[Trace]:
        """Those that are on, the oldest first."""
        return tuple(self._traces)

    @property
    def as_pcap(self) -> bool:
        """Whether one of them is written as pcap too."""
        return any(trace.as_pcap for trace in self._traces)

    def start(self) -> None:
        """Put on what the settings name."""
        for setting, filters, protocols in (
            ("trace_sip", self.options.from_start, SIP),
            ("trace_msrp", self.options.msrp_from_start, MSRP),
        ):
            if filters is not None:
                trace = Trace(Selection(filters), self.options.pcap, None, protocols)
                self._begin(trace, f"until the server ends, as {setting} says")

    def begin(
        self,
        filters: Iterable[Filter],
        duration: float | None = None,
        *,
        as_pcap: bool = False,
        with_msrp: bool = False,
    ) -> tuple[Trace, Notice]:
        """Trace what the filters let in, or everything, for `duration` seconds.

        That is SIP, and MSRP too if it is wanted.

        Returns the trace, and what tells when the files are there. Raises TraceRefused.
        """
        seconds = self.options.duration if duration is None else duration
        selection = Selection(filters)
        if sum(trace.ends_at is not None for trace in self._traces) >= MAX_TRACES:
            raise TraceRefused(f"{MAX_TRACES} traces are on already: put them off first")
        if len(selection.filters) > MAX_FILTERS:
            raise TraceRefused(f"one trace takes {MAX_FILTERS} filters at most")
        if self.writer is None and self._last_writer is not None and self._last_writer.is_running:
            raise TraceRefused("the disk has not taken the end of the last trace yet: try again")
        as_pcap = as_pcap or self.options.pcap
        protocols = SIP | MSRP if with_msrp else SIP
        trace = Trace(selection, as_pcap, trio.current_time() + seconds, protocols)
        notice = self._begin(trace, f"for {seconds:g} s")
        self._clock.set((self, trace), trace.ends_at, lambda _now: self._expire(trace))
        return trace, notice

    def end(self, trace: Trace, reason: str = "put off") -> None:
        """Put one trace off; harmless when it is."""
        if trace not in self._traces:
            return
        self._traces.remove(trace)
        self._clock.set((self, trace), None, lambda _now: None)
        assert self.writer is not None
        self.writer.notify(f"trace of {trace} ends: {reason}")
        logger.info("trace of %s is off (%s), messages: %d", trace, reason, trace.messages)
        self._attach_wanted()
        if not self._traces:
            self.writer.finish()
            self._last_writer, self.writer = self.writer, None

    def end_all(self) -> list[Trace]:
        """Put off all that were put on at run time, and return them."""
        ended = [trace for trace in self._traces if trace.ends_at is not None]
        for trace in ended:
            self.end(trace)
        return ended

    def wait_written(self, timeout: float) -> bool:
        """Wait until what the last trace left behind is on the disk; tells whether it is.

        Blocks the thread that calls it, for `timeout` seconds at most.
        """
        return self._last_writer is None or self._last_writer.join(timeout)

    def close(self) -> None:
        """Put everything off and have it written; blocks for CLOSE_TIMEOUT at most."""
        for trace in self.traces:
            self.end(trace, "the server ends")
        self.wait_written(CLOSE_TIMEOUT)

    def take_sip(
        self, received: bool, octets: bytes, message: Message | MalformedMessage | None, flow: Flow
    ) -> None:
        """Take what came or went over `flow`; `message` is None for a keep-alive."""
        try:
            subject = subject_of(message, flow, received=received)
            self._take(
                subject,
                TracedMessage(
                    0,
                    time.time(),
                    "sip",
                    received,
                    flow.transport,
                    flow.local,
                    flow.remote,
                    octets,
                    str(message) if isinstance(message, MalformedMessage) else "",
                    message is None,
                ),
            )
        except Exception:  # noqa: BLE001 - it is logged, and whoever sends must not suffer
            self._give_up()

    def take_msrp(self, received: bool, octets: bytes, link: WatchedLink) -> None:
        """Take what was read from a link, or is written to it: frames, or parts of them."""
        try:
            cutters = self._cutters.get(link)
            if cutters is None:
                cutters = {True: FrameCutter(), False: FrameCutter()}
                self._cutters[link] = cutters
            for frame in cutters[received].feed(octets):
                self._take(
                    subject_of_frame(frame.octets, link.remote[0], self._calls),
                    TracedMessage(
                        0,
                        time.time(),
                        "msrp",
                        received,
                        link.transport,
                        link.local,
                        link.remote,
                        frame.octets,
                        frame.fault,
                        left_out=frame.left_out,
                    ),
                )
        except Exception:  # noqa: BLE001 - it is logged, and whoever sends must not suffer
            self._give_up()

    def _give_up(self) -> None:
        logger.exception("a message could not be traced: everything is put off")
        for trace in self.traces:
            self.end(trace, "a fault of the trace")

    def _take(self, subject: Subject, message: TracedMessage) -> None:
        # Each trace is asked, so that each gets to know the dialogs that it wants.
        wanting = [
            trace
            for trace in self._traces
            if message.protocol in trace.protocols and trace.selection.wants(subject)
        ]
        if not wanting:
            return
        message.number = next(self._numbers)
        for trace in wanting:
            trace.messages += 1
            message.as_pcap = message.as_pcap or trace.as_pcap
        assert self.writer is not None
        self.writer.put(message)

    def _begin(self, trace: Trace, how_long: str) -> Notice:
        if self.writer is None:
            self._numbers = itertools.count(1)
            self.writer = TraceWriter(self.options.output)
        self._traces.append(trace)
        self._attach_wanted()
        file = self.options.output.text_file
        logger.info("trace of %s is on %s, into %s", trace, how_long, file)
        return self.writer.notify(f"trace of {trace} begins, {how_long}", with_pcap=trace.as_pcap)

    def _attach_wanted(self) -> None:
        wanted = frozenset[str]().union(*(trace.protocols for trace in self._traces))
        if "msrp" not in wanted:
            self._cutters.clear()
        self._attach(
            self.take_sip if "sip" in wanted else None,
            self.take_msrp if "msrp" in wanted else None,
        )

    def _expire(self, trace: Trace) -> None:
        self.end(trace, "its time is over")
