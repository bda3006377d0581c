"""A client behind a relay, the peer that it writes to, and a loop in the place of the relay.

The client comes over TLS, as relays want it, and gets a path by AUTH. Its peer listens in clear and
answers each message. The loop ends the TLS too, and passes on bytes that it does not look at.
"""

import hashlib
import os
import re
import select
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.crowd import Port
from benchmarks.wire import HOST, LoadError
from benchmarks.workers import Ready

_READ_SIZE = 256 * 1024
_PATIENCE = 5.0
_HEAD_SIZE = 1024
"""More than the head of a frame has."""
_OK = b" 200 OK\r\n"

# What ends the URI belongs to it: a read may end in the middle of one.
_HEAD = re.compile(rb"MSRP (\S+) SEND\r\nTo-Path: [^\r\n]+\r\nFrom-Path: (\S+)[ \r]")
_BAD = re.compile(rb"MSRP \S+ [3-6]\d\d[^\r\n]*")
_USE_PATH = re.compile(rb"Use-Path: ([^\r\n]+)")
_CHALLENGE = re.compile(rb'realm="([^"]*)"')
_NONCE = re.compile(rb'nonce="([^"]*)"')
_ALGORITHM = re.compile(rb"algorithm=([A-Z0-9-]+)")


@dataclass(slots=True)
class Account:
    """Where the relay is, and who asks it for a path; without a password nothing is asked."""

    port: int
    user: str
    password: str


@dataclass(slots=True)
class Flood:
    """Wants messages with bodies of `size`, `window` unanswered, for so many seconds."""

    size: int
    window: int
    seconds: float


@dataclass(slots=True)
class Flooded:
    """How many messages were answered, and in what time."""

    messages: int
    seconds: float


@dataclass(slots=True)
class Count:
    """Wants to know how many messages have come; answered with an int."""


# The peer


def take_messages(pipe: Connection) -> None:
    """Tell a port, then count and answer what comes there."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        own = f"msrp://{HOST}:{port}/peer;tcp".encode()
        pipe.send(Port(port))
        sock, _ = listener.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = b""
    count = 0
    while True:
        readable = select.select([sock, pipe], [], [])[0]
        if pipe in readable:
            pipe.recv()
            pipe.send(count)
        if sock not in readable:
            continue
        data = rest + sock.recv(_READ_SIZE)
        if len(data) == len(rest):
            raise LoadError("the connection to the peer was closed")
        answers: list[bytes] = []
        end = 0
        for match in _HEAD.finditer(data):
            transaction, back = match.groups()
            end = match.end()
            answers.append(
                b"MSRP %b 200 OK\r\nTo-Path: %b\r\nFrom-Path: %b\r\n-------%b$\r\n"
                % (transaction, back, own, transaction)
            )
        count += len(answers)
        rest = data[max(end, len(data) - _HEAD_SIZE) :]
        if answers:
            sock.sendall(b"".join(answers))


# The client


def write_through(pipe: Connection, account: Account, peer: int) -> None:
    """Get a path and send messages over it when told so."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection((HOST, account.port), timeout=_PATIENCE)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock = context.wrap_socket(plain)
    own = f"msrps://{HOST}:2855/{os.urandom(10).hex()};tcp"
    relay = f"msrps://{HOST}:{account.port};tcp"
    path = _ask_for_path(sock, account, relay, own) if account.password else relay
    pipe.send(Ready())
    number = 0
    while True:
        command = pipe.recv()
        assert isinstance(command, Flood)
        to_path = f"{path} msrp://{HOST}:{peer}/peer;tcp"
        done = _flood(sock, to_path, own, command, number)
        number += done.messages
        pipe.send(done)


def _flood(sock: ssl.SSLSocket, to_path: str, own: str, flood: Flood, first: int) -> Flooded:
    body = "Nobody reads this. " * (flood.size // 19 + 1)
    template = (
        f"MSRP t%08dx SEND\r\nTo-Path: {to_path}\r\nFrom-Path: {own}\r\nMessage-ID: m%08dx\r\n"
        f"Byte-Range: 1-{flood.size}/{flood.size}\r\nContent-Type: text/plain\r\n\r\n"
        f"{body[: flood.size]}\r\n-------t%08dx$\r\n"
    ).encode()
    begin = time.monotonic()
    sent = answered = 0
    tail = b""
    while answered < sent or time.monotonic() - begin < flood.seconds:
        if time.monotonic() - begin < flood.seconds:
            numbers = range(first + sent, first + answered + flood.window)
            sock.sendall(b"".join([template % ((number,) * 3) for number in numbers]))
            sent += len(numbers)
        data = tail + sock.recv(_READ_SIZE)
        if len(data) == len(tail):
            raise LoadError("the relay closed the connection")
        if (bad := _BAD.search(data)) is not None:
            raise LoadError(f"the relay says {bad[0].decode()}")
        answered += data.count(_OK)
        tail = data[1 - len(_OK) :]
    return Flooded(answered, time.monotonic() - begin)


def _ask_for_path(sock: ssl.SSLSocket, account: Account, relay: str, own: str) -> str:
    challenge = _auth(sock, relay, own, "a1", "")
    authorization = _digest(challenge, account, relay)
    granted = _auth(sock, relay, own, "a2", f"Authorization: {authorization}\r\n")
    if (match := _USE_PATH.search(granted)) is None:
        raise LoadError(f"the relay gives no path: {granted!r}")
    return match[1].decode()


def _auth(sock: ssl.SSLSocket, relay: str, own: str, transaction: str, more: str) -> bytes:
    frame = f"To-Path: {relay}\r\nFrom-Path: {own}\r\n{more}"
    sock.sendall(f"MSRP {transaction} AUTH\r\n{frame}-------{transaction}$\r\n".encode())
    answer = b""
    while not answer.endswith(f"-------{transaction}$\r\n".encode()):
        data = sock.recv(_READ_SIZE)
        if not data:
            raise LoadError(f"the relay closed the connection after {answer!r}")
        answer += data
    return answer


def _digest(challenge: bytes, account: Account, uri: str) -> str:
    """Answer the first challenge (RFC 7616)."""
    found = [pattern.search(challenge) for pattern in (_CHALLENGE, _NONCE)]
    realm, nonce = (match[1].decode() if match else "" for match in found)
    named = _ALGORITHM.search(challenge)
    algorithm = named[1].decode() if named else "MD5"
    name = algorithm.replace("-", "").lower()

    def digest(*parts: str) -> str:
        return hashlib.new(name, ":".join(parts).encode()).hexdigest()

    cnonce = os.urandom(8).hex()
    secret = digest(account.user, realm, account.password)
    response = digest(secret, nonce, "00000001", cnonce, "auth", digest("AUTH", uri))
    return (
        f'Digest username="{account.user}", realm="{realm}", nonce="{nonce}", uri="{uri}",'
        f' response="{response}", algorithm={algorithm}, qop=auth, nc=00000001, cnonce="{cnonce}"'
    )


# The loop


def splice_tls(pipe: Connection, certificate: Path, key: Path, peer: int) -> None:
    """Tell a port, and pass on what comes there over TLS to `peer`, and back."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with socket.create_server((HOST, 0)) as listener:
        target = socket.create_connection((HOST, peer))
        pipe.send(Port(listener.getsockname()[1]))
        plain, _ = listener.accept()
    source = context.wrap_socket(plain, server_side=True)
    for sock in (source, target):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        readable = select.select([source, target], [], [])[0]
        if target in readable:
            source.setblocking(True)
            if not (data := target.recv(_READ_SIZE)):
                return
            source.sendall(data)
        if source not in readable:
            continue
        source.setblocking(False)
        parts: list[bytes] = []
        # What TLS has decrypted already makes no socket readable.
        with suppress(ssl.SSLWantReadError):
            while data := source.recv(_READ_SIZE):
                parts.append(data)
            return
        target.sendall(b"".join(parts))
