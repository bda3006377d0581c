"""A chat client of XMPP by text templates and blocking sockets: just enough to talk in a room.

It opens a stream, is an anonymous user (RFC 4505), binds a resource (RFC 6120) and enters a room
(XEP-0045). What comes then is for whoever reads its socket.
"""

import re
import socket
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.talker import RoomWay, talk_by
from benchmarks.wire import BODY_SIZE, LoadError, connect

MARK = b"<body>"
"""What each message to an occupant holds once."""

_OPEN = (
    "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
_ANONYMOUS = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>"
_BIND = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
_ENTER = (
    "<presence to='{room}/{nickname}'><x xmlns='http://jabber.org/protocol/muc'>"
    "<history maxstanzas='0'/></x></presence>"
)
_MESSAGE = "<message to='{room}' type='groupchat' id='m%08d'><body>{text}</body></message>"

_FEATURES_END = re.compile(rb"</stream:features>")
_SUCCESS = re.compile(rb"<success[^>]*>")
_BOUND = re.compile(rb"<jid>[^<]+</jid>.*?</iq>", re.DOTALL)
# The presence that says that it is one's own (XEP-0045, section 7.2.2).
_ENTERED = re.compile(rb"<status [^>]*code=['\"]110['\"]")
_FAILURE = re.compile(rb"<(?:failure|stream:error)|type=['\"]error['\"]")


@dataclass(slots=True)
class XmppRoom:
    """A room of an XMPP server on this machine, and the domain of the server's own users."""

    port: int
    domain: str
    address: str


def enter(room: XmppRoom, nickname: str) -> socket.socket:
    """Return the connection of somebody who has entered a room; raises LoadError if it fails."""
    sock = connect(room.port)
    opening = _OPEN.format(domain=room.domain)
    for text, wanted in (
        (opening, _FEATURES_END),
        (_ANONYMOUS, _SUCCESS),
        (opening, _FEATURES_END),
        (_BIND, _BOUND),
        (_ENTER.format(room=room.address, nickname=nickname), _ENTERED),
    ):
        sock.sendall(text.encode())
        _await(sock, wanted)
    return sock


def enter_all(room: XmppRoom, count: int) -> list[socket.socket]:
    """Return the connections of so many listeners."""
    return [enter(room, f"listener{number:04d}") for number in range(count)]


def _await(sock: socket.socket, wanted: re.Pattern[bytes]) -> None:
    came = b""
    while wanted.search(came) is None:
        data = sock.recv(65536)
        came += data
        if not data or _FAILURE.search(came) is not None:
            raise LoadError(f"the server says {came[-400:].decode(errors='replace')!r}")


def talk_in_xmpp_room(pipe: Connection, room: XmppRoom, window: int) -> None:
    """Enter a room, then talk whenever told to: Talk, answered with Said.

    A message has been taken when the room sends it to the talker himself, as to everybody.
    """
    talk_by(pipe, RoomWay(enter(room, "talker"), _message_template(room.address), 2, MARK), window)


def _message_template(room: str) -> bytes:
    """Return a message to a room, to be formatted with its number twice."""
    text = "#%08d# " + "Nobody reads this, but it has the length that is wanted. " * 4
    # Formatted, a place of four bytes becomes a number of eight.
    return _MESSAGE.format(room=room, text=text[: BODY_SIZE - 4]).encode()
