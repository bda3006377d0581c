"""SIP transactions that make no call: OPTIONS, answered without state, and MESSAGE.

A MESSAGE goes all the way: a server transaction, a task, an application that accepts. Beside it
stand Kamailio, which answers OPTIONS without state and MESSAGE with a transaction; a loop that
sends each message back as it came; one that parses it and renders the answer, with the same
parser; and what that costs without sockets.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import answering_kamailio
from benchmarks.exchange import (
    EchoPort,
    Exchange,
    Exchanged,
    Target,
    echo,
    exchange,
    parse_and_answer,
)
from benchmarks.report import Figure, Section, reason_of
from benchmarks.server_process import (
    ServerProcess,
    cpu_seconds_of_all,
    machine_cpu_seconds,
)
from benchmarks.wire import HOST, LoadError
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


Figures = dict[str, Figure]


def run(*, quick: bool) -> Section:
    """Measure each method over UDP and TCP, in Sylk and in Kamailio, and the bare costs."""
    seconds = 0.7 if quick else 3.0
    section = Section(
        "transactions",
        [
            f"One client with a window of requests open, for {seconds:g} s. One process serves:",
            "Kamailio has one for each transport, and the CPU of all its processes counts.",
        ],
    )
    with_kamailio = answering_kamailio.is_installed()
    if not with_kamailio:
        section.about.append("Kamailio is not installed.")
    for transport in ("udp",) if quick else ("udp", "tcp"):
        bare = _bare(transport, seconds)
        section.add(f"bare echo, {transport.upper()}", bare)
        for method in ("OPTIONS", "MESSAGE"):
            figures = _served(method, transport, seconds)
            section.add(f"{method}, {transport.upper()}: Sylk", _beside(figures, bare))
            case = f"{method}, {transport.upper()}: Kamailio"
            if with_kamailio:
                try:
                    figures = _answered_by_kamailio(method, transport, seconds)
                except LoadError as error:
                    section.about.append(f"{case}: {reason_of(error)}.")
                else:
                    section.add(case, _beside(figures, bare))
            if transport == "udp":
                figures = _parsed_and_answered(method, seconds)
                section.add(f"{method}, UDP: bare parse and answer", _beside(figures, bare))
    for method in ("OPTIONS", "MESSAGE"):
        section.add(f"parse and render, {method}", _parsed_and_rendered(template(method, "udp")))
    return section


def _beside(figures: Figures, bare: Figures) -> Figures:
    # A machine that others use is slower for both: only CPU and ratio can be compared.
    ratios = {
        f"x bare {name}": float(figures[name]) / float(bare[name])
        for name in ("us CPU each", "transactions/s")
    }
    return {**figures, **ratios}


def _most(method: str, transport: str) -> int:
    return MOST if (method, transport) == ("MESSAGE", "udp") else sys.maxsize


def _served(method: str, transport: str, seconds: float) -> Figures:
    with ServerProcess(_SETTINGS) as server:
        port = server.sip_udp_port if transport == "udp" else server.sip_port
        target = Target(port, transport, template(method, transport), _OK)
        return _measure(target, server.cpu_seconds, seconds, _most(method, transport))


def _answered_by_kamailio(method: str, transport: str, seconds: float) -> Figures:
    with answering_kamailio.answering() as server:
        target = Target(server.port, transport, template(method, transport), _OK)
        cpu = partial(cpu_seconds_of_all, server.pid)
        return _measure(target, cpu, seconds, _most(method, transport))


def _parsed_and_answered(method: str, seconds: float) -> Figures:
    with Worker(parse_and_answer) as server:
        port = server.expect(EchoPort).number
        target = Target(port, "udp", template(method, "udp"), _OK)
        return _measure(target, server.cpu_seconds, seconds)


def _bare(transport: str, seconds: float) -> Figures:
    request = template("MESSAGE", transport)
    with Worker(echo, transport, len(request % (0, 0))) as server:
        port = server.expect(EchoPort).number
        target = Target(port, transport, request, request.partition(b"\r\n")[0] + b"\r\n")
        return _measure(target, server.cpu_seconds, seconds)


def _measure(
    target: Target, cpu_seconds: Callable[[], float], seconds: float, most: int = sys.maxsize
) -> Figures:
    with Worker(exchange, target) as client:
        client.ask(Exchange(seconds / 4, WARM_UP), Exchanged)
        before = cpu_seconds(), client.cpu_seconds(), machine_cpu_seconds()
        done = client.ask(Exchange(seconds, most), Exchanged)
        cpu = cpu_seconds() - before[0]
        load = client.cpu_seconds() - before[1]
        others = max(machine_cpu_seconds() - before[2] - cpu - load, 0.0)
    return {
        "transactions/s": done.count / done.seconds,
        "us CPU each": cpu / done.count * 1e6,
        "busy %": 100 * cpu / done.seconds,
        "load busy %": 100 * load / done.seconds,
        "others busy %": 100 * others / done.seconds,
    }


def _parsed_and_rendered(request: bytes) -> Figures:
    requests = [request % (number, number) for number in range(_IN_EACH)]
    best = float("inf")
    for _ in range(_ROUNDS):
        begin = time.process_time()
        for data in requests:
            message = parse_message(data)
            assert isinstance(message, Request)
            Response.to_request(message, 200, to_tag="a9f2").render()
        best = min(best, time.process_time() - begin)
    each = best / _IN_EACH
    return {"transactions/s": 1 / each, "us CPU each": each * 1e6}
