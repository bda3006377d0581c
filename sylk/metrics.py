"""The metrics port: the figures of a server in the form of Prometheus, over a few lines of HTTP.

A scraper asks for `/metrics` and gets the answer in one piece, with `Connection: close`. All
else is refused; what is not asked in time, or is too long, is closed.
"""

import re
import socket
from collections.abc import Iterator
from dataclasses import fields

import trio
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from sylk import __version__
from sylk.errors import ListenError
from sylk.net.addresses import family_of, plain_address
from sylk.net.patient_listener import PatientListener
from sylk.net.stream import transport_error
from sylk.status import Counters, Gauges, ServerStatus

MAX_REQUEST = 8 * 1024
"""Bytes of a request; a scraper needs a few hundred."""

TIMEOUT = 10.0
"""Seconds for a request and its answer."""

MAX_CONNECTIONS = 16
"""Connections at one time; the next ones wait."""

PATH = "/metrics"

_NO_NAME = re.compile(r"[^a-zA-Z0-9_]")
_MEANINGS = {
    "sip_received": "SIP messages that came",
    "sip_sent": "SIP messages that went",
    "msrp_bytes_received": "Bytes of MSRP that came",
    "msrp_bytes_sent": "Bytes of MSRP that went",
    "sessions": "Calls that stand or are being set up or ended",
    "subscriptions": "Subscriptions and referrals",
    "sip_connections": "Stream connections of SIP",
    "msrp_connections": "Connections of MSRP",
    "sip_waiting": "Bytes that wait for slow peers of SIP",
    "msrp_waiting": "Bytes that wait for slow peers of MSRP",
    "memory": "Bytes of memory that the process holds",
    "longest_turn": "Seconds for which the loop was held at most in the last minute",
    "stalls": "Turns of the loop that took longer than stall_limit",
    "tasks": "Tasks of the loop that live",
}


class _Figures(Collector):
    """Gives what the status tells, when it is asked."""

    def __init__(self, status: ServerStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        yield InfoMetricFamily("sylk", "The version that runs", {"version": __version__})
        yield GaugeMetricFamily("sylk_uptime_seconds", "Seconds since the start", status.uptime)
        gauges, counters = status.gauges(), status.counters()
        for one in fields(Gauges):
            value = getattr(gauges, one.name)
            yield GaugeMetricFamily(f"sylk_{one.name}", _MEANINGS[one.name], value)
        for one in fields(Counters):
            value = getattr(counters, one.name)
            yield CounterMetricFamily(f"sylk_{one.name}", _MEANINGS[one.name], value)
        for name, application in status.applications.items():
            for figure, value in status.figures_of(application).items():
                yield _of_application(name, figure, value)


def _of_application(application: str, figure: str, value: float) -> Metric:
    name = _NO_NAME.sub("_", f"sylk_{application}_{figure}")
    meaning = f"{figure.replace('_', ' ')} of the application {application}"
    if figure.endswith("_total"):
        return CounterMetricFamily(name, meaning, value)
    return GaugeMetricFamily(name, meaning, value)


def render(status: ServerStatus) -> bytes:
    """Return all metrics as text."""
    registry = CollectorRegistry()
    registry.register(_Figures(status))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class MetricsPort:
    """The port that a scraper asks; bound when it is made."""

    def __init__(self, host: str, port: int, status: ServerStatus) -> None:
        """Bind the port (0: the system chooses); raises ListenError."""
        self._status = status
        try:
            self._socket = socket.create_server((host, port), family=family_of(host))
        except OSError as error:
            raise ListenError("tcp", host, port, transport_error(error), error.errno) from error
        self.local = plain_address(self._socket.getsockname())

    def close(self) -> None:
        """Let go of the port."""
        self._socket.close()

    async def run(self) -> None:
        """Answer until cancelled."""
        listener = PatientListener(self._socket, "a question for metrics")
        limiter = trio.CapacityLimiter(MAX_CONNECTIONS)

        async def serve(stream: trio.SocketStream) -> None:
            async with stream:
                with trio.move_on_after(TIMEOUT):
                    async with limiter:
                        try:
                            await stream.send_all(self._answer(await _read_request(stream)))
                            await stream.send_eof()
                        except (trio.BrokenResourceError, trio.ClosedResourceError):
                            pass  # Who asked has gone.

        await trio.serve_listeners(serve, [listener])

    def _answer(self, request: bytes) -> bytes:
        method, _, rest = request.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if not request.endswith(b"\r\n\r\n"):
            return _response("400 Bad Request", b"no request\n")
        if path != PATH.encode():
            return _response("404 Not Found", f"see {PATH}\n".encode())
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", b"", "Allow: GET, HEAD")
        body = render(self._status)
        answer = _response("200 OK", body, content_type=CONTENT_TYPE_PLAIN_0_0_4)
        return answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == b"HEAD" else answer


async def _read_request(stream: trio.SocketStream) -> bytes:
    """Return the head of a request as far as it comes, up to its blank line."""
    request = b""
    while b"\r\n\r\n" not in request and len(request) < MAX_REQUEST:
        data = await stream.receive_some(MAX_REQUEST)
        if not data:
            break
        request += data
    head, end, _ = request.partition(b"\r\n\r\n")
    return head + end


def _response(
    status: str, body: bytes, *headers: str, content_type: str = "text/plain; charset=utf-8"
) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode("ascii") + body
