"""A chat client of XMPP by text templates and blocking sockets: just enough to talk in a room.

It opens a stream, is an anonymous user (RFC 4505), binds a resource (RFC 6120) and enters a room
(XEP-0045). What comes then is for whoever reads its socket.
"""

import re
import socket

from benchmarks.wire import BODY_SIZE, LoadError, connect

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


def enter(port: int, domain: str, room: str, nickname: str) -> socket.socket:
    """Return the connection of somebody who has entered a room; raises LoadError if it fails."""
    sock = connect(port)
    for text, wanted in (
        (_OPEN.format(domain=domain), _FEATURES_END),
        (_ANONYMOUS, _SUCCESS),
        (_OPEN.format(domain=domain), _FEATURES_END),
        (_BIND, _BOUND),
        (_ENTER.format(room=room, nickname=nickname), _ENTERED),
    ):
        sock.sendall(text.encode())
        _await(sock, wanted)
    return sock


def _await(sock: socket.socket, wanted: re.Pattern[bytes]) -> None:
    came = b""
    while wanted.search(came) is None:
        data = sock.recv(65536)
        came += data
        if not data or _FAILURE.search(came) is not None:
            raise LoadError(f"the server says {came[-400:].decode(errors='replace')!r}")


def message_template(room: str) -> bytes:
    """Return a message to a room, to be formatted with its number twice."""
    text = "#%08d# " + "Nobody reads this, but it has the length that is wanted. " * 4
    # Formatted, a place of four bytes becomes a number of eight.
    return _MESSAGE.format(room=room, text=text[: BODY_SIZE - 4]).encode()
