"""Parsers alone, in this process: how many bytes and messages a second, best of several rounds."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.report import Section
from benchmarks.wire import BODY_SIZE
from sylk.msrp.parser import FrameParser
from sylk.payload.cpim import CpimMessage
from sylk.payload.cpim_envelope import split_envelope
from sylk.payload.sdp import SessionDescription
from sylk.sip.parser import parse_message
from sylk.sip.stream import StreamParser

READ_SIZE = 65536
FRAMES = 2000
ROUNDS = 7

_SDP = """\
v=0
o=- 3973000000 3973000000 IN IP4 192.0.2.10
s=Chat client
c=IN IP4 192.0.2.10
t=0 0
m=message 2855 TCP/MSRP *
a=path:msrp://192.0.2.10:2855/4d0aa7be3f1c9a2be77f;tcp
a=accept-types:message/cpim text/* image/* application/im-iscomposing+xml
a=accept-wrapped-types:text/* image/* application/im-iscomposing+xml
a=setup:active
a=chatroom:nickname private-messages
"""

_INVITE = """\
INVITE sip:lobby@conference.example.com SIP/2.0
Record-Route: <sip:203.0.113.7;transport=tcp;lr;did=a51.f4>
Via: SIP/2.0/TCP 203.0.113.7;branch=z9hG4bKcydzigwkX;i=a7
Via: SIP/2.0/TCP 192.0.2.10:51553;received=198.51.100.3;rport=51553;branch=z9hG4bK962af1d4c7c63b
Max-Forwards: 69
From: "Alice Example" <sip:{user}@example.com>;tag=d90ce439b0
To: <sip:lobby@conference.example.com>
Call-ID: b626c51158907733ac62@192.0.2.10
CSeq: 6883 INVITE
Contact: <sip:alice@192.0.2.10:51553;transport=tcp>
User-Agent: Chat client 5.9.8
Allow: SUBSCRIBE, NOTIFY, PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, MESSAGE, REFER
Supported: 100rel, replaces, norefersub, gruu
P-Asserted-Identity: <sip:alice@example.com>
Content-Type: application/sdp
Content-Length: {length}

"""

_CPIM = (
    "From: Alice Example <sip:alice@example.com>\r\nTo: <sip:lobby@conference.example.com>\r\n"
    "DateTime: 2026-01-01T12:00:00.000000+00:00\r\n\r\n"
    "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n" + "x" * BODY_SIZE
).encode()

_SEND = (
    b"MSRP t%08dx SEND\r\n"
    b"To-Path: msrp://198.51.100.5:2855/9f3b2c0d11aa22bb33cc;tcp\r\n"
    b"From-Path: msrp://192.0.2.10:2855/4d0aa7be3f1c9a2be77f;tcp\r\n"
    b"Message-ID: m%08dx\r\nByte-Range: 1-%d/%d\r\nContent-Type: message/cpim\r\n\r\n"
    b"%b\r\n-------t%08dx$\r\n"
)


@dataclass(slots=True)
class _Parsing:
    name: str
    sizes: list[int]
    """Bytes of each message that one call of `parse` takes."""
    parse: Callable[[], None]


def run(*, quick: bool) -> Section:
    """Measure all parsers."""
    section = Section(
        "parsers", [f"Best of {ROUNDS} rounds. SENDs hold {len(_CPIM)} bytes of CPIM."]
    )
    for parsing in _parsings():
        seconds = _best(parsing.parse, repeat=1 if quick else 5)
        section.add(
            parsing.name,
            {
                "bytes": sum(parsing.sizes) // len(parsing.sizes),
                "messages/s": len(parsing.sizes) / seconds,
                "MB/s": sum(parsing.sizes) / seconds / 1e6,
                "us each": seconds / len(parsing.sizes) * 1e6,
            },
        )
    return section


def _best(parse: Callable[[], None], repeat: int) -> float:
    """Return the seconds of one call in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(repeat):
            parse()
        best = min(best, (time.perf_counter() - begin) / repeat)
    return best


def invite(user: str) -> bytes:
    """Return the INVITE of a caller."""
    sdp = _SDP.replace("\n", "\r\n").encode()
    return _INVITE.format(user=user, length=len(sdp)).replace("\n", "\r\n").encode() + sdp


def _parsings() -> list[_Parsing]:
    sends = [_SEND % (n, n, len(_CPIM), len(_CPIM), _CPIM, n) for n in range(FRAMES)]
    sdp = _SDP.replace("\n", "\r\n").encode()
    one_invite = invite("alice")
    invites = [one_invite] * FRAMES
    return [
        _Parsing("MSRP SENDs, reads of 64 KiB", _sizes(sends), lambda: _frames(_reads(sends))),
        _Parsing("MSRP SENDs, a read each", _sizes(sends), lambda: _frames(sends)),
        _repeated("CPIM split_envelope", _CPIM, split_envelope),
        _repeated("CPIM, all of it", _CPIM, CpimMessage.parse),
        _repeated("SIP INVITE, parse_message", one_invite, parse_message),
        _Parsing("SIP INVITEs, a stream", _sizes(invites), lambda: _messages(_reads(invites))),
        _repeated("SDP offer", sdp, SessionDescription.parse),
    ]


def _repeated(name: str, data: bytes, parse: Callable[[bytes], object]) -> _Parsing:
    def parse_all() -> None:
        for _ in range(FRAMES):
            parse(data)

    return _Parsing(name, [len(data)] * FRAMES, parse_all)


def _sizes(messages: Sequence[bytes]) -> list[int]:
    return [len(message) for message in messages]


def _reads(messages: Sequence[bytes]) -> list[bytes]:
    data = b"".join(messages)
    return [data[start : start + READ_SIZE] for start in range(0, len(data), READ_SIZE)]


def _frames(reads: Sequence[bytes]) -> None:
    parser = FrameParser()
    found = 0
    for data in reads:
        parser.receive_data(data)
        while parser.next_event() is not None:
            found += 1
    assert found == FRAMES


def _messages(reads: Sequence[bytes]) -> None:
    parser = StreamParser()
    found = 0
    for data in reads:
        parser.receive_data(data)
        while parser.next_event() is not None:
            found += 1
    assert found == FRAMES
