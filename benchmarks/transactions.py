"""SIP transactions that make no call: OPTIONS, answered without state, and MESSAGE.

A MESSAGE goes all the way: a server transaction, a task, an application that accepts. Beside it
stand a loop that sends each message back as it came, and what it costs to parse the same requests
and to render their answers, with nothing else.
"""

import sys
import time
from pathlib import Path

from benchmarks.exchange import EchoPort, Exchange, Exchanged, Target, echo, exchange
from benchmarks.report import Figure, Section
from benchmarks.server_process import ServerProcess, cpu_seconds, machine_cpu_seconds
from benchmarks.wire import HOST
from benchmarks.workers import Worker
from sylk.sip.message import Request, Response
from sylk.sip.parser import parse_message

_SETTINGS = f"""
[Server]
extra_applications_dir = {Path(__file__).with_name("applications")}
application_map = pages:pages
"""

_TEXT = b"Nobody reads this, but a MESSAGE has a text."
_OK = b"SIP/2.0 200 OK\r\n"

_REQUEST = """\
{method} sip:pages@{host} SIP/2.0
Via: SIP/2.0/{transport} {host}:5062;rport;branch=z9hG4bK%08d
Max-Forwards: 70
From: "Alice" <sip:alice@{host}>;tag=d90ce439b0
To: <sip:pages@{host}>
Call-ID: %08d-b626c51158907733ac62@{host}
CSeq: 1 {method}
User-Agent: bench
{more}Content-Length: {length}

"""

WARM_UP = 4000
MOST = 15_000
"""Over UDP the server remembers each MESSAGE for 32 s (RFC 3261, Timer J), 20,000 in all."""

_ROUNDS = 5
_IN_EACH = 2000


def template(method: str, transport: str) -> bytes:
    """Return a request with two places for its number."""
    body = _TEXT if method == "MESSAGE" else b""
    head = _REQUEST.format(
        method=method,
        transport=transport.upper(),
        host=HOST,
        more="Content-Type: text/plain\n" if body else "",
        length=len(body),
    )
    return head.replace("\n", "\r\n").encode() + body


def run(*, quick: bool) -> Section:
    """Measure each method over each transport, and the bare costs."""
    seconds = 2.0 if quick else 6.0
    section = Section(
        "transactions",
        [f"One client with a window of requests open, for {seconds:g} s; one process serves."],
    )
    for transport in ("udp", "tcp"):
        bare = _bare(transport, seconds)
        section.add(f"bare echo, {transport.upper()}", bare)
        for method in ("OPTIONS", "MESSAGE"):
            figures = _served(method, transport, seconds)
            # A machine that others use is slower for both: only CPU and ratio can be compared.
            for name in ("us CPU each", "transactions/s"):
                figures[f"x bare {name}"] = float(figures[name]) / float(bare[name])
            section.add(f"{method}, {transport.upper()}", figures)
    for method in ("OPTIONS", "MESSAGE"):
        section.add(f"parse and render, {method}", _parsed_and_rendered(template(method, "udp")))
    return section


def _served(method: str, transport: str, seconds: float) -> dict[str, Figure]:
    with ServerProcess(_SETTINGS) as server:
        port = server.sip_udp_port if transport == "udp" else server.sip_port
        target = Target(port, transport, template(method, transport), _OK)
        most = MOST if (method, transport) == ("MESSAGE", "udp") else sys.maxsize
        return _measure(target, server.pid, seconds, most)


def _bare(transport: str, seconds: float) -> dict[str, Figure]:
    request = template("MESSAGE", transport)
    with Worker(echo, transport, len(request % (0, 0))) as server:
        port = server.expect(EchoPort).number
        target = Target(port, transport, request, request.partition(b"\r\n")[0] + b"\r\n")
        return _measure(target, server.pid, seconds)


def _measure(
    target: Target, pid: int, seconds: float, most: int = sys.maxsize
) -> dict[str, Figure]:
    with Worker(exchange, target) as client:
        client.ask(Exchange(seconds / 4, WARM_UP), Exchanged)
        before = cpu_seconds(pid), client.cpu_seconds(), machine_cpu_seconds()
        done = client.ask(Exchange(seconds, most), Exchanged)
        cpu = cpu_seconds(pid) - before[0]
        load = client.cpu_seconds() - before[1]
        others = max(machine_cpu_seconds() - before[2] - cpu - load, 0.0)
    return {
        "transactions/s": done.count / done.seconds,
        "us CPU each": cpu / done.count * 1e6,
        "busy %": 100 * cpu / done.seconds,
        "load busy %": 100 * load / done.seconds,
        "others busy %": 100 * others / done.seconds,
    }


def _parsed_and_rendered(request: bytes) -> dict[str, Figure]:
    requests = [request % (number, number) for number in range(_IN_EACH)]
    best = float("inf")
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        for data in requests:
            message = parse_message(data)
            assert isinstance(message, Request)
            Response.to_request(message, 200, to_tag="a9f2").render()
        best = min(best, time.perf_counter() - begin)
    each = best / _IN_EACH
    return {"transactions/s": 1 / each, "us CPU each": each * 1e6}
