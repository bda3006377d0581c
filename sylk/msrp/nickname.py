"""NICKNAME requests and the value of Use-Nickname (RFC 7701 section 7.1).

The RFC wants the value quoted. COMPAT: deployed clients write it bare, and the deployed server
takes quotes for a part of the name, so both ways are read here, and both can be written.
"""

import re

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.events import NicknameRequested
from sylk.msrp.frame import Frame

MAX_NICKNAME = 1023
"""Octets of a nickname (RFC 7701 section 7.1)."""

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def read_request(frame: Frame) -> NicknameRequested:
    """Return what a NICKNAME asks for; raises RemoteProtocolError 400 or 424 (RFC 7701 7.1)."""
    headers = frame.headers
    value = headers.get(b"use-nickname")
    if value is None or b"success-report" in headers or b"failure-report" in headers:
        raise RemoteProtocolError("malformed NICKNAME", 400)
    return NicknameRequested(read_nickname(value), frame)


def read_nickname(value: bytes) -> str:
    """Return the nickname, empty when it is given up; raises RemoteProtocolError 424.

    A value that begins with a quote must be a quoted string as a whole.
    """
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise RemoteProtocolError("nickname is not UTF-8", 424) from None
    if text.startswith('"'):
        quoted = _QUOTED.fullmatch(text)
        if quoted is None:
            raise RemoteProtocolError("nickname with a stray quote", 424)
        text = _ESCAPED.sub(r"\1", quoted[1])
    if len(text.encode()) > MAX_NICKNAME or _CONTROL.search(text):
        raise RemoteProtocolError("malformed nickname", 424)
    return text


def render_nickname(nickname: str, *, quoted: bool = True) -> bytes:
    """Write the value; raises LocalProtocolError for a name that cannot be written.

    A bare value that begins with a quote, or has space around it, would be read as another name.
    """
    try:
        name = nickname.encode()
    except UnicodeEncodeError:
        raise LocalProtocolError("nickname cannot be written as UTF-8") from None
    if len(name) > MAX_NICKNAME or _CONTROL.search(nickname):
        raise LocalProtocolError("nickname too long or with control characters")
    if quoted:
        return b'"%b"' % name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    if nickname.startswith('"') or nickname.strip(" ") != nickname:
        raise LocalProtocolError("nickname that only quotes could hold")
    return name
