"""NICKNAME requests and the value of Use-Nickname (RFC 7701 section 7.1)."""

import re

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.events import NicknameRequested
from sylk.msrp.frame import Frame

MAX_NICKNAME = 1023
"""Characters in a nickname (RFC 7701 section 12)."""

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

    COMPAT: clients write the name bare, RFC 7701 wants it quoted; both are read.
    """
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise RemoteProtocolError("nickname is not UTF-8", 424) from None
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = _ESCAPED.sub(r"\1", text[1:-1])
    if len(text) > MAX_NICKNAME or _CONTROL.search(text):
        raise RemoteProtocolError("malformed nickname", 424)
    return text


def render_nickname(nickname: str) -> bytes:
    """Write the value, quoted; raises LocalProtocolError for a name that cannot be written."""
    if len(nickname) > MAX_NICKNAME or _CONTROL.search(nickname):
        raise LocalProtocolError("nickname too long or with control characters")
    escaped = nickname.replace("\\", "\\\\").replace('"', '\\"')
    try:
        return f'"{escaped}"'.encode()
    except UnicodeEncodeError:
        raise LocalProtocolError("nickname cannot be written as UTF-8") from None
