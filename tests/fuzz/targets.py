"""What is fuzzed: each reader of bytes from the network, as data.

Whatever the bytes are, a reader gives a result or raises RemoteProtocolError. One that gets its
bytes from a stream gives the same whether they come in one piece or one by one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sylk_conference.commands import read_command

from sylk.errors import RemoteProtocolError
from sylk.mdns.message import parse_message as parse_mdns
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import ByteRange, Frame
from sylk.msrp.parser import FrameParser
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.uri import MsrpURI, parse_path
from sylk.payload.composing import IsComposing
from sylk.payload.conference_info import ConferenceInfo
from sylk.payload.content_type import ContentType
from sylk.payload.cpim import CpimMessage
from sylk.payload.cpim_address import Address
from sylk.payload.cpim_envelope import split_envelope
from sylk.payload.date_time import read_date_time
from sylk.payload.html_text import text_of_html
from sylk.payload.imdn import Imdn
from sylk.payload.multipart import Multipart
from sylk.payload.pidf import Presence
from sylk.payload.resource_lists import parse_recipients
from sylk.payload.sdp import SessionDescription
from sylk.payload.sipfrag import StatusFragment
from sylk.sip.address import NameAddr
from sylk.sip.cseq import CSeq
from sylk.sip.digest import parse_challenges, parse_credentials
from sylk.sip.event_headers import EventType, SubscriptionState
from sylk.sip.message import Request, Response
from sylk.sip.parser import parse_message
from sylk.sip.reason_header import Reason
from sylk.sip.replaces import DialogReference
from sylk.sip.stream import StreamParser
from sylk.sip.uri import SipURI
from sylk.sip.via import Via

MAX_SIZE = 4096
"""Bytes of an input; what is longer finds nothing more."""

Pieces = Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """One reader; `read` gets all bytes in one piece unless `streams`."""

    read: Callable[[Pieces], object]
    streams: bool = False
    words: tuple[bytes, ...] = ()
    """Inputs that are right, to begin with."""

    def result(self, pieces: Pieces) -> object:
        """Return what comes of an input, a refusal by its status."""
        try:
            return self.read(pieces)
        except RemoteProtocolError as error:
            return error.status


def _whole(read: Callable[[bytes], object], *words: bytes) -> Target:
    return Target(lambda pieces: read(b"".join(pieces)), words=words)


def _text(*reads: Callable[[str], object], words: tuple[bytes, ...] = ()) -> Target:
    def read(data: bytes) -> object:
        text = data.decode("utf-8", "surrogateescape")
        return [_one(each, text) for each in reads]

    return _whole(read, *words)


def _one(read: Callable[[str], object], text: str) -> object:
    try:
        return repr(read(text))
    except RemoteProtocolError as error:
        return error.status


# SIP

_INVITE = (
    b"INVITE sip:lobby@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKx\r\n"
    b'From: "A" <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n'
    b"Contact: <sip:a@192.0.2.1>\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
)
_FIELDS: Mapping[str, Callable[[str], object]] = {
    "Via": Via.parse,
    "From": NameAddr.parse,
    "Contact": NameAddr.parse,
    "CSeq": CSeq.parse,
    "Event": EventType.parse,
    "Subscription-State": SubscriptionState.parse,
    "Replaces": DialogReference.parse,
    "Reason": Reason.parse,
}


def _message(data: bytes) -> object:
    return _shown(parse_message(data))


def _shown(message: object) -> object:
    if not isinstance(message, Request | Response):
        return repr(message)
    headers = message.headers
    values = [_one(parse, text) for name, parse in _FIELDS.items() for text in headers.lines(name)]
    return type(message).__name__, message.body, values


def _challenges(text: str) -> object:
    return parse_challenges([text])


def _credentials(text: str) -> object:
    return parse_credentials([text])


def _sip_stream(pieces: Pieces) -> object:
    parser, found = StreamParser(), list[object]()
    for piece in pieces:
        parser.receive_data(piece)
        while True:
            try:
                event = parser.next_event()
            except RemoteProtocolError as error:
                is_lost = bool(getattr(error, "framing_lost", False))
                found.append((error.status, is_lost))
                if is_lost:
                    return found
                continue
            if event is None:
                break
            found.append(_shown(event))
    return found


# MSRP

_PATHS = (
    b"To-Path: msrp://us.example.com:1/us;tcp\r\nFrom-Path: msrp://them.example.com:1/them;tcp\r\n"
)
_SEND = (
    b"MSRP a1b2 SEND\r\n" + _PATHS + b"Message-ID: m\r\nByte-Range: 1-2/2\r\n"
    b"Content-Type: text/plain\r\n\r\nhi\r\n-------a1b2$\r\n"
)
_REPORT = (
    b"MSRP a1b3 REPORT\r\n" + _PATHS + b"Message-ID: m\r\nByte-Range: 1-2/2\r\n"
    b"Status: 000 200 OK\r\n-------a1b3$\r\n"
)
_NICKNAME = b"MSRP a1b4 NICKNAME\r\n" + _PATHS + b'Use-Nickname: "A"\r\n-------a1b4$\r\n'


def _frames(pieces: Pieces) -> object:
    parser, found = FrameParser(), list[Frame]()
    try:
        for piece in pieces:
            parser.receive_data(piece)
            while (frame := parser.next_event()) is not None:
                found.append(frame)
    except RemoteProtocolError as error:
        return [repr(frame) for frame in found], error.status
    return [repr(frame) for frame in found]


def _byte_range(text: str) -> object:
    return ByteRange.parse(text.encode("utf-8", "replace"))


def _session(data: bytes) -> object:
    session = MsrpSession(parse_path("msrp://us.example.com:1/us;tcp"), active=False)
    session.remote_path = parse_path("msrp://them.example.com:1/them;tcp")
    registry = SessionRegistry()
    registry.add(session)
    connection, found = MsrpConnection(registry), list[str]()
    try:
        connection.receive_data(data, 0.0)
    finally:
        while (event := connection.next_event()) is not None:
            found.append(type(event[1]).__name__)
        connection.data_to_send()
        session.handle_deadline(1000.0)
        connection.close("over", 1001.0)
    return found


# Bodies

_XML = b'<?xml version="1.0" encoding="UTF-8"?>'
_DOCUMENTS = (
    _XML + b'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:a@b"'
    b' state="full" version="1"><users><user entity="sip:c@d"/></users></conference-info>',
    _XML + b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:a@b"><tuple id="t">'
    b"<status><basic>open</basic></status></tuple></presence>",
    _XML + b'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>'
    b'<entry uri="sip:a@b"/></list></resource-lists>',
    _XML + b'<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>idle</state>'
    b"</isComposing>",
    _XML + b'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>1</message-id>'
    b"<datetime>2026-01-01T00:00:00Z</datetime><delivery-notification><status><delivered/>"
    b"</status></delivery-notification></imdn>",
)
_CPIM = (
    b"From: A <sip:a@b>\r\nTo: <sip:c@d>\r\nDateTime: 2026-01-01T00:00:00Z\r\n\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nhi"
)
_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=message 2855 TCP/MSRP *\r\n"
    b"c=IN IP4 192.0.2.1\r\na=path:msrp://192.0.2.1:2855/x;tcp\r\na=accept-types:*\r\n"
)
_MULTIPART = b"--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--\r\n"


def _documents(data: bytes) -> object:
    return [
        _read(parse, data)
        for parse in (
            ConferenceInfo.parse,
            Presence.parse,
            parse_recipients,
            IsComposing.parse,
            Imdn.parse,
        )
    ]


def _read(parse: Callable[[bytes], object], data: bytes) -> object:
    try:
        return repr(parse(data))
    except RemoteProtocolError as error:
        return error.status


def _multipart(data: bytes) -> object:
    return repr(Multipart.parse(data, "multipart/mixed;boundary=b"))


def _cpim(data: bytes) -> object:
    return _read(CpimMessage.parse, data), _read(split_envelope, data)


TARGETS: Mapping[str, Target] = {
    "sip-message": _whole(_message, _INVITE),
    "sip-stream": Target(_sip_stream, streams=True, words=(_INVITE, b"\r\n\r\n" + _INVITE * 2)),
    "sip-fields": _text(
        *(SipURI.parse, *dict.fromkeys(_FIELDS.values())),
        _challenges,
        _credentials,
        words=(
            b'"A" <sip:a:b@c:5060;transport=tcp?x=y>;tag=1',
            b'Digest realm="r",nonce="n",qop="auth"',
        ),
    ),
    "msrp-frames": Target(_frames, streams=True, words=(_SEND, _REPORT, _NICKNAME)),
    "msrp-session": _whole(_session, _SEND + _REPORT + _NICKNAME),
    "msrp-fields": _text(
        *(MsrpURI.parse, parse_path, _byte_range),
        words=(b"msrp://[::1]:2855/x;tcp", b"1-*/20"),
    ),
    "sdp": _whole(lambda data: repr(SessionDescription.parse(data)), _SDP),
    "cpim": _whole(_cpim, _CPIM),
    "xml": _whole(_documents, *_DOCUMENTS),
    "multipart": _whole(_multipart, _MULTIPART),
    "sipfrag": _whole(lambda data: repr(StatusFragment.parse(data)), b"SIP/2.0 200 OK\r\n"),
    "texts": _text(
        *(ContentType.parse, Address.parse, read_date_time, text_of_html),
        words=(b"text/plain;charset=utf-8", b"A <sip:a@b>", b"2026-01-01T00:00:00Z", b"<b>hi</b>"),
    ),
    "command": _whole(lambda data: repr(read_command(data)), b'{"command": "lock"}'),
    "mdns": _whole(
        lambda data: repr(parse_mdns(data)),
        b"\0\0\0\0\0\1\0\0\0\0\0\0\4_sip\4_udp\5local\0\0\x0c\0\1",
    ),
}


def check(name: str, data: bytes) -> None:
    """Read an input by a target, in one piece and, from a stream, one by one."""
    target = TARGETS[name]
    whole = target.result([data])
    if target.streams:
        single = target.result(data[at : at + 1] for at in range(len(data)))
        assert whole == single, f"{whole!r} in one piece, {single!r} byte by byte"
