"""Requests and responses, one socket against one: the load of the transactions, and bare loops.

The client keeps a window of requests open, and sends one more for each response. A retransmission
is not made: over UDP on one machine a window as small as this loses nothing.
"""

import socket
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.wire import HOST, LoadError, connect
from benchmarks.workers import Ready
from sylk.sip.message import Request, Response
from sylk.sip.parser import parse_message

WINDOW = 32
"""Requests that wait for a response at one time."""

_READ_SIZE = 65536
_PATIENCE = 10.0


@dataclass(slots=True)
class Target:
    """Where requests go, what they are, and how each response begins."""

    port: int
    transport: str
    template: bytes
    """A request with two places for its number."""
    response: bytes


@dataclass(slots=True)
class Exchange:
    """Wants exchanges for so many seconds, and no more than so many; answered with Exchanged."""

    seconds: float
    most: int


@dataclass(slots=True)
class Exchanged:
    """How many responses came in how many seconds."""

    count: int
    seconds: float


def exchange(pipe: Connection, target: Target) -> None:
    """Exchange whenever told to."""
    sock = _open(target)
    is_datagram = target.transport == "udp"
    run = _datagrams if is_datagram else _stream
    sent = 0
    while True:
        command = pipe.recv()
        assert isinstance(command, Exchange)
        begin = time.monotonic()
        count = run(sock, target, sent, command.most, begin + command.seconds)
        sent += count
        pipe.send(Exchanged(count, time.monotonic() - begin))


def _open(target: Target) -> socket.socket:
    if target.transport == "tcp":
        return connect(target.port)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(_PATIENCE)
    sock.connect((HOST, target.port))
    return sock


def _datagrams(sock: socket.socket, target: Target, first: int, most: int, end: float) -> int:
    """Return how many were sent, each of which was answered."""
    sent = answered = 0
    while answered < sent or (sent < most and time.monotonic() < end):
        while sent < most and sent - answered < WINDOW and time.monotonic() < end:
            sock.send(target.template % ((first + sent,) * 2))
            sent += 1
        data = sock.recv(_READ_SIZE)
        if not data.startswith(target.response):
            raise LoadError(f"the answer is {data.decode(errors='replace')}")
        answered += 1
    return sent


def _stream(sock: socket.socket, target: Target, first: int, most: int, end: float) -> int:
    """Return how many were sent, each of which was answered."""
    sent = answered = 0
    tail = b""
    while answered < sent or (sent < most and time.monotonic() < end):
        if sent < most and time.monotonic() < end:
            count = min(WINDOW - (sent - answered), most - sent)
            numbers = range(first + sent, first + sent + count)
            sock.sendall(b"".join([target.template % (number, number) for number in numbers]))
            sent += count
        data = tail + sock.recv(_READ_SIZE)
        if len(data) == len(tail):
            raise LoadError("the connection was closed")
        answered += data.count(target.response)
        tail = data[1 - len(target.response) :]
    return sent


def echo(pipe: Connection, transport: str, size: int) -> None:
    """Tell the port, then send back each message of `size` bytes that comes there, for ever."""
    if transport == "udp":
        _echo_datagrams(pipe)
    else:
        _echo_stream(pipe, size)


@dataclass(slots=True)
class EchoPort(Ready):
    """Where the bare echo is."""

    number: int


def _echo_datagrams(pipe: Connection) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        pipe.send(EchoPort(sock.getsockname()[1]))
        while True:
            data, source = sock.recvfrom(_READ_SIZE)
            sock.sendto(data, source)


def _echo_stream(pipe: Connection, size: int) -> None:
    with socket.create_server((HOST, 0)) as listener:
        pipe.send(EchoPort(listener.getsockname()[1]))
        sock, _ = listener.accept()
        with sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            data = b""
            while piece := sock.recv(_READ_SIZE):
                data += piece
                whole = len(data) - len(data) % size
                for start in range(0, whole, size):
                    sock.sendall(data[start : start + size])
                data = data[whole:]


def parse_and_answer(pipe: Connection) -> None:
    """Tell the port, then answer each request that comes there by UDP, and remember nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        pipe.send(EchoPort(sock.getsockname()[1]))
        while True:
            data, source = sock.recvfrom(_READ_SIZE)
            message = parse_message(data)
            assert isinstance(message, Request)
            sock.sendto(Response.to_request(message, 200, to_tag="a9f2").render(), source)
