"""Floods of participants: who talks without pause, who never reads, and all who leave at once."""

import socket
from collections.abc import Callable
from contextlib import suppress

from benchmarks.flood_wire import Ports, Step
from benchmarks.wire import HOST, ChatSession, SipConnection

_CHUNK = 16
"""Messages that go over a stream with one call."""
_SMALL_BUFFER = 4096
_LONG = b"x" * 60_000


def talk_without_pause(ports: Ports) -> Step:
    """Be one of the room, and say as much as the connection takes."""
    session = ChatSession(SipConnection(ports.sip_tcp), ports.room, "mallory")
    session.await_message()
    template = session.message_template().replace(b"#%08d#", b"%08d")
    session.socket.setblocking(False)
    count, rest = 0, b""

    def step() -> int:
        nonlocal count, rest
        with suppress(BlockingIOError):
            while session.socket.recv(262144):
                pass
        before = count
        if not rest:
            rest = b"".join(template % ((count + n,) * 4) for n in range(_CHUNK))
            count += _CHUNK
        with suppress(BlockingIOError):
            rest = rest[session.socket.send(rest) :]
        return count - before

    return step


def never_read(people: int) -> Callable[[Ports], Step]:
    """Be so many of the room who read nothing, and one who says much."""

    def prepare(ports: Ports) -> Step:
        sip = SipConnection(ports.sip_tcp)
        talker = ChatSession(sip, ports.room, "mallory")
        talker.await_message()
        for number in range(people):
            session = ChatSession(sip, ports.room, f"stalled{number}")
            session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
            _kept.append(session)
        cpim = (
            f"From: <sip:mallory@{HOST}>\r\nTo: <{ports.room}>\r\n"
            "DateTime: 2026-01-01T12:00:00Z\r\n\r\nContent-Type: text/plain\r\n\r\n"
        ).encode() + _LONG
        head = (
            f"Message-ID: m%08d\r\nByte-Range: 1-{len(cpim)}/{len(cpim)}\r\n"
            "Content-Type: message/cpim\r\n\r\n"
        )
        talker.socket.setblocking(False)
        count, rest = 0, b""

        def step() -> int:
            nonlocal count, rest
            with suppress(BlockingIOError):
                while talker.socket.recv(262144):
                    pass
            done = 0
            if not rest:
                count, done = count + 1, 1
                start = f"MSRP t{count:08d} SEND\r\n{talker.paths()}{head % count}".encode()
                rest = start + cpim + f"\r\n-------t{count:08d}$\r\n".encode()
            with suppress(BlockingIOError):
                rest = rest[talker.socket.send(rest) :]
            return done

        return step

    return prepare


_kept: list[ChatSession] = []
"""Whom nobody else refers to."""


def leave_at_once(people: int, *, politely: bool) -> Callable[[Ports], Step]:
    """Be so many of the room, and leave it all together: with a BYE each, or without a word."""

    def prepare(ports: Ports) -> Step:
        sip = SipConnection(ports.sip_tcp)
        for number in range(people):
            _kept.append(ChatSession(sip, ports.room, f"guest{number}"))

        def step() -> int:
            for session in _kept:
                if politely:
                    session.say_bye()
                else:
                    session.socket.close()
            left = len(_kept)
            _kept.clear()
            return left

        return step

    return prepare
