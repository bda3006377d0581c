"""What the control socket can ask of traces: `trace on`, `trace off` and `trace status`."""

from collections.abc import Mapping
from typing import cast

import trio

from sylk.control import Command, ControlError, Json
from sylk.trace.filters import Filter, parse_filter
from sylk.trace.tracer import Trace, Tracer, TraceRefused

WRITE_TIMEOUT = 3.0
"""Seconds that a command waits for the disk before it says that it is slow."""

MIN_DURATION = 1.0
MAX_DURATION = 7 * 86400.0
"""For how many seconds a trace may be put on."""


def trace_commands(tracer: Tracer, write_timeout: float = WRITE_TIMEOUT) -> Mapping[str, Command]:
    """Return the commands by their names.

    `trace on` takes `filters` (a list as in the settings; empty is everything), `seconds` and
    `pcap`, and `msrp` for MSRP beside SIP; each of them may be left out.
    """

    async def on(request: Json) -> Json:
        filters = _filters(request)
        seconds = _seconds(request)
        try:
            trace, notice = tracer.begin(
                filters,
                seconds,
                as_pcap=bool(request.get("pcap")),
                with_msrp=bool(request.get("msrp")),
            )
        except TraceRefused as error:
            raise ControlError(str(error)) from None
        writer = tracer.writer
        assert writer is not None
        await trio.to_thread.run_sync(notice.written.wait, write_timeout, abandon_on_cancel=True)
        if not notice.written.is_set():
            tracer.end(trace, "the disk does not answer")
            raise ControlError("nothing is traced: the disk does not answer")
        if writer.fault:
            tracer.end(trace, "it cannot be written")
            raise ControlError(f"nothing is traced: {writer.fault}")
        return {"trace": _describe(trace), **_status(tracer)}

    async def off(_request: Json) -> Json:
        ended = [_describe(trace) for trace in tracer.end_all()]
        on_disk = await trio.to_thread.run_sync(
            tracer.wait_written, write_timeout, abandon_on_cancel=True
        )
        return {"ended": ended, "on_disk": on_disk, **_status(tracer)}

    async def status(_request: Json) -> Json:
        await trio.lowlevel.checkpoint()
        return _status(tracer)

    return {"trace on": on, "trace off": off, "trace status": status}


def _status(tracer: Tracer) -> Json:
    output, writer = tracer.options.output, tracer.writer
    files = [output.text_file, *([output.pcap_file] if tracer.as_pcap else [])]
    return {
        "traces": [_describe(trace) for trace in tracer.traces],
        "directory": str(output.directory.absolute()),
        "files": [str(file) for file in files] if writer is not None else [],
        "lost": writer.lost if writer is not None else 0,
        "fault": writer.fault if writer is not None else "",
    }


def _describe(trace: Trace) -> Json:
    left = None if trace.ends_at is None else max(trace.ends_at - trio.current_time(), 0.0)
    return {
        "filters": [str(one) for one in trace.selection.filters],
        "protocols": trace.what,
        "pcap": trace.as_pcap,
        "seconds_left": left,
        "messages": trace.messages,
    }


def _filters(request: Json) -> list[Filter]:
    value = request.get("filters", [])
    if not isinstance(value, list):
        raise ControlError("filters must be a list")
    filters: list[Filter] = []
    for text in cast("list[object]", value):
        if not isinstance(text, str):
            raise ControlError("a filter must be text")
        try:
            filters.append(parse_filter(text))
        except ValueError as error:
            raise ControlError(f"the filter {error}") from None
    return filters


def _seconds(request: Json) -> float | None:
    value = request.get("seconds")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ControlError("seconds must be a number")
    if not MIN_DURATION <= value <= MAX_DURATION:
        raise ControlError(
            f"a trace is on for {MIN_DURATION:g} second to {MAX_DURATION / 86400:g} days"
        )
    return float(value)
